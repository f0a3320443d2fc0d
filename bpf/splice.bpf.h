/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * splice.bpf.h - what a call waits for that moves bytes from one descriptor to another.
 */
#ifndef IPCSPY_SPLICE_BPF_H
#define IPCSPY_SPLICE_BPF_H

#include "op.bpf.h"

#define FMODE_READ  0x1
#define FMODE_WRITE 0x2

static __always_inline bool file_writable(__u64 file_ptr)
{
	struct file *file = (void *)file_ptr;
	__u32 mode = 0;

	KREAD(&mode, &file->f_mode);
	return mode & FMODE_WRITE;
}

/*
 * It waits for data as long as the source has none, else for room. A terminal counts as one
 * without: to look at it takes more stack than the callers have left.
 */
GLOBAL int has_data(const struct objref *source)
{
	struct sample s = {};
	struct pipe_view v;
	struct span span;

	if (!source || source->mech > MECH_UDP)
		return 0;
	if (source->mech <= MECH_FIFO) {
		pipe_look(&v, source->ptr, &span);
		return v.head != v.tail;
	}
	sock_sample(&s, source, OP_RECV);
	return !(s.flags & OPF_EMPTY);
}

#endif
