/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * ctl.bpf.c - calls that make, join, resize and end channels.
 *
 * What a target creates is watched from that moment, so that a child or a
 * server that is no target itself is seen from its first byte.
 */
#define STEADY_KSYMS
#include "op.bpf.h"

#define F_SETPIPE_SZ 1031

/* A stranger connects to an address at which a target listens. */
GLOBAL int joins_target(__u64 file, __u64 uaddr, __u32 len)
{
	struct scratch *s = get_scratch();
	struct objref o = {};
	int family;
	__u32 netns;

	if (!s || !file || !object_resolve(&o, file))
		return 0;
	__builtin_memset(&s->obj.raddr, 0, sizeof(s->obj.raddr) + sizeof(s->obj.name));
	family = addr_from_user(&s->obj.raddr, &s->obj.name, uaddr, len);
	if (!family)
		return 0;
	if (family == AF_UNIX)
		return is_watched(un_name_key(&s->obj.name), 0);
	netns = sock_netns((void *)o.ptr);
	return is_watched(place_key(KEY_TCP, netns, &s->obj.raddr), 0) ||
	       is_watched(any_place_key(KEY_TCP, netns, s->obj.raddr.port), 0);
}

/* Whether the call is to be followed; *known: *o is the object behind its descriptor. */
static __always_inline bool ctl_concerns(struct objref *o, bool *known, struct task_struct *task,
					 struct task_ctx *t, struct pt_regs *regs,
					 const volatile struct ipcspy_sys *row)
{
	struct fd_ref at = fd_ref(task, SYS_ARG0(regs));
	bool target = is_target(t), by_fd = row->how == CTL_FD || row->how == CTL_RET;

	if (is_ignored(task, target))
		return false;
	if ((row->sys_flags & SYSF_FCNTL) && (__u32)SYS_ARG1(regs) != F_SETPIPE_SZ)
		return false;
	if (!target && row->op == OP_CONNECT &&
	    joins_target(file_of_fd(task, SYS_ARG0(regs)), SYS_ARG1(regs), SYS_ARG2(regs))) {
		return true;
	}
	if (!target && !t)
		return false;
	*known = by_fd && object_of_fd(o, task, t, &at, NULL);
	return *known || row->how != CTL_FD;
}

SEC("tp_btf/sys_enter")
int CALL_PROG(enter_ctl, struct pt_regs *regs, long nr)
{
	const volatile struct ipcspy_sys *row = &syscalls[nr & (IPCSPY_NR_SYSCALLS - 1)];
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_ctx *t = task_find(task);
	struct objref o = {};
	struct inflight *in;
	bool known = false;

	if (row->sys_flags & SYSF_RENUMBER) {
		fd_invalidate(task);
		if (row->op == OP_NONE)
			return 0;
	}
	if (!ctl_concerns(&o, &known, task, t, regs, row))
		return 0;
	in = op_begin(t, task, nr, row->op, 0);
	if (!in)
		return 0;
	in->how = row->how;
	in->buf = row->how == CTL_PAIR0 ? SYS_ARG0(regs) : SYS_ARG3(regs);
	in->addr = SYS_ARG0(regs);
	in->arg = row->op == OP_SHUTDOWN ? SYS_ARG1(regs) : 0;
	if (known)
		in->a = o;
	return 0;
}

/* Resolves, watches and describes what now stands behind a descriptor. True: o is it. */
static __noinline bool object_renew(struct objref *o, struct task_struct *task, __u32 fd,
				    bool target, __u32 flags)
{
	__u64 file = file_of_fd(task, fd);

	if (!file || !object_resolve(o, file))
		return false;
	if (target)
		object_watch(o);
	return object_emit(o, file, pid_tgid_of(task), fd, flags);
}

static __always_inline void ctl_pair(struct inflight *in, struct task_struct *task, bool target)
{
	__s32 fds[2] = {-1, -1};
	struct sample s = {};
	struct objref o = {};

	if (bpf_probe_read_user(fds, sizeof(fds), (void *)in->buf))
		return;
	if (object_renew(&o, task, fds[0], target, OBJF_CREATED))
		op_emit(in, &o, &s, in->op, 0, 0);
	if (is_socket(o.mech)) /* a pipe's two ends are one object, a socket pair is two */
		object_renew(&o, task, fds[1], target, OBJF_CREATED);
}

SEC("tp_btf/sys_exit")
int CALL_PROG(exit_ctl, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_ctx *t = task_find(task);
	__u8 flags = syscalls[SYS_NR(regs) & (IPCSPY_NR_SYSCALLS - 1)].sys_flags;
	struct inflight *in = op_end(t, SYS_NR(regs));
	bool target = is_target(t);
	struct sample s = {};
	struct objref o = {};

	/* at entry, against what was cached; here, against what was looked up meanwhile */
	if (flags & SYSF_RENUMBER)
		fd_invalidate(task);
	if ((flags & SYSF_EVENTFD) && ret >= 0)
		eventfd_note(file_of_fd(task, ret));
	if (!in)
		return 0;
	if (in->how == CTL_PAIR0 || in->how == CTL_PAIR3) {
		if (ret == 0)
			ctl_pair(in, task, target);
		return 0;
	}
	if (in->how == CTL_RET || in->how == CTL_NEW) {
		if (ret >= 0 &&
		    object_renew(&o, task, ret, target, in->how == CTL_NEW ? OBJF_CREATED : 0))
			op_emit(in, &o, &s, in->op, 0, 0);
		else if (in->a.id)
			op_emit(in, &in->a, &s, in->op, ret, 0);
		return 0;
	}
	o = in->a;
	/*
	 * connect, bind, listen and F_SETPIPE_SZ change what the object is. A stranger's connect
	 * is only followed when it joins a target, so the connection is watched.
	 */
	if ((ret >= 0 || ret == -EINPROGRESS) && in->op != OP_CLOSE && in->op != OP_SHUTDOWN)
		object_renew(&o, task, in->addr, target || in->op == OP_CONNECT, 0);
	if (!o.id)
		return 0;
	s.seq = in->arg;
	op_emit(in, &o, &s, in->op, ret, 0);
	return 0;
}
