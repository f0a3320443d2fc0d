/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair_typed.h - queues of whole messages that are told apart by a number: the
 * priority of a POSIX message, the type of a System V one.
 *
 * A receive may overtake messages of other numbers, never one of its own. So each
 * number is a queue of its own, paired by pair_msgs.h, and what is received tells
 * which. Their count is bounded: the one used least lately goes, and what
 * was pending in it counts as unpaired. Owner: the class that embeds it.
 */
#ifndef IPCSPY_PAIR_TYPED_H
#define IPCSPY_PAIR_TYPED_H

#include "model/pair_msgs.h"

struct typed_class {
	struct list_node in_typed;
	uint64_t type;
	uint64_t sent, received; /* messages */
	struct pair_msgs msgs;
};

struct pair_typed {
	struct chan *chan;
	struct hmap by_type;
	struct list_head classes; /* by in_typed, the one used least lately first */
	unsigned int cnt;
	uint64_t forgotten;      /* classes that had to go */
	struct pair_queue blind; /* receives whose type is not known, held */
};

/*
 * A task may lose its processor between the queue and the record for much longer
 * than SETTLE_NS. Where order and number say whose message is whose, there is no
 * hurry.
 */
#define TYPED_SETTLE_NS 1000000000ull

/* What to say of a class: how many it has waiting is in msgs.sends.live. */
#define TYPED_SHOWN 32

void pair_typed_init(struct pair_typed *pt, struct chan *c);
void pair_typed_fini(struct pair_typed *pt);

/* A message of len bytes was in the queue at at_ns, sent by nobody we know. */
int pair_typed_found(struct pair_typed *pt, uint64_t type, uint32_t len, uint64_t at_ns);

int pair_typed_send(struct model *m, struct pair_typed *pt, uint64_t type, const struct xfer *x);
int pair_typed_recv(struct model *m, struct pair_typed *pt, uint64_t type, const struct xfer *x);

/* The receiver did not ask for the type: the highest that has a message like it. */
int pair_typed_recv_blind(struct model *m, struct pair_typed *pt, const struct xfer *x);

/* The queue was empty at at_ns, or had nothing of this type. */
void pair_typed_empty(struct pair_typed *pt, uint64_t at_ns);
void pair_typed_lacks(struct pair_typed *pt, uint64_t type, uint64_t at_ns);

/* The queue is gone with all that was sent before at_ns: returns how many messages. */
uint64_t pair_typed_drop(struct pair_typed *pt, uint64_t at_ns);

/* Settles as pair_msgs_settle() does. True in *waits: receives are still held. */
int pair_typed_settle(struct model *m, struct pair_typed *pt, uint64_t now_ns, bool finish,
		      bool *waits);

void pair_typed_merge(struct pair_typed *pt, const struct endpoint *from, struct endpoint *to);

/* The busiest classes into out (room for TYPED_SHOWN), busiest first; returns how many. */
unsigned int pair_typed_busiest(const struct pair_typed *pt, const struct typed_class **out);

#endif
