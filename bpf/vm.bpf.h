/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * vm.bpf.h - a process as an object: what others read of its memory and write to it.
 *
 * The caller names the process by a pid of its own namespace, which the tree of
 * that namespace leads to a struct pid and so to the task (kernel/pid.c). The
 * process is known by pid and start time.
 */
#ifndef IPCSPY_VM_BPF_H
#define IPCSPY_VM_BPF_H

#include "sysv.bpf.h" /* idr_entry() */

#define KEY_VM 0x766d

/* The leader of the thread group that a struct pid, if it is one, names; 0: none. */
static __always_inline struct task_struct *leader_of_pid(struct pid *pid)
{
	struct task_struct *task, *leader = NULL;
	struct hlist_node *link = NULL;
	__u64 has = 0;

	if (KREAD(&link, &pid->tasks[0].first) || !link) /* PIDTYPE_PID: of one thread */
		return NULL;
	task = (void *)link - bpf_core_field_offset(struct task_struct, pid_links);
	if (KREAD(&has, (__u64 *)&task->thread_pid) || has != (__u64)pid)
		return NULL;
	KREAD(&leader, &task->group_leader);
	return leader;
}

/* The struct pid with this number, as the owner of `caller` (a struct pid, too) sees it. */
static __always_inline struct pid *pid_of_number(struct pid *caller, __u32 number)
{
	const __u32 at = bpf_core_field_offset(struct pid, numbers);
	struct pid_namespace *ns = NULL;
	struct upid *own;
	__u32 level = 0;

	if (KREAD(&level, &caller->level) || level > 32) /* MAX_PID_NS_LEVEL */
		return NULL;
	own = (void *)caller + at + level * bpf_core_type_size(struct upid);
	if (KREAD(&ns, &own->ns) || !ns)
		return NULL;
	return (void *)idr_entry(&ns->idr, number);
}

static __always_inline int vm_of_leader(struct objref *o, struct task_struct *leader)
{
	__u32 tgid = 0;
	__u64 start_ns = 0;

	if (!leader || KREAD(&tgid, (__u32 *)&leader->tgid) ||
	    KREAD(&start_ns, &leader->start_time))
		return 0;
	o->ptr = (__u64)leader;
	o->ino = tgid;
	o->id = mix((__u64)KEY_VM << 32 | tgid, start_ns);
	o->wkey = o->id;
	o->mech = MECH_PROCESS_VM;
	o->connected = true;
	o->family = 0;
	return 1;
}

/* The process that a number names; caller: the struct pid of the calling thread. 0: none. */
GLOBAL int vm_of_number(struct objref *o, __u64 caller, __u32 number)
{
	struct pid *pid;

	if (!o || !caller || !number)
		return 0;
	pid = pid_of_number((void *)caller, number);
	return pid ? vm_of_leader(o, leader_of_pid(pid)) : 0;
}

/* The process behind a pidfd. Its inode has the struct pid; before 6.9 the file itself. */
GLOBAL int vm_of_pidfd(struct objref *o, __u64 file_ptr)
{
	struct file *file = (void *)file_ptr;
	struct inode *inode = NULL;
	struct pid *pid = NULL;

	if (!o || !file || KREAD(&pid, (struct pid **)&file->private_data))
		return 0;
	if (!pid) {
		KREAD(&inode, &file->f_inode);
		KREAD(&pid, (struct pid **)&inode->i_private);
	}
	return pid ? vm_of_leader(o, leader_of_pid(pid)) : 0;
}

/* A call that names no process there is. */
static __always_inline void vm_nobody(struct objref *o)
{
	o->ptr = 0;
	o->ino = 0;
	o->id = mix((__u64)KEY_VM << 32, 0);
	o->wkey = o->id;
	o->mech = MECH_PROCESS_VM;
	o->connected = true;
	o->family = 0;
}

/* Start time of the process that o was resolved to just now; 0: there is none. */
static __always_inline __u64 vm_start_ns(const struct objref *o)
{
	struct task_struct *leader = (void *)o->ptr;
	__u64 start_ns = 0;

	/* should the task be another's already, its time is not this one's */
	if (!leader || KREAD(&start_ns, &leader->start_time) ||
	    mix((__u64)KEY_VM << 32 | o->ino, start_ns) != o->id)
		return 0;
	return start_ns;
}

/* vals[0] = pid, vals[1] = start time; both 0: there is no such process. */
static __always_inline void vm_describe(struct ev_obj *e, const struct objref *o)
{
	e->vals[0] = o->ino;
	e->vals[1] = vm_start_ns(o);
}

#endif
