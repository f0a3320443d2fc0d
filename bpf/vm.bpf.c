/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * vm.bpf.c - calls that reach into another process: process_vm_readv and
 * process_vm_writev, ptrace, pidfd_getfd.
 *
 * The other process executes nothing, so one record tells it all. What is traced:
 * all that a target does, and what anybody does to a process that is traced.
 */
#include "op.bpf.h"

/* include/uapi/linux/ptrace.h */
#define PTRACE_TRACEME          0
#define PTRACE_PEEKTEXT         1
#define PTRACE_PEEKDATA         2
#define PTRACE_PEEKUSR          3
#define PTRACE_POKETEXT         4
#define PTRACE_POKEDATA         5
#define PTRACE_GETREGS          12
#define PTRACE_GETFPREGS        14
#define PTRACE_GETEVENTMSG      0x4201
#define PTRACE_GETSIGINFO       0x4202
#define PTRACE_GETREGSET        0x4204
#define PTRACE_PEEKSIGINFO      0x4209
#define PTRACE_GETSIGMASK       0x420a
#define PTRACE_GET_SYSCALL_INFO 0x420e

#define WORD_BYTES 8

/* Which way a request of ptrace goes; whether it moves a word of memory. */
static __always_inline __u8 ptrace_op(__u64 request, bool *word)
{
	*word = request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA ||
		request == PTRACE_POKETEXT || request == PTRACE_POKEDATA;
	switch (request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
	case PTRACE_PEEKUSR:
	case PTRACE_GETREGS:
	case PTRACE_GETFPREGS:
	case PTRACE_GETEVENTMSG:
	case PTRACE_GETSIGINFO:
	case PTRACE_GETREGSET:
	case PTRACE_PEEKSIGINFO:
	case PTRACE_GETSIGMASK:
	case PTRACE_GET_SYSCALL_INFO:
		return OP_RECV;
	default:
		return OP_SEND;
	}
}

/* EV_PROC of the process behind o, which has nothing to do with the task that runs. */
static __noinline bool vm_tell_proc(const struct objref *o)
{
	struct ev_proc *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	struct task_struct *leader = (void *)o->ptr, *parent = NULL;
	__u64 pid;

	if (!e) {
		count_lost(MECH_NONE);
		return false;
	}
	hdr_init(&e->hdr, EV_PROC, sizeof(*e), o->ino, o->ino, 0, bpf_ktime_get_ns());
	e->start_ns = vm_start_ns(o);
	e->ppid = 0;
	pid = 0;
	KREAD(&pid, (__u64 *)&leader->thread_pid);
	e->ns_pid = pid_inside(pid);
	KREAD(&parent, &leader->real_parent);
	KREAD(&e->ppid, (__u32 *)&parent->tgid);
	if (bpf_probe_read_kernel(e->comm, sizeof(e->comm), leader->comm))
		__builtin_memset(e->comm, 0, sizeof(e->comm));
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
	return true;
}

/* Whether the call is to be followed; a process that has state is a target or near one. */
static __always_inline bool vm_admit(struct objref *o, struct task_struct *task, bool target,
				     bool found)
{
	if (!found) {
		if (!target)
			return false;
		vm_nobody(o);
	} else if (!target && !task_hint[o->ino & (TASK_HINTS - 1)]) {
		return false;
	}
	if (found && !bpf_map_lookup_elem(&objects, &o->id) && !vm_tell_proc(o))
		return false;
	return object_admit(o, task, true);
}

SEC("tp_btf/sys_enter")
int CALL_PROG(enter_vm, struct pt_regs *regs, long nr)
{
	const volatile struct ipcspy_sys *row = &syscalls[nr & (IPCSPY_NR_SYSCALLS - 1)];
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_ctx *t = task_find(task);
	bool target = is_target(t), word = false, found;
	struct objref o = {};
	struct inflight *in;
	__u8 op = row->op;

	if (is_ignored(task, target) || !(cfg.mech_mask & (1u << MECH_PROCESS_VM)))
		return 0;
	if (row->how == VM_PTRACE) {
		if (SYS_ARG0(regs) == PTRACE_TRACEME)
			return 0;
		op = ptrace_op(SYS_ARG0(regs), &word);
	}
	if (row->how == VM_PIDFD)
		found = vm_of_pidfd(&o, (__u64)file_of_fd(task, SYS_ARG0(regs)));
	else
		found = vm_of_number(&o, address_of(task->thread_pid),
				     row->how == VM_PTRACE ? SYS_ARG1(regs) : SYS_ARG0(regs));
	if (!vm_admit(&o, task, target, found))
		return 0;
	in = op_begin(t, task, nr, op, 0);
	if (!in)
		return 0;
	in->how = row->how;
	in->addr = SYS_ARG3(regs); /* the other process's iovec, and its parts */
	in->arg = SYS_ARG4(regs);
	in->room = word ? WORD_BYTES : 0;
	in->a = o;
	return 0;
}

struct iov_room {
	__u64 iov, bytes;
};

static long iov_add(__u32 i, void *arg)
{
	struct iov_room *r = arg;
	struct iovec_user v;

	if (bpf_probe_read_user(&v, sizeof(v), (void *)r->iov + (__u64)i * sizeof(v)))
		return 1;
	r->bytes += v.len;
	return 0;
}

#define UIO_MAXIOV 1024

SEC("tp_btf/sys_exit")
int CALL_PROG(exit_vm, struct pt_regs *regs, long ret)
{
	struct inflight *in = op_end(task_find(bpf_get_current_task_btf()), SYS_NR(regs));
	struct iov_room room = {};
	struct sample s = {};
	long got = ret;
	bool control;

	if (!in)
		return 0;
	s.now_ns = bpf_ktime_get_ns();
	control = in->how != VM_IOV && !in->room;
	if (in->how == VM_IOV) {
		room.iov = in->addr;
		bpf_loop(in->arg < UIO_MAXIOV ? in->arg : UIO_MAXIOV, iov_add, &room, 0);
	} else if (ret >= 0) {
		ret = in->room;
		room.bytes = in->room;
	}
	op_emit_vals(in, &in->a, &s, in->op, ret, 0, control, room.bytes);
	if (in->how == VM_PIDFD && got >= 0)
		steady_tail_call(ctx, &exit_progs, FAM_PASS);
	return 0;
}
