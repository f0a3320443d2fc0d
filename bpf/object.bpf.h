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
	__u32 backlog;
	__u32 seq;
	__u32 fp;
	__u32 flags; /* OPF_FULL, OPF_EMPTY, OPF_BACKLOG, OPF_SEQ, OPF_FP */
};

#include "pipe.bpf.h"
#include "sock.bpf.h"

#define S_IFMT	 0170000
#define S_IFIFO	 0010000
#define S_IFSOCK 0140000

/*
 * The file behind a descriptor of `task`, without a reference: what is read
 * through it is read fault-safely and checked by inode number.
 */
static __always_inline struct file *file_of_fd(struct task_struct *task, __u32 fd)
{
	struct files_struct *files = task->files;
	struct file *file = NULL;
	struct fdtable *fdt;

	if (!files)
		return NULL;
	fdt = files->fdt;
	if (!fdt || fd >= fdt->max_fds)
		return NULL;
	if (bpf_probe_read_kernel(&file, sizeof(file), (void *)fdt->fd + (__u64)fd * sizeof(file)))
		return NULL;
	return file;
}

/* Fills *o. False: not a channel, or of a mechanism that is switched off. */
static __noinline bool object_resolve(struct objref *o, struct file *file, struct inode *inode,
				      __u64 ino)
{
	__u16 mode = 0;
	bool ok = false;

	KREAD(&mode, &inode->i_mode);
	o->ino = ino;
	switch (mode & S_IFMT) {
	case S_IFIFO:
		ok = pipe_resolve(o, file, inode);
		break;
	case S_IFSOCK:
		ok = sock_resolve(o, file);
		break;
	}
	return ok && (cfg.mech_mask & (1u << (o->mech & 31)));
}

static __noinline void object_describe(struct ev_obj *e, const struct objref *o, struct file *file)
{
	if (o->mech <= MECH_FIFO)
		pipe_describe(e, o, file);
	else
		sock_describe(e, o);
}

static __always_inline void object_sample(struct sample *s, const struct objref *o, __u8 op)
{
	if (o->mech <= MECH_FIFO)
		pipe_sample(s, o);
	else
		sock_sample(s, o, op);
}

/* What every EV_OBJ holds, whatever its kind. */
static __always_inline void object_fill(struct ev_obj *e, const struct objref *o, struct file *file,
					struct task_struct *task, __s32 fd, __u32 flags)
{
	__builtin_memset(e, 0, sizeof(*e));
	hdr_init(&e->hdr, EV_OBJ, sizeof(*e), task->tgid, task->pid, flags, bpf_ktime_get_ns());
	e->chan = o->id;
	e->self = o->id;
	e->ino = o->ino;
	e->fd = fd;
	e->mech = o->mech;
	object_describe(e, o, file);
}

/* Emits EV_OBJ into the ring and remembers the object as described. */
static __noinline bool object_emit(const struct objref *o, struct file *file,
				   struct task_struct *task, __s32 fd, __u32 flags)
{
	struct scratch *s = get_scratch();
	__u64 zero = 0;

	if (!s)
		return false;
	object_fill(&s->obj, o, file, task, fd, flags);
	if (bpf_ringbuf_output(&events, &s->obj, sizeof(s->obj), BPF_RB_NO_WAKEUP)) {
		lose(o->mech, o->id);
		return false;
	}
	if (bpf_map_update_elem(&objects, &o->id, &zero, BPF_NOEXIST) == -12)
		count_lost(LOST_TABLE);
	return true;
}

/* A target uses this object: from now on everybody's operations on it count. */
static __noinline void object_watch(const struct objref *o)
{
	watch_key(o->wkey);
	if (o->mech > MECH_FIFO)
		sock_watch(o);
}

/*
 * The object behind a descriptor that `task` is about to use. True: it is to
 * be traced, and was described. dest_key: of a datagram's destination, 0 none.
 */
static __noinline bool object_of_fd(struct objref *out, struct task_struct *task,
				    struct task_ctx *t, __u32 fd, __u64 dest_key)
{
	struct file *file = file_of_fd(task, fd);
	bool target = is_target(t);
	struct fd_cached *c = NULL;
	struct inode *inode = NULL;
	unsigned long ino = 0;

	if (!file || KREAD(&inode, &file->f_inode) || KREAD(&ino, &inode->i_ino))
		return false;
	if (t) {
		c = &t->fds[((__u64)file >> 8) & (FD_CACHE - 1)];
		if (c->file == (__u64)file && c->inode == (__u64)inode && c->ino == ino) {
			*out = c->obj;
			return true;
		}
	}
	if (!object_resolve(out, file, inode, ino))
		return false;
	if (target)
		object_watch(out);
	else if (!is_watched(out->wkey) && !(dest_key && is_watched(dest_key)))
		return false;
	if (!bpf_map_lookup_elem(&objects, &out->id) && !object_emit(out, file, task, fd, 0))
		return false;
	if (c && out->connected) {
		c->file = (__u64)file;
		c->inode = (__u64)inode;
		c->ino = ino;
		c->obj = *out;
	}
	return true;
}

#endif
