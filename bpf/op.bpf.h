/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * op.bpf.h - the life of one operation: parked at entry, emitted at exit.
 */
#ifndef IPCSPY_OP_BPF_H
#define IPCSPY_OP_BPF_H

#include "object.bpf.h"

#define MSG_PEEK     0x2
#define MSG_TRUNC    0x20
#define MSG_ERRQUEUE 0x2000

#define FP_BYTES 32

#define SOCKADDR_MAX 128 /* sizeof(struct sockaddr_storage): what a receive may have written */

/* struct user_msghdr and struct mmsghdr, as the caller lays them out (64-bit ABI). */
struct msghdr_user {
	__u64 name;
	__u32 namelen, pad;
	__u64 iov, iovlen;
	__u64 control, controllen;
	__u32 flags, pad2;
};

struct mmsghdr_user {
	struct msghdr_user hdr;
	__u32 len, pad;
};

struct iovec_user {
	__u64 base, len;
};

/*
 * The task enters a call that its family traces. Creates the task's storage and
 * describes its process; NULL when there is no room for it.
 */
static __always_inline struct inflight *op_begin(struct task_ctx *t, struct task_struct *task,
						 __u16 nr, __u8 op, __u32 flags)
{
	struct inflight *in;

	if (!t)
		t = task_make(task);
	if (!t)
		return NULL;
	task_describe(t, task);
	in = &t->in;
	in->sleep_ns = 0;
	in->blocked_ns = 0;
	in->buf = 0;
	in->addr = 0;
	in->pid_tgid = pid_tgid_of(task);
	in->waker = 0;
	in->flags = flags | (is_target(t) ? OPF_TARGET : 0);
	in->arg = 0;
	in->nr = nr;
	in->how = BUF_NONE;
	in->op = op;
	in->sleep_on_b = 0;
	in->wake_flags = 0;
	in->woken_ns = 0;
	in->elsewhere = 0;
	in->a.id = 0;
	in->b.id = 0;
	in->enter_ns = bpf_ktime_get_ns();
	in->active = 1;
	return in;
}

/* The call that the task returns from, if its entry was seen; it is then no longer in flight. */
static __always_inline struct inflight *op_end(struct task_ctx *t, __u16 nr)
{
	if (!t || !t->in.active)
		return NULL;
	t->in.active = 0;
	return t->in.nr == nr ? &t->in : NULL;
}

static __always_inline void op_fill(struct ev_op *e, const struct inflight *in,
				    const struct objref *o, const struct sample *s, __s32 ret,
				    __u32 flags)
{
	hdr_init(&e->hdr, EV_OP, sizeof(*e), in->pid_tgid >> 32, in->pid_tgid,
		 in->flags | s->flags | flags, s->now_ns ? s->now_ns : bpf_ktime_get_ns());
	e->chan = o->id;
	e->enter_ns = in->enter_ns;
	e->blocked_ns = in->blocked_ns;
	e->ret = ret;
	e->backlog = s->backlog;
	e->seq = s->seq;
	e->fp = s->fp;
	e->waker_tid = in->waker;
	e->nr = in->nr;
	e->op = in->op;
	e->mech = o->mech;
}

/* One record into the ring, or counted as lost. */
static __always_inline void op_emit(const struct inflight *in, const struct objref *o,
				    const struct sample *s, __u8 op, __s32 ret, __u32 flags)
{
	struct ev_op *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		lose(o->mech, o->id);
		return;
	}
	op_fill(e, in, o, s, ret, flags);
	e->op = op;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
}

/* The same with two numbers more, which mean what the mechanism says. */
static __always_inline void op_emit_vals(const struct inflight *in, const struct objref *o,
					 const struct sample *s, __u8 op, __s32 ret, __u32 flags,
					 __u64 v0, __u64 v1)
{
	struct op_vals *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		lose(o->mech, o->id);
		return;
	}
	op_fill(&e->op, in, o, s, ret, flags | OPF_VALS);
	e->op.op = op;
	e->op.hdr.len = sizeof(*e);
	e->vals.v[0] = v0;
	e->vals.v[1] = v1;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
}

/*
 * The first bytes that a call moved, hashed into the sample. Both ends hash the
 * same bytes of the same message, so it tells which message a receive begins with.
 */
static __always_inline void fingerprint(struct sample *s, __u64 base, __u64 room, __s32 moved)
{
	__u64 w[FP_BYTES / 8] = {};
	__u32 n = moved < FP_BYTES ? moved : FP_BYTES;

	if (moved <= 0 || !base || room < n)
		return;
	if (n == FP_BYTES) {
		if (bpf_probe_read_user(w, FP_BYTES, (void *)base))
			return;
	} else if (bpf_probe_read_user(w, n & (FP_BYTES - 1), (void *)base)) {
		return;
	}
	s->fp = mix(mix(w[0] ^ n, w[1]), mix(w[2], w[3]));
	s->flags |= OPF_FP;
}

/* The same through an iovec; a first part shorter than what is hashed gives none. */
static __always_inline void fingerprint_iov(struct sample *s, __u64 iov, __s32 moved)
{
	struct iovec_user v;

	if (moved > 0 && iov && !bpf_probe_read_user(&v, sizeof(v), (void *)iov))
		fingerprint(s, v.base, v.len, moved);
}

/* A fingerprint costs as much as all the rest of the exit: only where it can decide something. */
static __always_inline bool wants_fingerprint(const struct inflight *in, const struct sample *s)
{
	return s->dir && (s->dir == DIR_ALWAYS || crowded(s->dir, in->op == OP_SEND, in->pid_tgid));
}

static __always_inline __u32 msg_flags(__u32 flags)
{
	return (flags & MSG_PEEK ? OPF_PEEK : 0) | (flags & MSG_ERRQUEUE ? OPF_ERRQUEUE : 0);
}

struct op_to_in {
	struct ev_op op;
	struct ev_addr_in in;
};

struct op_to_un {
	struct ev_op op;
	struct ev_addr_un un;
};

/* A record with the datagram's other address behind it. */
static __noinline void emit_with_addr(const struct inflight *in, struct sample *s, __s32 ret,
				      __u64 uaddr, __u32 len)
{
	struct op_to_in *e4;
	struct op_to_un *eu;
	struct scratch *sc = get_scratch();
	__u16 family = 0;

	if (!sc)
		return;
	__builtin_memset(&sc->obj.raddr, 0, sizeof(sc->obj.raddr) + sizeof(sc->obj.name));
	family = addr_from_user(&sc->obj.raddr, &sc->obj.name, uaddr, len);
	if (family == AF_UNIX) {
		eu = bpf_ringbuf_reserve(&events, sizeof(*eu), 0);
		if (!eu)
			goto lost;
		op_fill(&eu->op, in, &in->a, s, ret, OPF_ADDR_UN);
		eu->op.hdr.len = sizeof(*eu);
		eu->un = sc->obj.name;
		bpf_ringbuf_submit(eu, BPF_RB_NO_WAKEUP);
	} else if (family) {
		e4 = bpf_ringbuf_reserve(&events, sizeof(*e4), 0);
		if (!e4)
			goto lost;
		op_fill(&e4->op, in, &in->a, s, ret, OPF_ADDR_IN);
		e4->op.hdr.len = sizeof(*e4);
		e4->in = sc->obj.raddr;
		bpf_ringbuf_submit(e4, BPF_RB_NO_WAKEUP);
	} else {
		op_emit(in, &in->a, s, in->op, ret, 0);
	}
	return;
lost:
	lose(in->a.mech, in->a.id);
}

/* Whether the record needs the other address: a unix receiver is not told who a sender is. */
static __always_inline bool has_addr(const struct inflight *in, __s32 ret)
{
	return ret >= 0 && is_dgram(in->a.mech) && (in->op == OP_SEND || in->a.mech == MECH_UDP);
}

#endif
