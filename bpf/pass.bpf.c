/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * pass.bpf.c - descriptors that one process hands to another: SCM_RIGHTS over
 * unix sockets (unix(7)), pidfd_getfd(2).
 *
 * Who received one uses it under its own pid, and is seen by that; these records
 * say where it has it from. The programs are reached from those of the call itself,
 * when it has control data: others cost nothing, and these have a stack of their own.
 */
#include "op.bpf.h"

#define SOL_SOCKET 1
#define SCM_RIGHTS 1

#define SCM_MAX_FD 253 /* the kernel's own limit of one message */
#define PASS_CMSGS 4   /* control messages looked at */

#define PASS_WATCH 0x80000000 /* with PASSF_*: no record yet, only watch what is passed */

/* struct cmsghdr, 64-bit ABI */
struct cmsg_user {
	__u64 len;
	__s32 level, type;
};

/* A message's control data, or (control 0) one descriptor that was taken. */
struct pass_ctl {
	__u64 control, len; /* of the caller */
	__u64 via;          /* object id of the socket */
	__u32 flags;        /* PASSF_*, PASS_WATCH */
	__u32 from;         /* PASSF_GETFD */
	__u32 cnt;
	__u8 via_mech;
	__u8 pad[3];
};

/* One descriptor, as the current task has it. */
GLOBAL int pass_one(const struct pass_ctl *p, __s32 fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct objref o = {};
	struct ev_pass *e;
	__u64 file;

	if (!p)
		return 0;
	file = (__u64)file_of_fd(task, fd);
	if (!file || !object_resolve(&o, file) || o.mech == MECH_SIGNAL)
		return 0;
	if (p->flags & PASSF_TARGET)
		object_watch(&o);
	if (p->flags & PASS_WATCH)
		return 0;
	if (!bpf_map_lookup_elem(&objects, &o.id) &&
	    !object_emit(&o, file, pid_tgid_of(task), fd, 0))
		return 0;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e)
		return lose(o.mech, o.id);
	hdr_init(&e->hdr, EV_PASS, sizeof(*e), task->tgid, task->pid, p->flags, bpf_ktime_get_ns());
	e->chan = o.id;
	e->via = p->via;
	e->fd = fd;
	e->cnt = p->cnt;
	e->from = p->from;
	e->mech = o.mech;
	e->via_mech = p->via_mech;
	e->pad = 0;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 1;
}

/* The descriptors of one SCM_RIGHTS message at `at`. */
static __always_inline void pass_rights(struct pass_ctl *p, __u64 at, __u64 len)
{
	__s32 fd = -1;

	p->cnt = (len - sizeof(struct cmsg_user)) / sizeof(fd);
	at += sizeof(struct cmsg_user);
	for (__u32 i = 0; i < SCM_MAX_FD; i++, at += sizeof(fd)) {
		if (i >= p->cnt || bpf_probe_read_user(&fd, sizeof(fd), (void *)at))
			break;
		pass_one(p, fd);
	}
}

/* All that a message's control data passes. */
GLOBAL int pass_all(struct pass_ctl *p)
{
	struct cmsg_user c;
	__u64 at, end;

	if (!p)
		return 0;
	at = p->control;
	end = at + p->len;
	for (int i = 0; i < PASS_CMSGS && at + sizeof(c) <= end; i++) {
		if (bpf_probe_read_user(&c, sizeof(c), (void *)at) || c.len < sizeof(c) ||
		    c.len > end - at)
			break;
		if (c.level == SOL_SOCKET && c.type == SCM_RIGHTS)
			pass_rights(p, at, c.len);
		at += (c.len + 7) & ~7ull;
	}
	return 0;
}

/* The control data of the message, or of the first of several, at `msg`. */
static __always_inline void pass_control(struct pass_ctl *p, __u64 msg)
{
	struct msghdr_user m;

	if (bpf_probe_read_user(&m, sizeof(m), (void *)msg))
		return;
	p->control = m.control;
	p->len = m.controllen;
	pass_all(p);
}

/* A target sends: its receiver may use what is passed before this call returns. */
SEC("tp_btf/sys_enter")
int CALL_PROG(enter_pass, struct pt_regs *regs, long nr)
{
	struct pass_ctl ctl = {.flags = PASSF_TARGET | PASS_WATCH};

	pass_control(&ctl, SYS_ARG1(regs));
	return 0;
}

/* The call has just been told of: what it was is still parked. */
SEC("tp_btf/sys_exit")
int CALL_PROG(exit_pass, struct pt_regs *regs, long ret)
{
	struct task_ctx *t = task_find(bpf_get_current_task_btf());
	struct pass_ctl ctl = {};

	if (!t)
		return 0;
	ctl.flags = t->in.flags & OPF_TARGET ? PASSF_TARGET : 0;
	if (t->in.nr == SYS_NR(regs) &&
	    syscalls[SYS_NR(regs) & (IPCSPY_NR_SYSCALLS - 1)].fam == FAM_VM) {
		ctl.flags |= PASSF_GETFD;
		ctl.from = t->in.a.ino;
		ctl.cnt = 1;
		pass_one(&ctl, ret);
		return 0;
	}
	ctl.flags |= t->in.op == OP_RECV ? PASSF_RECV : 0;
	ctl.via = t->in.a.id;
	ctl.via_mech = t->in.a.mech;
	pass_control(&ctl, t->in.buf);
	return 0;
}
