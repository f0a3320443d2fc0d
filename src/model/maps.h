/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps.h - the ranges of each process's memory that others may share.
 *
 * A process owns its ranges, sorted by address, none overlapping another; two
 * that continue each other in one object are one, as the kernel merges them. A
 * channel owns, for each process that ever mapped it, one struct attach that
 * sums its ranges up: it stays when the last of them is gone, and says how it was
 * when the most was mapped. A channel is closed while nobody maps it.
 *
 * Private to src/model; chan_shm.c and analysis read what is said here.
 */
#ifndef IPCSPY_MODEL_MAPS_H
#define IPCSPY_MODEL_MAPS_H

#include "model/internal.h"

struct mapping {
	uint64_t start, bytes, offset;
	uint64_t since_ns;
	uint64_t seen_gen; /* the last snapshot with holds that showed it */
	struct attach *attach;
	uint8_t can;
};

/* The state of a channel of class shm or sysv-shm. */
struct shm {
	struct list_head attaches;
	uint64_t size_bytes;
	uint64_t ino; /* System V: the id */
	uint32_t key, creator_pid;
	uint64_t shared_since_ns; /* two or more map it; 0: not now */
	uint64_t shared_ns;       /* time that two or more had it mapped, until then */
	unsigned int mapped_cnt;  /* attaches with ranges now */
	bool removed, named, ever_shared;
};

/* EV_MAP */
int maps_event(struct model *m, const struct ev_map *ev);
/* The child begins with what its parent has mapped at at_ns. */
int maps_fork(struct model *m, struct proc *child, uint64_t at_ns);
/* What p mapped before at_ns is gone: it executed a program (exec), or ended. */
int maps_drop(struct model *m, struct proc *p, uint64_t at_ns, bool exec);
/* A snapshot with holds ended: what it did not show is gone. */
void maps_unseen(struct model *m);
void maps_free(struct proc *p);

/* chan_shm.c: the channel of an object of shared memory, made if need be; NULL: no memory. */
struct chan *shm_chan(struct model *m, struct obj *o);

/* Whether two processes had it mapped, and one of them could write: then it is a channel. */
bool shm_is_shared(const struct chan *c);

#endif
