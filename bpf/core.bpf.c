/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * core.bpf.c - the two hooks that every system call of the machine passes, and
 * the two that tell sleeping from running.
 *
 * tp_btf hooks need neither kprobes nor trampolines, so they load on hardened
 * kernels. What is not in the table costs one look-up here and returns.
 */
#include "futex.bpf.h"
#include "wake.bpf.h"

const volatile struct ipcspy_config cfg = {};
const volatile struct ipcspy_sys syscalls[IPCSPY_NR_SYSCALLS] = {};

/*
 * A tail call with a constant index is a direct jump; with a variable one it is
 * an indirect call through a retpoline, on every system call of the machine.
 */
static __always_inline void dispatch(void *ctx, void *progs, __u32 fam)
{
#pragma unroll
	for (__u32 i = FAM_NONE + 1; i < FAM_PASS; i++)
		if (fam == i)
			bpf_tail_call_static(ctx, progs, i);
}

#define TASK_INTERRUPTIBLE 1
#define PF_EXITING         0x4

static __always_inline int enter(void *ctx, struct pt_regs *regs, long nr)
{
	__u32 fam = syscalls[nr & (IPCSPY_NR_SYSCALLS - 1)].fam;
	struct task_struct *task = bpf_get_current_task_btf();

	/* The same number means another call there: say so instead of misreading it. */
	if (is_compat(task)) {
		fd_invalidate(task); /* it may be a close */
		if (is_target(task_find(task)))
			count_lost(LOST_COMPAT);
		return 0;
	}
	if ((__u64)nr >= IPCSPY_NR_SYSCALLS || fam == FAM_NONE)
		return 0;
	if (fam == FAM_FUTEX && futex_skipped(regs, syscalls[nr & (IPCSPY_NR_SYSCALLS - 1)].how))
		return 0;
	dispatch(ctx, &enter_progs, fam);
	return 0;
}

static __always_inline int leave(void *ctx, struct pt_regs *regs)
{
	__u64 nr = SYS_NR(regs);
	__u32 fam = syscalls[nr & (IPCSPY_NR_SYSCALLS - 1)].fam;
	struct task_struct *task;

	if (nr >= IPCSPY_NR_SYSCALLS || fam == FAM_NONE)
		return 0;
	task = bpf_get_current_task_btf();
	if (is_compat(task)) /* said at entry */
		return 0;
	/*
	 * Nothing was parked for a stranger. Only what closes descriptors looks at it all the
	 * same, and what maps memory: there the address is known now, and was not at entry.
	 */
	if (fam != FAM_CTL && fam != FAM_SHM && !task_is_known(task))
		return 0;
	if (fam == FAM_FUTEX && futex_skipped(regs, syscalls[nr & (IPCSPY_NR_SYSCALLS - 1)].how))
		return 0;
	dispatch(ctx, &exit_progs, fam);
	return 0;
}

/*
 * Where tasks can be preempted at these hooks, one of them keeps a program from running for
 * the next one on its processor: those above go on as programs that forbid it, and what
 * comes in their first and last instructions is caught by a second pair, that looks whether
 * the first one was there. By tid; who has another's place is told twice, or missed.
 */
#define MET       (1 << 16)
#define MET_ENTER 1
#define MET_LEAVE 2
__u8 met[MET];

static __always_inline __u8 *met_mark(void)
{
	return &met[bpf_get_current_task_btf()->pid & (MET - 1)];
}

static __always_inline void meet(__u8 where)
{
	if (cfg.steady_calls)
		*met_mark() = where;
}

static __always_inline bool was_met(__u8 where)
{
	__u8 *mark = met_mark();

	if (*mark == where) {
		*mark = 0;
		return true;
	}
	count_lost(LOST_CAUGHT);
	return false;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter, struct pt_regs *regs, long nr)
{
	meet(MET_ENTER);
	return enter(ctx, regs, nr);
}

SEC("?tp_btf/sys_enter")
int BPF_PROG(sys_enter_again, struct pt_regs *regs, long nr)
{
	return was_met(MET_ENTER) ? 0 : enter(ctx, regs, nr);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long ret)
{
	meet(MET_LEAVE);
	return leave(ctx, regs);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(sys_exit_again, struct pt_regs *regs, long ret)
{
	return was_met(MET_LEAVE) ? 0 : leave(ctx, regs);
}

/*
 * Asleep for the channel is TASK_INTERRUPTIBLE: pipes, sockets and poll wait so.
 * A mutex, a page fault or a disk sleep uninterruptibly and are no blocking here.
 */
SEC("tp_btf/sched_switch")
int BPF_PROG(sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	struct task_ctx *t;

	if (preempt || !(prev_state & TASK_INTERRUPTIBLE))
		return 0;
	t = task_find(prev);
	if (t && t->in.active)
		t->in.sleep_ns = bpf_ktime_get_ns();
	return 0;
}

/*
 * Whoever wakes is inside the call that does it: what the two records say
 * of each other leaves nothing to guess. A process that dies gives back what it
 * held: robust locks, semaphores with SEM_UNDO (exit_sem() in ipc/sem.c).
 */
static __always_inline void note_waker(struct inflight *in, __u64 now, __u32 tgid)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_ctx *w = task_find(task);

	in->woken_ns = now;
	in->waker_tgid = tgid;
	in->wake_flags &= ~(WAKEF_CALL | WAKEF_COUNTED);
	if (task->flags & PF_EXITING) {
		in->wake_ns = now;
		in->wake_flags |= WAKEF_CALL;
		return;
	}
	if (!w || !w->in.active || w->in.a.mech != in->a.mech)
		return;
	in->wake_ns = w->in.enter_ns;
	in->wake_flags |= WAKEF_CALL;
	if (!(w->in.wake_flags & WAKEF_COUNTED))
		return;
	if (w->in.a.id == in->a.id)
		in->wake_flags |= WAKEF_COUNTED;
	else if (moved_from[in->a.id & (MOVED - 1)])
		w->in.elsewhere++;
}

/* From here on the task is runnable: waiting for a processor is not blocking either. */
SEC("tp_btf/sched_waking")
int BPF_PROG(sched_waking, struct task_struct *p)
{
	struct task_ctx *t = task_find(p);
	__u64 now, by;

	if (!t || !(t->in.sleep_ns || (t->in.active && t->in.wake_flags & WAKEF_ASK)))
		return 0;
	now = bpf_ktime_get_ns();
	by = bpf_get_current_pid_tgid();
	if (t->in.sleep_ns)
		t->in.blocked_ns += now - t->in.sleep_ns;
	t->in.sleep_ns = 0;
	t->in.waker = by;
	if (t->in.wake_flags & WAKEF_ASK)
		note_waker(&t->in, now, by >> 32);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
