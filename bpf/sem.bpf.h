/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * sem.bpf.h - System V semaphore sets: struct sem_array (ipc/sem.c).
 */
#ifndef IPCSPY_SEM_BPF_H
#define IPCSPY_SEM_BPF_H

#include "sysv.bpf.h"

/* s->seq: value of one semaphore of the set, counted from 0. */
static __always_inline void sem_sample(struct sample *s, const struct objref *o, __u32 index)
{
	struct sem_array *set = (void *)o->ptr;
	__s32 id = -1, cnt = 0, value = 0;
	struct sem *sem;

	if (KREAD(&id, &set->sem_perm.id) || mix(o->ptr, id) != o->id ||
	    KREAD(&cnt, &set->sem_nsems) || cnt < 0 || index >= (__u32)cnt)
		return;
	sem = (void *)set->sems + index * bpf_core_type_size(struct sem);
	if (KREAD(&value, &sem->semval))
		return;
	s->seq = value;
	s->flags |= OPF_SEQ;
}

/* peer: semaphores in the set. */
static __always_inline void sem_describe(struct ev_obj *e, const struct objref *o)
{
	struct sem_array *set = (void *)o->ptr;
	__s32 cnt = 0;

	if (sysv_describe(e, o) && !KREAD(&cnt, &set->sem_nsems))
		e->peer = cnt;
}

#endif
