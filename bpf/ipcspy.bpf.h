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
#include "regs.bpf.h"

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
#define EFAULT                14
#define EINPROGRESS           115
#define ERESTARTSYS           512
#define ERESTART_RESTARTBLOCK 516

extern const volatile struct ipcspy_config cfg;
extern const volatile struct ipcspy_sys syscalls[IPCSPY_NR_SYSCALLS];

#include "steady.bpf.h"

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

#define WAKEF_ASK  0x4 /* who wakes it from what call is to be noted */
#define WAKEF_MOVE 0x8 /* waiters go on to wait for another word */

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

/*
 * Records lost per mechanism; then the counters below. LOST_CAUGHT: calls that were not
 * seen by the first program and so by the second.
 */
enum { LOST_COMPAT = MECH_MAX, LOST_TABLE, LOST_URING, LOST_CAUGHT, LOST_MAX };
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
	char bytes[96];
};

/*
 * What is behind an object need not be there: KFENCE and DEBUG_PAGEALLOC put one at the end of a
 * page and unmap the next. All that it has is before that.
 */
static __always_inline long span_read(struct span *span, __u64 from)
{
	__u32 page = 1u << cfg.page_shift, left = page - ((__u32)from & (page - 1));

	if (!bpf_probe_read_kernel(span->bytes, sizeof(span->bytes), (void *)from))
		return 0;
	barrier_var(left);
	if (left >= sizeof(span->bytes))
		return -EFAULT;
	return bpf_probe_read_kernel(span->bytes, left, (void *)from);
}

#define SPAN_READ(span, ptr, type, first) \
	span_read(span, (__u64)(ptr) + bpf_core_field_offset(type, first))
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

/*
 * Room for what does not fit on a 512-byte stack. It belongs to one program at a time:
 *
 * - Programs at system calls, at processes' events and at io_uring's run in tasks and are not
 *   preempted (steady.bpf.h), so none of them runs inside of another.
 * - An interrupt may come upon any of them, but what runs in interrupts keeps away from here:
 *   sched_waking, sched_switch, and signal_generate, where a timer's signals are sent from. So
 *   do all programs about signals: signal_admit().
 * - Iterators are preempted on kernels where they cannot forbid it (before 6.14). They run in
 *   ipcspy itself, of whose own calls nothing is traced: their scratch is another one.
 */
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
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch __weak SEC(".maps");

static __always_inline struct scratch *get_scratch(void)
{
	__u32 whose = 0;

	if (!cfg.steady) /* without a branch, which the verifier would follow from each use on */
		whose = ((bpf_get_current_pid_tgid() >> 32 ^ cfg.self_tgid) - 1) >> 63;
	return bpf_map_lookup_elem(&scratch, &whose);
}

static __always_inline __u64 mix(__u64 a, __u64 b)
{
	__u64 h = (a ^ cfg.seed) * 0x9e3779b97f4a7c15ull;

	h ^= h >> 32;
	h = (h ^ b) * 0xd6e8feb86659fd93ull;
	return h ^ (h >> 29);
}

static __always_inline void count_lost(__u32 what)
{
	__u64 *n = bpf_map_lookup_elem(&lost, &what);

	if (n)
		__sync_fetch_and_add(n, 1); /* an interrupt may lose something, too */
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

/*
 * A key made of an address that was watched before, with another number or now with none that
 * is known, as a socket has none until it is accepted: another object is there by now.
 */
static __always_inline void watch_key(__u64 key, __u64 ino)
{
	__u64 *v;

	if (!key)
		return;
	/* to look costs a third of what an update does */
	v = watch_hint[key & (WATCH_HINTS - 1)] ? bpf_map_lookup_elem(&watched, &key) : NULL;
	if (v && *v == ino)
		return;
	if (v) {
		*v = ino;
	} else {
		watch_hint[key & (WATCH_HINTS - 1)] = 1;
		if (bpf_map_update_elem(&watched, &key, &ino, BPF_ANY))
			count_lost(LOST_TABLE);
	}
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

#include "task.bpf.h"

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

#endif
