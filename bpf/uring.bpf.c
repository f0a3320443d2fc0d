/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* uring.bpf.c - requests are submitted: who does what to which channel. See uring.bpf.h. */
#include "uring.bpf.h"

/* The file that a submitted request will use: it is looked up later, by the same number. */
static __always_inline __u64 file_at(struct task_struct *task, __u64 ctx, __u32 fd, bool fixed)
{
	return fixed ? uring_fixed(ctx, fd) : (__u64)file_of_fd(task, fd);
}

static __always_inline void first_iov(struct uring_args *a, __u64 iov)
{
	struct iovec_user v;

	if (iov && !bpf_probe_read_user(&v, sizeof(v), (void *)iov)) {
		a->buf = v.base;
		a->room = v.len > ~0u ? ~0u : v.len;
	}
}

/* Where the caller's bytes are, and where they go. */
GLOBAL int uring_args(struct uring_args *a, __u64 req, __u32 kind, __u32 op)
{
	struct io_sr_msg___addr *to = (void *)req;
	struct io_sr_msg *sr = (void *)req;
	struct io_rw *rw = (void *)req;
	struct msghdr_user m;
	__u32 flags = 0;
	__u16 len = 0;
	__u64 buf = 0;

	if (!a)
		return 0;
	if (kind == UR_RW || kind == UR_RWV) {
		KREAD(&buf, &rw->addr);
		KREAD(&a->room, &rw->len);
		a->buf = buf;
		if (kind == UR_RWV)
			first_iov(a, buf);
		return 0;
	}
	KREAD(&buf, (__u64 *)&sr->buf);
	KREAD(&flags, &sr->msg_flags);
	a->flags = msg_flags(flags);
	if (kind == UR_SR) {
		KREAD(&a->room, &sr->len);
		a->buf = buf;
		if (op == OP_SEND && bpf_core_field_exists(to->addr)) {
			KREAD(&a->to.uaddr, (__u64 *)&to->addr);
			KREAD(&len, &to->addr_len);
			a->to.len = len;
		}
		return 0;
	}
	if (!buf || bpf_probe_read_user(&m, sizeof(m), (void *)buf))
		return 0;
	first_iov(a, m.iovlen ? m.iov : 0);
	a->to.uaddr = op == OP_SEND ? m.name : buf;
	a->to.len = m.namelen;
	return 0;
}

/* The file that a request is about. 0: it cannot be found yet, or ever. */
GLOBAL __u64 uring_file(__u64 req, __u32 kind)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct io_splice *sp = (void *)req;
	struct io_kiocb *r = (void *)req;
	struct io_close *c = (void *)req;
	__u32 flags = 0, slot = 0, fd = 0;
	__u64 ring = 0;

	KREAD(&ring, (__u64 *)&r->ctx);
	if (kind == UR_CLOSE) {
		KREAD(&fd, (__u32 *)&c->fd);
		KREAD(&slot, &c->file_slot);
		return file_at(task, ring, slot ? slot - 1 : fd, slot);
	}
	if (kind == UR_SPLICE_IN) {
		KREAD(&fd, (__u32 *)&sp->splice_fd_in);
		KREAD(&flags, &sp->flags);
		return file_at(task, ring, fd, flags & SPLICE_F_FD_IN_FIXED);
	}
	KREAD(&fd, (__u32 *)&r->cqe.fd);
	KREAD(&flags, &r->flags);
	return file_at(task, ring, fd, flags & REQ_F_FIXED_FILE);
}

/* Remembers a request that concerns somebody; o is what its file is. */
static __always_inline int uring_follow(__u64 req, struct task_struct *task, struct task_ctx *t,
					__u8 opcode, const struct objref *o,
					const struct uring_args *a)
{
	__u8 kind = uring_ops[opcode & 63].kind;
	struct io_kiocb *k = (void *)req;
	struct uring_req *r;
	__u32 flags = 0;

	KREAD(&flags, &k->flags);
	if (kind == UR_UNKNOWN || (kind <= UR_TEE && (flags & REQ_F_CQE_SKIP))) {
		if (o->id) /* nothing is told of its success */
			count_lost(LOST_URING);
		return 0;
	}
	r = uring_park(req, flags, kind);
	if (!r)
		return 0;
	uring_fill(r, pid_tgid_of(task), is_target(t), uring_ops[opcode & 63].op, a);
	r->in.a = *o;
	if ((kind == UR_SPLICE || kind == UR_TEE) &&
	    !uring_object(&r->in.b, uring_file(req, UR_SPLICE_IN), r->in.pid_tgid,
			  (is_target(t) ? USE_TARGET : 0) | USE_MOVES, &a->to) &&
	    !o->id)
		return bpf_map_delete_elem(&uring_reqs, &req);
	if (!t)
		t = task_make(task);
	if (t)
		task_describe(t, task);
	return 0;
}

static __always_inline int uring_submit(__u64 req)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct io_kiocb *k = (void *)req;
	struct uring_args a = {};
	struct objref o = {};
	__u8 opcode = 0, kind;
	struct task_ctx *t;
	bool target;
	__u64 file;

	KREAD(&opcode, &k->opcode);
	kind = uring_ops[opcode & 63].kind;
	if (kind == UR_NONE)
		return 0;
	if (kind == UR_CLOSE) /* a cached descriptor may stand for another file afterwards */
		fd_invalidate(task);
	t = submitter(task);
	target = is_target(t);
	if (is_ignored(task, target))
		return 0;
	if (kind <= UR_MSG)
		uring_args(&a, req, kind, uring_ops[opcode & 63].op);
	file = uring_file(req, kind);
	uring_object(&o, file, pid_tgid_of(task),
		     (target ? USE_TARGET : 0) |
			     (kind <= UR_TEE || kind == UR_UNKNOWN ? USE_MOVES : 0),
		     &a.to);
	/* no file: it is linked to the request that opens it; then its completion will know */
	if (o.id || (!file && target) || kind == UR_SPLICE || kind == UR_TEE)
		return uring_follow(req, task, t, opcode, &o, &a);
	return 0;
}

SEC("?tp_btf/io_uring_submit_req")
int HOOK_PROG(uring_submit_req, struct io_kiocb *req)
{
	return uring_submit(address_of(req));
}

/* Its name until 6.3. */
SEC("?tp_btf/io_uring_submit_sqe")
int HOOK_PROG(uring_submit_sqe, struct io_kiocb *req)
{
	return uring_submit(address_of(req));
}
