/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * life.bpf.c - processes come, change their program and go.
 *
 * These records are never filtered away while their process is traced: without
 * them a reused pid would continue somebody else's numbers.
 */
#include "op.bpf.h"
#include "pidns.bpf.h"
#include "shm.bpf.h"

const volatile __u64 glob_takes[256] = {}; /* by byte: the elements that match it */

/*
 * Whether a name matches the pattern that user space compiled: bit n of `at` says
 * that the first n elements of the pattern match what was read so far. Without
 * branches on the pattern, so that the verifier has one path to follow.
 */
static __always_inline bool comm_matches(const char *comm)
{
	__u8 name[IPCSPY_COMM_LEN] = {};
	__u64 at = 1;

	if (!cfg.glob_end)
		return false;
	bpf_probe_read_kernel_str(name, sizeof(name), comm);
	for (int i = 0; i < IPCSPY_COMM_LEN && name[i]; i++)
		at = (at & glob_takes[name[i]]) << 1 | (at & cfg.glob_gaps);
	return at & cfg.glob_end;
}

#define CGROUP_LEVELS 32 /* deeper ones are not looked at */

/* In the group of the filter, or in one inside it; /sys/fs/cgroup's inode numbers are these ids. */
static __always_inline bool cgroup_matches(struct cgroup *cgrp)
{
	struct kernfs_node *kn;
	struct cgroup *at;
	int level = 0;
	__u64 id;

	if (!cfg.cgroup_id || KREAD(&level, &cgrp->level))
		return false;
	for (int i = 0; i < CGROUP_LEVELS && i <= level; i++)
		if (!KREAD(&at, &cgrp->ancestors[i]) && !KREAD(&kn, &at->kn) &&
		    !KREAD(&id, &kn->id) && id == cfg.cgroup_id)
			return true;
	return false;
}

static __always_inline bool in_cgroup(struct task_struct *task)
{
	struct css_set *set = (void *)TASK_PTR(task, cgroups);
	struct cgroup *cgrp;

	return cfg.cgroup_id && !KREAD(&cgrp, &set->dfl_cgrp) && cgroup_matches(cgrp);
}

SEC("tp_btf/sched_process_fork")
int HOOK_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	bool thread = child->tgid == parent->tgid;
	struct task_ctx *pt = task_find(parent), *t;
	__u32 flags = 0;
	bool inherits;

	task_note(child);
	if (pt && (pt->flags & TF_TARGET) && (thread || cfg.follow || comm_matches(child->comm)))
		flags = TF_TARGET;
	else if (in_cgroup(child) && !is_own(parent->tgid))
		flags = TF_TARGET;
	/* whoever is born with shared memory is a process to know of, a stranger, too */
	inherits = !thread && is_mapper(parent->tgid) && (cfg.peers || flags);
	if (!flags && !inherits)
		return 0;
	t = task_make(child);
	if (!t)
		return 0;
	t->flags = flags;
	if (inherits)
		mapper_add(child->tgid);
	if (thread ||
	    proc_emit(child, (flags ? PROCF_TARGET : 0) | PROCF_FORK |
				     (TASK_PTR(child, mm) == TASK_PTR(parent, mm) ? PROCF_VM : 0)))
		task_flag(t, TF_DESCRIBED);
	return 0;
}

/* A task with this name, or where it is, is a target from now on, if the filter says so. */
static __always_inline struct task_ctx *target_by_filter(struct task_ctx *t,
							 struct task_struct *task, const char *comm)
{
	if ((!comm_matches(comm) && !in_cgroup(task)) || is_own(task->tgid))
		return t;
	if (!t)
		t = task_make(task);
	if (t)
		task_flag(t, TF_TARGET);
	return t;
}

SEC("tp_btf/sched_process_exec")
int HOOK_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct task_ctx *t;

	fd_invalidate(task); /* close-on-exec */
	mapper_del(task->tgid);
	if (old_pid != task->pid)
		task_renumber(task, old_pid);
	t = task_find(task);
	if (t)
		__builtin_memset(t->words, 0, sizeof(t->words));
	t = target_by_filter(t, task, task->comm);
	if (t)
		t->handler_cnt = 0;
	if (t && (t->flags & (TF_TARGET | TF_DESCRIBED)) &&
	    proc_emit(task, PROCF_EXEC | (is_target(t) ? PROCF_TARGET : 0)))
		task_flag(t, TF_DESCRIBED);
	return 0;
}

/* prctl(PR_SET_NAME) and writes to /proc/PID/comm: the new name is told before it is set. */
SEC("tp_btf/task_rename")
int HOOK_PROG(on_rename, struct task_struct *task, const char *comm)
{
	struct task_ctx *t = task_find(task);
	struct ev_proc *e;

	t = target_by_filter(t, task, comm);
	if (!t || !(t->flags & TF_DESCRIBED) || task->pid != task->tgid)
		return 0;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		count_lost(MECH_NONE);
		return 0;
	}
	proc_fill(e, task, is_target(t) ? PROCF_TARGET : 0);
	__builtin_memset(e->comm, 0, sizeof(e->comm));
	bpf_probe_read_kernel_str(e->comm, sizeof(e->comm), comm);
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 0;
}

__u32 moved_in; /* how often processes came into the filter's group */

/*
 * What is known of such a process is taken like that of any target at the start, by
 * user space: its other threads, what it holds, and what it waits for.
 */
SEC("tp_btf/cgroup_attach_task")
int HOOK_PROG(on_cgroup, struct cgroup *dst, const char *path, struct task_struct *task)
{
	if (cgroup_matches(dst))
		__sync_fetch_and_add(&moved_in, 1);
	return 0;
}

/* No thread of the task's process goes on after it. */
static __always_inline bool is_last_thread(struct task_struct *task)
{
	struct signal_struct *sig = (void *)TASK_PTR(task, signal);
	int live = 0;

	return !KREAD(&live, &sig->live.counter) && !live;
}

static __always_inline void exit_emit(struct task_struct *task, bool last)
{
	struct signal_struct *sig = (void *)TASK_PTR(task, signal);
	struct ev_exit *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		count_lost(MECH_NONE);
		return;
	}
	hdr_init(&e->hdr, EV_EXIT, sizeof(*e), task->tgid, task->pid, last ? EXITF_GROUP : 0,
		 bpf_ktime_get_ns());
	e->code = 0;
	KREAD(&e->code, &sig->group_exit_code);
	if (!e->code)
		e->code = task->exit_code;
	e->pad = 0;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
}

SEC("tp_btf/sched_process_exit")
int HOOK_PROG(on_exit, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct task_ctx *t = task_find(task), *main_thread;
	bool last = is_last_thread(task);

	fd_invalidate(task); /* its table's address may be the next one's */
	if (!t) {            /* the last thread, which did nothing itself */
		main_thread = last ? task_find(leader) : NULL;
		if (main_thread && (main_thread->flags & TF_DESCRIBED))
			exit_emit(task, last);
		if (last)
			task_release(leader);
		return 0;
	}
	/* It dies inside a call: what it waited for so far counts, as an interrupted call. */
	if (t->in.active) {
		struct sample s = {};

		t->in.active = 0;
		if (t->in.a.id)
			op_emit(&t->in, &t->in.a, &s, t->in.op, -ERESTARTSYS, 0);
	}
	if (t->flags & TF_DESCRIBED)
		exit_emit(task, last);
	task_release(task);
	if (last) /* its main thread was described when it was gone already */
		task_release(leader);
	return 0;
}

/* Every task that is there: before anything else is told of them. */
SEC("iter/task")
int ITER_PROG(number_tasks, struct bpf_iter__task)
{
	struct task_struct *task = ctx->task;

	if (task)
		task_note(task);
	return 0;
}

/* Who is a target by the caller's pid when a snapshot is taken; user space fills it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u8);
} target_pids SEC(".maps");

/* Marks every task of the targets and lists their processes. */
SEC("iter/task")
int ITER_PROG(mark_targets, struct bpf_iter__task)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = ctx->meta->seq;
	struct task_ctx *t;
	struct ev_proc e;
	__u32 tgid;

	if (!task)
		return 0;
	tgid = task->tgid;
	if (is_own(tgid))
		return 0;
	if (cfg.pid_ns_ino)
		tgid = pid_noted(tgid);
	if (!bpf_map_lookup_elem(&target_pids, &tgid) && !comm_matches(task->comm) &&
	    !in_cgroup(task))
		return 0;
	t = task_find(task);
	if (!t)
		t = task_make(task);
	if (!t)
		return 0;
	task_flag(t, TF_TARGET | TF_DESCRIBED);
	if (task->pid == task->tgid) {
		proc_fill(&e, task, PROCF_TARGET);
		bpf_seq_write(seq, &e, sizeof(e));
	}
	return 0;
}
