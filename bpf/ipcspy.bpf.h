/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * ipcspy.bpf.h - the core that every family of programs stands on: the maps,
 * the state of a task, emission and loss.
 *
 * A system call is seen twice. At entry its family's program resolves the
 * descriptor to the kernel object and parks what it learned in the task's
 * storage; at exit it emits one record. What is parked and not yet taken is
 * what blocks: the iterators in snap.bpf.c show it at any moment.
 */
#ifndef IPCSPY_BPF_H
#define IPCSPY_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "ipcspy/config.h"
#include "ipcspy/event.h"
#include "ipcspy/look.h"

#define KREAD(dst, src) bpf_probe_read_kernel(dst, sizeof(*(dst)), src)

#define MAX_PID_NS_LEVEL 32 /* include/linux/pid_namespace.h */

/*
 * A pointer in a task, as a number. Where it is loaded directly the verifier searches
 * all of the kernel's BTF by name, several milliseconds each time it comes past (up to
 * Linux 6.18, btf_nested_type_is_trusted()): that is for hot paths, and before they branch.
 */
#define TASK_PTR(task, field)                                               \
	({                                                                  \
		__u64 _ptr = 0;                                             \
		bpf_probe_read_kernel(&_ptr, sizeof(_ptr), &(task)->field); \
		_ptr;                                                       \
	})

#define EAGAIN                11
#define EINPROGRESS           115
#define ERESTARTSYS           512
#define ERESTART_RESTARTBLOCK 516

extern const volatile struct ipcspy_config cfg;
extern const volatile struct ipcspy_sys syscalls[IPCSPY_NR_SYSCALLS];

/* A kernel object that carries communication, as found behind a descriptor. */
struct objref {
	__u64 id;   /* what the records call it */
	__u64 wkey; /* under which it is watched: the same for both ends of a connection */
	__u64 ptr;  /* struct pipe_inode_info or struct sock; futex: the mapped object's id */
	__u32 ino;
	__u8 mech;
	__u8 connected; /* its wkey will not change any more */
	__u16 family;
};

/* A descriptor resolved before. It stands for the same file as long as its struct fd_ref's key is.
 */
struct fd_cached {
	__u64 key; /* 0: none */
	struct objref obj;
};

#define FD_CACHE 64 /* power of two */

/* The call a task is inside of. */
struct inflight {
	__u64 enter_ns;
	__u64 sleep_ns; /* asleep since; 0 awake */
	__u64 blocked_ns;
	__u64 buf;      /* user address: buffer, iovec, msghdr, descriptor pair */
	__u64 addr;     /* user address of a struct sockaddr, 0 none */
	__u64 pid_tgid; /* as bpf_get_current_pid_tgid() gives it, which costs more */
	__u32 waker;
	__u32 flags; /* OPF_* known at entry */
	__u32 arg;   /* length of the address; shutdown: how */
	__u32 room;  /* BUF_PLAIN: bytes of the buffer */
	__u16 nr;
	__u8 active;
	__u8 how;
	__u8 op;
	__u8 sleep_on_b; /* splice: what it sleeps for is the second object */
	__u8 wake_flags; /* WAKEF_* */
	__u8 pad;
	__u64 woken_ns;   /* with WAKEF_ASK: when the waker came ... */
	__u64 wake_ns;    /* ... and when the call began in which it did, 0 in none of its kind */
	__u32 waker_tgid; /* ... and its process */
	__u32 elsewhere;  /* it woke so many that wait on another object */
	struct objref a;  /* a.id == 0: none */
	struct objref b;  /* splice: the output */
};

#define WAKEF_ASK 0x4 /* who wakes it from what call is to be noted */

#define TF_TARGET    0x1
#define TF_DESCRIBED 0x2 /* EV_PROC went out */

/* A signal handler that runs, or was left without a return (longjmp). */
struct handler_run {
	__u64 begin_ns;
	__u64 nested_ns; /* in handlers that interrupted it */
	__u32 signo, pad;
};

#define HANDLERS_MAX 4 /* power of two */

/* A futex word looked up before, while the address space had this sequence number; 0: none. */
struct word_cached {
	__u64 uaddr;
	__u64 seq;
	struct objref obj;
};

#define WORD_CACHE 4 /* power of two */

struct task_ctx {
	__u64 owner; /* in the pool: task_identity(), 0 free */
	__u32 flags;
	__u32 handler_cnt; /* ever begun and not returned; the last HANDLERS_MAX are known */
	struct handler_run handlers[HANDLERS_MAX];
	struct inflight in;
	struct word_cached words[WORD_CACHE];
	struct fd_cached fds[FD_CACHE];
};

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

/*
 * How often a descriptor was closed or replaced, by the table that it is in. Two
 * tables in one slot only cost a look that was not needed. Plain memory instead of
 * a map: a look costs two nanoseconds, not thirty.
 */
#define FD_GENS (1 << 12)
__u32 fd_gens[FD_GENS] __weak;

/* Who sends, who receives, by a hash of the channel: one task, or CROWD. See crowded(). */
#define OWNERS (1 << 16)
#define CROWD  0xffffffff
__u32 owners[OWNERS] __weak;

/* The programs of each family, see core.bpf.c. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, FAM_MAX);
	__type(key, __u32);
	__type(value, __u32);
} enter_progs __weak SEC(".maps"), exit_progs __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 25);
} events __weak SEC(".maps");

/*
 * Objects that an EV_OBJ described. User space takes them out, and their keys
 * out of the next table, when it has forgotten them: probe_forget(). Neither
 * table lets anything go by itself, so what finds no room is counted.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, __u64);
	__type(value, struct ipcspy_object);
} objects __weak SEC(".maps");

/*
 * Keys of channels that a target touched: on them everybody is traced. A key
 * made of an address counts for one inode number only, since addresses are
 * reused: that number is the value, 0 until it is known.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 17);
	__type(key, __u64);
	__type(value, __u64);
} watched __weak SEC(".maps");

/* Zero: no key with this hash is watched. Most channels of strangers end here, cheaply. */
#define WATCH_HINTS (1 << 16)
__u8 watch_hint[WATCH_HINTS] __weak;

/*
 * Descriptors of strangers that are no channel, or one that nobody watches, by
 * passed_key(): most calls of the machine end here. One word each, so that two
 * processors cannot leave a mixture of two.
 */
#define PASSED_BITS 14
__u64 passed[1 << PASSED_BITS] __weak;
__u64 watch_cnt __weak; /* keys that became watched: each may make any of these wrong */

/* Records lost per mechanism; then the counters below. */
enum { LOST_COMPAT = MECH_MAX, LOST_TABLE, LOST_URING, LOST_MAX };
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LOST_MAX);
	__type(key, __u32);
	__type(value, __u64);
} lost __weak SEC(".maps");

/*
 * Fields that lie close together are copied in one go, since a read of kernel
 * memory costs 24 ns whether it is 4 bytes or 100. SPAN_READ copies from a
 * type's field `first` on; SPAN_GET takes a field out of the copy. Offsets are
 * those of the running kernel; a field outside the copy is read by itself.
 */
struct span {
	char bytes[104];
};

#define SPAN_READ(span, ptr, type, first)                           \
	bpf_probe_read_kernel((span)->bytes, sizeof((span)->bytes), \
			      (void *)(ptr) + bpf_core_field_offset(type, first))
#define SPAN_GET(dst, span, ptr, type, first, field)                                               \
	({                                                                                         \
		__u32 _at =                                                                        \
			bpf_core_field_offset(type, field) - bpf_core_field_offset(type, first);   \
		if (_at <= sizeof((span)->bytes) - sizeof(*(dst)))                                 \
			__builtin_memcpy(dst, (span)->bytes + _at, sizeof(*(dst)));                \
		else                                                                               \
			bpf_probe_read_kernel(dst, sizeof(*(dst)),                                 \
					      (void *)(ptr) + bpf_core_field_offset(type, field)); \
	})

/* Room for what does not fit on a 512-byte stack. */
struct scratch {
	struct ev_obj obj;
	struct ev_addr_un name;
	struct ev_name path;
	struct ev_map map; /* from, from_len, pad: always 0 */
	struct ev_proc proc;
	struct look_task look;
	__u8 path_end[NAME_MAX_LEN + 128]; /* a path grows here from its end */
	struct span span;
	__u64 word_at;      /* of the futex looked up last: where it is in the mapped object */
	__u8 bufs[16 * 64]; /* a ring of 16 struct pipe_buffer */
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch __weak SEC(".maps");

static __always_inline struct scratch *get_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratch, &zero);
}

static __always_inline __u64 mix(__u64 a, __u64 b)
{
	__u64 h = (a ^ cfg.seed) * 0x9e3779b97f4a7c15ull;

	h ^= h >> 32;
	h = (h ^ b) * 0xd6e8feb86659fd93ull;
	return h ^ (h >> 29);
}

/* By tid: whether the task's state is in the pool, in its storage, in the spare table, or nowhere.
 */
#define TASK_HINTS   (1 << 16)
#define HINT_STORAGE 0x1
#define HINT_SPARE   0x2
#define HINT_POOL    0x4
__u8 task_hint[TASK_HINTS] __weak;

/*
 * Storage cannot be made while a program that makes some is preempted on this
 * processor; programs at system calls can be since 6.13. Then the state lives
 * here, until the task ends.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct task_ctx);
} spare_tasks __weak SEC(".maps");

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

static __always_inline void count_lost(__u32 what)
{
	__u64 *n = bpf_map_lookup_elem(&lost, &what);

	if (n)
		(*n)++;
}

/* For a task that task_find() does not know. */
static __always_inline struct task_ctx *task_make(struct task_struct *task)
{
	static const struct task_ctx empty = {};
	__u8 *hint = &task_hint[task->pid & (TASK_HINTS - 1)];
	struct task_ctx *t;
	__u64 me = task_identity(task), was;
	__u32 tid = task->pid;

	t = pool_place(task);
	if (t) {
		was = __sync_val_compare_and_swap(&t->owner, 0, me);
		if (!was || was == me) {
			*hint |= HINT_POOL;
			return t;
		}
	}
	t = bpf_task_storage_get(&tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (t) {
		*hint |= HINT_STORAGE;
		return t;
	}
	*hint |= HINT_SPARE;
	bpf_map_update_elem(&spare_tasks, &tid, &empty, BPF_ANY);
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
	__u32 at = old_tid & (POOL - 1);
	struct task_ctx *old, *t;

	task_hint[task->pid & (TASK_HINTS - 1)] |= task_hint[old_tid & (TASK_HINTS - 1)];
	old = bpf_map_lookup_elem(&pool, &at);
	if (!old || !old->owner || (old->owner & (POOL - 1)) != old_tid / POOL)
		return;
	t = task_find(task);
	if (!t)
		t = task_make(task);
	if (t)
		t->flags |= old->flags; /* the rest ended with the program */
	pool_release(old);
}

/*
 * Functions marked GLOBAL are verified once, by themselves, instead of once for
 * each path that leads to them: that keeps loading fast. They take no kernel
 * pointers, only numbers and pointers to sized memory, which may be NULL.
 */
#define GLOBAL __weak __noinline

/* The ring had no room for a record of this object. */
GLOBAL int lose(__u32 mech, __u64 id)
{
	struct ipcspy_object *known;

	count_lost(mech & (MECH_MAX - 1));
	known = bpf_map_lookup_elem(&objects, &id);
	if (known)
		__sync_fetch_and_add(&known->lost, 1);
	return 0;
}

/* The object is described; its key may be another than the last time. */
GLOBAL int object_note(const struct objref *o)
{
	struct ipcspy_object *known, first = {};
	__u64 id;

	if (!o)
		return 0;
	id = o->id;
	known = bpf_map_lookup_elem(&objects, &id);
	if (known) {
		known->wkey = o->wkey;
		known->ino = o->ino;
		return 0;
	}
	first.wkey = o->wkey;
	first.ino = o->ino;
	if (bpf_map_update_elem(&objects, &id, &first, BPF_ANY))
		count_lost(LOST_TABLE);
	return 0;
}

/* ino: of the object at hand, 0 where the key says it all. */
static __always_inline bool is_watched(__u64 key, __u64 ino)
{
	__u64 *v;

	if (!key || !watch_hint[key & (WATCH_HINTS - 1)])
		return false;
	v = bpf_map_lookup_elem(&watched, &key);
	if (!v)
		return false;
	if (!ino || *v == ino)
		return true;
	if (*v)
		return false;
	*v = ino;
	return true;
}

static __always_inline void watch_key(__u64 key, __u64 ino)
{
	if (!key || is_watched(key, ino)) /* to look costs a third of what an update does */
		return;
	watch_hint[key & (WATCH_HINTS - 1)] = 1;
	if (bpf_map_update_elem(&watched, &key, &ino, BPF_ANY))
		count_lost(LOST_TABLE);
	__sync_fetch_and_add(&watch_cnt, 1);
}

static __always_inline void hdr_init(struct ev_hdr *h, __u16 kind, __u16 len, __u32 pid, __u32 tid,
				     __u32 flags, __u64 ts)
{
	h->kind = kind;
	h->len = len;
	h->pid = pid;
	h->tid = tid;
	h->flags = flags;
	h->ts_ns = ts;
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
	__u8 *hint = &task_hint[tid & (TASK_HINTS - 1)];
	__u64 start_ns = 0, me, was;
	struct task_ctx *t;

	if (KREAD(&start_ns, &leader->start_time))
		return 0;
	me = identity(start_ns, tid);
	t = bpf_map_lookup_elem(&pool, &at);
	was = t ? __sync_val_compare_and_swap(&t->owner, 0, me) : 0;
	if (t && (!was || was == me)) {
		*hint |= HINT_POOL;
	} else if (!(*hint & HINT_STORAGE)) { /* else it did something, and so was described */
		bpf_map_update_elem(&spare_tasks, &key, &empty, BPF_NOEXIST);
		t = bpf_map_lookup_elem(&spare_tasks, &key);
		*hint |= HINT_SPARE;
	} else {
		return 0;
	}
	if (t)
		t->flags |= TF_DESCRIBED;
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
	t->flags |= TF_DESCRIBED;
	if (task->pid != task->tgid)
		main_thread_described(TASK_PTR(task, group_leader), task->tgid);
}

/* A task whose operations are not even looked at: ipcspy itself; strangers without peers. */
static __always_inline bool is_ignored(struct task_struct *task, bool target)
{
	return (__u32)task->tgid == cfg.self_tgid || (!target && !cfg.peers);
}

/*
 * The address that a typed pointer holds, as a number: to compute with the pointer
 * itself the verifier refuses. It forgets what a slot of the stack holds when a
 * part of it is written; the first byte of a kernel address is 0xff anyway.
 */
static __always_inline __u64 address_of(const void *typed)
{
	volatile __u64 slot = (__u64)typed;

	((volatile __u8 *)&slot)[7] = 0xff;
	return slot;
}

static __always_inline __u32 *fd_generation(__u64 files)
{
	return &fd_gens[files >> 6 & (FD_GENS - 1)];
}

/*
 * A descriptor and what it stands for: another key as soon as one of its table is closed
 * or replaced. For one table different descriptors have different keys.
 */
struct fd_ref {
	__u64 key;
	__u32 fd, pad;
};

static __always_inline struct fd_ref fd_ref_in(__u64 files, __u32 fd)
{
	struct fd_ref r = {
		.key = files + ((__u64)*fd_generation(files) << 32 | fd) * 0x9e3779b97f4a7c15ull,
		.fd = fd,
	};

	return r;
}

static __always_inline struct fd_ref fd_ref(struct task_struct *task, __u32 fd)
{
	return fd_ref_in(TASK_PTR(task, files), fd);
}

/* The same without the read; first thing in a program, see TASK_PTR. */
static __always_inline struct fd_ref fd_ref_hot(struct task_struct *task, __u32 fd)
{
	return fd_ref_in(address_of(task->files), fd);
}

static __always_inline void fd_invalidate(struct task_struct *task)
{
	__sync_fetch_and_add(fd_generation(TASK_PTR(task, files)), 1);
}

/*
 * Whether more than one task sends or receives in this direction of a channel,
 * as far as seen: then order alone does not tell whose message is whose. Two
 * channels in one slot only cost fingerprints that were not needed.
 */
static __always_inline bool crowded(__u64 dir, bool send, __u32 tid)
{
	__u32 *mine = &owners[(send ? dir : dir >> 16) & (OWNERS - 1)];
	__u32 *theirs = &owners[(send ? dir >> 16 : dir) & (OWNERS - 1)];

	if (*mine != tid && *mine != CROWD)
		*mine = *mine ? CROWD : tid;
	return *mine == CROWD || *theirs == CROWD;
}

/* The i-th argument of the call that regs belong to, counted from 0. */
static __always_inline unsigned long sys_arg(struct pt_regs *regs, __u32 i)
{
	switch (i) {
	case 1:
		return regs->si;
	case 2:
		return regs->dx;
	case 3:
		return regs->r10;
	case 4:
		return regs->r8;
	case 5:
		return regs->r9;
	default:
		return regs->di;
	}
}

#endif
