/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calls.h - the system calls in which a task sleeps: what each waits for, and
 * when it ends by itself.
 *
 * What a task gave to its call lies in its own memory. That may be gone, may change while it is
 * read, and may hold anything: whatever is wrong with it reads as "unknown".
 */
#ifndef IPCSPY_PROBE_CALLS_H
#define IPCSPY_PROBE_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "ipcspy/look.h"

/* What is waited for. */
enum wait_kind {
	WAIT_NONE = 0,
	WAIT_SLEEP,
	WAIT_CHILD4,  /* wait4 */
	WAIT_CHILDID, /* waitid */
	WAIT_FLOCK,
	WAIT_FCNTL,
	WAIT_VFORK,   /* vfork, clone */
	WAIT_OPEN,    /* argument 0 is the path, argument 1 the flags */
	WAIT_OPENAT,  /* argument 1 is, argument 2 the flags */
	WAIT_OPENAT2, /* ... the address of a struct open_how */
	WAIT_CREAT,
	WAIT_POLL,
	WAIT_SELECT,
	WAIT_EPOLL,
	WAIT_ANYTHING, /* io_uring_enter, and what goes on after a signal and is not known */
	WAIT_CHANNEL,  /* EV_INFLIGHT says it */
	WAIT_SIGNALS,  /* for a handler to run: sigsuspend, pause */
};

/* How the end of it is given. */
enum wait_end {
	END_NONE = 0,
	END_MS,       /* int, milliseconds; below 0: never */
	END_TIMESPEC, /* struct timespec *, from the call on */
	END_TIMEVAL,  /* struct timeval *, from the call on */
	END_AT_REAL,  /* struct timespec *, CLOCK_REALTIME */
	END_CLOCK,    /* clock_nanosleep: argument 0 the clock, 1 whether it is a time of it */
	END_FUTEX,    /* futex: argument 1 says how */
	END_KNOWN,    /* until_ns already says it */
	END_KNOWN_OF, /* ... of the clock in the argument */
	END_FUTEX2,   /* struct timespec *, of the clock in the argument behind it */
};

struct wait_call {
	unsigned int nr;
	enum wait_kind kind;
	enum wait_end end;
	unsigned int end_arg;
};

/* NULL: no call of which anything is known. */
const struct wait_call *wait_call_find(unsigned int nr);

/* The same of what a task does: one that goes on after a signal is in the call that was
 * interrupted. */
const struct wait_call *wait_call_of(const struct look_task *l);

/* When the call ends by itself, in CLOCK_MONOTONIC; 0: never, or unknown. */
__u64 wait_call_until(const struct wait_call *call, const struct look_task *l);

/* Copies from a task's memory, 64 KiB at most; see envoy.h. False: not all of it could be read. */
bool task_memory(pid_t tid, __u64 addr, void *buf, size_t len);

/* The string there, cut to len - 1 bytes. False: it could not be read, or is empty. */
bool task_string(pid_t tid, __u64 addr, char *buf, size_t len);

#endif
