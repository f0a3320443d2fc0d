/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * wake.bpf.h - records of waits that a wake ends: futexes and semaphores.
 */
#ifndef IPCSPY_WAKE_BPF_H
#define IPCSPY_WAKE_BPF_H

#include "op.bpf.h"

__u32 futexes_watched __weak; /* no target touched a word: no stranger's concerns one */

/*
 * Words, by a hash of their objects, from which waiters were moved to another: who wakes one of
 * those may wake it there. Anybody else that wakes while a task is in a call that wakes
 * something else is an interrupt, such as a time-out.
 */
#define MOVED (1 << 12)
__u8 moved_from[MOVED] __weak;

static __always_inline bool futex_admit(const struct objref *o, struct task_struct *task,
					bool target)
{
	if (!target && o->mech == MECH_FUTEX_PRIVATE)
		return false;
	if (target)
		futexes_watched = 1;
	return object_admit(o, task, target);
}

/* A finished wait. index: of the semaphore, else 0. */
static __always_inline void wait_emit(const struct inflight *in, const struct objref *o,
				      const struct sample *s, __s32 ret, __u32 index)
{
	__u32 flags = in->wake_flags & (WAKEF_CALL | WAKEF_COUNTED);

	__u64 by = (__u64)index << 48, at = 0;

	if (ret || !in->woken_ns) {
		if (o->mech == MECH_SYSV_SEM)
			op_emit_vals(in, o, s, OP_RECV, ret, 0, 0, by);
		else
			op_emit(in, o, s, OP_RECV, ret, 0);
		return;
	}
	by |= in->waker_tgid | (__u64)flags << 32;
	at = flags & WAKEF_CALL ? in->wake_ns : in->woken_ns;
	op_emit_vals(in, o, s, OP_RECV, 0, 0, at, by);
}

#endif
