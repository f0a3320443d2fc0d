/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shm.h - how the processes that share memory keep out of each other's way.
 *
 * Stores make no system call, so what is seen is what accompanies them: futexes
 * in the memory itself, and channels that nobody but these processes uses. A
 * struct shm_users is the caller's; it borrows from the model and is freed with
 * shm_users_fini().
 */
#ifndef IPCSPY_ANALYSIS_SHM_H
#define IPCSPY_ANALYSIS_SHM_H

#include <stdbool.h>
#include <stddef.h>

#include "model/model.h"

enum shm_how {
	SHM_INSIDE = 0,         /* a futex in this memory */
	SHM_SAME_PROCESSES = 1, /* used by exactly the processes that map it */
	SHM_SOME_PROCESSES = 2, /* used by two or more of them, and nobody else */
};

struct shm_sync {
	const struct chan *chan;
	enum shm_how how;
};

struct shm_user {
	struct proc *proc;
	bool writes;
	bool parent;  /* of another user */
	size_t group; /* users of one group synchronise, directly or through others */
};

struct shm_users {
	struct shm_user *users;
	size_t user_cnt;
	struct shm_sync *syncs; /* inside first, then same-processes */
	size_t sync_cnt, sync_cap;
};

/* Returns 0 or -ENOMEM; fini in both cases. */
int shm_users_init(struct shm_users *u, const struct model *m, const struct chan *c);
void shm_users_fini(struct shm_users *u);

/* "inside", "same-processes", "some-processes" */
const char *shm_how_name(enum shm_how how);

#endif
