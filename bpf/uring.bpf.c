/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * uring.bpf.c - what moves data without a system call of its own: io_uring.
 *
 * A request is remembered when it is submitted, by its address, and becomes one
 * record when its completion is posted. Nobody sleeps in it: blocked_ns is 0, and
 * what a send waited for room is part of its latency. A request that completes
 * many times (multishot) is found by its ring and user_data, which is all that
 * those completions tell. What moves data on a channel and is not understood is
 * counted.
 *
 * The thread that polls a ring's submissions, and those that work for it, belong
 * to the process that made the ring: what they do is that process's.
 */
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
	UR_UNKNOWN = 10, /* moves data in a way that is not followed */
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

/* A request under way. */
struct uring_req {
	__u64 enter_ns;
	__u64 pid_tgid; /* who submitted it */
	__u64 shot;     /* its key in uring_shots, 0: not there */
	__u64 buf;      /* the caller's first buffer, 0 unknown */
	__u64 addr;     /* user address: where a send goes; a receive's struct msghdr; 0 none */
	__u32 room;
	__u32 addr_len;
	__u32 flags; /* OPF_* */
	__u8 target;
	__u8 pad[3];
	struct objref a; /* a.id == 0: its file was not known when it was submitted */
	struct objref b; /* splice: the output */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64); /* struct io_kiocb's address */
	__type(value, struct uring_req);
} uring_reqs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64); /* of ring and user_data */
	__type(value, __u64);
} uring_shots SEC(".maps");

/* What the file-looking functions need and how they answer; numbers only, for GLOBAL. */
struct uring_use {
	__u64 file, pid_tgid;
	__s32 fd;
	__u16 target;
	__u16 moves; /* data: then what cannot be followed is counted */
	struct user_addr to;
};

/* Of which mechanisms a request is told in the same way as a system call. */
static __always_inline bool is_followed(__u8 mech)
{
	return mech <= MECH_UDP || mech == MECH_EVENTFD;
}

/* Resolves, watches and describes; o->id stays 0 when it is not to be followed. */
GLOBAL int uring_object(struct objref *o, const struct uring_use *u)
{
	if (!o || !u || !u->file)
		return 0;
	if (object_resolve(o, u->file)) {
		if (!is_followed(o->mech)) {
			if (u->moves && (u->target || is_watched(o->wkey, 0)))
				count_lost(LOST_URING);
		} else if (object_use(o, u->file, u->pid_tgid, u->target, u->fd,
				      u->to.uaddr ? &u->to : NULL)) {
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

/* The file that a submitted request will use: it is looked up later, by the same number. */
static __always_inline __u64 file_at(struct task_struct *task, __u64 ctx, __u32 fd, bool fixed)
{
	return fixed ? uring_fixed(ctx, fd) : (__u64)file_of_fd(task, fd);
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
		t->flags |= TF_TARGET | (leader->flags & TF_DESCRIBED);
	return t;
}

static __always_inline void first_iov(struct uring_req *r, __u64 iov)
{
	struct iovec_user v;

	if (iov && !bpf_probe_read_user(&v, sizeof(v), (void *)iov)) {
		r->buf = v.base;
		r->room = v.len > ~0u ? ~0u : v.len;
	}
}

/* Where the caller's bytes are, and where they go. */
GLOBAL int uring_args(struct uring_req *r, __u64 req, __u32 kind, __u32 op)
{
	struct io_sr_msg___addr *to = (void *)req;
	struct io_sr_msg *sr = (void *)req;
	struct io_rw *rw = (void *)req;
	struct msghdr_user m;
	__u32 flags = 0;
	__u16 len = 0;
	__u64 buf = 0;

	if (!r)
		return 0;
	if (kind == UR_RW || kind == UR_RWV) {
		KREAD(&buf, &rw->addr);
		KREAD(&r->room, &rw->len);
		r->buf = buf;
		if (kind == UR_RWV)
			first_iov(r, buf);
		return 0;
	}
	KREAD(&buf, (__u64 *)&sr->buf);
	KREAD(&flags, &sr->msg_flags);
	r->flags |= msg_flags(flags);
	if (kind == UR_SR) {
		KREAD(&r->room, &sr->len);
		r->buf = buf;
		if (op == OP_SEND && bpf_core_field_exists(to->addr)) {
			KREAD(&r->addr, (__u64 *)&to->addr);
			KREAD(&len, &to->addr_len);
			r->addr_len = len;
		}
		return 0;
	}
	if (!buf || bpf_probe_read_user(&m, sizeof(m), (void *)buf))
		return 0;
	first_iov(r, m.iovlen ? m.iov : 0);
	r->addr = op == OP_SEND ? m.name : buf;
	r->addr_len = m.namelen;
	return 0;
}

/*
 * The objects of a request. 1: it is to be followed, 0: not. Where the file cannot be
 * found yet (a request linked to the one that opens it), that is left for the end.
 */
static __always_inline bool uring_objects(struct uring_req *r, struct io_kiocb *req,
					  struct task_struct *task, __u64 ctx, __u8 kind, __u8 op)
{
	struct io_splice *sp = (void *)req;
	struct uring_use u = {.pid_tgid = r->pid_tgid,
			      .target = r->target,
			      .moves = kind <= UR_TEE,
			      .fd = req->cqe.fd};
	__u32 flags = 0;

	if (op == OP_SEND && kind <= UR_MSG && r->addr) {
		u.to.uaddr = r->addr;
		u.to.len = r->addr_len;
	}
	u.file = file_at(task, ctx, u.fd, req->flags & REQ_F_FIXED_FILE);
	if (!u.file)
		return r->target;
	if (kind != UR_SPLICE && kind != UR_TEE)
		return uring_object(&r->a, &u);
	uring_object(&r->b, &u);
	KREAD(&flags, &sp->flags);
	KREAD(&u.fd, &sp->splice_fd_in);
	u.file = file_at(task, ctx, u.fd, flags & SPLICE_F_FD_IN_FIXED);
	uring_object(&r->a, &u);
	return r->a.id || r->b.id;
}

/* Closing may be what makes a cached descriptor stand for another file. */
static __always_inline bool uring_close(struct uring_req *r, struct io_kiocb *req,
					struct task_struct *task, __u64 ctx)
{
	struct uring_use u = {.pid_tgid = r->pid_tgid, .target = r->target};
	struct io_close *c = (void *)req;
	__u32 slot = 0;

	fd_invalidate(task);
	KREAD(&u.fd, &c->fd);
	KREAD(&slot, &c->file_slot);
	u.file = slot ? uring_fixed(ctx, slot - 1) : (__u64)file_of_fd(task, u.fd);
	return uring_object(&r->a, &u);
}

/* Remembers a request; its completion, or many of them, will be looked for. */
static __always_inline void uring_park(struct uring_req *r, struct io_kiocb *req, __u64 key,
				       __u64 ctx, __u8 kind)
{
	if (kind == UR_ACCEPT || (req->flags & REQ_F_BUFFER_SELECT)) {
		__u64 user_data = 0;

		KREAD(&user_data, &req->cqe.user_data);
		r->shot = mix(ctx, user_data);
		if (bpf_map_update_elem(&uring_shots, &r->shot, &key, BPF_ANY))
			count_lost(LOST_TABLE);
	}
	r->enter_ns = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&uring_reqs, &key, r, BPF_ANY))
		count_lost(LOST_TABLE);
}

static __always_inline int uring_submit(struct io_kiocb *req, __u64 key)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u8 kind = uring_ops[req->opcode & 63].kind, op = uring_ops[req->opcode & 63].op;
	struct uring_req r = {.pid_tgid = pid_tgid_of(task)};
	struct task_ctx *t;
	__u64 ctx = 0;
	bool ours;

	if (kind == UR_NONE)
		return 0;
	t = submitter(task);
	r.target = is_target(t);
	if (is_ignored(task, r.target)) {
		if (kind == UR_CLOSE)
			fd_invalidate(task);
		return 0;
	}
	KREAD(&ctx, (__u64 *)(key + bpf_core_field_offset(struct io_kiocb, ctx)));
	if (kind == UR_CLOSE) {
		ours = uring_close(&r, req, task, ctx);
	} else {
		if (kind <= UR_MSG)
			uring_args(&r, key, kind, op);
		ours = uring_objects(&r, req, task, ctx, kind, op);
	}
	if (!ours)
		return 0;
	if (kind == UR_UNKNOWN || (kind <= UR_TEE && (req->flags & REQ_F_CQE_SKIP))) {
		/* nothing is told of its success */
		if (r.a.id || r.b.id)
			count_lost(LOST_URING);
		return 0;
	}
	if (!t)
		t = task_make(task);
	if (!t)
		return 0;
	task_describe(t, task);
	uring_park(&r, req, key, ctx, kind);
	return 0;
}

SEC("?tp_btf/io_uring_submit_req")
int BPF_PROG(uring_submit_req, struct io_kiocb *req)
{
	__u64 key = 0;

	KREAD(&key, ctx);
	return uring_submit(req, key);
}

/* Its name until 6.3. */
SEC("?tp_btf/io_uring_submit_sqe")
int BPF_PROG(uring_submit_sqe, struct io_kiocb *req)
{
	__u64 key = 0;

	KREAD(&key, ctx);
	return uring_submit(req, key);
}

/* What is known of one completion. */
struct uring_end {
	__u64 key; /* the request */
	__u64 ctx;
	__s32 res;
	__u32 cflags;
	__u32 kind, op;
	__u64 now_ns;
	__u64 many; /* one of a multishot request */
};

static __always_inline void uring_inflight(struct inflight *in, const struct uring_req *r,
					   const struct uring_end *e)
{
	__builtin_memset(in, 0, sizeof(*in));
	in->enter_ns = r->enter_ns;
	in->pid_tgid = r->pid_tgid;
	in->flags = r->flags | OPF_ASYNC | (r->target ? OPF_TARGET : 0);
	in->nr = NR_IO_URING_ENTER;
	in->op = e->op;
	in->a = r->a;
	in->b = r->b;
}

/* The payload of a multishot RECVMSG: headers are in front of it (struct io_uring_recvmsg_out). */
static __always_inline __s32 without_headers(__u64 req, __s32 res)
{
	struct io_async_msghdr *msg = NULL;
	unsigned long controllen = 0;
	int namelen = 0;

	KREAD(&msg, (struct io_async_msghdr **)(req + bpf_core_field_offset(struct io_kiocb,
									    async_data)));
	if (!msg)
		return res;
	KREAD(&controllen, &msg->controllen);
	KREAD(&namelen, &msg->namelen);
	return res - 16 - namelen - (__s32)controllen;
}

/* The buffer that the ring chose for a receive; many in one call are not told apart. */
static __always_inline void chosen_buffer(struct uring_req *r, const struct uring_end *e)
{
	struct io_sr_msg *sr = (void *)e->key;
	struct io_rw *rw = (void *)e->key;

	r->buf = 0;
	if (e->kind == UR_RW)
		KREAD(&r->buf, &rw->addr);
	else if (e->kind == UR_SR)
		KREAD(&r->buf, (__u64 *)&sr->buf);
	r->room = e->res > 0 ? e->res : 0;
}

/* User memory is that of whoever completes a request: mostly its own process. */
static __always_inline bool is_ours(const struct uring_req *r)
{
	return r->pid_tgid >> 32 == bpf_get_current_pid_tgid() >> 32;
}

/* A send or a receive came to its end. */
GLOBAL int uring_data(struct uring_req *r, const struct uring_end *e)
{
	struct msghdr_user m = {};
	struct inflight in;
	struct sample s = {};
	__s32 res;

	if (!r || !e)
		return 0;
	res = e->res;
	uring_inflight(&in, r, e);
	s.now_ns = e->now_ns;
	object_sample_call(&s, &in.a, in.op);
	if (in.a.mech == MECH_EVENTFD) {
		__u64 value = 0;

		if (res == sizeof(value) && is_ours(r))
			bpf_probe_read_user(&value, sizeof(value), (void *)r->buf);
		op_emit_vals(&in, &in.a, &s, in.op, res, 0, value, eventfd_count(&in.a));
		return 0;
	}
	if (e->cflags & IORING_CQE_F_BUFFER) {
		chosen_buffer(r, e);
		if (e->kind == UR_MSG && e->many && res > 0)
			res = without_headers(e->key, res);
	} else if (in.op == OP_RECV && s.dir == DIR_ALWAYS && res > 0 && (__u32)res >= r->room &&
		   e->kind <= UR_SR) {
		s.flags |= OPF_TRUNC; /* as for recv(2), see exit_fdio */
	}
	if (!is_ours(r)) {
		r->buf = r->addr = 0;
	} else if (wants_fingerprint(&in, &s)) {
		fingerprint(&s, r->buf, r->room, res);
	}
	if (in.op == OP_RECV && r->addr && !e->many &&
	    !bpf_probe_read_user(&m, sizeof(m), (void *)r->addr)) {
		if (m.flags & MSG_TRUNC)
			s.flags |= OPF_TRUNC;
		r->addr = m.name;
		r->addr_len = m.namelen;
	}
	if (r->addr && r->addr_len && has_addr(&in, res))
		emit_with_addr(&in, &s, res, r->addr, r->addr_len);
	else
		op_emit(&in, &in.a, &s, in.op, res, 0);
	return 0;
}

static __always_inline void uring_side(struct inflight *in, const struct objref *o, __u8 op,
				       __s32 res, __u32 flags)
{
	struct sample s = {};

	object_sample_call(&s, o, op);
	op_emit(in, o, &s, op, res, flags);
}

/* What is no plain send or receive. */
GLOBAL int uring_other(struct uring_req *r, const struct uring_end *e)
{
	struct inflight in;
	struct sample s = {};

	if (!r || !e)
		return 0;
	uring_inflight(&in, r, e);
	if (e->kind == UR_SPLICE || e->kind == UR_TEE) {
		/* the send first: a reader of the output may already have it */
		if (in.b.id && (e->res >= 0 || !in.a.id))
			uring_side(&in, &in.b, OP_SEND, e->res, 0);
		if (in.a.id)
			uring_side(&in, &in.a, OP_RECV, e->res, e->kind == UR_TEE ? OPF_PEEK : 0);
	} else if (in.a.id) {
		op_emit(&in, &in.a, &s, in.op, e->res, 0);
	}
	return 0;
}

/* Finds what now stands behind the file of an accept, a connect, a bind or a listen. */
static __always_inline void uring_renew(struct uring_req *r, struct task_struct *task,
					const struct uring_end *e)
{
	struct uring_use u = {.pid_tgid = r->pid_tgid, .target = r->target, .fd = -1};
	struct io_accept *a = (void *)e->key;
	struct objref o = {};
	__u32 slot = 0;

	if (e->kind == UR_RENEW) {
		if (e->res < 0 && e->res != -EINPROGRESS)
			return;
		KREAD(&u.file, (__u64 *)e->key); /* io_kiocb.file */
	} else if (e->res >= 0) {
		KREAD(&slot, &a->file_slot);
		if (!slot)
			u.file = (__u64)file_of_fd(task, e->res);
		else
			u.file = uring_fixed(e->ctx,
					     slot == IORING_FILE_INDEX_ALLOC ? e->res : slot - 1);
		u.fd = slot ? -1 : e->res;
	}
	if (!u.file || !uring_object(&o, &u))
		return;
	if (e->kind == UR_RENEW)
		object_emit(&o, u.file, u.pid_tgid, u.fd, 0);
	else
		r->a = o;
}

/* The file was not known at submission, or nothing was: ask the request itself. */
static __always_inline bool uring_find_late(struct uring_req *r, const struct uring_end *e)
{
	struct uring_use u = {.pid_tgid = r->pid_tgid, .target = r->target, .moves = 1, .fd = -1};

	if (e->kind > UR_MSG)
		return e->kind != UR_CLOSE;
	KREAD(&u.file, (__u64 *)e->key);
	return uring_object(&r->a, &u);
}

static __always_inline void uring_finish(struct uring_req *r, struct task_struct *task,
					 const struct uring_end *e)
{
	if (!r->a.id && !r->b.id && !uring_find_late(r, e))
		return;
	if (e->kind == UR_CLOSE && r->pid_tgid >> 32 == (__u32)task->tgid)
		fd_invalidate(task);
	if (e->kind == UR_ACCEPT || e->kind == UR_RENEW)
		uring_renew(r, task, e);
	if (e->kind <= UR_MSG)
		uring_data(r, e);
	else
		uring_other(r, e);
}

/* A target's request from before the trace, or one that found no room in the table. */
static __always_inline void uring_unknown(struct task_struct *task, struct uring_end *e)
{
	struct task_ctx *t = submitter(task);
	struct uring_req r = {.pid_tgid = pid_tgid_of(task), .flags = OPF_BEFORE_ATTACH};

	if (!is_target(t) || is_ignored(task, true))
		return;
	if (e->many) { /* only receives choose buffers; which one this is nobody says */
		if (e->cflags & IORING_CQE_F_BUFFER)
			count_lost(LOST_URING);
		return;
	}
	if (e->kind == UR_NONE || e->kind > UR_MSG)
		return;
	r.target = 1;
	r.enter_ns = e->now_ns;
	if (!uring_find_late(&r, e))
		return;
	if (!t)
		t = task_make(task);
	if (!t)
		return;
	task_describe(t, task);
	uring_data(&r, e);
}

static __always_inline int uring_complete(__u64 ring, __u64 req, __u64 user_data, __s32 res,
					  __u32 cflags)
{
	struct uring_end e = {.key = req, .ctx = ring, .res = res, .cflags = cflags};
	struct task_struct *task = bpf_get_current_task_btf();
	struct uring_req *r, copy;
	__u64 shot, *of;
	__u8 opcode = 0;

	if (!req) {
		shot = mix(ring, user_data);
		of = bpf_map_lookup_elem(&uring_shots, &shot);
		e.key = of ? *of : 0;
		e.many = 1;
	}
	r = bpf_map_lookup_elem(&uring_reqs, &e.key);
	if (e.key) {
		KREAD(&opcode, (__u8 *)(e.key + bpf_core_field_offset(struct io_kiocb, opcode)));
		e.kind = uring_ops[opcode & 63].kind;
		e.op = uring_ops[opcode & 63].op;
	}
	e.now_ns = bpf_ktime_get_ns();
	if (!r) {
		uring_unknown(task, &e);
		return 0;
	}
	copy = *r;
	if (req) {
		bpf_map_delete_elem(&uring_reqs, &e.key);
		if (copy.shot)
			bpf_map_delete_elem(&uring_shots, &copy.shot);
	} else {
		r->enter_ns = e.now_ns; /* the next one begins where this ends */
	}
	uring_finish(&copy, task, &e);
	return 0;
}

SEC("?tp_btf/io_uring_complete")
int BPF_PROG(uring_complete_cqe, __u64 ring, __u64 req, struct io_uring_cqe *cqe)
{
	struct io_uring_cqe c = {};
	__u64 args[3] = {};

	bpf_probe_read_kernel(args, sizeof(args), ctx);
	KREAD(&c.user_data, &((struct io_uring_cqe *)args[2])->user_data);
	KREAD(&c.res, &((struct io_uring_cqe *)args[2])->res);
	KREAD(&c.flags, &((struct io_uring_cqe *)args[2])->flags);
	return uring_complete(args[0], args[1], c.user_data, c.res, c.flags);
}

/* Its arguments until 6.15. */
SEC("?tp_btf/io_uring_complete")
int BPF_PROG(uring_complete_res, __u64 ring, __u64 req, __u64 user_data, int res,
	     unsigned int cflags)
{
	return uring_complete(ring, req, user_data, res, cflags);
}

/* A completion that found no room in the queue: which request's is not told. */
SEC("?tp_btf/io_uring_cqe_overflow")
int BPF_PROG(uring_overflow)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (is_target(submitter(task)) && !is_ignored(task, true))
		count_lost(LOST_URING);
	return 0;
}
