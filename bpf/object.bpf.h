/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * object.bpf.h - from a file to the object behind it, for every kind of object.
 *
 * Each kind has three functions in a header of its own: resolve (who is it),
 * describe (fill an EV_OBJ), sample (how full is it after this call). This file
 * picks by the inode's type. A new kind of descriptor is a header and a line in
 * each of the three functions below.
 */
#ifndef IPCSPY_OBJECT_BPF_H
#define IPCSPY_OBJECT_BPF_H

#include "ipcspy.bpf.h"

/* What exit adds to a record about the channel. */
struct sample {
	__u64 now_ns; /* 0: take the time when the record is made */
	__u32 backlog;
	__u32 seq;
	__u32 fp;
	__u32 flags; /* OPF_FULL, OPF_EMPTY, OPF_BACKLOG, OPF_SEQ, OPF_FP */
	__u64 dir;   /* names the direction of the channel, for crowded() */
	__u64 exact; /* in: the backlog is needed, whatever it costs */
};

#define DIR_ALWAYS ~0ull /* messages here need fingerprints however few the senders */

struct op_vals {
	struct ev_op op;
	struct ev_vals vals;
};

#include "eventfd.bpf.h"
#include "futex.bpf.h"
#include "mqueue.bpf.h"
#include "msgqueue.bpf.h"
#include "pipe.bpf.h"
#include "pty.bpf.h"
#include "sem.bpf.h"
#include "signal.bpf.h"
#include "sock.bpf.h"
#include "sysv.bpf.h"
#include "vm.bpf.h"

#define S_IFMT   0170000
#define S_IFIFO  0010000
#define S_IFCHR  0020000
#define S_IFREG  0100000
#define S_IFSOCK 0140000

/*
 * The file behind a descriptor of `task`, without a reference: what is read
 * through it is read fault-safely and checked by inode number. Out of line for
 * the stack of its callers.
 */
static __noinline __u64 file_of_fd(struct task_struct *task, __u32 fd)
{
	struct files_struct *files = (void *)TASK_PTR(task, files);
	struct fdtable *fdt = NULL;
	__u32 max_fds = 0;
	__u64 at = 0, file = 0;

	KREAD(&fdt, &files->fdt);
	if (!fdt || KREAD(&max_fds, &fdt->max_fds) || fd >= max_fds ||
	    KREAD(&at, (__u64 *)&fdt->fd))
		return 0;
	if (bpf_probe_read_kernel(&file, sizeof(file), (void *)at + (__u64)fd * sizeof(file)))
		return 0;
	return file;
}

/* Fills *o. 0: not a channel, or of a mechanism that is switched off. */
GLOBAL int object_resolve(struct objref *o, __u64 file_ptr)
{
	struct super_block *sb = NULL;
	struct inode *inode = NULL;
	__u64 private = 0, ino = 0;
	struct span span;
	__u32 rdev = 0;
	__u16 mode = 0;
	bool ok = false;

	if (!o || SPAN_READ(&span, file_ptr, struct file, private_data))
		return 0;
	SPAN_GET(&private, &span, file_ptr, struct file, private_data, private_data);
	SPAN_GET(&inode, &span, file_ptr, struct file, private_data, f_inode);
	if (SPAN_READ(&span, inode, struct inode, i_mode) || !private)
		return 0;
	SPAN_GET(&mode, &span, inode, struct inode, i_mode, i_mode);
	SPAN_GET(&sb, &span, inode, struct inode, i_mode, i_sb);
	SPAN_GET(&ino, &span, inode, struct inode, i_mode, i_ino);
	o->ptr = private;
	o->ino = ino;
	switch (mode & S_IFMT) {
	case S_IFIFO:
		ok = pipe_resolve(o, inode, sb);
		break;
	case S_IFSOCK:
		ok = sock_resolve(o, &span);
		break;
	case S_IFCHR:
		SPAN_GET(&rdev, &span, inode, struct inode, i_mode, i_rdev);
		ok = pty_resolve(o, file_ptr, rdev);
		break;
	case 0: /* an anonymous file; since 6.16 it says that it is a regular one */
	case S_IFREG:
		ok = eventfd_resolve(o, (void *)file_ptr, sb) ||
		     signalfd_resolve(o, (void *)file_ptr, sb);
		break;
	}
	return ok && (cfg.mech_mask & (1u << (o->mech & 31)));
}

static __always_inline void object_sample(struct sample *s, const struct objref *o, __u8 op)
{
	if (o->mech <= MECH_FIFO)
		pipe_sample(s, o);
	else if (o->mech <= MECH_UDP)
		sock_sample(s, o, op);
	else if (o->mech == MECH_POSIX_MQ)
		mqueue_sample(s, o);
	else if (o->mech == MECH_SYSV_MSG)
		msgqueue_sample(s, o);
	else if (o->mech == MECH_EVENTFD)
		eventfd_sample(s, o);
	else if (o->mech == MECH_PTY)
		pty_sample(s, o, op);
}

/* The same, out of line: where a stack is deep or the call is rare. */
GLOBAL int object_sample_call(struct sample *s, const struct objref *o, __u32 op)
{
	if (s && o)
		object_sample(s, o, op);
	return 0;
}

/* The kinds' parts of an EV_OBJ are functions of their own, for the sake of the stack. */
GLOBAL int object_describe_pipe(const struct objref *o)
{
	struct scratch *s = get_scratch();

	if (s && o)
		pipe_describe(&s->obj, o, &s->span);
	return 0;
}

GLOBAL int object_describe_sock(const struct objref *o)
{
	struct scratch *s = get_scratch();

	if (s && o)
		sock_describe(&s->obj, o, &s->span);
	return 0;
}

GLOBAL int object_describe_pty(const struct objref *o)
{
	struct scratch *s = get_scratch();

	if (s && o)
		pty_describe(&s->obj, o);
	return 0;
}

GLOBAL int object_describe_other(const struct objref *o)
{
	struct scratch *s = get_scratch();
	struct ev_obj *e;

	if (!s || !o)
		return 0;
	e = &s->obj;
	if (o->mech == MECH_POSIX_MQ)
		mqueue_describe(e, o);
	else if (o->mech == MECH_SYSV_MSG)
		msgqueue_describe(e, o);
	else if (o->mech == MECH_SYSV_SEM)
		sem_describe(e, o);
	else if (is_futex(o->mech))
		futex_describe(e, o, s->word_at);
	else if (o->mech == MECH_EVENTFD)
		eventfd_describe(e, o);
	else if (o->mech == MECH_SIGNAL)
		signal_describe(e, o);
	else if (o->mech == MECH_PROCESS_VM)
		vm_describe(e, o);
	return 1;
}

/* What all kinds have. */
static __always_inline void object_head(struct ev_obj *e, const struct objref *o, __u64 pid_tgid,
					__s32 fd, __u32 flags)
{
	__builtin_memset(e, 0, sizeof(*e));
	hdr_init(&e->hdr, EV_OBJ, sizeof(*e), pid_tgid >> 32, pid_tgid, flags, bpf_ktime_get_ns());
	e->chan = o->id;
	e->self = o->id;
	e->ino = o->ino;
	e->fd = fd;
	e->mech = o->mech;
}

/* The same into the scratch EV_OBJ. 0: no scratch. */
GLOBAL int object_describe_head(const struct objref *o, __u64 pid_tgid, __s32 fd, __u32 flags)
{
	struct scratch *s = get_scratch();

	if (!s || !o)
		return 0;
	object_head(&s->obj, o, pid_tgid, fd, flags);
	return 1;
}

/* Fills the scratch EV_OBJ of this processor. 0: no scratch. */
GLOBAL int object_describe(const struct objref *o, __u64 pid_tgid, __s32 fd, __u32 flags)
{
	if (!o || !object_describe_head(o, pid_tgid, fd, flags))
		return 0;
	if (o->mech <= MECH_FIFO)
		object_describe_pipe(o);
	else if (o->mech <= MECH_UDP)
		object_describe_sock(o);
	else if (o->mech == MECH_PTY)
		object_describe_pty(o);
	else
		object_describe_other(o);
	return 1;
}

/* Fills the scratch EV_NAME where the kernel object has a name of its own. 0: it has none. */
GLOBAL int object_path(const struct objref *o, __u64 file, __u64 pid_tgid)
{
	if (!o)
		return 0;
	if (o->mech == MECH_FIFO)
		return fifo_path(file, o->id, pid_tgid);
	if (o->mech == MECH_POSIX_MQ)
		return mqueue_path(o, file, pid_tgid);
	return 0;
}

/* What is in a queue already, for those whose messages have an order of their own. */
GLOBAL int object_contents(const struct objref *o)
{
	if (!o)
		return 0;
	if (o->mech == MECH_POSIX_MQ)
		mqueue_contents(o);
	else if (o->mech == MECH_SYSV_MSG)
		msgqueue_contents(o);
	return 0;
}

/* Emits EV_OBJ into the ring and remembers the object as described. 0: it could not. */
GLOBAL int object_emit(const struct objref *o, __u64 file, __u64 pid_tgid, __s32 fd, __u32 flags)
{
	struct scratch *s = get_scratch();
	bool known;
	__u64 id;

	if (!s || !o || !object_describe(o, pid_tgid, fd, flags))
		return 0;
	id = o->id;
	known = bpf_map_lookup_elem(&objects, &id);
	if (bpf_ringbuf_output(&events, &s->obj, sizeof(s->obj), BPF_RB_NO_WAKEUP)) {
		lose(o->mech, id);
		return 0;
	}
	object_note(o);
	/* a name is told once, so without it the channel is not whole */
	if (object_path(o, file, pid_tgid) &&
	    bpf_ringbuf_output(&events, &s->path, sizeof(s->path), BPF_RB_NO_WAKEUP))
		lose(o->mech, id);
	if (!known)
		object_contents(o);
	return 1;
}

/* A target uses this object: from now on everybody's operations on it count. */
GLOBAL int object_watch(const struct objref *o)
{
	if (!o)
		return 0;
	watch_key(o->wkey, o->family == AF_UNIX ? o->ino : 0);
	if (is_socket(o->mech))
		sock_watch(o);
	return 0;
}

static __always_inline __u64 pid_tgid_of(struct task_struct *task)
{
	return (__u64)task->tgid << 32 | (__u32)task->pid;
}

/* An address that the caller gives; uaddr 0: none. */
struct user_addr {
	__u64 uaddr;
	__u32 len;
	__u32 control; /* bytes of control data beside it */
};

/* Where a datagram goes: to `to`, or without an address to whom the socket is connected. */
GLOBAL int dest_keys(struct dest_keys *k, const struct objref *o, const struct user_addr *to)
{
	struct scratch *s = get_scratch();

	if (!s || !k || !o || !to)
		return 0;
	__builtin_memset(&s->obj.raddr, 0, sizeof(s->obj.raddr) + sizeof(s->obj.name));
	if (to->uaddr)
		addr_from_user(&s->obj.raddr, &s->obj.name, to->uaddr, to->len);
	dgram_dest(k, o, &s->obj.raddr, &s->obj.name, &s->span);
	return 1;
}

/* Whether a stranger's operation on this object concerns a target. */
static __always_inline bool object_watched(const struct objref *o, const struct dest_keys *k)
{
	return is_watched(o->wkey, o->family == AF_UNIX ? o->ino : 0) ||
	       is_watched(k->exact, k->ino) || is_watched(k->any, 0) || watched_by_name(o);
}

/*
 * What a call is about, where no descriptor says it: o is resolved. True: it is to be
 * traced, and was described.
 */
static __noinline bool object_admit(const struct objref *o, struct task_struct *task, bool target)
{
	if (!(cfg.mech_mask & (1u << (o->mech & 31))))
		return false;
	if (target)
		watch_key(o->wkey, 0);
	else if (!is_watched(o->wkey, 0))
		return false;
	return bpf_map_lookup_elem(&objects, &o->id) || object_emit(o, 0, pid_tgid_of(task), -1, 0);
}

/* Whether the use of o concerns a target; a target's own use makes it watched. */
GLOBAL int object_concerns(const struct objref *o, __u32 target, const struct user_addr *to)
{
	struct dest_keys dest = {};

	if (!o)
		return 0;
	if (to && is_dgram(o->mech))
		dest_keys(&dest, o, to);
	if (!target)
		return object_watched(o, &dest);
	object_watch(o);
	watch_key(dest.exact, dest.ino);
	watch_key(dest.any, 0);
	return 1;
}

/* As object_of_fd(), of an object that is resolved already. */
static __always_inline bool object_use(struct objref *out, __u64 file, __u64 pid_tgid, bool target,
				       __s32 fd, const struct user_addr *to)
{
	__u64 id; /* a key of a map lies on the stack: 6.1 takes no memory of a caller */

	if (!object_concerns(out, target, to))
		return false;
	id = out->id;
	return bpf_map_lookup_elem(&objects, &id) || object_emit(out, file, pid_tgid, fd, 0);
}

/* Where in passed[] a descriptor is noted by its key, and what is there if it still may be passed
 * over. */
static __always_inline __u64 *passed_slot(__u64 key)
{
	return &passed[key >> (64 - PASSED_BITS)];
}

static __always_inline __u64 passed_key(__u64 key)
{
	return key ^ watch_cnt * 0xd6e8feb86659fd93ull;
}

/*
 * A stranger's descriptor that was looked at before and concerns no target. Out of line
 * for the stack of its callers.
 */
static __noinline bool is_passed(__u64 key)
{
	return *passed_slot(key) == passed_key(key);
}

/* Where a descriptor is cached, and is if the key there is its own. */
static __always_inline struct fd_cached *fd_slot(struct task_ctx *t, __u32 fd)
{
	return t ? &t->fds[(fd ^ fd / FD_CACHE) & (FD_CACHE - 1)] : NULL;
}

/* What stands behind a descriptor for good: no call but those that change its key ends it. */
static __always_inline bool is_settled(const struct objref *o)
{
	return o->connected && (!is_socket(o->mech) || sock_settled(o));
}

/*
 * The object behind a descriptor that `task` is about to use. True: it is to be
 * traced, and was described. to: where it sends, NULL when it does not.
 */
static __noinline bool object_of_fd(struct objref *out, struct task_struct *task,
				    struct task_ctx *t, const struct fd_ref *at,
				    const struct user_addr *to)
{
	__u64 key = at->key, pass = passed_key(key); /* before what it depends on */
	__u32 fd = at->fd;
	bool target = is_target(t);
	struct fd_cached *c = fd_slot(t, fd);
	__u64 file;

	if (c && c->key == key) {
		*out = c->obj;
		return c->obj.mech != MECH_POSIX_MQ; /* mq_of_fd() put it there */
	}
	file = file_of_fd(task, fd);
	if (!file)
		return false;
	if (!object_resolve(out, file)) {
		if (!target)
			*passed_slot(key) = pass;
		return false;
	}
	if (out->mech == MECH_SIGNAL)
		signal_resolve(out, task);
	if (!object_concerns(out, target, to)) {
		if (is_settled(out))
			*passed_slot(key) = pass;
		return false;
	}
	if (!bpf_map_lookup_elem(&objects, &out->id) &&
	    !object_emit(out, file, pid_tgid_of(task), fd, 0))
		return false;
	if (c && is_settled(out)) {
		c->key = key;
		c->obj = *out;
	}
	return true;
}

/* The message queue behind a descriptor, for its own calls: see mqueue.bpf.h. */
static __noinline bool mq_of_fd(struct objref *out, struct task_struct *task, struct task_ctx *t,
				const struct fd_ref *at)
{
	__u64 key = at->key;
	__u32 fd = at->fd;
	struct fd_cached *c = NULL;
	__u64 file;

	if (t) {
		c = fd_slot(t, fd);
		if (c->key == key) {
			*out = c->obj;
			return c->obj.mech == MECH_POSIX_MQ;
		}
	}
	file = file_of_fd(task, fd);
	if (!file || !mqueue_resolve(out, file))
		return false;
	if (is_target(t))
		object_watch(out);
	else if (!is_watched(out->wkey, 0))
		return false;
	if (!bpf_map_lookup_elem(&objects, &out->id) &&
	    !object_emit(out, file, pid_tgid_of(task), fd, 0))
		return false;
	if (c) {
		c->key = key;
		c->obj = *out;
	}
	return true;
}

/* The System V message queue with this id in the task's namespace. */
static __noinline bool msgq_of_id(struct objref *out, struct task_struct *task, __s32 id,
				  bool target)
{
	return sysv_resolve(out, sysv_ns(task), SYSV_MSG, id, MECH_SYSV_MSG) &&
	       object_admit(out, task, target);
}

/* The same for a set of semaphores. */
static __noinline bool sem_of_id(struct objref *o, struct task_struct *task, __s32 id, bool target)
{
	return sysv_resolve(o, sysv_ns(task), SYSV_SEM, id, MECH_SYSV_SEM) &&
	       object_admit(o, task, target);
}

#endif
