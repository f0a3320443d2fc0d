/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * msg.bpf.c - the calls on System V message queues. A message is a long, its
 * type, and the text behind it; lengths do not count the type.
 */
#include "payload.bpf.h"

#define MSG_NOERROR 010000
#define MSG_COPY    040000

#define IPC_RMID 0
#define IPC_SET  1
#define IPC_STAT 2

/* What msgctl does to the queue; OP_NONE: it is about no queue, or names it by its slot. */
static __always_inline __u8 msgctl_op(__u32 cmd)
{
	switch (cmd & 0xff) { /* without IPC_64 */
	case IPC_RMID:
		return OP_REMOVE;
	case IPC_SET:
		return OP_RESIZE;
	case IPC_STAT:
		return OP_CREATE;
	default:
		return OP_NONE;
	}
}

SEC("tp_btf/sys_enter")
int CALL_PROG(enter_msg, struct pt_regs *regs, long nr)
{
	const volatile struct ipcspy_sys *row = &syscalls[nr & (IPCSPY_NR_SYSCALLS - 1)];
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_ctx *t = task_find(task);
	bool target = is_target(t);
	struct objref o = {};
	struct inflight *in;
	__u8 op = row->op;

	if (is_ignored(task, target))
		return 0;
	if (row->how == MSGQ_CTL)
		op = msgctl_op(SYS_ARG1(regs));
	if (op == OP_NONE)
		return 0;
	/* a stranger's queue is described when it sends or receives */
	if (row->how == MSGQ_GET ? !target : !msgq_of_id(&o, task, SYS_ARG0(regs), target))
		return 0;
	in = op_begin(t, task, nr, op, op == OP_RECV && (SYS_ARG4(regs) & MSG_COPY) ? OPF_PEEK : 0);
	if (!in)
		return 0;
	in->how = row->how;
	in->buf = SYS_ARG1(regs);
	in->room = SYS_ARG2(regs);
	in->addr = SYS_ARG3(regs); /* msgrcv: the type that it wants */
	in->arg = SYS_ARG4(regs);  /* msgrcv: flags */
	in->a = o;
	return 0;
}

static __always_inline void msg_got(const struct inflight *in, struct task_struct *task,
				    bool target, __s32 id)
{
	struct objref o = {};
	struct sample s = {};

	if (!sysv_resolve(&o, sysv_ns(task), SYSV_MSG, id, MECH_SYSV_MSG) ||
	    !object_admit(&o, task, target))
		return;
	msgqueue_sample(&s, &o);
	op_emit(in, &o, &s, in->op, 0, 0);
}

static __always_inline void msg_ctl_done(const struct inflight *in, __s32 ret)
{
	struct objref o = in->a;
	struct sample s = {};

	if (in->op == OP_RESIZE && !ret)
		object_emit(&o, 0, in->pid_tgid, -1, 0);
	msgqueue_sample(&s, &o);
	op_emit(in, &o, &s, in->op, ret, 0);
}

SEC("tp_btf/sys_exit")
int CALL_PROG(exit_msg, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_ctx *t = task_find(task);
	struct inflight *in = op_end(t, SYS_NR(regs));
	struct sample s = {};
	__u64 type = 0, wanted = 0;

	if (!in)
		return 0;
	if (in->how == MSGQ_GET) {
		if (ret >= 0)
			msg_got(in, task, is_target(t), ret);
		return 0;
	}
	if (in->how == MSGQ_CTL) {
		msg_ctl_done(in, ret);
		return 0;
	}
	if (in->op == OP_SEND && !ret)
		ret = in->room;
	s.now_ns = bpf_ktime_get_ns();
	s.exact = ret > 0 ? ret : 0;
	msgqueue_sample(&s, &in->a);
	if (ret >= 0)
		bpf_probe_read_user(&type, sizeof(type), (void *)in->buf);
	if (in->op == OP_RECV) {
		wanted = (__u32)in->addr | (__u64)(in->arg & 0xffff) << 32;
		if ((in->arg & MSG_NOERROR) && ret >= 0 && (__u32)ret == in->room)
			s.flags |= OPF_TRUNC; /* perhaps: msgrcv(2) does not say */
	}
	if (wants_fingerprint(in, &s))
		fingerprint(&s, in->buf + sizeof(type), in->room, ret);
	if (cfg.payload_bytes && emit_vals_payload(in, &s, in->buf + sizeof(type), ret,
						   &(struct ev_vals){{type, wanted}}))
		return 0;
	op_emit_vals(in, &in->a, &s, in->op, ret, 0, type, wanted);
	return 0;
}
