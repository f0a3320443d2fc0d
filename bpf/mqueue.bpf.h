/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * mqueue.bpf.h - POSIX message queues: struct mqueue_inode_info (ipc/mqueue.c).
 *
 * A queue is an inode of the mqueue file system, known by its address and number:
 * those are counted up and not given out again for a long time. read(2) on its
 * descriptor gives text about the queue and no message, so these descriptors are
 * looked for by the queue's own calls only.
 */
#ifndef IPCSPY_MQUEUE_BPF_H
#define IPCSPY_MQUEUE_BPF_H

#include "msgqueue.bpf.h"

#define MQUEUE_MAGIC 0x19800202

__u64 mqueue_sb __weak; /* the last superblock that was one: there is one per IPC namespace */

GLOBAL int mqueue_resolve(struct objref *o, __u64 file_ptr)
{
	struct file *file = (void *)file_ptr;
	struct super_block *sb = NULL;
	struct inode *inode = NULL;
	unsigned long magic = 0, ino = 0;

	if (!o || !bpf_core_type_exists(struct mqueue_inode_info) ||
	    KREAD(&inode, &file->f_inode) || KREAD(&sb, &inode->i_sb))
		return 0;
	if ((__u64)sb != mqueue_sb) {
		KREAD(&magic, &sb->s_magic);
		if (magic != MQUEUE_MAGIC)
			return 0;
		mqueue_sb = (__u64)sb;
	}
	KREAD(&ino, &inode->i_ino);
	o->ptr = (__u64)inode - bpf_core_field_offset(struct mqueue_inode_info, vfs_inode);
	o->ino = ino;
	o->id = mix(o->ptr, ino);
	o->wkey = o->id;
	o->mech = MECH_POSIX_MQ;
	o->connected = true;
	o->family = 0;
	return (cfg.mech_mask & (1u << MECH_POSIX_MQ)) != 0;
}

struct mqueue_view {
	__u64 max, longest, now;
};

static __always_inline void mqueue_look(struct mqueue_view *v, __u64 *bytes, const struct objref *o)
{
	struct mqueue_inode_info *info = (void *)o->ptr;

	KREAD(&v->max, &info->attr.mq_maxmsg);
	KREAD(&v->longest, &info->attr.mq_msgsize);
	KREAD(&v->now, &info->attr.mq_curmsgs);
	if (bytes)
		KREAD(bytes, &info->qsize);
}

static __always_inline void mqueue_sample(struct sample *s, const struct objref *o)
{
	struct mqueue_view v = {};

	mqueue_look(&v, NULL, o);
	s->dir = DIR_ALWAYS; /* a receiver need not ask for the priority */
	s->backlog = v.now;
	s->flags |= OPF_BACKLOG | (v.now >= v.max ? OPF_FULL : 0);
}

/* vals[0]: the longest message that it takes; vals[1]: bytes in it; netns: its IPC namespace. */
static __always_inline void mqueue_describe(struct ev_obj *e, const struct objref *o)
{
	struct mqueue_inode_info *info = (void *)o->ptr;
	struct super_block *sb = NULL;
	struct mqueue_view v = {};
	__u64 ns = 0;

	mqueue_look(&v, &e->vals[1], o);
	KREAD(&sb, &info->vfs_inode.i_sb);
	KREAD(&ns, (__u64 *)&sb->s_fs_info);
	e->netns = ipc_ns_inum(ns);
	e->vals[0] = v.longest;
	e->capacity = v.max;
	e->backlog = v.now;
	e->hdr.flags |= OBJF_BACKLOG | (v.now >= v.max ? OBJF_FULL : 0);
}

/* Queues by their name and file system: mq_unlink says no more. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct objref);
} mq_names __weak SEC(".maps");

/* Of the name in the scratch record, which is zero behind it. */
static __always_inline __u64 mqueue_name_key(const struct ev_name *name, __u64 sb)
{
	const __u64 *w = (const __u64 *)name->text;
	__u64 h = sb;

	for (__u32 i = 0; i < NAME_MAX_LEN / 8; i++)
		h = mix(h, w[i]);
	return h;
}

/* The queue's name as "/name" into the scratch EV_NAME. 0: it has none. */
GLOBAL int mqueue_path(const struct objref *o, __u64 file_ptr, __u64 pid_tgid)
{
	struct file *file = (void *)file_ptr;
	struct scratch *s = get_scratch();
	struct super_block *sb = NULL;
	struct dentry *dentry = NULL;
	struct inode *inode = NULL;
	const unsigned char *name = NULL;
	struct objref copy;
	__u64 key;

	if (!s || !o || !file_ptr)
		return 0;
	__builtin_memset(&s->path, 0, sizeof(s->path));
	KREAD(&inode, &file->f_inode);
	KREAD(&sb, &inode->i_sb);
	KREAD(&dentry, &file->f_path.dentry);
	KREAD(&name, &dentry->d_name.name);
	if (bpf_probe_read_kernel_str(s->path.text + 1, NAME_MAX_LEN - 1, name) <= 1)
		return 0;
	s->path.text[0] = '/';
	copy = *o;
	key = mqueue_name_key(&s->path, (__u64)sb);
	bpf_map_update_elem(&mq_names, &key, &copy, BPF_ANY);
	hdr_init(&s->path.hdr, EV_NAME, sizeof(s->path), pid_tgid >> 32, pid_tgid, NAMEF_CHAN,
		 bpf_ktime_get_ns());
	s->path.chan = o->id;
	return 1;
}

/* The queue of that name, without the slash (as system calls take it), if it was ever described. */
GLOBAL int mqueue_by_name(struct objref *o, __u64 ipc_ns, __u64 uname)
{
	struct ipc_namespace *ns = (void *)ipc_ns;
	struct scratch *s = get_scratch();
	struct super_block *sb = NULL;
	struct vfsmount *mnt = NULL;
	struct objref *known;
	__u64 key;

	if (!s || !o || !ipc_ns)
		return 0;
	__builtin_memset(&s->path, 0, sizeof(s->path));
	if (bpf_probe_read_user_str(s->path.text + 1, NAME_MAX_LEN - 1, (void *)uname) <= 1)
		return 0;
	s->path.text[0] = '/';
	KREAD(&mnt, &ns->mq_mnt);
	KREAD(&sb, &mnt->mnt_sb);
	key = mqueue_name_key(&s->path, (__u64)sb);
	known = bpf_map_lookup_elem(&mq_names, &key);
	if (!known)
		return 0;
	*o = *known;
	return 1;
}

/*
 * The queue's messages, highest priority first: a tree of priorities, each a list
 * of messages. One step does one message or goes one edge of the tree.
 */
enum mq_step { MQ_LIST, MQ_LOWER, MQ_RIGHT, MQ_UP };

struct mqueue_walk {
	struct found f;
	struct rb_node *node;
	struct list_head *at;
	__u32 step, pad;
};

static __always_inline struct list_head *mqueue_list(struct rb_node *node)
{
	return (void *)node - bpf_core_field_offset(struct posix_msg_tree_node, rb_node) +
	       bpf_core_field_offset(struct posix_msg_tree_node, msg_list);
}

static __always_inline void mqueue_begin_list(struct mqueue_walk *w)
{
	struct list_head *head = mqueue_list(w->node);

	KREAD(&w->at, &head->next);
	w->step = MQ_LIST;
}

static long mqueue_step(__u32 i, void *arg)
{
	struct mqueue_walk *w = arg;
	struct rb_node *node = w->node, *next = NULL, *right = NULL;
	unsigned long parent = 0;

	switch (w->step) {
	case MQ_LIST:
		if (w->at && w->at != mqueue_list(node))
			return msg_found(&w->f, &w->at);
		w->step = MQ_LOWER;
		return 0;
	case MQ_LOWER:
		KREAD(&next, &node->rb_left);
		w->step = next ? MQ_RIGHT : MQ_UP;
		if (next)
			w->node = next;
		return 0;
	case MQ_RIGHT:
		KREAD(&next, &node->rb_right);
		if (next)
			w->node = next;
		else
			mqueue_begin_list(w);
		return 0;
	default:
		KREAD(&parent, &node->__rb_parent_color);
		w->node = (void *)(parent & ~3ul);
		if (!w->node)
			return 1;
		KREAD(&right, &w->node->rb_right);
		if (right == node)
			mqueue_begin_list(w);
		return 0;
	}
}

static __always_inline void mqueue_contents(const struct objref *o)
{
	struct mqueue_inode_info *info = (void *)o->ptr;
	struct mqueue_walk w = {};

	found_begin(&w.f, o);
	KREAD(&w.node, &info->msg_tree_rightmost);
	if (!w.node)
		return;
	mqueue_begin_list(&w);
	bpf_loop(FOUND_MAX, mqueue_step, &w, 0);
}

#endif
