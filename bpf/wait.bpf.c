/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * wait.bpf.c - poll, select and epoll_wait: a task that waits for any of many.
 *
 * Only a wait that slept is worth a record.
 */
#include "wake.bpf.h"

/* A futex wait with a timeout goes on. */
static __always_inline void futex_again(struct task_ctx *t, struct task_struct *task, __u16 nr)
{
	struct objref o = t->in.a;
	struct inflight *in = op_begin(t, task, nr, OP_RECV, 0);

	if (!in)
		return;
	in->wake_flags = WAKEF_ASK;
	in->a = o;
}

SEC("tp_btf/sys_enter")
int CALL_PROG(enter_wait, struct pt_regs *regs, long nr)
{
	const volatile struct ipcspy_sys *row = &syscalls[nr & (IPCSPY_NR_SYSCALLS - 1)];
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_ctx *t = task_find(task);

	/* a peer is known by then: it touched a watched channel before */
	if (is_ignored(task, is_target(t)) || (!t && !cfg.all))
		return 0;
	/* a signal that ran no handler: the kernel goes on with whatever call it was */
	if (!(row->sys_flags & SYSF_RESTART))
		op_begin(t, task, nr, OP_WAIT, 0);
	else if (t && t->in.arg && t->in.op == OP_WAIT)
		op_begin(t, task, nr, OP_WAIT, 0);
	else if (t && t->in.arg && t->in.op == OP_RECV && is_futex(t->in.a.mech))
		futex_again(t, task, nr);
	return 0;
}

SEC("tp_btf/sys_exit")
int CALL_PROG(exit_wait, struct pt_regs *regs, long ret)
{
	struct inflight *in = op_end(task_find(bpf_get_current_task_btf()), SYS_NR(regs));
	struct objref none = {};
	struct sample s = {};

	if (!in)
		return 0;
	in->arg = ret == -ERESTART_RESTARTBLOCK;
	if (in->a.id)
		wait_emit(in, &in->a, &s, ret, 0);
	else if (in->blocked_ns)
		op_emit(in, &none, &s, OP_WAIT, ret, 0);
	return 0;
}
