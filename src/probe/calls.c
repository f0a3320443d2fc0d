// SPDX-License-Identifier: BSD-2-Clause
#include "probe/calls.h"

#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "probe/envoy.h"

#define NSEC_PER_SEC 1000000000ull
#define PAGE         4096

#define FUTEX_CMD_MASK      127
#define FUTEX_WAIT_CMD      0
#define FUTEX_LOCK_PI_CMD   6
#define FUTEX_REALTIME_FLAG 256
#ifndef __NR_futex_wait
#define __NR_futex_wait 455
#endif

/* newer architectures have only the later form */
#ifdef __NR_poll
#define NR_POLL __NR_poll
#else
#define NR_POLL __NR_ppoll
#endif

static const struct wait_call calls[] = {
	{__NR_nanosleep, WAIT_SLEEP, END_TIMESPEC, 0},
	{__NR_clock_nanosleep, WAIT_SLEEP, END_CLOCK, 2},
	{__NR_wait4, WAIT_CHILD4, END_NONE, 0},
	{__NR_waitid, WAIT_CHILDID, END_NONE, 0},
	{__NR_flock, WAIT_FLOCK, END_NONE, 0},
	{__NR_fcntl, WAIT_FCNTL, END_NONE, 0},
	{__NR_clone, WAIT_VFORK, END_NONE, 0},
	{__NR_clone3, WAIT_VFORK, END_NONE, 0},
	{__NR_openat, WAIT_OPENAT, END_NONE, 0},
	{__NR_openat2, WAIT_OPENAT2, END_NONE, 0},
	{__NR_ppoll, WAIT_POLL, END_TIMESPEC, 2},
	{__NR_pselect6, WAIT_SELECT, END_TIMESPEC, 4},
	{__NR_epoll_pwait, WAIT_EPOLL, END_MS, 3},
	{__NR_epoll_pwait2, WAIT_EPOLL, END_TIMESPEC, 3},
	{__NR_io_uring_enter, WAIT_ANYTHING, END_NONE, 0},
	{__NR_restart_syscall, WAIT_ANYTHING, END_NONE, 0},
	{__NR_futex, WAIT_CHANNEL, END_FUTEX, 3},
	{__NR_futex_waitv, WAIT_CHANNEL, END_FUTEX2, 3},
	{__NR_futex_wait, WAIT_CHANNEL, END_FUTEX2, 4},
	{__NR_semtimedop, WAIT_CHANNEL, END_TIMESPEC, 3},
	{__NR_mq_timedsend, WAIT_CHANNEL, END_AT_REAL, 4},
	{__NR_mq_timedreceive, WAIT_CHANNEL, END_AT_REAL, 4},
	{__NR_rt_sigsuspend, WAIT_SIGNALS, END_NONE, 0},
	{__NR_rt_sigtimedwait, WAIT_CHANNEL, END_TIMESPEC, 2},
/* newer architectures have only the later forms */
#ifdef __NR_vfork
	{__NR_vfork, WAIT_VFORK, END_NONE, 0},
#endif
#ifdef __NR_pause
	{__NR_pause, WAIT_SIGNALS, END_NONE, 0},
#endif
#ifdef __NR_open
	{__NR_open, WAIT_OPEN, END_NONE, 0},
#endif
#ifdef __NR_creat
	{__NR_creat, WAIT_CREAT, END_NONE, 0},
#endif
#ifdef __NR_poll
	{__NR_poll, WAIT_POLL, END_MS, 2},
#endif
#ifdef __NR_select
	{__NR_select, WAIT_SELECT, END_TIMEVAL, 4},
#endif
#ifdef __NR_epoll_wait
	{__NR_epoll_wait, WAIT_EPOLL, END_MS, 3},
#endif
};

const struct wait_call *wait_call_find(unsigned int nr)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i].nr == nr)
			return &calls[i];
	return NULL;
}

const struct wait_call *wait_call_of(const struct look_task *l)
{
	static const struct wait_call poll = {NR_POLL, WAIT_POLL, END_KNOWN, 0};
	static const struct wait_call sleep = {__NR_nanosleep, WAIT_SLEEP, END_KNOWN_OF, 0};

	if (l->task.hdr.flags & LOOKF_POLL)
		return &poll;
	return l->task.hdr.flags & LOOKF_SLEEP ? &sleep : wait_call_find(l->task.nr);
}

bool task_memory(pid_t tid, __u64 addr, void *buf, size_t len)
{
	return envoy_memory(tid, addr, buf, len);
}

bool task_string(pid_t tid, __u64 addr, char *buf, size_t len)
{
	size_t have = 0;

	/* page by page: what is behind the string need not be mapped */
	while (addr && have < len - 1) {
		size_t n = PAGE - (addr + have) % PAGE;

		if (n > len - 1 - have)
			n = len - 1 - have;
		if (!task_memory(tid, addr + have, buf + have, n))
			return false;
		if (memchr(buf + have, 0, n))
			return buf[0];
		have += n;
	}
	buf[have] = '\0';
	return have;
}

static __u64 clock_ns(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts))
		return 0;
	return (__u64)ts.tv_sec * NSEC_PER_SEC + (__u64)ts.tv_nsec;
}

/* As in struct timespec of the 64-bit ABI; with per_ns 1000 as in struct timeval. */
static bool span_read(const struct look_task *l, __u64 addr, __u64 per_ns, __u64 *out_ns)
{
	__s64 v[2];

	if (!addr || !task_memory((pid_t)l->task.hdr.tid, addr, v, sizeof(v)))
		return false;
	if (v[0] < 0 || v[1] < 0 || (__u64)v[1] * per_ns >= NSEC_PER_SEC)
		return false;
	if ((__u64)v[0] > UINT64_MAX / NSEC_PER_SEC - 1)
		return false; /* later than anything */
	*out_ns = (__u64)v[0] * NSEC_PER_SEC + (__u64)v[1] * per_ns;
	return true;
}

/* It slept since_ns at the earliest, so a time from then on is over at the latest then. */
static __u64 from_call(const struct look_task *l, __u64 span_ns)
{
	__u64 begin_ns = l->task.since_ns ? l->task.since_ns : l->task.hdr.ts_ns;

	return span_ns > UINT64_MAX - begin_ns ? 0 : begin_ns + span_ns;
}

static __u64 until_span(const struct look_task *l, __u64 addr, __u64 per_ns)
{
	__u64 span_ns;

	return span_read(l, addr, per_ns, &span_ns) ? from_call(l, span_ns) : 0;
}

/* A time of a clock, as one of CLOCK_MONOTONIC. */
static __u64 as_monotonic(const struct look_task *l, __u64 at_ns, clockid_t clock)
{
	__u64 now_ns = clock < 0 ? 0 : clock_ns(clock);

	if (!now_ns)
		return 0;
	return l->task.hdr.ts_ns + (at_ns > now_ns ? at_ns - now_ns : 0);
}

static __u64 until_clock(const struct look_task *l, __u64 addr, clockid_t clock)
{
	__u64 at_ns;

	return span_read(l, addr, 1, &at_ns) ? as_monotonic(l, at_ns, clock) : 0;
}

static __u64 until_futex(const struct look_task *l, __u64 addr)
{
	__u32 op = l->args[1], cmd = op & FUTEX_CMD_MASK;

	if (cmd == FUTEX_WAIT_CMD)
		return until_span(l, addr, 1);
	return until_clock(l, addr,
			   op & FUTEX_REALTIME_FLAG || cmd == FUTEX_LOCK_PI_CMD ? CLOCK_REALTIME
										: CLOCK_MONOTONIC);
}

__u64 wait_call_until(const struct wait_call *call, const struct look_task *l)
{
	__u64 arg = l->args[call->end_arg % LOOK_ARGS];
	__u64 next = l->args[(call->end_arg + 1) % LOOK_ARGS];

	switch (call->end) {
	case END_NONE:
		return 0;
	case END_MS:
		return (__s32)arg < 0 ? 0 : from_call(l, (__u32)arg * 1000000ull);
	case END_TIMESPEC:
		return until_span(l, arg, 1);
	case END_TIMEVAL:
		return until_span(l, arg, 1000);
	case END_AT_REAL:
		return until_clock(l, arg, CLOCK_REALTIME);
	case END_CLOCK:
		return l->args[1] & TIMER_ABSTIME ? until_clock(l, arg, (clockid_t)l->args[0])
						  : until_span(l, arg, 1);
	case END_FUTEX:
		return until_futex(l, arg);
	case END_FUTEX2:
		return until_clock(l, arg, (clockid_t)next);
	case END_KNOWN:
		return l->task.until_ns;
	case END_KNOWN_OF:
		return as_monotonic(l, l->task.until_ns, (clockid_t)arg);
	}
	return 0;
}
