/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * signal.bpf.h - the signals of a process: struct task_struct, struct
 * signal_struct (kernel/signal.c).
 *
 * All signals sent to one process are one object, known by its pid and the start
 * of its main thread, which stay when another thread executes a new program.
 */
#ifndef IPCSPY_SIGNAL_BPF_H
#define IPCSPY_SIGNAL_BPF_H

#include "anon.bpf.h"

#define SIGNAL_TAG 0x7369676e616cull /* "signal": pids alone are keys of other objects, too */

static __always_inline void signal_named(struct objref *o, __u32 pid, __u64 start_ns)
{
	o->id = mix(SIGNAL_TAG << 16 ^ pid, start_ns);
	o->wkey = o->id;
	o->ptr = start_ns; /* 0: nobody has this pid */
	o->ino = pid;
	o->mech = MECH_SIGNAL;
	o->connected = true;
	o->family = 0;
}

/* The signals that are sent to task's process. */
static __always_inline void signal_resolve(struct objref *o, struct task_struct *task)
{
	signal_named(o, task->tgid, process_start_ns(task));
}

__u64 signalfd_fops __weak; /* struct file_operations of all signalfds, once one was seen */

/*
 * A signalfd is a view of the signals of whoever reads from it (signalfd(2)), so
 * it stands for those of the task that looks: see object_of_fd().
 */
static __always_inline bool signalfd_resolve(struct objref *o, struct file *file,
					     struct super_block *sb)
{
	const char name[ANON_NAME_LEN] = "[signalfd]";

	if (!anon_is(file, sb, &signalfd_fops, name))
		return false;
	signal_resolve(o, bpf_get_current_task_btf());
	return true;
}

static __always_inline void signal_describe(struct ev_obj *e, const struct objref *o)
{
	e->vals[1] = o->ptr != 0;
}

#endif
