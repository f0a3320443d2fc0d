/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * futex.bpf.c - futex, futex_waitv, futex_wait, futex_wake, futex_requeue.
 *
 * Most futexes are private to a process and no communication between processes;
 * there are very many of them. Those that say so by a flag do not get here, unless asked
 * for: see core.bpf.c.
 */
#include "wake.bpf.h"

#define FUTEX_CLOCK_REALTIME 256

enum { /* include/uapi/linux/futex.h */
       CMD_WAIT = 0,
       CMD_WAKE = 1,
       CMD_REQUEUE = 3,
       CMD_CMP_REQUEUE = 4,
       CMD_WAKE_OP = 5,
       CMD_LOCK_PI = 6,
       CMD_UNLOCK_PI = 7,
       CMD_TRYLOCK_PI = 8,
       CMD_WAIT_BITSET = 9,
       CMD_WAKE_BITSET = 10,
       CMD_WAIT_REQUEUE_PI = 11,
       CMD_CMP_REQUEUE_PI = 12,
       CMD_LOCK_PI2 = 13,
};

/* What a command does. The result of one that is WAKEF_COUNTED says how many it woke. */
const volatile struct {
	__u8 op, flags;
} futex_cmds[16] = {
	[CMD_WAIT] = {OP_RECV, WAKEF_ASK},
	[CMD_WAKE] = {OP_SEND, WAKEF_COUNTED},
	[CMD_REQUEUE] = {OP_SEND, WAKEF_COUNTED | WAKEF_MOVE},
	[CMD_CMP_REQUEUE] = {OP_SEND, WAKEF_COUNTED | WAKEF_MOVE},
	[CMD_WAKE_OP] = {OP_SEND, 0},
	[CMD_LOCK_PI] = {OP_RECV, WAKEF_ASK},
	[CMD_UNLOCK_PI] = {OP_SEND, 0},
	[CMD_TRYLOCK_PI] = {OP_RECV, 0},
	[CMD_WAIT_BITSET] = {OP_RECV, WAKEF_ASK},
	[CMD_WAKE_BITSET] = {OP_SEND, WAKEF_COUNTED},
	[CMD_WAIT_REQUEUE_PI] = {OP_RECV, WAKEF_ASK},
	[CMD_CMP_REQUEUE_PI] = {OP_SEND, WAKEF_MOVE},
	[CMD_LOCK_PI2] = {OP_RECV, WAKEF_ASK},
};

/* As the caller lays it out. */
struct waitv_user {
	__u64 val, uaddr;
	__u32 flags, reserved;
};

#define WAITV_LOOK 4   /* words of a futex_waitv that are looked at for the first shared one */
#define WAITV_MAX  128 /* FUTEX_WAITV_MAX */

struct futex_call {
	__u64 uaddr;
	__u32 most; /* so many it may wake */
	__u8 private;
	__u8 op, flags;
	__u8 pad;
};

/* The n-th of an array of struct futex_waitv. */
static __always_inline bool waitv_at(struct futex_call *c, __u64 array, __u32 n)
{
	struct waitv_user v;

	if (bpf_probe_read_user(&v, sizeof(v), (void *)(array + n * sizeof(v))))
		return false;
	c->uaddr = v.uaddr;
	c->private = (v.flags & FUTEX_PRIVATE_FLAG) != 0;
	return !c->private || takes_private();
}

static __always_inline bool waitv_first(struct futex_call *c, __u64 array, __u32 cnt)
{
	for (__u32 i = 0; i < WAITV_LOOK && i < cnt; i++)
		if (waitv_at(c, array, i))
			return true;
	return false;
}

/* Which word the call is about, and what it does with it. False: not ours. */
static __always_inline bool futex_parse(struct futex_call *c, struct pt_regs *regs,
					const volatile struct ipcspy_sys *row)
{
	__u32 cmd = SYS_ARG1(regs) & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);

	c->op = row->op;
	c->flags = row->op == OP_SEND ? WAKEF_COUNTED : WAKEF_ASK;
	c->uaddr = SYS_ARG0(regs);
	c->most = SYS_ARG2(regs);
	switch (row->how) {
	case FUTEX_CLASSIC:
		if (cmd >= sizeof(futex_cmds) / sizeof(futex_cmds[0]))
			return false;
		c->private = (SYS_ARG1(regs) & FUTEX_PRIVATE_FLAG) != 0;
		c->op = futex_cmds[cmd & 15].op;
		c->flags = futex_cmds[cmd & 15].flags;
		return c->op != OP_NONE;
	case FUTEX_ONE:
		c->private = (SYS_ARG3(regs) & FUTEX_PRIVATE_FLAG) != 0;
		return true;
	case FUTEX_MOVE:
		c->flags |= WAKEF_MOVE;
		return waitv_at(c, SYS_ARG0(regs), 0);
	default:
		return waitv_first(c, SYS_ARG0(regs), SYS_ARG1(regs));
	}
}

SEC("tp_btf/sys_enter")
int CALL_PROG(enter_futex, struct pt_regs *regs, long nr)
{
	const volatile struct ipcspy_sys *row = &syscalls[nr & (IPCSPY_NR_SYSCALLS - 1)];
	struct word_cached *word;
	struct task_struct *task;
	struct futex_call c = {};
	struct objref o = {};
	struct inflight *in;
	struct task_ctx *t;
	bool target;
	__u64 seq;
	int err;

	task = bpf_get_current_task_btf();
	t = task_find(task);
	target = is_target(t);
	if (is_ignored(task, target) || (!target && !futexes_watched) ||
	    !futex_parse(&c, regs, row))
		return 0;
	seq = mm_sequence(task);
	word = t ? word_slot(t, c.uaddr) : NULL;
	if (word && seq && word->seq == seq && word->uaddr == c.uaddr) {
		o = word->obj;
		err = 0;
	} else {
		err = futex_resolve(&o, task, c.uaddr, c.private);
		if (err ? err != -EBUSY || !target : !futex_admit(&o, task, target))
			return 0;
		if (word && !err && !c.private) {
			word->uaddr = c.uaddr;
			word->seq = seq;
			word->obj = o;
		}
	}
	in = op_begin(t, task, nr, c.op, 0);
	if (!in)
		return 0;
	in->buf = c.uaddr;
	in->room = c.most;
	in->how = row->how;
	in->wake_flags = c.flags;
	if (err)
		return 0;
	in->a = o;
	if (c.flags & WAKEF_MOVE)
		moved_from[o.id & (MOVED - 1)] = 1;
	return 0;
}

/*
 * The word that a call turned out to be about: the one of many that was woken, or
 * what could not be looked up at entry. False: none that is traced.
 */
static __always_inline bool futex_late(struct inflight *in, struct task_struct *task,
				       struct pt_regs *regs, bool target, long ret)
{
	bool many = in->how == FUTEX_WAITV && ret >= 0;
	struct futex_call c = {.uaddr = in->buf};
	struct objref o = {};

	if (many && (ret >= WAITV_MAX || !waitv_at(&c, SYS_ARG0(regs), ret)))
		return false;
	if (futex_resolve(&o, task, c.uaddr, c.private)) {
		count_lost(LOST_TABLE);
		return false;
	}
	if (!futex_admit(&o, task, target))
		return false;
	in->a = o;
	return true;
}

/*
 * A wait that returns 0 was ended by a wake, even if none was seen: the waker may take a task
 * off the queue in the instant before it sleeps (futex_wait_queue() in
 * kernel/futex/waitwake.c), and then there is nobody to wake up. A lock may just have been free.
 */
static __always_inline bool returns_when_woken(struct pt_regs *regs, __u8 how)
{
	__u32 cmd = SYS_ARG1(regs) & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);

	return how != FUTEX_CLASSIC || cmd == CMD_WAIT || cmd == CMD_WAIT_BITSET;
}

SEC("tp_btf/sys_exit")
int CALL_PROG(exit_futex, struct pt_regs *regs, long ret)
{
	struct task_struct *task;
	struct sample s = {};
	struct inflight *in;
	struct task_ctx *t;

	task = bpf_get_current_task_btf();
	t = task_find(task);
	in = op_end(t, SYS_NR(regs));
	if (!in)
		return 0;
	if ((!in->a.id || (in->how == FUTEX_WAITV && ret >= 0)) &&
	    !futex_late(in, task, regs, is_target(t), ret))
		return 0;
	/* restart_syscall goes on with it, see wait.bpf.c */
	in->arg = ret == -ERESTART_RESTARTBLOCK;
	if (in->op == OP_RECV) {
		if (ret >= 0 && !in->woken_ns && returns_when_woken(regs, in->how)) {
			in->woken_ns = s.now_ns = bpf_ktime_get_ns();
			in->waker_tgid = 0;
		}
		wait_emit(in, &in->a, &s, ret > 0 ? 0 : ret, 0);
		return 0;
	}
	/* a requeue counts those that it moved, too; a wake those that were moved here before */
	if (ret >= 0 && !(in->wake_flags & WAKEF_COUNTED)) {
		op_emit_vals(in, &in->a, &s, OP_SEND, 0, 0, 0, 0);
		return 0;
	}
	if (ret > 0) {
		ret = ret < in->room ? ret : in->room;
		ret = ret > in->elsewhere ? ret - in->elsewhere : 0;
	}
	op_emit(in, &in->a, &s, OP_SEND, ret, 0);
	return 0;
}
