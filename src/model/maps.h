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

/* A process on an object. */
struct attach {
	struct list_node in_chan;  /* struct shm's */
	struct list_node in_dirty; /* unlinked: next is NULL */
	struct endpoint *ep;       /* of role EP_ATTACH: names the process */
	struct attached {
		uint64_t bytes, offset; /* of the lowest range in the object */
		unsigned int cnt;       /* ranges */
		unsigned int can;       /* MAPF_READ | MAPF_WRITE */
	} now, most;
	unsigned int ever_can;
	bool before_attach;
	bool inherited;    /* by fork, and nothing changed since */
	bool passed;       /* ... until it executed another program: it never had to do with it */
	uint64_t since_ns; /* the first range */
	uint64_t until_ns; /* the last one was unmapped; valid when now.cnt is 0 */
};

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

/* The name of the POSIX semaphore that it is (sem_overview(7)), or NULL. */
const char *shm_posix_semaphore(const struct chan *c);

/* How long two or more processes had it mapped, until now. */
uint64_t shm_shared_ns(const struct model *m, const struct chan *c);

#endif
