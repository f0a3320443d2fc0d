/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * fdio.bpf.c - calls that move data through one descriptor in one direction:
 * read, write and their vector forms, sendto, recvfrom, sendmsg, recvmsg, and
 * the many-message sendmmsg, recvmmsg.
 */
#include "payload.bpf.h"

/* Room for a control message in a struct msghdr: descriptors may be in it. */
#define CONTROL_MIN 16

/* Where the call sends to, if it says so, and how much control data it has. */
static __noinline void read_dest(struct user_addr *to, const volatile struct ipcspy_sys *row,
				 struct pt_regs *regs)
{
	struct msghdr_user m;

	if (row->addr_arg != ARG_NONE) {
		to->uaddr = SYS_ARG4(regs);
		to->len = SYS_ARG5(regs);
	} else if (row->how == BUF_MSG &&
		   !bpf_probe_read_user(&m, sizeof(m), (void *)SYS_ARG1(regs))) {
		to->uaddr = m.name;
		to->len = m.namelen;
		to->control = m.controllen < ~0u ? m.controllen : ~0u;
	}
}

SEC("tp_btf/sys_enter")
int CALL_PROG(enter_fdio, struct pt_regs *regs, long nr)
{
	const volatile struct ipcspy_sys *row = &syscalls[nr & (IPCSPY_NR_SYSCALLS - 1)];
	struct task_struct *task = bpf_get_current_task_btf();
	struct fd_ref at = fd_ref_hot(task, SYS_ARG0(regs));
	struct task_ctx *t = task_find(task);
	bool send = row->op == OP_SEND;
	struct user_addr to = {};
	struct inflight *in;
	struct objref o = {};
	__u32 flags = 0;

	if (is_ignored(task, is_target(t)) || (!is_target(t) && is_passed(at.key)))
		return 0;
	if (send && (row->addr_arg != ARG_NONE || row->how == BUF_MSG)) /* write(2) does not */
		read_dest(&to, row, regs);
	if (!object_of_fd(&o, task, t, &at, send ? &to : NULL))
		return 0;
	if (row->flags_arg != ARG_NONE)
		flags = msg_flags(sys_arg(regs, row->flags_arg));
	in = op_begin(t, task, nr, row->op, flags);
	if (!in)
		return 0;
	in->buf = SYS_ARG1(regs);
	in->room = SYS_ARG2(regs);
	in->how = row->how;
	in->a = o;
	if (send) {
		in->addr = to.uaddr;
		in->arg = to.len;
	} else if (row->addr_arg != ARG_NONE) {
		in->addr = SYS_ARG4(regs);
		in->arg = SOCKADDR_MAX;
	}
	if (to.control >= CONTROL_MIN && o.family == AF_UNIX && (in->flags & OPF_TARGET))
		steady_tail_call(ctx, &enter_progs, FAM_PASS);
	return 0;
}

/* With the bytes themselves, where they are asked for. False: it is still to be emitted. */
static __noinline bool emit_msg_payload(const struct inflight *in, const struct sample *s,
					__s32 ret, const struct msghdr_user *m)
{
	struct moved mv = {.buf = m->iov,
			   .how = BUF_IOV,
			   .parts = m->iovlen < ~0u ? m->iovlen : ~0u,
			   .ret = ret};

	if (!wants_payload(in, ret))
		return false;
	if (has_addr(in, ret)) {
		mv.addr = m->name;
		mv.addr_len = m->namelen;
	}
	op_emit_payload(in, s, &mv);
	return true;
}

static __always_inline void emit_msg(const struct inflight *in, struct sample *s, __s32 ret,
				     const struct msghdr_user *m)
{
	if (m->iovlen && wants_fingerprint(in, s))
		fingerprint_iov(s, m->iov, ret);
	if (in->op == OP_RECV && (m->flags & MSG_TRUNC))
		s->flags |= OPF_TRUNC;
	if (cfg.payload_bytes && emit_msg_payload(in, s, ret, m))
		return;
	if (has_addr(in, ret) && m->name && m->namelen)
		emit_with_addr(in, s, ret, m->name, m->namelen);
	else
		op_emit(in, &in->a, s, in->op, ret, 0);
}

static __always_inline bool may_pass(const struct inflight *in)
{
	return in->a.family == AF_UNIX && !(in->flags & OPF_PEEK);
}

struct iov_sum {
	__u64 iov, sum;
};

static long iov_add(__u32 i, void *arg)
{
	struct iov_sum *s = arg;
	struct iovec_user v;
	__u64 value = 0;

	if (bpf_probe_read_user(&v, sizeof(v), (void *)s->iov + (__u64)i * sizeof(v)) ||
	    bpf_probe_read_user(&value, sizeof(value), (void *)v.base))
		return 1;
	s->sum += value;
	return 0;
}

/* What a call on an eventfd wrote or read; with writev each part is a write of its own. */
GLOBAL __u64 eventfd_value(__u64 buf, __u32 how, __s32 ret)
{
	struct iov_sum s = {.iov = buf};
	__u64 value = 0;
	__u32 parts = ret < 0 ? 0 : (__u32)ret / sizeof(value);

	if (how == BUF_PLAIN && ret > 0)
		bpf_probe_read_user(&value, sizeof(value), (void *)buf);
	if (how != BUF_IOV)
		return value;
	bpf_loop(parts < UIO_MAXIOV ? parts : UIO_MAXIOV, iov_add, &s, 0);
	return s.sum;
}

/* Objects of which a record says more: see the class of each in src/model. */
static __noinline void emit_vals(const struct inflight *in, const struct sample *s, __s32 ret)
{
	op_emit_vals(in, &in->a, s, in->op, ret, 0, eventfd_value(in->buf, in->how, ret),
		     eventfd_count(&in->a));
}

/* How a struct signalfd_siginfo begins, and how long it is. */
struct signalfd_info {
	__u32 signo;
	__s32 err, code;
};

#define SIGNALFD_INFO_LEN 128

struct signalfd_walk {
	__u64 buf;
};

static long signalfd_one(__u32 i, void *arg)
{
	struct task_ctx *t = task_find(bpf_get_current_task_btf());
	struct signalfd_walk *w = arg;
	struct signalfd_info info;
	struct sample s = {};

	if (!t ||
	    bpf_probe_read_user(&info, sizeof(info), (void *)w->buf + (__u64)i * SIGNALFD_INFO_LEN))
		return 1;
	op_emit_vals(&t->in, &t->in.a, &s, OP_RECV, 0, i ? OPF_MORE : 0,
		     info.signo | (__u64)(__u32)info.code << 32,
		     (__u32)t->in.pid_tgid | SIGV_TAKEN);
	t->in.blocked_ns = 0;
	return 0;
}

/* A read from a signalfd takes one signal or more; with readv, those of the first part. */
static __noinline void signalfd_emit(const struct inflight *in, const struct sample *s, __s32 ret)
{
	struct signalfd_walk w = {.buf = in->buf};
	struct iovec_user v = {};
	__u32 cnt;

	if (ret <= 0) {
		op_emit(in, &in->a, s, in->op, ret, 0);
		return;
	}
	cnt = (__u32)ret / SIGNALFD_INFO_LEN;
	if (in->how != BUF_PLAIN) {
		bpf_probe_read_user(&v, sizeof(v), (void *)in->buf);
		w.buf = v.base;
		if (v.len / SIGNALFD_INFO_LEN < cnt)
			cnt = v.len / SIGNALFD_INFO_LEN;
	}
	bpf_loop(cnt < UIO_MAXIOV ? cnt : UIO_MAXIOV, signalfd_one, &w, 0);
}

/* The same for calls that have no struct msghdr. */
static __noinline bool emit_buf_payload(const struct inflight *in, const struct sample *s,
					__s32 ret)
{
	struct moved mv = {.buf = in->buf, .how = in->how, .parts = in->room, .ret = ret};

	if (!wants_payload(in, ret))
		return false;
	if (has_addr(in, ret)) {
		mv.addr = in->addr;
		mv.addr_len = in->arg;
	}
	op_emit_payload(in, s, &mv);
	return true;
}

SEC("tp_btf/sys_exit")
int CALL_PROG(exit_fdio, struct pt_regs *regs, long ret)
{
	struct inflight *in = op_end(task_find(bpf_get_current_task_btf()), SYS_NR(regs));
	struct msghdr_user m = {};
	struct sample s = {};

	if (!in)
		return 0;
	s.now_ns = bpf_ktime_get_ns();
	/* how much of it was in the channel when the trace began is told by what is in it now */
	s.exact = in->flags & OPF_BEFORE_ATTACH;
	object_sample(&s, &in->a, in->op);
	if (in->a.mech == MECH_EVENTFD) {
		emit_vals(in, &s, ret);
		return 0;
	}
	if (in->a.mech == MECH_SIGNAL) {
		signalfd_emit(in, &s, ret);
		return 0;
	}
	if (in->how == BUF_MSG) {
		bpf_probe_read_user(&m, sizeof(m), (void *)in->buf);
		emit_msg(in, &s, ret, &m);
		if (ret >= 0 && m.controllen >= CONTROL_MIN && may_pass(in))
			steady_tail_call(ctx, &exit_progs, FAM_PASS);
		return 0;
	}
	if (wants_fingerprint(in, &s)) {
		if (in->how == BUF_PLAIN)
			fingerprint(&s, in->buf, in->room, ret);
		else
			fingerprint_iov(&s, in->buf, ret);
	}
	/* a packet that fills the buffer was perhaps longer: recv(2) does not say */
	if (in->op == OP_RECV && in->how == BUF_PLAIN && s.dir == DIR_ALWAYS && ret > 0 &&
	    (__u32)ret >= in->room)
		s.flags |= OPF_TRUNC;
	if (cfg.payload_bytes && emit_buf_payload(in, &s, ret))
		return 0;
	if (in->addr && has_addr(in, ret))
		emit_with_addr(in, &s, ret, in->addr, in->arg);
	else
		op_emit(in, &in->a, &s, in->op, ret, 0);
	return 0;
}

SEC("tp_btf/sys_enter")
int CALL_PROG(enter_mmsg, struct pt_regs *regs, long nr)
{
	const volatile struct ipcspy_sys *row = &syscalls[nr & (IPCSPY_NR_SYSCALLS - 1)];
	struct task_struct *task = bpf_get_current_task_btf();
	struct fd_ref at = fd_ref_hot(task, SYS_ARG0(regs));
	struct task_ctx *t = task_find(task);
	struct user_addr to = {};
	struct inflight *in;
	struct objref o = {};

	if (is_ignored(task, is_target(t)) || (!is_target(t) && is_passed(at.key)))
		return 0;
	/* the first message's destination stands for all: they mostly go to one */
	if (row->op == OP_SEND)
		read_dest(&to, row, regs);
	if (!object_of_fd(&o, task, t, &at, row->op == OP_SEND ? &to : NULL))
		return 0;
	in = op_begin(t, task, nr, row->op, msg_flags(SYS_ARG3(regs)));
	if (!in)
		return 0;
	in->buf = SYS_ARG1(regs);
	in->how = BUF_MSG;
	in->a = o;
	return 0;
}

struct mmsg_walk {
	struct sample last; /* what the channel held is known after the last message only */
	__u32 cnt;
	__u32 pad;
};

static long mmsg_one(__u32 i, void *arg)
{
	struct mmsg_walk *w = arg;
	struct task_ctx *t = task_find(bpf_get_current_task_btf());
	struct mmsghdr_user m;
	struct sample s = {.dir = w->last.dir};

	if (!t || bpf_probe_read_user(&m, sizeof(m),
				      (void *)t->in.buf + (__u64)i * sizeof(struct mmsghdr_user))) {
		if (t)
			lose(t->in.a.mech, t->in.a.id);
		return 0;
	}
	if (i + 1 == w->cnt)
		s = w->last;
	if (i)
		s.flags |= OPF_MORE;
	emit_msg(&t->in, &s, m.len, &m.hdr);
	t->in.blocked_ns = 0;
	return 0;
}

SEC("tp_btf/sys_exit")
int CALL_PROG(exit_mmsg, struct pt_regs *regs, long ret)
{
	struct inflight *in = op_end(task_find(bpf_get_current_task_btf()), SYS_NR(regs));
	struct mmsg_walk w = {};

	if (!in)
		return 0;
	object_sample_call(&w.last, &in->a, in->op);
	if (ret <= 0) {
		op_emit(in, &in->a, &w.last, in->op, ret, 0);
		return 0;
	}
	w.cnt = ret > UIO_MAXIOV ? UIO_MAXIOV : ret;
	bpf_loop(w.cnt, mmsg_one, &w, 0);
	if (may_pass(in))
		steady_tail_call(ctx, &exit_progs, FAM_PASS);
	return 0;
}
