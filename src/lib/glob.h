/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glob.h - a pattern with * and ? as bit masks, so that matching has no branches
 * on the pattern: the kernel side steps through the same masks (bpf/life.bpf.c).
 *
 * Bit n of a state says that the first n elements of the pattern, stars not
 * counted, match what was read so far.
 */
#ifndef IPCSPY_GLOB_H
#define IPCSPY_GLOB_H

#include <linux/types.h>
#include <stdbool.h>

struct glob {
	__u64 takes[256]; /* by byte: the elements that match it */
	__u64 gaps;       /* bit n: a star behind the first n elements */
	__u64 end;        /* the bit of a whole match */
};

/* Compiles pattern. Returns 0, or -EINVAL when it is longer than IPCSPY_GLOB_MAX bytes. */
int glob_compile(struct glob *g, const char *pattern);

/* The next state after one byte of the name; the first state is 1. */
static inline __u64 glob_step(const struct glob *g, __u64 state, unsigned char byte)
{
	return (state & g->takes[byte]) << 1 | (state & g->gaps);
}

bool glob_match(const struct glob *g, const char *name);

#endif
