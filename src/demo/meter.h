/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * meter.h - how long a call kept its caller asleep, without help from a tracer.
 *
 * A call's duration is an upper bound only: it holds the copying, and on a busy
 * machine the time the task was ready to run and had no CPU. The scheduler
 * keeps both for every thread: CPU time (CLOCK_THREAD_CPUTIME_ID) and time
 * spent runnable and waiting (second field of /proc/self/schedstat, kernel
 * Documentation/scheduler/sched-stats.rst). What is left of the wall clock,
 *
 *	asleep = elapsed - on CPU - waiting for a CPU,
 *
 * only grows while the thread sleeps. So reading it costs something only where
 * a sleep may have been: after a call that took long, and around the
 * workload's own sleeps. Stolen time of a virtual CPU looks like sleep, which
 * is why no call is ever credited with more than it took.
 *
 * Where the kernel keeps no such account (CONFIG_SCHED_INFO off), the
 * duration of every long call is taken and meter_exact() is false.
 */
#ifndef DEMO_METER_H
#define DEMO_METER_H

#include <stdbool.h>
#include <stdint.h>

/* Shorter calls are taken not to have slept: a switch away and back costs about as much. */
#define METER_SHORT_NS 10000ull

struct meter {
	int fd;             /* /proc/self/schedstat, -1: no account */
	uint64_t asleep_ns; /* at the latest look */
};

/* For the calling thread, which alone may use it. Cannot fail: without the account it estimates. */
void meter_init(struct meter *m);
void meter_fini(struct meter *m);
bool meter_exact(const struct meter *m);

/* A call that began took_ns ago returned now: nanoseconds it was asleep. */
uint64_t meter_call(struct meter *m, uint64_t took_ns);

/* Forgets every sleep up to now: after the caller slept on its own account. */
void meter_skip(struct meter *m);

#endif
