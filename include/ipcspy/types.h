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
	MECH_MAX = 32, /* size of per-mechanism tables; leaves room for design section 1 */
};

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
	OP_MAX = 10,
};

#endif
