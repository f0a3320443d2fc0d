/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * look.bpf.h - what a task is doing, as far as the kernel says it without tracing.
 */
#ifndef IPCSPY_LOOK_BPF_H
#define IPCSPY_LOOK_BPF_H

#include "ipcspy.bpf.h"
#include "pidns.bpf.h"

#define PF_IO_WORKER 0x00000010
#define PF_KTHREAD   0x00200000

/* include/linux/sched.h: __state and exit_state in one */
#define TASK_INTERRUPTIBLE   0x0001
#define TASK_UNINTERRUPTIBLE 0x0002
#define TASK_STOPPED         0x0004
#define TASK_TRACED          0x0008
#define EXIT_DEAD            0x0010
#define EXIT_ZOMBIE          0x0020
#define TASK_DEAD            0x0080
#define TASK_NOLOAD          0x0400
#define TASK_RTLOCK_WAIT     0x1000
#define TASK_FROZEN          0x8000 /* not so before 6.1 */

/*
 * As task_state_to_char() in include/linux/sched.h: 'R' also for one that waits for a
 * processor. Who waits for its child of vfork(2) is in 'D', too.
 */
static __always_inline __u8 task_letter(__u32 state, __u32 exit_state)
{
	if (exit_state & EXIT_DEAD || state & TASK_DEAD)
		return exit_state & EXIT_ZOMBIE ? 'Z' : 'X';
	if (exit_state & EXIT_ZOMBIE)
		return 'Z';
	if (state & TASK_UNINTERRUPTIBLE && state & TASK_NOLOAD)
		return 'I';
	if (state & (TASK_UNINTERRUPTIBLE | TASK_RTLOCK_WAIT | TASK_FROZEN))
		return 'D';
	if (state & TASK_TRACED)
		return 't';
	if (state & TASK_STOPPED)
		return 'T';
	return state & TASK_INTERRUPTIBLE ? 'S' : 'R';
}

/*
 * By how much the clock of tasks is behind the clock of the processor that a task was on last: by
 * the time that interrupts and the host of a virtual machine took. Without groups of tasks
 * (CONFIG_FAIR_GROUP_SCHED) nothing leads to that processor.
 */
static __always_inline __u64 clock_lag(struct task_struct *task)
{
	struct cfs_rq *cfs_rq = NULL;
	struct rq *rq = NULL;
	__u64 clock = 0, tasks = 0;

	if (!bpf_core_field_exists(struct sched_entity, cfs_rq) ||
	    !bpf_core_field_exists(struct cfs_rq, rq) || KREAD(&cfs_rq, &task->se.cfs_rq) ||
	    KREAD(&rq, &cfs_rq->rq) || KREAD(&tasks, &rq->clock_task) || KREAD(&clock, &rq->clock))
		return 0;
	return clock > tasks ? clock - tasks : 0;
}

/* CLOCK_MONOTONIC minus the scheduler's clock; user space sets it to ~0 before an iterator runs. */
__u64 look_ahead_ns __weak;

/*
 * When a task that sleeps went to sleep, in CLOCK_MONOTONIC: update_curr() in
 * kernel/sched/fair.c notes the time when it takes the task from its processor. The reader of
 * the iterator runs and got its processor just now, so its own time says how far the two
 * clocks are apart: by this much at most, so what comes out may be too late, never too early.
 */
static __always_inline __u64 asleep_since(struct task_struct *task, __u64 now)
{
	struct task_struct *self = bpf_get_current_task_btf();
	__u64 mine = self->se.exec_start, slept = task->se.exec_start, ahead;

	if (!mine || !slept)
		return 0;
	ahead = now - (mine + clock_lag(self));
	if ((__s64)(ahead - look_ahead_ns) < 0 || look_ahead_ns == ~0ull)
		look_ahead_ns = ahead;
	slept += clock_lag(task) + look_ahead_ns;
	return (__s64)(now - slept) < 0 ? now : slept;
}

/* The youngest child of the task's own, while it waits for it in vfork(2); 0: there is none. */
static __always_inline __u32 vfork_child(struct task_struct *task)
{
	const struct list_head *head = &task->children;
	struct list_head *last = NULL;
	struct completion *done = NULL;
	struct task_struct *child;
	__u32 pid = 0;

	if (KREAD(&last, (struct list_head **)&head->prev) || !last || last == head)
		return 0;
	child = (void *)last - bpf_core_field_offset(struct task_struct, sibling);
	if (KREAD(&done, &child->vfork_done) || !done)
		return 0;
	KREAD(&pid, (__u32 *)&child->tgid);
	return pid;
}

static __always_inline __u32 tracer_of(struct task_struct *task)
{
	struct task_struct *tracer = NULL;
	__u32 pid = 0;

	if (!task->ptrace || KREAD(&tracer, &task->parent) || !tracer)
		return 0;
	KREAD(&pid, (__u32 *)&tracer->tgid);
	return pid;
}

/* The process that has the priority-inheriting lock that task sleeps for, 0: there is none. */
static __always_inline __u32 lock_owner(struct task_struct *task, bool futex)
{
	struct rt_mutex_waiter *waiter = NULL;
	struct task_struct *owner = NULL;
	struct rt_mutex_base *lock = NULL;
	__u64 raw = 0;
	int tgid = 0;

	if (!futex || KREAD(&waiter, &task->pi_blocked_on) || !waiter ||
	    KREAD(&lock, &waiter->lock) || KREAD(&raw, (__u64 *)&lock->owner))
		return 0;
	owner = (void *)(raw & ~1ull);
	if (owner)
		KREAD(&tgid, &owner->tgid);
	return tgid;
}

/* The number of the call that a task is inside of, LOOK_NO_NR: of none, or of the 32-bit ones. */
static __always_inline __u32 call_of(struct task_struct *task, struct pt_regs *regs)
{
	__u64 nr = SYS_NR(regs);

	if (is_compat(task) || task->exit_state)
		return LOOK_NO_NR;
	return nr < IPCSPY_NR_SYSCALLS && in_syscall(regs) ? nr : LOOK_NO_NR;
}

#define NSEC_PER_SEC  1000000000ull
#define CLOCK_ID_LAST 11

/* Until when a poll that is gone on with waits. */
static __always_inline __u64 poll_until_ns(const struct restart_block *b)
{
	const struct restart_block___parts *parts = (const void *)b;
	const struct restart_block___end *end = (const void *)b;
	__u64 sec = 0, nsec = 0;

	if (bpf_core_field_exists(end->poll.end_time)) {
		KREAD(&sec, (__u64 *)&end->poll.end_time.tv_sec);
		KREAD(&nsec, (__u64 *)&end->poll.end_time.tv_nsec);
	} else {
		KREAD(&sec, (__u64 *)&parts->poll.tv_sec);
		KREAD(&nsec, (__u64 *)&parts->poll.tv_nsec);
	}
	return sec < ~0ull / NSEC_PER_SEC - 1 ? sec * NSEC_PER_SEC + nsec : 0;
}

/*
 * Which call restart_syscall(2) goes on with: the registers are still those with which that one
 * was entered, so poll is known by its own two arguments. A futex's block begins with its
 * first argument, too.
 */
static __always_inline void look_restart(struct look_task *l, struct task_struct *task)
{
	const struct restart_block *b = &task->restart_block;
	__u64 ufds = 0;
	int nfds = 0, timed = 0, clock = 0, type = 0;

	KREAD(&ufds, (__u64 *)&b->poll.ufds);
	KREAD(&nfds, &b->poll.nfds);
	KREAD(&timed, &b->poll.has_timeout);
	if (ufds == l->args[0]) {
		if (nfds != (int)l->args[1])
			return;
		l->task.hdr.flags |= LOOKF_POLL;
		if (timed)
			l->task.until_ns = poll_until_ns(b);
		return;
	}
	KREAD(&clock, &b->nanosleep.clockid);
	KREAD(&type, (int *)&b->nanosleep.type);
	if (clock < 0 || clock > CLOCK_ID_LAST || type < 0 || type > TT_COMPAT)
		return;
	KREAD(&l->task.until_ns, &b->nanosleep.expires);
	l->args[0] = clock;
	l->task.hdr.flags |= LOOKF_SLEEP;
}

/* Of this thread; those of another thread of its process are that one's. */
static __always_inline bool has_children(struct task_struct *task)
{
	const struct list_head *head = &task->children;
	struct list_head *first = NULL;

	return !KREAD(&first, (struct list_head **)&head->next) && first != head;
}

static __always_inline bool traces_others(struct task_struct *task)
{
	const struct list_head *head = &task->ptraced;
	struct list_head *first = NULL;

	return !KREAD(&first, (struct list_head **)&head->next) && first != head;
}

/* Whether the pids that a task with this struct pid goes by are not those of the caller. */
static __always_inline bool in_other_pid_ns(struct pid *pid)
{
	__u32 level = 0, inum = 0;
	struct pid_namespace *ns = NULL;
	struct upid *own;

	if (KREAD(&level, &pid->level) || level > MAX_PID_NS_LEVEL)
		return true;
	if (!cfg.pid_ns_ino)
		return level;
	own = (void *)pid + bpf_core_field_offset(struct pid, numbers) +
	      level * bpf_core_type_size(struct upid);
	KREAD(&ns, &own->ns);
	KREAD(&inum, &ns->ns.inum);
	return inum != cfg.pid_ns_ino;
}

/*
 * It woke, and may be in another call by now: of the old one is since when, of the new one the
 * registers. All that is sure is that it ran.
 */
static __always_inline void look_ran(struct look_task *l)
{
	l->task.hdr.flags &= LOOKF_PID_NS | LOOKF_TRACES;
	l->task.since_ns = l->task.until_ns = 0;
	l->task.nr = LOOK_NO_NR;
	l->task.state = 'R';
	l->child = 0;
}

/* Fills *l. False: the task is the kernel's own. A function for the stack's sake. */
static __noinline bool look_at(struct look_task *l, struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u8 letter = task_letter(task->__state, task->exit_state);
	__u64 now = bpf_ktime_get_ns(), ran = task->se.exec_start;
	struct pid *pid = NULL;

	if (!regs || (task->flags & (PF_KTHREAD | PF_IO_WORKER)))
		return false;
	KREAD(&pid, &task->thread_pid);
	task_note(task);
	hdr_init(&l->task.hdr, LOOK_TASK, sizeof(*l), task->tgid, task->pid,
		 in_other_pid_ns(pid) ? LOOKF_PID_NS : 0, now);
	l->task.since_ns = letter == 'R' ? 0 : asleep_since(task, now);
	l->task.until_ns = 0;
	l->task.who = 0;
	l->task.nr = letter == 'R' ? LOOK_NO_NR : call_of(task, regs);
	l->task.state = letter;
	l->task.why = WHY_NONE;
	l->args[0] = SYS_ARG0(regs);
	l->args[1] = SYS_ARG1(regs);
	l->args[2] = SYS_ARG2(regs);
	l->args[3] = SYS_ARG3(regs);
	l->args[4] = SYS_ARG4(regs);
	l->args[5] = SYS_ARG5(regs);
	l->tracer = tracer_of(task);
	if (l->task.nr != LOOK_NO_NR &&
	    syscalls[l->task.nr & (IPCSPY_NR_SYSCALLS - 1)].sys_flags & SYSF_RESTART)
		look_restart(l, task);
	l->child = letter == 'D' ? vfork_child(task) : 0;
	if (l->task.nr != LOOK_NO_NR && has_children(task))
		l->task.hdr.flags |= LOOKF_CHILDREN;
	if (traces_others(task))
		l->task.hdr.flags |= LOOKF_TRACES;
	/* the time is noted anew when it gets a processor */
	if (ran != task->se.exec_start || letter != task_letter(task->__state, task->exit_state))
		look_ran(l);
	return true;
}

#endif
