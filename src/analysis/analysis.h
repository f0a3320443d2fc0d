/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * analysis.h - judgements over the model: verdicts and who waits for whom.
 *
 * Reads the model, changes nothing, owns nothing; results go into the
 * caller's structs.
 */
#ifndef IPCSPY_ANALYSIS_H
#define IPCSPY_ANALYSIS_H

#include <stdbool.h>
#include <stddef.h>

#include "model/model.h"

enum verdict_kind {
	VERDICT_IDLE = 0,
	VERDICT_BALANCED = 1,
	VERDICT_PRODUCER_BOUND = 2, /* the receiver waits most */
	VERDICT_CONSUMER_BOUND = 3, /* the sender waits most, or the channel is near its capacity */
	VERDICT_SILENT = 4,         /* idle, and the receiver is blocked in it */
};

struct verdict {
	enum verdict_kind kind;
	/* shares of the flow's active time in permille, 0 ... 1000 */
	unsigned int send_blocked, recv_blocked, full;
};

struct verdict verdict_of_flow(const struct model *m, const struct flow *f);

/* False when there is too little of the flow for its verdict to mean anything. */
bool verdict_has_basis(const struct model *m, const struct flow *f);

/* "producer-bound", "consumer-bound", "balanced", "idle", "silent" */
const char *verdict_name(enum verdict_kind kind);

/* What is in the flow's channel now; of one with two directions, in the flow's. */
uint64_t flow_backlog(const struct flow *f);

/* How long the channel had no room, and the endpoint could not send (EAGAIN), up to now; ns. */
uint64_t chan_full_ns(const struct model *m, const struct chan *c);
uint64_t endpoint_stalled_ns(const struct model *m, const struct endpoint *ep);

/*
 * The processes that could end this blocked operation: for a send those that
 * can receive from the channel, for a receive those that can send. Fills at
 * most max entries (no process twice) and returns how many there are.
 */
size_t waits_for(const struct inflight *i, struct proc **out, size_t max);

/* What is in its channel now; of one with two directions, in that which it waits for. */
uint64_t inflight_backlog(const struct inflight *i);

/* True when the operation belongs in "blocked now": asleep, and not merely idle in poll. */
bool inflight_is_blocked(const struct inflight *i);

/*
 * False for a channel that only strangers have used: it was followed because it
 * looked as if it led to a target (an address, a port), and is in no report. Unless
 * targets wait for those who wait there.
 */
bool chan_concerns_target(const struct chan *c);

/* False for a stranger that waits on what no target has open any more. */
bool inflight_concerns_target(const struct inflight *i);

#endif
