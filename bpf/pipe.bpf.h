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
#define PAGE_BYTES   4096

static __always_inline bool pipe_resolve(struct objref *o, struct file *file, struct inode *inode)
{
	struct super_block *sb = NULL;
	unsigned long magic = 0;
	__u32 dev = 0, gen = 0;

	if (KREAD(&o->ptr, &file->private_data) || !o->ptr)
		return false;
	KREAD(&sb, &inode->i_sb);
	KREAD(&magic, &sb->s_magic);
	if (magic == PIPEFS_MAGIC) {
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

static long pipe_slot_add(__u32 i, void *arg)
{
	struct {
		struct pipe_buffer *bufs;
		__u32 tail, mask, cnt, bytes;
	} *w = arg;
	struct pipe_buffer *bufs = w->bufs, *buf;
	__u32 len = 0;

	if (i >= w->cnt)
		return 1;
	buf = (void *)bufs + ((w->tail + i) & w->mask) * bpf_core_type_size(struct pipe_buffer);
	KREAD(&len, &buf->len);
	w->bytes += len;
	return 0;
}

/* Bytes in cnt buffers from tail on. */
static __noinline __u32 pipe_bytes(struct pipe_inode_info *pipe, __u32 tail, __u32 cnt)
{
	struct {
		struct pipe_buffer *bufs;
		__u32 tail, mask, cnt, bytes;
	} w = {.tail = tail, .cnt = cnt};
	__u32 ring_size = 0;

	KREAD(&w.bufs, &pipe->bufs);
	KREAD(&ring_size, &pipe->ring_size);
	w.mask = ring_size - 1;
	bpf_loop(cnt, pipe_slot_add, &w, 0);
	return w.bytes;
}

/* The walk over a long queue is paid for at most once a millisecond and CPU. */
#define PIPE_WALK_ALWAYS 16
#define PIPE_WALK_NS	 1000000

static __u64 pipe_walked_ns;

static __always_inline void pipe_sample(struct sample *s, const struct objref *o)
{
	struct pipe_inode_info *pipe = (void *)o->ptr;
	__u32 head = 0, tail = 0, max = 0, cnt;

	KREAD(&head, &pipe->head);
	KREAD(&tail, &pipe->tail);
	cnt = head - tail;
	if (!cnt) {
		s->flags |= OPF_EMPTY | OPF_BACKLOG;
		return;
	}
	KREAD(&max, &pipe->max_usage);
	if (cnt >= max)
		s->flags |= OPF_FULL;
	if (cnt > PIPE_WALK_ALWAYS) {
		__u64 now = bpf_ktime_get_ns();

		if (now - pipe_walked_ns < PIPE_WALK_NS)
			return;
		pipe_walked_ns = now;
	}
	s->backlog = pipe_bytes(pipe, tail, cnt);
	s->flags |= OPF_BACKLOG;
}

static __always_inline void pipe_describe(struct ev_obj *e, const struct objref *o,
					  struct file *file)
{
	struct pipe_inode_info *pipe = (void *)o->ptr;
	__u32 max = 0, head = 0, tail = 0;

	KREAD(&max, &pipe->max_usage);
	e->capacity = max * PAGE_BYTES;
	KREAD(&head, &pipe->head);
	KREAD(&tail, &pipe->tail);
	e->backlog = head == tail ? 0 : pipe_bytes(pipe, tail, head - tail);
	e->hdr.flags |= OBJF_BACKLOG | (head - tail >= max ? OBJF_FULL : 0);
	if (o->mech == MECH_FIFO) {
		struct dentry *dentry = NULL;
		const unsigned char *name = NULL;
		long n;

		KREAD(&dentry, &file->f_path.dentry);
		KREAD(&name, &dentry->d_name.name);
		n = bpf_probe_read_kernel_str(e->name.name, IPCSPY_SUN_LEN, name);
		e->name.len = n > 1 ? n - 1 : 0;
	}
}

#endif
