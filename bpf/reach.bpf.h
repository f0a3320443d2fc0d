/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * reach.bpf.h - what snapshots of a trace tell of beside targets and what they use: those
 * whom a target waits for through others.
 *
 * User space finds them by a look at the whole machine (snap_look) and enters them here.
 * They are told, not traced: nothing of this becomes watched.
 */
#ifndef IPCSPY_REACH_BPF_H
#define IPCSPY_REACH_BPF_H

#include "ipcspy.bpf.h"
#include "pidns.bpf.h"

/* 1: snapshots tell of everything and leave nothing behind, as where cfg.look says so. */
volatile __u32 snap_look __weak;
volatile __u32 reached_cnt __weak; /* keys in the map below */
volatile __u64 snap_begin_ns __weak;

/* Ids of objects, and REACHED_PID with the pids that user space knows. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, REACHED_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, __u8);
} reached __weak SEC(".maps");

static __always_inline bool looking(void)
{
	return cfg.look || snap_look;
}

static __always_inline bool is_reached(__u64 key)
{
	return reached_cnt && bpf_map_lookup_elem(&reached, &key);
}

static __always_inline bool is_reached_process(struct task_struct *task)
{
	__u32 pid = task->tgid;

	if (!reached_cnt)
		return false;
	return is_reached(REACHED_PID | (cfg.pid_ns_ino ? pid_noted(pid) : pid));
}

/* Of targets, peers and holders of what is watched: known by a thread, or by their first one. */
static __always_inline bool is_of_interest(struct task_struct *task)
{
	return cfg.all || task_is_known(task) || task_hint[task->tgid & (TASK_HINTS - 1)];
}

/* Flags of an EV_OBJ of something that is not watched. */
static __always_inline __u32 look_obj_flags(void)
{
	return looking() ? OBJF_SNAPSHOT : OBJF_REACHED;
}

#endif
