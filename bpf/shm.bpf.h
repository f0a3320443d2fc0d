/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * shm.bpf.h - memory that processes share: a file's inode, mapped MAP_SHARED.
 *
 * POSIX shared memory and any other file have a path; a memfd has a name of its
 * own, shared anonymous memory none; a System V segment is a file, too, whose
 * inode number is the segment's id (newseg() in ipc/shm.c). The last three have
 * an entry that is its own parent and that nobody can make by a path.
 */
#ifndef IPCSPY_SHM_BPF_H
#define IPCSPY_SHM_BPF_H

#include "inode.bpf.h"
#include "object.bpf.h"
#include "pidns.bpf.h"

#define S_IFREG             0100000
#define ANON_INODE_FS_MAGIC 0x09041934 /* one inode for all: io_uring, perf, BPF rings */

#define VM_READ     0x1
#define VM_WRITE    0x2
#define VM_MAYSHARE 0x80 /* MAP_SHARED, also of a file that was opened read-only */

#define PAGE_BYTES (1ull << cfg.page_shift)
#define PAGE_UP(n) (((n) + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1))

#define SHM_DEST 01000 /* shm_perm.mode: removed, and gone with its last user */

#define MECHS_SHARED (1u << MECH_SHM | 1u << MECH_SYSV_SHM)

/*
 * Which processes have mappings that records told of: only their calls that unmap
 * are told. By pid, CROWD where two share a place.
 */
#define MAPPERS (1 << 14)
__u32 mappers[MAPPERS] __weak;

static __always_inline bool is_mapper(__u32 tgid)
{
	__u32 who = mappers[tgid & (MAPPERS - 1)];

	return who == tgid || who == CROWD;
}

static __always_inline void mapper_add(__u32 tgid)
{
	__u32 *who = &mappers[tgid & (MAPPERS - 1)], was;

	if (*who == tgid || *who == CROWD)
		return;
	was = __sync_val_compare_and_swap(who, 0, tgid);
	if (was && was != tgid)
		*who = CROWD;
}

static __always_inline void mapper_del(__u32 tgid)
{
	__sync_val_compare_and_swap(&mappers[tgid & (MAPPERS - 1)], tgid, 0);
}

/* The entry of a file that is in no directory; NULL: it is in one. */
static __always_inline struct dentry *pseudo_dentry(__u64 file_ptr)
{
	struct file *file = (void *)file_ptr;
	struct dentry *dentry = NULL, *parent = NULL;

	KREAD(&dentry, &file->f_path.dentry);
	KREAD(&parent, &dentry->d_parent);
	return dentry && parent == dentry ? dentry : NULL;
}

/* The first eight bytes of a name, as a number. */
static __always_inline __u64 name_begin(struct dentry *dentry)
{
	const unsigned char *name = NULL;
	__u64 begin = 0;

	KREAD(&name, &dentry->d_name.name);
	KREAD(&begin, (__u64 *)name);
	return begin;
}

#define SYSV_BEGIN  0x56535953u       /* "SYSV", and the key behind it */
#define MEMFD_BEGIN 0x3a64666d656dull /* "memfd:" */

/* Fills *o for the file of a mapping. 0: not memory that processes share. */
GLOBAL int shm_resolve(struct objref *o, __u64 file_ptr)
{
	struct file *file = (void *)file_ptr;
	struct super_block *sb = NULL;
	struct inode *inode = NULL;
	struct dentry *pseudo;
	unsigned long magic = 0, ino = 0;
	__u16 mode = 0;

	if (!o || !file_ptr || KREAD(&inode, &file->f_inode) || KREAD(&mode, &inode->i_mode) ||
	    (mode & S_IFMT) != S_IFREG)
		return 0;
	KREAD(&sb, &inode->i_sb);
	KREAD(&magic, &sb->s_magic);
	if (magic == ANON_INODE_FS_MAGIC)
		return 0;
	pseudo = pseudo_dentry(file_ptr);
	KREAD(&ino, &inode->i_ino);
	o->id = inode_id(inode);
	o->wkey = o->id;
	o->ptr = (__u64)inode;
	o->ino = ino;
	o->mech = pseudo && (__u32)name_begin(pseudo) == SYSV_BEGIN ? MECH_SYSV_SHM : MECH_SHM;
	o->connected = true;
	o->family = 0;
	return o->id && (cfg.mech_mask & (1u << o->mech));
}

/* Is there a mapping of it that may write? What nobody can write carries nothing. */
static __always_inline bool shm_writable(const struct objref *o)
{
	struct inode *inode = (void *)o->ptr;
	struct address_space *mapping = NULL;
	int cnt = 0;

	KREAD(&mapping, &inode->i_mapping);
	KREAD(&cnt, &mapping->i_mmap_writable.counter);
	return cnt > 0;
}

/* The key in the name "SYSV%08x": IPC_RMID takes it from the segment itself. */
GLOBAL __u32 sysv_shm_key(__u64 file_ptr)
{
	struct dentry *pseudo = pseudo_dentry(file_ptr);
	const unsigned char *name = NULL;
	__u64 digits = 0;
	__u32 key = 0;

	if (!pseudo)
		return 0;
	KREAD(&name, &pseudo->d_name.name);
	KREAD(&digits, (__u64 *)(name + 4));
	for (int i = 0; i < 8; i++) {
		__u32 c = digits >> 8 * i & 0xff;

		key = key << 4 | ((c > '9' ? c - 'a' + 10 : c - '0') & 0xf);
	}
	return key;
}

/*
 * The IPC namespace of a segment: that of struct shm_file_data, which only the file of
 * a mapping has; the segment's own file has none, and is in the caller's namespace.
 */
static __always_inline __u64 shm_ns(__u64 file_ptr, __u32 id)
{
	struct file *file = (void *)file_ptr;
	struct shm_file_data *sfd = NULL;
	struct ipc_namespace *ns = NULL;
	__s32 has = -1;

	KREAD(&sfd, (struct shm_file_data **)&file->private_data);
	if (!sfd || KREAD(&has, &sfd->id) || (__u32)has != id || KREAD(&ns, &sfd->ns))
		return sysv_ns(bpf_get_current_task_btf());
	return (__u64)ns;
}

/* What only a System V segment has; vals[1] as struct ev_obj says. */
GLOBAL __u64 sysv_shm_vals(__u64 file_ptr, __u32 id)
{
	__u64 vals = (__u64)sysv_shm_key(file_ptr) << 32;
	struct pid *creator = NULL;
	struct shmid_kernel *shm;
	struct objref seg = {};
	__u16 mode = 0;

	if (!sysv_resolve(&seg, shm_ns(file_ptr, id), SYSV_SHM, id, MECH_SYSV_SHM))
		return vals;
	shm = (void *)seg.ptr;
	KREAD(&mode, &shm->shm_perm.mode);
	KREAD(&creator, &shm->shm_cprid);
	return vals | (mode & SHM_DEST ? SHMV_REMOVED : 0) |
	       (pid_shown((__u64)creator) & SHMV_CREATOR);
}

/* Fills the scratch EV_OBJ. 0: no scratch. */
GLOBAL int shm_describe(const struct objref *o, __u64 file_ptr, __u64 pid_tgid, __u32 flags)
{
	struct scratch *s = get_scratch();
	struct inode *inode;
	__u32 nlink = 1;
	__s64 size = 0;
	struct ev_obj *e;

	if (!s || !o || !object_describe_head(o, pid_tgid, -1, flags))
		return 0;
	inode = (void *)o->ptr;
	e = &s->obj;
	KREAD(&size, &inode->i_size);
	e->vals[0] = size;
	if (o->mech == MECH_SYSV_SHM) {
		e->vals[1] = sysv_shm_vals(file_ptr, o->ino);
		e->netns = ipc_ns_inum(shm_ns(file_ptr, o->ino));
		return 1;
	}
	KREAD(&nlink, &inode->__i_nlink);
	if (!nlink && !pseudo_dentry(file_ptr))
		e->vals[1] = SHMV_REMOVED;
	return 1;
}

/* Fills the scratch EV_NAME. 0: it has no name of its own. */
GLOBAL int shm_path(const struct objref *o, __u64 file_ptr, __u64 pid_tgid)
{
	struct scratch *s = get_scratch();
	const unsigned char *name = NULL;
	struct dentry *pseudo;

	if (!s || !o || o->mech == MECH_SYSV_SHM)
		return 0;
	pseudo = pseudo_dentry(file_ptr);
	if (!pseudo)
		return fifo_path(file_ptr, o->id, pid_tgid);
	if ((name_begin(pseudo) & 0xffffffffffffull) != MEMFD_BEGIN)
		return 0;
	KREAD(&name, &pseudo->d_name.name);
	__builtin_memset(&s->path, 0, sizeof(s->path));
	bpf_probe_read_kernel_str(s->path.text, sizeof(s->path.text), name);
	hdr_init(&s->path.hdr, EV_NAME, sizeof(s->path), pid_tgid >> 32, pid_tgid, NAMEF_CHAN,
		 bpf_ktime_get_ns());
	s->path.chan = o->id;
	return 1;
}

/* Describes it into the ring. 0: it could not. */
GLOBAL int shm_emit(const struct objref *o, __u64 file_ptr, __u64 pid_tgid)
{
	struct scratch *s = get_scratch();

	if (!s || !o || !shm_describe(o, file_ptr, pid_tgid, 0))
		return 0;
	if (bpf_ringbuf_output(&events, &s->obj, sizeof(s->obj), BPF_RB_NO_WAKEUP)) {
		lose(o->mech, o->id);
		return 0;
	}
	object_note(o);
	if (shm_path(o, file_ptr, pid_tgid))
		bpf_ringbuf_output(&events, &s->path, sizeof(s->path), BPF_RB_NO_WAKEUP);
	return 1;
}

static __always_inline __u32 map_rights(__u64 vm_flags)
{
	return (vm_flags & VM_READ ? MAPF_READ : 0) | (vm_flags & VM_WRITE ? MAPF_WRITE : 0);
}

#endif
