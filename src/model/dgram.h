/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dgram.h - the receive queue of a datagram socket as a channel, for UDP and unix sockets.
 *
 * A queue exists from the first message sent to its address or received from
 * it. While its receiver is not known it goes by the destination address and
 * is in the index under `wanted`; then it either gets its receiver, or, after a
 * while, what was sent counts as sent to a remote end.
 */
#ifndef IPCSPY_MODEL_DGRAM_H
#define IPCSPY_MODEL_DGRAM_H

#include "model/internal.h"
#include "model/pair_msgs.h"

struct dgram_queue {
	struct pair_msgs msgs;
	uint64_t wanted;   /* key in the index while the receiver is unknown, else 0 */
	uint64_t shared;   /* key in the index by which further receivers find it, or 0 */
	uint64_t since_ns; /* the first send that waits for a decision */
	struct ev_addr_in
		dest;  /* where the unknown receiver is; family 0: not an internet address */
	bool bound;    /* has a receiver */
	bool remote;   /* decided: the receiver is not here */
	bool received; /* somebody received from it */
};

/* A queue without a receiver, found by dgram_wanted() with this key. */
struct chan *dgram_new_wanted(struct model *m, unsigned int mech, uint64_t key,
			      const struct ev_addr_in *dest);
struct chan *dgram_wanted(const struct model *m, uint64_t key);

/* A queue for the receiver o. */
struct chan *dgram_new(struct model *m, struct obj *o);

/* The receiver was first seen with that many messages in its queue. */
void dgram_begin(struct chan *c, const struct ev_obj *ev);

/*
 * If somebody sent to `key` before its receiver o was known: that queue is o's.
 * Returns 1 when o has got (or kept) a queue and took something over, 0 when
 * there was nothing, or -ENOMEM.
 */
int dgram_adopt(struct model *m, struct obj *o, uint64_t key);

/* p sent to queue c with op, from an address with this key (0: unknown). */
int dgram_send(struct model *m, struct chan *c, struct proc *p, const struct ev_op *op,
	       uint64_t addr_key);

/* p received on o, whose queue c is; sender's address as far as it is known. */
int dgram_recv(struct model *m, struct obj *o, struct chan *c, struct proc *p,
	       const struct ev_op *op, uint64_t addr_key, const struct remote *remote);

/* Parts of the class that do not care about addresses. */
int dgram_settle(struct model *m, struct chan *c, uint64_t now_ns, bool finish);
void dgram_on_merge(struct chan *c, struct endpoint *from, struct endpoint *to);
void dgram_fini(struct model *m, struct chan *c);

#endif
