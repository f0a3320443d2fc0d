/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wake.h - workloads in which a message is a wake-up; see wake.c.
 *
 * struct wake_run belongs to wake_run(); setup() makes the boxes, which it unmaps.
 */
#ifndef DEMO_WAKE_H
#define DEMO_WAKE_H

#include "run.h"
#include "worker.h"

/* One receiver's place; the words are that far apart. */
struct box {
	_Atomic uint32_t word;
	_Atomic uint32_t taken;   /* by a sender */
	_Atomic uint32_t waiting; /* the receiver is about to sleep, or does */
	_Atomic uint32_t waking;  /* a sender wakes the receiver, or tries to */
	uint32_t pad[12];
};
_Static_assert(sizeof(struct box) == 64, "one cache line each");

/* What is known of one wake-up. */
struct mark {
	uint64_t wait_ns, sent_ns, got_ns;
	uint32_t lane;
	uint32_t pad;
	uint64_t seq;
};

struct wake_run;

struct wake_ops {
	const char *mechanism;
	int (*setup)(struct wake_run *wr);
	void (*fini)(struct wake_run *wr);
	/* Calls: 1 it was woken, or woke somebody, 0 not, -errno. */
	int (*wait)(struct wake_run *wr, unsigned int r, uint32_t value);
	int (*wake)(struct wake_run *wr, unsigned int r);
	/* Without a call that counts: would a wake find the receiver asleep? */
	bool (*asleep)(struct wake_run *wr, unsigned int r);
	/* What goes through memory with message seq to receiver r: stored before the wake, read
	 * and checked after it (0 or -errno, why set). NULL: nothing. */
	void (*put)(struct wake_run *wr, struct worker *w, unsigned int r, uint64_t seq);
	int (*get)(struct wake_run *wr, unsigned int r);
};

struct wake_run {
	struct demo_run *run;
	const struct wake_ops *ops;
	unsigned int senders, receivers, chans;
	struct box *boxes;
	size_t boxes_len;
	struct mark *marks; /* by receiver, each room for all its wake-ups */
	uint64_t *sent;     /* by receiver: how many so far */
	uint64_t *due;      /* by receiver */
	uint64_t room;      /* of one receiver */
	size_t log_len;
	int sem_id;
	struct demo_shared shared; /* see run.h */
};

/* What every such workload heeds. */
#define WAKE_OPTS                                                                    \
	(DEMO_OPT_MESSAGES | DEMO_OPT_SENDERS | DEMO_OPT_RECEIVERS | DEMO_OPT_RATE | \
	 DEMO_OPT_RECEIVER_DELAY | DEMO_OPT_SENDER_DELAY | DEMO_OPT_HOLD | DEMO_OPT_SEED)

/* many_chans: one channel for each receiver. Returns 0 or -errno, why set. */
int wake_run(struct demo_run *run, const struct wake_ops *ops, bool many_chans);

/* By the word of the receiver's box. */
int wake_futex_wait(struct wake_run *wr, unsigned int r, uint32_t value);
int wake_futex_wake(struct wake_run *wr, unsigned int r);
bool wake_told_asleep(struct wake_run *wr, unsigned int r);

/* By a set with a semaphore for each receiver; _make names the channel. */
int wake_sem_make(struct wake_run *wr);
void wake_sem_fini(struct wake_run *wr);
int wake_sem_wait(struct wake_run *wr, unsigned int r, uint32_t value);
int wake_sem_wake(struct wake_run *wr, unsigned int r);
bool wake_sem_asleep(struct wake_run *wr, unsigned int r);

#endif
