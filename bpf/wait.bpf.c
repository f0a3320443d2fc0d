/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * wait.bpf.c - poll, select and epoll_wait: a task that waits for any of many.
 *
 * Only a wait that slept is worth a record.
 */
#include "op.bpf.h"

SEC("tp_btf/sys_enter")
int BPF_PROG(enter_wait, struct pt_regs *regs, long nr)
{
	const volatile struct ipcspy_sys *row = &syscalls[nr & (IPCSPY_NR_SYSCALLS - 1)];
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_ctx *t = task_find(task);

	/* a peer is known by then: it touched a watched channel before */
	if (is_ignored(task, is_target(t)) || (!t && !cfg.all))
		return 0;
	/* a signal that ran no handler: the kernel goes on with whatever call it was */
	if ((row->sys_flags & SYSF_RESTART) && !(t && t->in.op == OP_WAIT && t->in.arg))
		return 0;
	op_begin(t, task, nr, OP_WAIT, 0);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(exit_wait, struct pt_regs *regs, long ret)
{
	struct inflight *in = op_end(task_find(bpf_get_current_task_btf()), regs->orig_ax);
	struct objref none = {};
	struct sample s = {};

	if (!in)
		return 0;
	in->arg = ret == -ERESTART_RESTARTBLOCK;
	if (in->blocked_ns)
		op_emit(in, &none, &s, OP_WAIT, ret, 0);
	return 0;
}
