/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * futex.bpf.h - from a futex word's address to what identifies the word.
 *
 * As get_futex_key() in kernel/futex/core.c has it: a word in a shared mapping is
 * known by the mapped file and its place there, so that processes that map it at
 * different addresses mean one word; any other word belongs to its address
 * space, whatever the caller's flags say.
 */
#ifndef IPCSPY_FUTEX_BPF_H
#define IPCSPY_FUTEX_BPF_H

#include "inode.bpf.h"

#define EBUSY       16
#define VM_MAYSHARE 0x80 /* mapped with MAP_SHARED, writable or not */

#define FUTEX_PRIVATE_FLAG 128 /* FUTEX2_PRIVATE is the same */

static __always_inline bool takes_private(void)
{
	return cfg.mech_mask & (1u << MECH_FUTEX_PRIVATE);
}

/* Private by its flag, and not asked for: the same answer at entry and at exit. */
static __always_inline bool futex_skipped(struct pt_regs *regs, __u8 how)
{
	if (takes_private())
		return false;
	return (how == FUTEX_CLASSIC && SYS_ARG1(regs) & FUTEX_PRIVATE_FLAG) ||
	       (how == FUTEX_ONE && SYS_ARG3(regs) & FUTEX_PRIVATE_FLAG);
}

static __always_inline bool is_futex(__u8 mech)
{
	return mech == MECH_FUTEX || mech == MECH_FUTEX_PRIVATE;
}

/* What is to be known of the mapping around an address. */
struct word_look {
	__u64 addr;
	__u64 object; /* 0: not shared */
	__u64 offset; /* in it; else the address */
	__u64 ino;
};

static long word_see(struct task_struct *task, struct vm_area_struct *vma, struct word_look *w)
{
	struct file *file = vma->vm_file;
	struct inode *inode = NULL;

	if (!(vma->vm_flags & VM_MAYSHARE) || !file || KREAD(&inode, &file->f_inode))
		return 0;
	w->object = inode_id(inode);
	w->offset = ((__u64)vma->vm_pgoff << cfg.page_shift) + (w->addr - vma->vm_start);
	w->ino = file->f_inode->i_ino;
	return 0;
}

/*
 * A number that changes whenever the address space does: while it stays, so does what
 * an address means. 0: this kernel counts no such thing.
 */
static __always_inline __u64 mm_sequence(struct task_struct *task)
{
	struct mm_struct *mm = (void *)TASK_PTR(task, mm);
	__u32 seq = 0;

	if (!mm)
		return 0;
	if (bpf_core_field_exists(struct mm_struct___seqcount, mm_lock_seq.sequence))
		KREAD(&seq, &((struct mm_struct___seqcount *)mm)->mm_lock_seq.sequence);
	else if (bpf_core_field_exists(struct mm_struct___int, mm_lock_seq))
		KREAD(&seq, (__u32 *)&((struct mm_struct___int *)mm)->mm_lock_seq);
	else
		return 0;
	return 1ull << 32 | seq;
}

static __always_inline struct word_cached *word_slot(struct task_ctx *t, __u64 uaddr)
{
	return &t->words[(uaddr >> 2 ^ uaddr >> 6) & (WORD_CACHE - 1)];
}

static __always_inline void futex_is_private(struct objref *o, struct task_struct *task,
					     __u64 uaddr)
{
	o->mech = MECH_FUTEX_PRIVATE;
	o->ptr = mix(TASK_PTR(task, mm), process_start_ns(task));
	o->ino = task->tgid;
	o->id = mix(o->ptr, uaddr);
}

/*
 * Fills o for a word of `task`. -EBUSY: somebody changes the address space just
 * now, so that it cannot be searched; -EFAULT: nothing is mapped there.
 */
static __noinline int futex_resolve(struct objref *o, struct task_struct *task, __u64 uaddr,
				    bool private)
{
	struct word_look w = {.addr = uaddr, .offset = uaddr};
	struct scratch *s = get_scratch();
	long err;

	if (!s)
		return -EFAULT;

	o->connected = true;
	o->family = 0;
	if (private) {
		futex_is_private(o, task, uaddr);
	} else {
		err = bpf_find_vma(task, uaddr, word_see, &w, 0);
		if (err)
			return err == -EBUSY ? -EBUSY : -EFAULT;
		if (w.object) {
			o->mech = MECH_FUTEX;
			o->ptr = w.object;
			o->ino = w.ino;
			o->id = mix(w.object, w.offset);
		} else {
			futex_is_private(o, task, uaddr);
		}
	}
	o->wkey = o->id;
	s->word_at = w.offset;
	return 0;
}

/*
 * at: of the word, which was looked up just now.
 * vals[0]: id of the mapped object, vals[1]: offset in it. A private word: the pid of its
 * process, and its address there.
 */
static __always_inline void futex_describe(struct ev_obj *e, const struct objref *o, __u64 at)
{
	e->vals[0] = o->mech == MECH_FUTEX ? o->ptr : o->ino;
	e->vals[1] = at;
}

#endif
