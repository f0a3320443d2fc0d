/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * task.bpf.h - what is kept of each task, where it is found, and how its process
 * is described. A part of ipcspy.bpf.h, for the maps and the rest of the core.
 */
#ifndef IPCSPY_TASK_BPF_H
#define IPCSPY_TASK_BPF_H

/*
 * The state of tasks, each in the one place that its tid gives it: found without a
 * call, where storage costs 25 ns each time. Who finds that place taken uses storage.
 */
#define POOL (1 << 11)
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, POOL);
	__type(key, __u32);
	__type(value, struct task_ctx);
} pool __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_ctx);
} tasks __weak SEC(".maps");

/* By tid: whether the task's state is in the pool, in its storage, in the spare table, or nowhere.
 */
#define TASK_HINTS   (1 << 16)
#define HINT_STORAGE 0x1
#define HINT_SPARE   0x2
#define HINT_POOL    0x4
__u8 task_hint[TASK_HINTS] __attribute__((aligned(4))) __weak;

/*
 * Storage cannot be made while another program makes some on this processor, upon which an
 * interrupt came with a signal. Then the state lives here, until the task ends; and that of main
 * threads that do nothing themselves. None is given up for another one: what finds no room is
 * counted.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct task_ctx);
} spare_tasks __weak SEC(".maps");

/* Tasks share a word, and a place; neither processors nor interrupts wait for each other. */
static __always_inline void task_hint_set(__u32 tid, __u32 bits)
{
	__u32 at = tid & (TASK_HINTS - 1);

	__sync_fetch_and_or((__u32 *)&task_hint[at & ~3u], bits << 8 * (at & 3));
}

/* False: no call of this task is traced, it has no state. */
static __always_inline bool task_is_known(struct task_struct *task)
{
	return task_hint[task->pid & (TASK_HINTS - 1)];
}

/* Not the same for two tasks with one place in the pool, not even if one has the other's tid. */
static __always_inline __u64 identity(__u64 start_ns, __u32 tid)
{
	return start_ns << 11 | tid / POOL;
}

static __always_inline __u64 task_identity(struct task_struct *task)
{
	return identity(task->start_time, task->pid);
}

static __always_inline struct task_ctx *pool_place(struct task_struct *task)
{
	__u32 at = task->pid & (POOL - 1);

	return bpf_map_lookup_elem(&pool, &at);
}

static __always_inline struct task_ctx *task_find(struct task_struct *task)
{
	__u8 hint = task_hint[task->pid & (TASK_HINTS - 1)];
	struct task_ctx *t = NULL;
	__u32 tid = task->pid;

	if (!hint)
		return NULL;
	if (hint & HINT_POOL) {
		t = pool_place(task);
		if (t && t->owner == task_identity(task))
			return t;
		t = NULL;
	}
	if (hint & HINT_STORAGE)
		t = bpf_task_storage_get(&tasks, task, 0, 0);
	if (!t && (hint & HINT_SPARE))
		t = bpf_map_lookup_elem(&spare_tasks, &tid);
	return t;
}

/* Of TF_*: by the task's own programs, by iterators, and by whoever sends it a signal. */
static __always_inline void task_flag(struct task_ctx *t, __u32 flags)
{
	__sync_fetch_and_or(&t->flags, flags);
}

/* For a task that task_find() does not know. */
static __always_inline struct task_ctx *task_make(struct task_struct *task)
{
	static const struct task_ctx empty = {};
	__u64 me = task_identity(task), was;
	struct task_ctx *t;
	__u32 tid = task->pid;

	t = pool_place(task);
	if (t) {
		was = __sync_val_compare_and_swap(&t->owner, 0, me);
		if (!was || was == me) {
			task_hint_set(tid, HINT_POOL);
			return t;
		}
	}
	t = bpf_task_storage_get(&tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (t) {
		task_hint_set(tid, HINT_STORAGE);
		return t;
	}
	task_hint_set(tid, HINT_SPARE);
	bpf_map_update_elem(&spare_tasks, &tid, &empty, BPF_NOEXIST);
	t = bpf_map_lookup_elem(&spare_tasks, &tid);
	if (!t)
		count_lost(LOST_TABLE);
	return t;
}

/*
 * The task is gone: its place is the next one's. What fds[] has is as good for that one,
 * since the keys say whose descriptors they are.
 */
static __always_inline void pool_release(struct task_ctx *t)
{
	__builtin_memset((void *)t + sizeof(t->owner), 0,
			 __builtin_offsetof(struct task_ctx, fds) - sizeof(t->owner));
	barrier();
	t->owner = 0;
}

static __always_inline void task_release(struct task_struct *task)
{
	__u32 tid = task->pid;
	struct task_ctx *t;
	__u8 hint = task_hint[tid & (TASK_HINTS - 1)];

	if (hint & HINT_SPARE)
		bpf_map_delete_elem(&spare_tasks, &tid);
	t = hint & HINT_POOL ? pool_place(task) : NULL;
	if (t && t->owner == task_identity(task))
		pool_release(t);
}

/*
 * A thread that executes a program gets the tid and the start time of the main thread,
 * which is gone by then: what is known of it moves there.
 */
static __always_inline void task_renumber(struct task_struct *task, __u32 old_tid)
{
	__u8 hint = task_hint[old_tid & (TASK_HINTS - 1)];
	__u32 at = old_tid & (POOL - 1), flags;
	struct task_ctx *old, *t;

	task_hint_set(task->pid, hint);
	old = bpf_map_lookup_elem(&pool, &at);
	if (old && old->owner && (old->owner & (POOL - 1)) == old_tid / POOL) {
		flags = old->flags; /* the rest ended with the program */
		pool_release(old);
	} else {
		old = hint & HINT_SPARE ? bpf_map_lookup_elem(&spare_tasks, &old_tid) : NULL;
		if (!old) /* in storage, which is the task's whatever its number */
			return;
		flags = old->flags;
		bpf_map_delete_elem(&spare_tasks, &old_tid);
	}
	t = task_find(task);
	if (!t)
		t = task_make(task);
	if (t)
		task_flag(t, flags);
}

static __always_inline bool is_target(const struct task_ctx *t)
{
	return cfg.all || (t && (t->flags & TF_TARGET));
}

/* The number that a struct pid has in the namespace it was made in. */
static __always_inline __u32 pid_inside(__u64 pid_ptr)
{
	struct pid *pid = (void *)pid_ptr;
	__u32 level = 0, nr = 0;
	struct upid *own;

	if (KREAD(&level, &pid->level) || level > MAX_PID_NS_LEVEL)
		return 0;
	own = (void *)pid + bpf_core_field_offset(struct pid, numbers) +
	      level * bpf_core_type_size(struct upid);
	KREAD(&nr, (__u32 *)&own->nr);
	return nr;
}

/* When the process of a task began: with its pid, its identity. */
static __always_inline __u64 process_start_ns(struct task_struct *task)
{
	struct task_struct *leader = (void *)TASK_PTR(task, group_leader);
	__u64 start_ns = 0;

	KREAD(&start_ns, &leader->start_time);
	return start_ns;
}

/* struct ev_proc of task's process, at most 512 bytes of stack in the caller. */
static __always_inline void proc_fill(struct ev_proc *e, struct task_struct *task, __u32 flags)
{
	struct task_struct *leader = (void *)TASK_PTR(task, group_leader);
	struct task_struct *parent = (void *)TASK_PTR(task, real_parent);
	__u64 pid = 0;

	hdr_init(&e->hdr, EV_PROC, sizeof(*e), task->tgid, task->tgid, flags, bpf_ktime_get_ns());
	e->start_ns = 0;
	e->ppid = 0;
	KREAD(&e->start_ns, &leader->start_time);
	KREAD((int *)&e->ppid, &parent->tgid);
	KREAD(&pid, (__u64 *)&leader->thread_pid);
	e->ns_pid = pid_inside(pid);
	if (bpf_probe_read_kernel(e->comm, sizeof(e->comm), leader->comm))
		__builtin_memset(e->comm, 0, sizeof(e->comm));
}

/* Puts EV_PROC in the ring. False when it had no room: the next operation tries again. */
static __noinline bool proc_emit(struct task_struct *task, __u32 flags)
{
	struct ev_proc *e;

	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		count_lost(MECH_NONE);
		return false;
	}
	proc_fill(e, task, flags);
	/* its program is read from /proc, as long as it lives */
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
	return true;
}

/*
 * The process of this main thread was described. By numbers, not by a typed pointer
 * (see TASK_PTR): so its state, if it has none yet, is in the pool or among the spare ones.
 */
GLOBAL int main_thread_described(__u64 leader_ptr, __u32 tid)
{
	struct task_struct *leader = (void *)leader_ptr;
	static const struct task_ctx empty = {};
	__u32 at = tid & (POOL - 1), key = tid;
	__u8 hint = task_hint[tid & (TASK_HINTS - 1)];
	__u64 start_ns = 0, me, was;
	struct task_ctx *t;

	if (KREAD(&start_ns, &leader->start_time))
		return 0;
	me = identity(start_ns, tid);
	t = bpf_map_lookup_elem(&pool, &at);
	was = t ? __sync_val_compare_and_swap(&t->owner, 0, me) : 0;
	if (t && (!was || was == me)) {
		task_hint_set(tid, HINT_POOL);
	} else if (!(hint & HINT_STORAGE)) { /* else it did something, and so was described */
		bpf_map_update_elem(&spare_tasks, &key, &empty, BPF_NOEXIST);
		t = bpf_map_lookup_elem(&spare_tasks, &key);
		task_hint_set(tid, HINT_SPARE);
		if (!t)
			count_lost(LOST_TABLE);
	} else {
		return 0;
	}
	if (t)
		task_flag(t, TF_DESCRIBED);
	return 0;
}

/*
 * The first operation of a task describes its process, and marks its main thread,
 * too: that one may do nothing itself and yet be the last to exit.
 */
static __always_inline void task_describe(struct task_ctx *t, struct task_struct *task)
{
	if (t->flags & TF_DESCRIBED)
		return;
	if (!proc_emit(task, is_target(t) ? PROCF_TARGET : 0))
		return;
	task_flag(t, TF_DESCRIBED);
	if (task->pid != task->tgid)
		main_thread_described(TASK_PTR(task, group_leader), task->tgid);
}

/* Whom ipcspy sends to read what may never answer, 0 nobody: see src/probe/envoy.h. */
__u32 envoy_tgid __weak;

/* ipcspy itself: never traced, and not told of. */
static __always_inline bool is_own(__u32 tgid)
{
	return tgid == cfg.self_tgid || (envoy_tgid && tgid == envoy_tgid);
}

/* A task whose operations are not even looked at: ipcspy itself; strangers without peers. */
static __always_inline bool is_ignored(struct task_struct *task, bool target)
{
	return is_own(task->tgid) || (!target && !cfg.peers);
}

#endif
