/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * shm.bpf.c - who maps what memory that others may share, and since when.
 *
 * The calls themselves move nothing. What they map is found through the area at
 * the address that they return, since a descriptor may be of another file
 * (overlayfs) and shmat has none. What is unmapped is told at entry: when the
 * call has returned, another thread may have mapped something there.
 */
#include "shm.bpf.h"
#include "op.bpf.h"
#include "reach.bpf.h"

#define MAP_TYPE            0x0f
#define MAP_SHARED          0x01
#define MAP_SHARED_VALIDATE 0x03
#define MAP_FIXED           0x10
#define MREMAP_DONTUNMAP    4
#define IPC_RMID            0

#define MAX_ERRNO 4095

extern volatile __u32 snap_targets; /* see snap.bpf.c */
extern volatile __u32 snap_obj_flags;

/* A range that a record is about; mremap: and where it was. */
struct range {
	__u64 start, len; /* len 0: to the end of what is there */
	__u64 from, from_len;
	__u64 offset;
	__u64 file; /* what is there; 0: nothing that is shared */
	__u32 flags, pad;
};

static long range_look(struct task_struct *task, struct vm_area_struct *vma, void *arg)
{
	struct range *r = arg;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return 0;
	if (!r->len)
		r->len = vma->vm_end - r->start;
	r->offset = (vma->vm_pgoff << cfg.page_shift) + (r->start - vma->vm_start);
	r->flags = map_rights(vma->vm_flags);
	KREAD(&r->file, (__u64 *)&vma->vm_file);
	return 0;
}

static __always_inline void range_emit(const struct range *r, const struct objref *o,
				       struct task_struct *task)
{
	struct ev_map *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		lose(o->mech, o->id);
		return;
	}
	hdr_init(&e->hdr, EV_MAP, sizeof(*e), task->tgid, task->pid, r->flags, bpf_ktime_get_ns());
	e->chan = o->id;
	e->start = r->start;
	e->len = PAGE_UP(r->len);
	e->offset = r->offset;
	e->from = r->from;
	e->from_len = r->from_len;
	e->mech = o->mech;
	__builtin_memset(e->pad, 0, sizeof(e->pad));
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
}

/* Only a range changes, whatever is mapped there. */
GLOBAL int range_changed(__u64 start, __u64 len, __u32 flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct range r = {.start = start, .len = len, .flags = flags};
	struct objref o = {.mech = MECH_SHM};

	if (is_mapper(task->tgid))
		range_emit(&r, &o, task);
	return 0;
}

/* True: the mapping is to be told, and all that its record names was described. */
GLOBAL int file_admit(__u64 file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_ctx *t = task_find(task);
	struct objref o = {};
	__u64 id;

	if (!shm_resolve(&o, file))
		return 0;
	if (is_target(t))
		watch_key(o.wkey, 0);
	else if (!is_watched(o.wkey, 0) || !shm_writable(&o))
		return 0;
	if (!t)
		t = task_make(task);
	if (!t)
		return 0;
	task_describe(t, task);
	mapper_add(task->tgid);
	id = o.id;
	return bpf_map_lookup_elem(&objects, &id) || shm_emit(&o, file, pid_tgid_of(task));
}

/* Apart from file_admit(), for the stack's sake. */
GLOBAL int range_tell(const struct range *r)
{
	struct objref o = {};

	if (r && shm_resolve(&o, r->file))
		range_emit(r, &o, bpf_get_current_task_btf());
	return 0;
}

/*
 * The caller mapped start ... start + len (0: to its end). False: what is there is no
 * shared memory that is traced, or could not be looked at.
 */
GLOBAL int range_mapped(__u64 start, __u64 len, __u64 from, __u64 from_len)
{
	struct range r = {.start = start, .len = len, .from = from, .from_len = from_len};

	if (bpf_find_vma(bpf_get_current_task_btf(), start, range_look, &r, 0) || !r.file ||
	    !file_admit(r.file))
		return 0;
	range_tell(&r);
	return 1;
}

static __always_inline bool shm_ignored(struct task_struct *task)
{
	return !(cfg.mech_mask & MECHS_SHARED) || is_ignored(task, is_target(task_find(task)));
}

SEC("tp_btf/sys_enter")
int CALL_PROG(enter_shm, struct pt_regs *regs, long nr)
{
	__u8 how = syscalls[nr & (IPCSPY_NR_SYSCALLS - 1)].how;
	struct task_struct *task = bpf_get_current_task_btf();

	if ((how != SHM_UNMAP && how != SHM_DETACH) || !is_mapper(task->tgid))
		return 0;
	if (how == SHM_DETACH) /* how long it is, the caller does not say */
		range_changed(SYS_ARG0(regs), 0, MAPF_GONE);
	else if (!(SYS_ARG0(regs) & (PAGE_BYTES - 1)) && SYS_ARG1(regs))
		range_changed(SYS_ARG0(regs), SYS_ARG1(regs), MAPF_GONE);
	return 0;
}

static __always_inline void exit_mmap(struct pt_regs *regs, __u64 addr)
{
	__u32 type = SYS_ARG3(regs) & MAP_TYPE;

	if ((type == MAP_SHARED || type == MAP_SHARED_VALIDATE) &&
	    range_mapped(addr, SYS_ARG1(regs), 0, 0))
		return;
	if (SYS_ARG3(regs) & MAP_FIXED)
		range_changed(addr, SYS_ARG1(regs), MAPF_GONE);
}

static __always_inline void exit_mremap(struct pt_regs *regs, __u64 addr)
{
	__u64 was = SYS_ARG3(regs) & MREMAP_DONTUNMAP ? 0 : PAGE_UP(SYS_ARG1(regs));

	if (range_mapped(addr, SYS_ARG2(regs), SYS_ARG0(regs), was))
		return;
	if (was)
		range_changed(SYS_ARG0(regs), was, MAPF_GONE);
	range_changed(addr, SYS_ARG2(regs), MAPF_GONE);
}

/* The segment is described again: it was marked, unless nobody was attached. */
GLOBAL int segment_removed(__s32 id)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct shmid_kernel *shm;
	struct objref seg = {}, o = {};
	struct file *file = NULL;
	__u64 key;

	if (!sysv_resolve(&seg, sysv_ns(task), SYSV_SHM, id, MECH_SYSV_SHM))
		return 0;
	shm = (void *)seg.ptr;
	KREAD(&file, &shm->shm_file);
	if (!shm_resolve(&o, (__u64)file))
		return 0;
	key = o.id;
	if (bpf_map_lookup_elem(&objects, &key))
		shm_emit(&o, (__u64)file, pid_tgid_of(task));
	return 0;
}

/* A file that is mapped somewhere changed its size. */
GLOBAL int file_resized(__u32 fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 file = file_of_fd(task, fd), id;
	struct objref o = {};

	if (!file || !shm_resolve(&o, file))
		return 0;
	id = o.id;
	if (bpf_map_lookup_elem(&objects, &id))
		shm_emit(&o, file, pid_tgid_of(task));
	return 0;
}

SEC("tp_btf/sys_exit")
int CALL_PROG(exit_shm, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u8 how = syscalls[SYS_NR(regs) & (IPCSPY_NR_SYSCALLS - 1)].how;

	if ((unsigned long)ret >= (unsigned long)-MAX_ERRNO)
		return 0;
	/* most calls are private memory's: they end here */
	if (how == SHM_MAP && !(SYS_ARG3(regs) & (MAP_SHARED | MAP_FIXED)))
		return 0;
	if ((how == SHM_REMAP || how == SHM_PROTECT) && !is_mapper(task->tgid))
		return 0;
	if (how == SHM_UNMAP || how == SHM_DETACH || shm_ignored(task))
		return 0;
	switch (how) {
	case SHM_MAP:
		exit_mmap(regs, ret);
		break;
	case SHM_REMAP:
		exit_mremap(regs, ret);
		break;
	case SHM_PROTECT:
		range_changed(SYS_ARG0(regs), SYS_ARG1(regs),
			      MAPF_RIGHTS | map_rights(SYS_ARG2(regs)));
		break;
	case SHM_ATTACH:
		range_mapped(ret, 0, 0, 0);
		break;
	case SHM_CONTROL:
		if ((__u32)SYS_ARG1(regs) == IPC_RMID)
			segment_removed(SYS_ARG0(regs));
		break;
	case SHM_RESIZE:
		file_resized(SYS_ARG0(regs));
		break;
	}
	return 0;
}

/* Every mapping of a target, and every other of what targets map, as snap_files() does. */
SEC("iter/task_vma")
int ITER_PROG(snap_maps, struct bpf_iter__task_vma)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct vm_area_struct *vma = ctx->vma;
	struct scratch *s = get_scratch();
	struct objref o = {};
	struct task_ctx *t;
	struct ev_map *e;
	bool target, watched, reached, known;
	__u64 id, file = 0;

	if (!task || !vma || !s || is_own(task->tgid))
		return 0;
	if (!(vma->vm_flags & VM_MAYSHARE))
		return 0;
	t = looking() ? NULL : task_find(task);
	target = looking() || is_target(t);
	if (!target && (snap_targets || !cfg.peers))
		return 0;
	KREAD(&file, (__u64 *)&vma->vm_file);
	if (!file || !shm_resolve(&o, file))
		return 0;
	id = o.id;
	reached = !target && is_reached(id);
	watched = target || is_watched(o.wkey, 0);
	if ((!watched && !reached) || (!(target && !looking()) && !shm_writable(&o)))
		return 0;
	if (target && !looking())
		watch_key(o.wkey, 0);
	if (snap_targets || !shm_describe(&o, file, pid_tgid_of(task),
					  snap_obj_flags | (reached ? OBJF_REACHED : 0)))
		return 0;
	known = !looking() && bpf_map_lookup_elem(&objects, &id);
	e = &s->map;
	hdr_init(&e->hdr, EV_MAP, sizeof(*e), task->tgid, task->pid,
		 map_rights(vma->vm_flags) | MAPF_SNAPSHOT, bpf_ktime_get_ns());
	e->chan = o.id;
	e->start = vma->vm_start;
	e->len = vma->vm_end - vma->vm_start;
	e->offset = vma->vm_pgoff << cfg.page_shift;
	e->mech = o.mech;
	proc_fill(&s->proc, task, target ? PROCF_TARGET : 0);
	/* see snap_files() */
	if (!looking() && !(t && (t->flags & TF_DESCRIBED)) &&
	    bpf_seq_write(seq, &s->proc, sizeof(s->proc)))
		return 0;
	if (bpf_seq_write(seq, &s->obj, sizeof(s->obj)) ||
	    (!known && shm_path(&o, file, pid_tgid_of(task)) &&
	     bpf_seq_write(seq, &s->path, sizeof(s->path))) ||
	    bpf_seq_write(seq, e, sizeof(*e)) || looking())
		return 0;
	if (!t)
		t = task_make(task);
	if (t)
		task_flag(t, TF_DESCRIBED);
	if (watched)
		mapper_add(task->tgid);
	object_note(&o);
	return 0;
}
