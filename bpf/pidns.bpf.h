/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * pidns.bpf.h - the numbers that tasks have in the pid namespace of ipcspy's caller, where
 * that is not the machine's (struct pid, include/linux/pid.h).
 *
 * Everything on this side goes by the machine's numbers, and so do the records. User space
 * puts the caller's in their place, by the table that is filled here: when a task begins,
 * and for those that are there already, by an iterator. With cfg.pid_ns_ino 0 nothing of
 * this is left in the programs.
 */
#ifndef IPCSPY_PIDNS_BPF_H
#define IPCSPY_PIDNS_BPF_H

#include "ipcspy.bpf.h"

/*
 * By the machine's number, two in an entry, which has no less than eight bytes. 0: nobody had it
 * yet, or who has it is outside the namespace.
 */
struct pid_pair {
	__u32 nr[2];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* PID_NUMBERS / 2, where it is used */
	__type(key, __u32);
	__type(value, struct pid_pair);
} pid_numbers __weak SEC(".maps");

/* The number that a struct pid has in the caller's namespace, 0 none. */
static __always_inline __u32 pid_in_caller_ns(struct pid *pid)
{
	const __u32 at = bpf_core_field_offset(struct pid, numbers);
	__u32 level = 0, inum, nr = 0;

	KREAD(&level, &pid->level);
	for (__u32 i = 1; i <= MAX_PID_NS_LEVEL; i++) {
		struct upid *u = (void *)pid + at + i * bpf_core_type_size(struct upid);
		struct pid_namespace *ns = NULL;

		if (i > level)
			break;
		inum = 0;
		KREAD(&ns, &u->ns);
		KREAD(&inum, &ns->ns.inum);
		if (inum != cfg.pid_ns_ino)
			continue;
		KREAD(&nr, (__u32 *)&u->nr);
		break;
	}
	return nr;
}

/* The number by which user space is to know who has, or had, this struct pid; 0 none. */
GLOBAL __u32 pid_shown(__u64 pid_ptr)
{
	struct pid *pid = (void *)pid_ptr;
	__u32 nr = 0;

	if (!pid)
		return 0;
	if (cfg.pid_ns_ino)
		return pid_in_caller_ns(pid);
	KREAD(&nr, (__u32 *)&pid->numbers[0].nr);
	return nr;
}

static __always_inline __u32 *pid_place(__u32 machine_nr)
{
	__u32 at = machine_nr / 2;
	struct pid_pair *two = bpf_map_lookup_elem(&pid_numbers, &at);

	return two ? &two->nr[machine_nr & 1] : NULL;
}

/* Enters the task with this struct pid and machine's number. */
GLOBAL int pid_note(__u64 pid_ptr, __u32 machine_nr)
{
	__u32 *nr = pid_place(machine_nr);

	if (nr && pid_ptr) /* else the task is being taken off the lists: its number is known */
		*nr = pid_in_caller_ns((void *)pid_ptr);
	return 0;
}

static __always_inline __u32 pid_noted(__u32 machine_nr)
{
	__u32 *nr = pid_place(machine_nr);

	return nr ? *nr : 0;
}

static __always_inline void task_note(struct task_struct *task)
{
	if (cfg.pid_ns_ino)
		pid_note(TASK_PTR(task, thread_pid), task->pid);
}

#endif
