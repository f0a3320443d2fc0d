/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * look.h - what an iterator tells of a task to src/probe alone.
 *
 * Not a record of the stream: src/probe makes EV_TASK, EV_SET and EV_NAME of it,
 * for which it reads the task's memory and /proc.
 */
#ifndef IPCSPY_LOOK_H
#define IPCSPY_LOOK_H

#include "event.h"

#define LOOK_TASK  0x4000 /* hdr.kind; no enum ipcspy_ev_kind will reach it */
#define LOOK_FILE  0x4001
#define LOOK_NO_NR 0xffff /* not inside a system call */
#define LOOK_ARGS  6

/* flags of a struct look_task */
#define LOOKF_PID_NS   0x1 /* in a pid namespace of its own: pids in its arguments mean others */
#define LOOKF_INFLIGHT 0x2 /* an EV_INFLIGHT says which channel it waits for */
/* It goes on with a call that a signal interrupted (restart_syscall(2)): this one. */
#define LOOKF_POLL     0x4  /* poll, which ends at until_ns */
#define LOOKF_SLEEP    0x8  /* nanosleep: until_ns is of the clock in args[0] */
#define LOOKF_CHILDREN 0x10 /* it is in a call, and has children */
#define LOOKF_TRACES   0x20 /* it traces others (ptrace(2)) */

struct look_task {
	struct ev_task task; /* who and why are not yet known, nor until_ns without LOOKF_*: 0 */
	__u64 args[LOOK_ARGS];
	__u32 tracer; /* process that traces it, 0 none */
	__u32 child;  /* it waits in vfork(2): for this process, 0 none */
};

/* A file that the reader of the iterator has open. */
struct look_file {
	struct ev_hdr hdr;
	__s32 fd;
	__u32 users; /* others who refer to it, if it is in memory alone: tmpfs, mqueue */
};

IPCSPY_SIZE_IS(struct look_file, 32);
IPCSPY_SIZE_IS(struct look_task, 48 + 8 * LOOK_ARGS + 8);

#endif
