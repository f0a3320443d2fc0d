/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* uringend.bpf.c - requests complete: one record each. See uring.bpf.h. */
#include "uring.bpf.h"

/* What is known of one completion. */
struct uring_end {
	__u64 req;
	__u64 ring;
	__u64 now_ns;
	__s32 res;
	__u32 cflags;
	__u32 kind;
	__u32 many; /* one of a multishot request */
};

/* The payload of a multishot RECVMSG: headers are in front of it (struct io_uring_recvmsg_out). */
static __always_inline __s32 without_headers(__u64 req, __s32 res)
{
	struct io_kiocb *k = (void *)req;
	struct io_async_msghdr *msg = NULL;
	unsigned long controllen = 0;
	int namelen = 0;

	KREAD(&msg, (struct io_async_msghdr **)&k->async_data);
	if (!msg)
		return res;
	KREAD(&controllen, &msg->controllen);
	KREAD(&namelen, &msg->namelen);
	return res - 16 - namelen - (__s32)controllen;
}

/* The buffer that the ring chose for a receive; many in one call are not told apart. */
static __always_inline void chosen_buffer(struct inflight *in, const struct uring_end *e)
{
	struct io_sr_msg *sr = (void *)e->req;
	struct io_rw *rw = (void *)e->req;

	in->buf = 0;
	if (e->kind == UR_RW)
		KREAD(&in->buf, &rw->addr);
	else if (e->kind == UR_SR)
		KREAD(&in->buf, (__u64 *)&sr->buf);
	in->room = e->res > 0 ? e->res : 0;
}

/* User memory is that of whoever completes a request: mostly its own process. */
static __always_inline bool is_ours(const struct inflight *in)
{
	return in->pid_tgid >> 32 == bpf_get_current_pid_tgid() >> 32;
}

static __always_inline void emit_eventfd(const struct inflight *in, const struct sample *s,
					 __s32 res)
{
	__u64 value = 0;

	if (res == sizeof(value) && is_ours(in))
		bpf_probe_read_user(&value, sizeof(value), (void *)in->buf);
	op_emit_vals(in, &in->a, s, in->op, res, 0, value, eventfd_count(&in->a));
}

/* A RECVMSG that is done says who sent, and whether all of it was there. */
static __noinline void read_msghdr(struct inflight *in, struct sample *s)
{
	struct msghdr_user m;

	if (!in->addr || bpf_probe_read_user(&m, sizeof(m), (void *)in->addr))
		return;
	if (m.flags & MSG_TRUNC)
		s->flags |= OPF_TRUNC;
	in->addr = m.name;
	in->arg = m.namelen;
}

/* A send or a receive came to its end. */
GLOBAL int uring_data(struct uring_req *r, const struct uring_end *e)
{
	struct inflight *in;
	struct sample *s;
	__s32 res;

	if (!r || !e)
		return 0;
	in = &r->in;
	s = &r->s;
	res = e->res;
	if (in->a.mech == MECH_EVENTFD) {
		emit_eventfd(in, s, res);
		return 0;
	}
	if (e->cflags & IORING_CQE_F_BUFFER) {
		chosen_buffer(in, e);
		if (e->kind == UR_MSG && e->many && res > 0)
			res = without_headers(e->req, res);
	} else if (in->op == OP_RECV && s->dir == DIR_ALWAYS && res > 0 && (__u32)res >= in->room &&
		   e->kind <= UR_SR) {
		s->flags |= OPF_TRUNC; /* as for recv(2), see exit_fdio */
	}
	if (e->many || !is_ours(in))
		in->addr = 0;
	else if (in->op == OP_RECV)
		read_msghdr(in, s);
	if (is_ours(in) && wants_fingerprint(in, s))
		fingerprint(s, in->buf, in->room, res);
	if (in->addr && in->arg && has_addr(in, res))
		emit_with_addr(in, s, res, in->addr, in->arg);
	else
		op_emit(in, &in->a, s, in->op, res, 0);
	return 0;
}

static __always_inline void uring_sample(struct uring_req *r, const struct objref *o, __u8 op,
					 __u64 now_ns)
{
	__builtin_memset(&r->s, 0, sizeof(r->s));
	r->s.now_ns = now_ns;
	object_sample_call(&r->s, o, op);
}

/* Both sides of a splice; the send first: a reader of the output may already have it. */
GLOBAL int uring_splice(struct uring_req *r, const struct uring_end *e)
{
	struct inflight *in;

	if (!r || !e)
		return 0;
	in = &r->in;
	if (in->a.id && (e->res >= 0 || !in->b.id)) {
		uring_sample(r, &in->a, OP_SEND, e->now_ns);
		op_emit(in, &in->a, &r->s, OP_SEND, e->res, 0);
	}
	if (in->b.id) {
		uring_sample(r, &in->b, OP_RECV, e->now_ns);
		op_emit(in, &in->b, &r->s, OP_RECV, e->res, e->kind == UR_TEE ? OPF_PEEK : 0);
	}
	return 0;
}

static __always_inline __u32 use_of(const struct inflight *in)
{
	return in->flags & OPF_TARGET ? USE_TARGET : 0;
}

/* The new connection of an accept, as a descriptor or as a file of the ring. */
static __always_inline __u64 accepted_file(const struct uring_end *e)
{
	struct io_accept *a = (void *)e->req;
	__u32 slot = 0;

	if (e->res < 0)
		return 0;
	KREAD(&slot, &a->file_slot);
	if (!slot)
		return (__u64)file_of_fd(bpf_get_current_task_btf(), e->res);
	return uring_fixed(e->ring, slot == IORING_FILE_INDEX_ALLOC ? e->res : slot - 1);
}

/* Finds what now stands behind the file of an accept, a connect, a bind or a listen. */
GLOBAL int uring_renew(struct inflight *in, const struct uring_end *e)
{
	struct user_addr to = {};
	__u64 file = 0;

	if (!in || !e)
		return 0;
	if (e->kind == UR_ACCEPT)
		file = accepted_file(e);
	else if (e->res >= 0 || e->res == -EINPROGRESS)
		KREAD(&file, (__u64 *)&((struct io_kiocb *)e->req)->file);
	if (file && uring_object(&in->a, file, in->pid_tgid, use_of(in), &to) &&
	    e->kind == UR_RENEW)
		object_emit(&in->a, file, in->pid_tgid, -1, 0);
	return 0;
}

/* The file was not known at submission, or nothing was: ask the request itself. */
GLOBAL int uring_find_late(struct inflight *in, const struct uring_end *e)
{
	struct user_addr to = {};
	__u64 file = 0;

	if (!in || !e)
		return 0;
	if (e->kind > UR_MSG)
		return e->kind == UR_ACCEPT || e->kind == UR_RENEW;
	KREAD(&file, (__u64 *)&((struct io_kiocb *)e->req)->file);
	return uring_object(&in->a, file, in->pid_tgid, use_of(in) | USE_MOVES, &to);
}

static __always_inline void uring_finish(struct uring_req *r, const struct uring_end *e)
{
	struct inflight *in = &r->in;

	if (e->kind == UR_CLOSE && is_ours(in))
		fd_invalidate(bpf_get_current_task_btf());
	if (!in->a.id && !in->b.id && !uring_find_late(in, e))
		return;
	if (e->kind == UR_SPLICE || e->kind == UR_TEE) {
		uring_splice(r, e);
		return;
	}
	if (e->kind == UR_ACCEPT || e->kind == UR_RENEW)
		uring_renew(in, e);
	if (!in->a.id)
		return;
	uring_sample(r, &in->a, in->op, e->now_ns);
	if (e->kind <= UR_MSG)
		uring_data(r, e);
	else
		op_emit(in, &in->a, &r->s, in->op, e->res, 0);
}

/* A target's request from before the trace, or one that found no room in the table. */
static __always_inline struct uring_req *uring_unknown(struct task_struct *task,
						       const struct uring_end *e, __u8 op)
{
	struct uring_args a = {.flags = OPF_BEFORE_ATTACH};
	struct task_ctx *t = submitter(task);
	struct uring_req *r;

	if (!is_target(t) || is_ignored(task, true))
		return NULL;
	if (e->many) { /* only receives choose buffers; which one this is nobody says */
		if (e->cflags & IORING_CQE_F_BUFFER)
			count_lost(LOST_URING);
		return NULL;
	}
	if (e->kind == UR_NONE || e->kind > UR_MSG)
		return NULL;
	if (!t)
		t = task_make(task);
	if (!t)
		return NULL;
	task_describe(t, task);
	r = uring_park(e->req, 0, e->kind);
	if (!r)
		return NULL;
	uring_fill(r, pid_tgid_of(task), true, op, &a);
	r->in.enter_ns = e->now_ns;
	return r;
}

static __always_inline int uring_complete(__u64 ring, __u64 req, __u64 user_data, __s32 res,
					  __u32 cflags)
{
	struct uring_end e = {.req = req, .ring = ring, .res = res, .cflags = cflags};
	__u64 shot = mix(ring, user_data), *of;
	struct uring_req *r = NULL;
	__u8 opcode = 0;

	e.now_ns = bpf_ktime_get_ns();
	if (!req) {
		of = bpf_map_lookup_elem(&uring_shots, &shot);
		e.req = of ? *of : 0;
		e.many = 1;
	}
	if (e.req) {
		KREAD(&opcode, &((struct io_kiocb *)e.req)->opcode);
		e.kind = uring_ops[opcode & 63].kind;
		r = bpf_map_lookup_elem(&uring_reqs, &e.req);
	}
	if (!r)
		r = uring_unknown(bpf_get_current_task_btf(), &e, uring_ops[opcode & 63].op);
	if (!r)
		return 0;
	uring_finish(r, &e);
	if (e.many) {
		r->in.enter_ns = e.now_ns; /* the next one begins where this ends */
		return 0;
	}
	if (r->shot)
		bpf_map_delete_elem(&uring_shots, &shot);
	bpf_map_delete_elem(&uring_reqs, &e.req);
	return 0;
}

SEC("?tp_btf/io_uring_complete")
int HOOK_PROG(uring_complete_cqe, struct io_ring_ctx *ring, __u64 req, struct io_uring_cqe *cqe)
{
	return uring_complete(address_of(ring), req, cqe->user_data, cqe->res, cqe->flags);
}

/* Its arguments until 6.15. */
SEC("?tp_btf/io_uring_complete")
int HOOK_PROG(uring_complete_res, __u64 ring, __u64 req, __u64 user_data, int res,
	      unsigned int cflags)
{
	return uring_complete(ring, req, user_data, res, cflags);
}

/* A completion that found no room in the queue: which request's is not told. */
SEC("?tp_btf/io_uring_cqe_overflow")
int HOOK_PROG(uring_overflow)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (is_target(submitter(task)) && !is_ignored(task, true))
		count_lost(LOST_URING);
	return 0;
}
