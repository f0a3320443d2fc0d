/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * pipe.bpf.h - pipes and FIFOs: struct pipe_inode_info (fs/pipe.c).
 *
 * A pipe is a ring of page buffers; head and tail count buffers and never go
 * back. A pipe is known by its address and inode number, a FIFO by its inode,
 * so that it stays one channel when all close it and somebody opens it again.
 */
#ifndef IPCSPY_PIPE_BPF_H
#define IPCSPY_PIPE_BPF_H

#define PIPEFS_MAGIC 0x50495045

__u64 pipefs_sb __weak; /* the one superblock that all pipes share, once it was seen */

static __always_inline bool is_pipefs(struct super_block *sb)
{
	unsigned long magic = 0;

	if ((__u64)sb == pipefs_sb)
		return true;
	KREAD(&magic, &sb->s_magic);
	if (magic != PIPEFS_MAGIC)
		return false;
	pipefs_sb = (__u64)sb;
	return true;
}

static __always_inline bool pipe_resolve(struct objref *o, struct inode *inode,
					 struct super_block *sb)
{
	__u32 dev = 0, gen = 0;

	if (is_pipefs(sb)) {
		o->mech = MECH_PIPE;
		o->id = mix(o->ptr, o->ino);
	} else {
		KREAD(&dev, &sb->s_dev);
		KREAD(&gen, &inode->i_generation);
		o->mech = MECH_FIFO;
		o->id = mix((__u64)dev << 32 | gen, o->ino);
	}
	o->wkey = o->id;
	o->connected = true;
	o->family = 0;
	return true;
}

/* struct pipe_inode_info in one read. */
struct pipe_view {
	__u32 head, tail, max, ring_size;
	struct pipe_buffer *bufs;
};

/* False: it cannot be read, *v is all zero. */
static __always_inline bool pipe_look(struct pipe_view *v, __u64 pipe, struct span *span)
{
	__builtin_memset(v, 0, sizeof(*v));
	if (SPAN_READ(span, pipe, struct pipe_inode_info, head))
		return false;
	SPAN_GET(&v->head, span, pipe, struct pipe_inode_info, head, head);
	SPAN_GET(&v->tail, span, pipe, struct pipe_inode_info, head, tail);
	SPAN_GET(&v->max, span, pipe, struct pipe_inode_info, head, max_usage);
	SPAN_GET(&v->ring_size, span, pipe, struct pipe_inode_info, head, ring_size);
	SPAN_GET(&v->bufs, span, pipe, struct pipe_inode_info, head, bufs);
	return true;
}

static __always_inline __u32 slot_bytes(const struct pipe_view *v, __u32 i)
{
	struct pipe_buffer *buf = (void *)v->bufs + ((v->tail + i) & (v->ring_size - 1)) *
							    bpf_core_type_size(struct pipe_buffer);
	__u32 len = 0;

	KREAD(&len, &buf->len);
	return len;
}

struct slot_walk {
	struct pipe_view v;
	__u32 bytes, pad;
};

static long slot_add(__u32 i, void *arg)
{
	struct slot_walk *w = arg;

	w->bytes += slot_bytes(&w->v, i);
	return 0;
}

#define RING_DEFAULT 16 /* PIPE_DEF_BUFFERS */

/* Bytes in a ring of the default size: all its buffers in one read. */
static __always_inline __u32 ring_bytes(const struct pipe_view *v)
{
	const __u32 size = bpf_core_type_size(struct pipe_buffer);
	const __u32 at = bpf_core_field_offset(struct pipe_buffer, len);
	struct scratch *s = get_scratch();
	__u32 bytes = 0, len;

	if (!s || size > sizeof(s->bufs) / RING_DEFAULT ||
	    bpf_probe_read_kernel(s->bufs, RING_DEFAULT * size, v->bufs))
		return 0;
	for (__u32 i = 0; i < RING_DEFAULT; i++) {
		/* in use: i lies between tail and head, modulo the ring */
		if (((i - v->tail) & (RING_DEFAULT - 1)) >= v->head - v->tail)
			continue;
		__builtin_memcpy(&len, s->bufs + i * size + at, sizeof(len));
		bytes += len;
	}
	return bytes;
}

/* Bytes in the pipe; at most RING_MAX buffers are looked at. */
#define RING_MAX 4096

GLOBAL int pipe_bytes(const struct pipe_view *v)
{
	struct slot_walk w = {};
	__u32 cnt;

	if (!v)
		return 0;
	cnt = v->head - v->tail;
	if (v->ring_size == RING_DEFAULT)
		return ring_bytes(v);
	w.v = *v;
	bpf_loop(cnt < RING_MAX ? cnt : RING_MAX, slot_add, &w, 0);
	return w.bytes;
}

/*
 * To add buffers up costs as much as a system call, so under heavy traffic it is
 * done this often at most; in between user space knows from what went in and out.
 */
#define WALK_NS      100000
#define LONG_WALK_NS 1000000

__u64 pipe_walked_ns __weak;

static __always_inline void pipe_sample(struct sample *s, const struct objref *o)
{
	struct pipe_view v;
	struct span span;
	__u32 cnt;

	s->dir = o->id;
	if (!pipe_look(&v, o->ptr, &span))
		return;
	cnt = v.head - v.tail;
	if (!cnt) {
		s->flags |= OPF_EMPTY | OPF_BACKLOG;
		return;
	}
	if (cnt >= v.max)
		s->flags |= OPF_FULL;
	if (cnt > 1 && !s->exact) {
		if (!s->now_ns)
			s->now_ns = bpf_ktime_get_ns();
		if (s->now_ns - pipe_walked_ns < (cnt > RING_DEFAULT ? LONG_WALK_NS : WALK_NS))
			return;
		pipe_walked_ns = s->now_ns;
	}
	s->backlog = cnt == 1 ? slot_bytes(&v, 0) : pipe_bytes(&v);
	s->flags |= OPF_BACKLOG;
}

static __always_inline void pipe_describe(struct ev_obj *e, const struct objref *o,
					  struct span *span)
{
	struct pipe_view v;

	if (!pipe_look(&v, o->ptr, span))
		return;
	e->capacity = v.max << cfg.page_shift;
	e->backlog = v.head == v.tail ? 0 : pipe_bytes(&v);
	e->hdr.flags |= OBJF_BACKLOG | (v.head - v.tail >= v.max ? OBJF_FULL : 0);
}

/* The walk from a file up to the root of its mount tree, as d_path() in fs/d_path.c goes. */
struct path_walk {
	struct dentry *dentry;
	struct vfsmount *mnt;
	__u32 at; /* first byte of the path in path_end */
	__u32 done;
};

static long path_step(__u32 i, void *arg)
{
	struct scratch *s = get_scratch();
	struct path_walk *w = arg;
	struct vfsmount *mnt = w->mnt;
	struct dentry *dentry = w->dentry, *root = NULL;
	const unsigned char *name = NULL;
	struct mount *m, *up = NULL;
	__u32 len = 0, at;

	if (!s)
		return 1;
	KREAD(&root, &mnt->mnt_root);
	if (dentry == root) {
		m = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
		KREAD(&up, &m->mnt_parent);
		w->done = up == m;
		if (!up || up == m)
			return 1;
		KREAD(&w->dentry, &m->mnt_mountpoint);
		w->mnt = (void *)up + bpf_core_field_offset(struct mount, mnt);
		return 0;
	}
	KREAD(&len, &dentry->d_name.len);
	KREAD(&name, &dentry->d_name.name);
	KREAD(&w->dentry, &dentry->d_parent);
	if (!len || len > 127 || len + 1 > w->at)
		return 1;
	at = w->at - len;
	bpf_probe_read_kernel(s->path_end + (at & (NAME_MAX_LEN - 1)), len & 127, name);
	at--;
	s->path_end[at & (NAME_MAX_LEN - 1)] = '/';
	w->at = at;
	return 0;
}

#define PATH_STEPS 64 /* directories and mounts */

/* The absolute path of a FIFO into the scratch EV_NAME. 0: too long, or too deep. */
GLOBAL int fifo_path(__u64 file_ptr, __u64 chan, __u64 pid_tgid)
{
	struct path_walk w = {.at = NAME_MAX_LEN - 1};
	struct file *file = (void *)file_ptr;
	struct scratch *s = get_scratch();

	if (!s)
		return 0;
	KREAD(&w.dentry, &file->f_path.dentry);
	KREAD(&w.mnt, &file->f_path.mnt);
	__builtin_memset(&s->path, 0, sizeof(s->path));
	bpf_loop(PATH_STEPS, path_step, &w, 0);
	if (!w.done || w.at >= NAME_MAX_LEN - 1)
		return 0;
	bpf_probe_read_kernel(s->path.text, (NAME_MAX_LEN - 1 - w.at) & (NAME_MAX_LEN - 1),
			      s->path_end + (w.at & (NAME_MAX_LEN - 1)));
	hdr_init(&s->path.hdr, EV_NAME, sizeof(s->path), pid_tgid >> 32, pid_tgid, NAMEF_CHAN,
		 bpf_ktime_get_ns());
	s->path.chan = chan;
	return 1;
}

#endif
