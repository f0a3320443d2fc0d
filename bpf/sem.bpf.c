/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * sem.bpf.c - the calls on System V semaphore sets.
 *
 * A call changes several semaphores at once or none. If any part of it can wait, the
 * whole of it is a wait, and counts for the first semaphore that it can wait for;
 * else it is a release. Whom a release lets go on, the records of the waits say.
 */
#include "wake.bpf.h"

#define SEMOPS_LOOK 8 /* of up to SEMOPM (500) operations of one call */
#define NO_INDEX    0xffff

#define IPC_RMID 0
#define SETVAL   16
#define SETALL   17

/* struct sembuf, as the caller lays it out. */
struct sembuf_user {
	__u16 num;
	__s16 op;
	__u16 flags;
};

struct sem_call {
	__u8 op, pad;
	__u16 index;
};

/* Looks at what a semop() array does. */
static __noinline int semops_parse(struct sem_call *c, __u64 array, __u32 cnt)
{
	struct sembuf_user op;

	if (!c)
		return 0;
	c->op = OP_RECV;
	c->index = NO_INDEX;
	for (__u32 i = 0; i < SEMOPS_LOOK && i < cnt; i++) {
		if (bpf_probe_read_user(&op, sizeof(op), (void *)(array + i * sizeof(op))))
			break;
		if (i && op.op > 0)
			continue;
		c->op = op.op > 0 ? OP_SEND : OP_RECV;
		c->index = op.num;
		if (op.op <= 0)
			break;
	}
	return 0;
}

/* What semctl() does: OP_NONE, nothing that could wake anybody. */
static __always_inline void semctl_parse(struct sem_call *c, struct pt_regs *regs)
{
	c->index = NO_INDEX;
	switch (SYS_ARG2(regs) & 0xff) { /* without IPC_64 */
	case SETVAL:
		c->index = SYS_ARG1(regs);
		c->op = OP_SEND;
		break;
	case SETALL:
		c->op = OP_SEND;
		break;
	case IPC_RMID:
		c->op = OP_REMOVE;
		break;
	}
}

SEC("tp_btf/sys_enter")
int CALL_PROG(enter_sem, struct pt_regs *regs, long nr)
{
	const volatile struct ipcspy_sys *row = &syscalls[nr & (IPCSPY_NR_SYSCALLS - 1)];
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_ctx *t = task_find(task);
	bool target = is_target(t);
	struct sem_call c = {};
	struct objref o = {};
	struct inflight *in;

	if (is_ignored(task, target))
		return 0;
	if (row->how == SEM_CTL)
		semctl_parse(&c, regs);
	else if (row->how == SEM_OP)
		semops_parse(&c, SYS_ARG1(regs), SYS_ARG2(regs));
	else
		c.op = row->op;
	if (c.op == OP_NONE)
		return 0;
	/* a stranger's set is described when it uses it */
	if (row->how == SEM_GET ? !target : !sem_of_id(&o, task, SYS_ARG0(regs), target))
		return 0;
	in = op_begin(t, task, nr, c.op, 0);
	if (!in)
		return 0;
	in->how = row->how;
	in->arg = c.index;
	in->wake_flags = c.op == OP_RECV ? WAKEF_ASK : 0;
	in->a = o;
	return 0;
}

static __always_inline void sem_got(const struct inflight *in, struct task_struct *task,
				    bool target, __s32 id)
{
	struct objref o = {};
	struct sample s = {};

	if (sem_of_id(&o, task, id, target))
		op_emit(in, &o, &s, in->op, 0, 0);
}

SEC("tp_btf/sys_exit")
int CALL_PROG(exit_sem, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_ctx *t = task_find(task);
	struct inflight *in = op_end(t, SYS_NR(regs));
	struct sem_call c = {};
	struct sample s = {};

	if (!in)
		return 0;
	if (in->how == SEM_GET) {
		if (ret >= 0)
			sem_got(in, task, is_target(t), ret);
		return 0;
	}
	if (in->flags & OPF_BEFORE_ATTACH) { /* its memory can be read only now */
		semops_parse(&c, SYS_ARG1(regs), SYS_ARG2(regs));
		in->arg = c.index;
	}
	s.now_ns = bpf_ktime_get_ns();
	sem_sample(&s, &in->a, in->arg);
	if (in->op == OP_RECV)
		wait_emit(in, &in->a, &s, ret, in->arg);
	else if (in->op == OP_SEND)
		op_emit_vals(in, &in->a, &s, OP_SEND, ret < 0 ? ret : 0, 0, 0,
			     (__u64)in->arg << 48);
	else
		op_emit(in, &in->a, &s, in->op, ret, 0);
	return 0;
}
