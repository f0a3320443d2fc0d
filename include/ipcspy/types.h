/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * types.h - the enumerations that BPF programs, collector and recordings share.
 *
 * Every value is explicit and is never renumbered: it is stored in recordings.
 * A new mechanism takes the next free number here, one row in
 * src/model/mech.c and one channel class beside it.
 */
#ifndef IPCSPY_TYPES_H
#define IPCSPY_TYPES_H

#ifndef __bpf__ /* BPF programs have vmlinux.h instead */
#include <linux/types.h>
#endif

enum ipcspy_mech {
	MECH_NONE = 0,
	MECH_PIPE = 1,
	MECH_FIFO = 2,
	MECH_UNIX_STREAM = 3,
	MECH_UNIX_DGRAM = 4,
	MECH_UNIX_SEQPACKET = 5,
	MECH_TCP = 6,
	MECH_UDP = 7,
	MECH_POSIX_MQ = 8,
	MECH_SYSV_MSG = 9,
	MECH_SYSV_SEM = 10,
	MECH_SYSV_SHM = 11,
	MECH_SHM = 12,
	MECH_FUTEX = 13,
	MECH_EVENTFD = 14,
	MECH_SIGNAL = 15,
	MECH_PTY = 16,
	MECH_PROCESS_VM = 17,
	MECH_FUTEX_PRIVATE = 18, /* between threads of one process: only when asked for */
	MECH_MAX = 32,           /* size of per-mechanism tables; bits of a mask */
};

/*
 * A pid or tid of a task that has no number in the caller's pid namespace: the machine's number
 * with this bit, which no number that a task has can reach (PID_MAX_LIMIT).
 */
#define PID_OUTSIDE (1u << 23)

/* All but what is many times what everything else is. */
#define MECHS_BY_DEFAULT (~(1u << MECH_FUTEX_PRIVATE))

/* What a system call does to the channel behind its descriptor. */
enum ipcspy_op {
	OP_NONE = 0,
	OP_SEND = 1,   /* puts bytes or a message in */
	OP_RECV = 2,   /* takes bytes or a message out (OPF_PEEK: only looks) */
	OP_WAIT = 3,   /* poll, select, epoll: waits for readiness, moves nothing */
	OP_ACCEPT = 4, /* chan is the new connection, or the listener while in flight */
	OP_CONNECT = 5,
	OP_CLOSE = 6,
	OP_SHUTDOWN = 7, /* arg: SHUT_RD, SHUT_WR, SHUT_RDWR */
	OP_RESIZE = 8,   /* F_SETPIPE_SZ; capacity follows in an EV_OBJ */
	OP_CREATE = 9,   /* pipe, socketpair, socket, dup, bind, listen: no data, known for
			    completeness */
	OP_HANDLED = 10, /* a signal's handler returned: enter_ns is when it began */
	OP_REMOVE = 11,  /* IPC_RMID, mq_unlink: the name is gone, those blocked wake up */
	OP_NOTIFY = 12,  /* mq_notify: asks for a signal when a message comes */
	OP_FOUND = 13,   /* a message that a queue held when it was first seen: by nobody, pid 0 */
	OP_MAX = 14,
};

#endif
