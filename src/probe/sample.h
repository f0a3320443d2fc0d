/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample.h - where running tasks are, a thousand times a second for a moment.
 *
 * perf_event_open(2), a software clock of each task that counts only while it runs; the
 * kernel follows the chain of frame pointers. CAP_PERFMON is enough. What comes through
 * the ring is the kernel's, and checked all the same.
 */
#ifndef IPCSPY_PROBE_SAMPLE_H
#define IPCSPY_PROBE_SAMPLE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define SAMPLES_MAX   64 /* of one task */
#define SAMPLE_KERNEL 8
#define SAMPLE_USER   16

/* Addresses, innermost first; what is further out is left out. */
struct sample {
	__u32 kernel_cnt, user_cnt;
	__u64 kernel[SAMPLE_KERNEL], user[SAMPLE_USER];
	__u64 top; /* the word at the user's stack pointer, 0 unknown */
};

struct sample_set {
	__u32 tid;
	size_t cnt;
	struct sample of[SAMPLES_MAX];
};

/*
 * Samples these tasks for SAMPLE_MS, and up to SAMPLE_LONG_MS when one of them did not get a
 * processor until then. A task that could not be sampled, or did not run, has no samples.
 */
#define SAMPLE_MS      20
#define SAMPLE_LONG_MS 50
void samples_take(struct sample_set *sets, size_t cnt);

/* Whether tasks can be sampled: 0 or -errno. */
int samples_test(void);

/*
 * One record of the ring: PERF_SAMPLE_TID, PERF_SAMPLE_CALLCHAIN and PERF_SAMPLE_STACK_USER,
 * its header included. False: it is something else, or broken.
 */
bool sample_parse(const void *record, size_t len, __u32 tid, struct sample *out);

#endif
