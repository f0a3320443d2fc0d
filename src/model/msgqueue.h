/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * msgqueue.h - what POSIX and System V message queues have in common: one object
 * that all senders and receivers name, whose messages carry a number.
 *
 * A class puts struct msgqueue first in its channel's state.
 */
#ifndef IPCSPY_MODEL_MSGQUEUE_H
#define IPCSPY_MODEL_MSGQUEUE_H

#include "model/internal.h"
#include "model/pair_typed.h"

struct msgqueue {
	struct pair_typed pairs;
	uint64_t timeouts;   /* calls that ended with ETIMEDOUT */
	uint64_t emptied_ns; /* when it was last looked through for what is not in it any more */
	uint64_t removed_ns; /* 0: it is there */
	uint64_t found_ns;   /* when what was in it was listed, 0: it was not */
	bool named;
};

/* The channel of o, made if need be with state of that size; NULL: out of memory. */
struct chan *msgqueue_chan(struct model *m, struct obj *o, size_t size);

/* What every description says: how full it is. */
void msgqueue_describe(struct chan *c, const struct ev_obj *ev);

/* OP_FOUND. */
int msgqueue_found(struct chan *c, uint64_t type, const struct ev_op *op);

/* p sent or received on o's channel c a message of that type; NULL: nobody can say. */
int msgqueue_op(struct model *m, struct obj *o, struct chan *c, struct proc *p,
		const struct ev_op *op, const uint64_t *type);

/* It is removed: whoever is inside a call returns, its messages are gone. */
void msgqueue_removed(struct model *m, struct obj *o, struct chan *c, uint64_t at_ns);

int msgqueue_settle(struct model *m, struct chan *c, uint64_t now_ns, bool finish);
void msgqueue_on_merge(struct chan *c, struct endpoint *from, struct endpoint *to);
void msgqueue_fini(struct model *m, struct chan *c);

/* One row per type, in a group of that name; `name` is what the mechanism calls it. */
void msgqueue_put_types(const struct chan *c, const char *group, const char *name,
			void (*put)(void *arg, const struct fact *f), void *arg);

#endif
