/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exchange.h - the common workload: senders send messages to receivers.
 *
 * A mechanism says how its channels come to be and how a process gets hold of
 * them; processes, gate, pacing, counting, checking and truth are the same for
 * all. Process i below `senders` is sender i (lane i), the rest are receivers.
 */
#ifndef DEMO_EXCHANGE_H
#define DEMO_EXCHANGE_H

#include <stdbool.h>

#include "run.h"
#include "worker.h"

struct exchange;

struct exchange_ops {
	const char *mechanism; /* as ipcspy spells it */
	const struct port_ops *port;
	/* There is no end of stream: receivers stop after expect() messages. */
	bool counted;
	/* Refuses impossible options (run_usage) before anything exists; may be NULL. */
	int (*check)(struct demo_run *run);
	/* How many channels there are; flows are one per sender, receiver and channel in use. */
	unsigned int (*chan_cnt)(const struct demo_run *run);
	/* Channel of messages from sender s to receiver r, -1: they do not talk. */
	int (*chan_of)(const struct demo_run *run, unsigned int s, unsigned int r);
	/* Parent: makes what must exist before the fork, into x->fds. */
	int (*setup)(struct exchange *x);
	/*
	 * Child: fills ports[0 ... max) and returns how many, or -errno. Descriptors
	 * in x->fds that end up in no port are closed for it. A sender uses its ports in turn.
	 */
	int (*open_send)(struct exchange *x, unsigned int sender, struct port *ports);
	int (*open_recv)(struct exchange *x, unsigned int receiver, struct port *ports);
	/* What the parent must undo before it ends, whether or not it went well; may be NULL. */
	void (*teardown)(struct exchange *x);
	/* Messages of different classes may overtake each other: class of message seq. NULL: one.
	 */
	uint64_t (*class_of)(const struct demo_run *run, uint64_t seq);
	/* Counted receivers: messages that receiver r is to get. */
	uint64_t (*expect)(const struct demo_run *run, unsigned int receiver);
};

struct exchange {
	struct demo_run *run;
	const struct exchange_ops *ops;
	unsigned int senders, receivers;
	unsigned int max_ports; /* of one process: at most one per channel */
	int *fds;               /* of the parent, inherited by all; -1 unused */
	unsigned int fd_cnt;
	int *flow_of; /* receiver * senders + sender, -1 none */
	void *priv;   /* the mechanism's own, freed with free() */
	/* Receivers that no longer get on: messages at the last look, and since when. */
	uint64_t seen_messages, seen_since_ns;
};

int exchange_run(struct demo_run *run, const struct exchange_ops *ops);

/* Room for cnt descriptors in x->fds, all -1. Returns 0 or -errno. */
int exchange_fds(struct exchange *x, unsigned int cnt);

/* Inode of an open file, 0 when unknown. */
uint64_t exchange_inode(int fd);

static inline struct demo_chan *exchange_chan(struct exchange *x, unsigned int i)
{
	return &x->run->chans[i];
}

#endif
