/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * uring.bpf.h - what moves data without a system call of its own: io_uring.
 *
 * A request is remembered when it is submitted (uring.bpf.c), by its address, and
 * becomes one record when its completion is posted (uringend.bpf.c). Nobody sleeps
 * in it: blocked_ns is 0, and what a send waited for room is part of its latency. A
 * request that completes many times (multishot) is found by its ring and user_data,
 * which is all that those completions tell. What moves data on a channel and is not
 * understood is counted.
 *
 * The thread that polls a ring's submissions, and those that work for it, belong to
 * the process that made the ring: what they do is that process's.
 */
#ifndef IPCSPY_URING_BPF_H
#define IPCSPY_URING_BPF_H

#include "op.bpf.h"

#define NR_IO_URING_ENTER 426 /* on every architecture */
#define PF_IO_WORKER      0x10

/* include/linux/io_uring_types.h; these bits are the same since 6.1 */
#define REQ_F_FIXED_FILE    (1u << 0)
#define REQ_F_BUFFER_SELECT (1u << 5)
#define REQ_F_CQE_SKIP      (1u << 6)

/* include/uapi/linux/io_uring.h */
#define IORING_CQE_F_BUFFER     (1u << 0)
#define IORING_FILE_INDEX_ALLOC (~0u)
#define SPLICE_F_FD_IN_FIXED    (1u << 31)

/* What a request does to the channel behind its file. */
enum uring_kind {
	UR_NONE = 0, /* moves nothing */
	UR_RW = 1,   /* struct io_rw */
	UR_RWV = 2,  /* the same, its address is that of an iovec */
	UR_SR = 3,   /* struct io_sr_msg */
	UR_MSG = 4,  /* the same, its buffer is a struct msghdr */
	UR_SPLICE = 5,
	UR_TEE = 6,
	UR_ACCEPT = 7,
	UR_RENEW = 8, /* changes what the object is: connect, bind, listen */
	UR_CLOSE = 9,
	UR_UNKNOWN = 10,   /* moves data in a way that is not followed */
	UR_SPLICE_IN = 11, /* for uring_file(): the side read from */
};

static const struct {
	__u8 kind, op;
} uring_ops[64] = {
	[1] = {UR_RWV, OP_RECV},  /* READV */
	[2] = {UR_RWV, OP_SEND},  /* WRITEV */
	[4] = {UR_RW, OP_RECV},   /* READ_FIXED */
	[5] = {UR_RW, OP_SEND},   /* WRITE_FIXED */
	[9] = {UR_MSG, OP_SEND},  /* SENDMSG */
	[10] = {UR_MSG, OP_RECV}, /* RECVMSG */
	[13] = {UR_ACCEPT, OP_ACCEPT}, [16] = {UR_RENEW, OP_CONNECT},
	[19] = {UR_CLOSE, OP_CLOSE},   [22] = {UR_RW, OP_RECV}, /* READ */
	[23] = {UR_RW, OP_SEND},                                /* WRITE */
	[26] = {UR_SR, OP_SEND},                                /* SEND */
	[27] = {UR_SR, OP_RECV},                                /* RECV */
	[30] = {UR_SPLICE, OP_SEND},   [33] = {UR_TEE, OP_SEND},
	[47] = {UR_SR, OP_SEND},      /* SEND_ZC */
	[48] = {UR_MSG, OP_SEND},     /* SENDMSG_ZC */
	[49] = {UR_RW, OP_RECV},      /* READ_MULTISHOT */
	[56] = {UR_RENEW, OP_CREATE}, /* BIND */
	[57] = {UR_RENEW, OP_CREATE}, /* LISTEN */
	[58] = {UR_UNKNOWN, OP_RECV}, /* RECV_ZC */
	[60] = {UR_RWV, OP_RECV},     /* READV_FIXED */
	[61] = {UR_RWV, OP_SEND},     /* WRITEV_FIXED */
};

/*
 * A request under way; in.buf is the caller's first buffer, 0 unknown. What its
 * completion finds is here, too: there is not enough stack for it.
 */
struct uring_req {
	struct inflight in;
	struct sample s;
	__u64 shot; /* its key in uring_shots, 0: not there */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64); /* struct io_kiocb's address */
	__type(value, struct uring_req);
} uring_reqs __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64); /* of ring and user_data */
	__type(value, __u64);
} uring_shots __weak SEC(".maps");

/* Of which mechanisms a request is told in the same way as a system call. */
static __always_inline bool is_followed(__u8 mech)
{
	return mech <= MECH_UDP || mech == MECH_EVENTFD || mech == MECH_PTY;
}

#define USE_TARGET 0x1 /* by a target */
#define USE_MOVES  0x2 /* moves data: what cannot be followed is counted */

/* Resolves, watches and describes; o->id stays 0 when it is not to be followed. */
GLOBAL int uring_object(struct objref *o, __u64 file, __u64 pid_tgid, __u32 use,
			const struct user_addr *to)
{
	if (!o || !to || !file)
		return 0;
	if (object_resolve(o, file)) {
		if (!is_followed(o->mech)) {
			if ((use & USE_MOVES) && (use & USE_TARGET || is_watched(o->wkey, 0)))
				count_lost(LOST_URING);
		} else if (object_use(o, file, pid_tgid, use & USE_TARGET, -1,
				      to->uaddr ? to : NULL)) {
			return 1;
		}
	}
	o->id = 0;
	return 0;
}

/* A file registered with the ring, 0 none. */
GLOBAL __u64 uring_fixed(__u64 ctx_ptr, __u32 slot)
{
	struct io_ring_ctx___old *old = (void *)ctx_ptr;
	struct io_ring_ctx *ctx = (void *)ctx_ptr;
	struct io_fixed_file___old *files = NULL;
	struct io_rsrc_node **nodes = NULL, *node = NULL;
	unsigned long ptr = 0;
	__u32 nr = 0;

	if (bpf_core_field_exists(ctx->file_table.data)) {
		KREAD(&nr, &ctx->file_table.data.nr);
		KREAD(&nodes, &ctx->file_table.data.nodes);
		if (slot >= nr || KREAD(&node, nodes + slot) || !node)
			return 0;
		KREAD(&ptr, &node->file_ptr);
	} else {
		KREAD(&nr, &old->nr_user_files);
		KREAD(&files, &old->file_table.files);
		if (slot >= nr)
			return 0;
		KREAD(&ptr, (unsigned long *)files + slot);
	}
	return ptr & ~7ul; /* low bits say what kind of file it is */
}

/* Threads that io_uring made are in no fork record: they are what their process is. */
static __always_inline struct task_ctx *submitter(struct task_struct *task)
{
	struct task_ctx *t = task_find(task), *leader;

	if (t || !(task->flags & PF_IO_WORKER))
		return t;
	leader = task_find(task->group_leader);
	if (!leader || !(leader->flags & TF_TARGET))
		return NULL;
	t = task_make(task);
	if (t)
		task_flag(t, TF_TARGET | (leader->flags & TF_DESCRIBED));
	return t;
}

/* What a request says of itself. */
struct uring_args {
	__u64 buf;
	__u32 room;
	__u32 flags;         /* OPF_* */
	struct user_addr to; /* where a send goes; of a receive, its struct msghdr */
};

/* Makes room for a request. Its completion, or many of them, will be looked for. */
static __always_inline struct uring_req *uring_park(__u64 req, __u32 req_flags, __u8 kind)
{
	static const struct uring_req empty = {};
	struct io_kiocb *k = (void *)req;
	__u64 user_data = 0, ring = 0, shot = 0;
	struct uring_req *r;

	if (kind == UR_ACCEPT || (req_flags & REQ_F_BUFFER_SELECT)) {
		KREAD(&user_data, &k->cqe.user_data);
		KREAD(&ring, (__u64 *)&k->ctx);
		shot = mix(ring, user_data);
		if (bpf_map_update_elem(&uring_shots, &shot, &req, BPF_ANY))
			count_lost(LOST_TABLE);
	}
	bpf_map_update_elem(&uring_reqs, &req, &empty, BPF_ANY);
	r = bpf_map_lookup_elem(&uring_reqs, &req);
	if (r)
		r->shot = shot;
	else
		count_lost(LOST_TABLE);
	return r;
}

/* Fills the parked request. */
static __always_inline void uring_fill(struct uring_req *r, __u64 pid_tgid, bool target, __u8 op,
				       const struct uring_args *a)
{
	struct inflight *in = &r->in;

	in->pid_tgid = pid_tgid;
	in->buf = a->buf;
	in->room = a->room;
	in->addr = a->to.uaddr;
	in->arg = a->to.len;
	in->flags = a->flags | OPF_ASYNC | (target ? OPF_TARGET : 0);
	in->nr = NR_IO_URING_ENTER;
	in->op = op;
	in->enter_ns = bpf_ktime_get_ns();
}

#endif
