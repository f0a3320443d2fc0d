/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair_msgs.h - sends and receives of a queue of whole messages, paired one to one.
 *
 * First in, first out, except where calls overlap. A receive takes the first
 * pending send that it can be: same length, same sender address, same
 * fingerprint, as far as both are known. What it passed over was either
 * overtaken or, in a queue that drops (UDP), is lost; time decides.
 */
#ifndef IPCSPY_PAIR_MSGS_H
#define IPCSPY_PAIR_MSGS_H

#include "model/pair_queue.h"

struct pair_msgs {
	struct chan *chan;
	struct pair_queue sends;
	struct pair_queue recvs; /* held */
	struct pair_task sender, receiver;
	uint64_t begin_ns; /* what ended before is not paired */
	uint64_t unknown;  /* messages of nobody we know, at the head */
	uint64_t found_ns; /* when messages were found in the queue, 0: none were */
	uint64_t empty_ns; /* the queue was seen empty then */
	uint64_t last_recv_ns;
	/*
	 * What was sent before gone.before_ns had left the queue at gone.at_ns, as far as it
	 * is seen from one receive; another's record may still be on its way. Not used by
	 * queues that drop: there the answer is needed at once. at_ns 0: nothing noted.
	 */
	struct {
		uint64_t before_ns, at_ns;
	} gone;
	bool patient;
	uint64_t settle_ns; /* how long either half may come after the other, SETTLE_NS at first */
	uint32_t limit;     /* how many messages the queue can hold, 0 unknown */
	bool drops;         /* messages can vanish */
	/*
	 * A receive that no send on this host answers; who sent it, is for the
	 * class to say. NULL: it is left without a flow.
	 */
	int (*orphan)(struct model *m, struct chan *c, const struct xfer *r);
};

void pair_msgs_init(struct pair_msgs *pm, struct chan *c, bool drops);
void pair_msgs_fini(struct pair_msgs *pm);

/* The queue was first seen at at_ns, holding so many messages. */
void pair_msgs_begin(struct pair_msgs *pm, uint64_t messages, uint64_t at_ns);

/* A message of len bytes was in the queue at at_ns, sent by nobody we know; after older ones. */
int pair_msgs_found(struct pair_msgs *pm, uint32_t len, uint64_t at_ns);

/* Is there a pending send that r can have received? */
bool pair_msgs_matches(const struct pair_msgs *pm, const struct xfer *r);

int pair_msgs_send(struct model *m, struct pair_msgs *pm, const struct xfer *x);
int pair_msgs_recv(struct model *m, struct pair_msgs *pm, const struct xfer *x);

/* The queue was empty at at_ns: what was sent long before is not in it. */
void pair_msgs_empty(struct pair_msgs *pm, uint64_t at_ns);

int pair_msgs_settle(struct model *m, struct pair_msgs *pm, uint64_t now_ns, bool finish);

/* Moves what was sent to `from` into `to`, which turned out to be the same queue. */
int pair_msgs_move(struct model *m, struct pair_msgs *to, struct pair_msgs *from);

static inline bool pair_msgs_waits(const struct pair_msgs *pm)
{
	return pm->recvs.cnt != 0 || (pm->gone.at_ns && pm->sends.cnt);
}

#endif
