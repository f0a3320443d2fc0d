/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * splice.bpf.c - calls that move bytes from one descriptor to another without
 * showing them to the caller: splice, tee, sendfile; and vmsplice, whose
 * direction is that of the pipe's end.
 *
 * One call is an operation on each side that is a channel.
 */
#include "splice.bpf.h"

SEC("tp_btf/sys_enter")
int CALL_PROG(enter_splice, struct pt_regs *regs, long nr)
{
	const volatile struct ipcspy_sys *row = &syscalls[nr & (IPCSPY_NR_SYSCALLS - 1)];
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_ctx *t = task_find(task);
	struct inflight *in = NULL;
	struct objref o = {};
	struct fd_ref at;
	__u8 op = OP_RECV;

	if (is_ignored(task, is_target(t)))
		return 0;
	if (row->out_arg == ARG_NONE && file_writable(file_of_fd(task, sys_arg(regs, row->in_arg))))
		op = OP_SEND;
	at = fd_ref(task, sys_arg(regs, row->in_arg));
	if (object_of_fd(&o, task, t, &at, NULL)) {
		in = op_begin(t, task, nr, op, 0);
		if (!in)
			return 0;
		in->a = o;
	}
	if (row->out_arg == ARG_NONE)
		return 0;
	at = fd_ref(task, sys_arg(regs, row->out_arg));
	if (!object_of_fd(&o, task, t, &at, NULL))
		return 0;
	if (in) {
		in->sleep_on_b = has_data(&in->a);
	} else {
		in = op_begin(t, task, nr, row->op, 0);
		if (!in)
			return 0;
		in->sleep_on_b = 1;
	}
	in->b = o;
	return 0;
}

static __always_inline void emit_side(struct inflight *in, const struct objref *o, __u8 op,
				      __s32 ret, __u32 flags, bool slept)
{
	__u64 blocked = in->blocked_ns;
	struct sample s = {};

	object_sample_call(&s, o, op);
	if (!slept)
		in->blocked_ns = 0;
	op_emit(in, o, &s, op, ret, flags);
	in->blocked_ns = blocked;
}

SEC("tp_btf/sys_exit")
int CALL_PROG(exit_splice, struct pt_regs *regs, long ret)
{
	const volatile struct ipcspy_sys *row = &syscalls[SYS_NR(regs) & (IPCSPY_NR_SYSCALLS - 1)];
	struct inflight *in = op_end(task_find(bpf_get_current_task_btf()), SYS_NR(regs));

	if (!in)
		return 0;
	/*
	 * The send first: a reader of the output may already have it. What failed, failed on the
	 * side that had nothing to give, or no room.
	 */
	if (in->b.id && (ret >= 0 || in->sleep_on_b))
		emit_side(in, &in->b, OP_SEND, ret, 0, in->sleep_on_b);
	if (in->a.id && (ret >= 0 || !in->sleep_on_b))
		emit_side(in, &in->a, row->out_arg == ARG_NONE ? in->op : OP_RECV, ret,
			  row->sys_flags & SYSF_PEEK ? OPF_PEEK : 0, !in->sleep_on_b);
	return 0;
}
