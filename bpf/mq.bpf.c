/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * mq.bpf.c - the calls on POSIX message queues. Their results say nothing of
 * the length (mq_timedsend) or the priority (mq_timedreceive): the record has
 * both. read(2) and poll(2) on a queue's descriptor move no message.
 */
#include "payload.bpf.h"

struct sigevent_user { /* how struct sigevent begins, 64-bit ABI */
	__u64 value;
	__s32 signo, notify;
};

/* The queue that the call is about. 0: none that is to be traced. */
static __always_inline bool mq_object(struct objref *o, struct task_struct *task,
				      struct task_ctx *t, struct pt_regs *regs, __u8 how)
{
	struct fd_ref at = fd_ref(task, SYS_ARG0(regs));

	if (how == MQ_FD)
		return mq_of_fd(o, task, t, &at);
	return mqueue_by_name(o, sysv_ns(task), SYS_ARG0(regs)) &&
	       object_admit(o, task, is_target(t));
}

SEC("tp_btf/sys_enter")
int CALL_PROG(enter_mq, struct pt_regs *regs, long nr)
{
	const volatile struct ipcspy_sys *row = &syscalls[nr & (IPCSPY_NR_SYSCALLS - 1)];
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_ctx *t = task_find(task);
	bool target = is_target(t);
	struct objref o = {};
	struct inflight *in;

	if (is_ignored(task, target))
		return 0;
	/* a stranger's queue is described when it sends or receives */
	if (row->how == MQ_OPEN ? !target : !mq_object(&o, task, t, regs, row->how))
		return 0;
	in = op_begin(t, task, nr, row->op, 0);
	if (!in)
		return 0;
	in->how = row->how;
	in->buf = SYS_ARG1(regs);
	in->room = SYS_ARG2(regs);
	in->addr = SYS_ARG3(regs); /* the priority, or where it goes */
	in->a = o;
	return 0;
}

static __always_inline void mq_opened(const struct inflight *in, struct task_struct *task,
				      bool target, __s32 fd)
{
	__u64 file = file_of_fd(task, fd);
	struct objref o = {};
	struct sample s = {};

	if (!file || !mqueue_resolve(&o, file))
		return;
	if (target)
		object_watch(&o);
	else if (!is_watched(o.wkey, 0))
		return;
	if (!object_emit(&o, file, in->pid_tgid, fd, 0))
		return;
	mqueue_sample(&s, &o);
	op_emit(in, &o, &s, in->op, 0, 0);
}

/* What was asked for: the kind of notification and the signal; all ones: no more. */
static __always_inline __u64 notify_wanted(const struct inflight *in)
{
	struct sigevent_user ev;

	if (!in->buf || bpf_probe_read_user(&ev, sizeof(ev), (void *)in->buf))
		return ~0ull;
	return (__u64)(__u32)ev.notify << 32 | (__u32)ev.signo;
}

SEC("tp_btf/sys_exit")
int CALL_PROG(exit_mq, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_ctx *t = task_find(task);
	struct inflight *in = op_end(t, SYS_NR(regs));
	struct sample s = {};
	__u64 v0 = 0, v1 = 0;
	__u32 prio = 0;

	if (!in)
		return 0;
	if (in->how == MQ_OPEN) {
		if (ret >= 0)
			mq_opened(in, task, is_target(t), ret);
		return 0;
	}
	s.now_ns = bpf_ktime_get_ns();
	mqueue_sample(&s, &in->a);
	if (in->op == OP_SEND) {
		v0 = (__u32)in->addr;
		v1 = MQ_PRIO_KNOWN;
		if (!ret)
			ret = in->room;
	} else if (in->op == OP_RECV && ret >= 0 && in->addr &&
		   !bpf_probe_read_user(&prio, sizeof(prio), (void *)in->addr)) {
		v0 = prio;
		v1 = MQ_PRIO_KNOWN;
	} else if (in->op == OP_NOTIFY) {
		v0 = notify_wanted(in);
	}
	if ((in->op == OP_SEND || in->op == OP_RECV) && wants_fingerprint(in, &s))
		fingerprint(&s, in->buf, in->room, ret);
	if (cfg.payload_bytes &&
	    emit_vals_payload(in, &s, in->buf, ret, &(struct ev_vals){{v0, v1}}))
		return 0;
	op_emit_vals(in, &in->a, &s, in->op, ret, 0, v0, v1);
	return 0;
}
