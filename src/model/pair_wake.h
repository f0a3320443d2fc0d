/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair_wake.h - waits that a wake ended: futexes and semaphores.
 *
 * A message is one wake-up that released somebody. The record of a wait names who
 * ended it and when that call began, so the pair is exact and complete, whichever
 * record comes first and even if the wake's was lost. Where the kernel could not
 * see the waker at work (the call began before the trace; a signal came just before
 * the wake; the waker died holding the lock; it came before the task slept), the wait
 * is held until the wake's record must have come: a wake at that time that released
 * somebody is then assumed to be it, else the process that woke the task, else it is
 * unknown. Where no process is known to have woken it and only one wake ran at that
 * time, that is exact.
 *
 * Waiters are counted from the waits' times, which overlap where several slept.
 * Embedded in a class's own state, which calls init and fini.
 */
#ifndef IPCSPY_PAIR_WAKE_H
#define IPCSPY_PAIR_WAKE_H

#include "model/pair_queue.h"

#define WAKE_CALLS 16 /* the latest */
#define WAKE_WAITS 64

struct wake_call {
	struct endpoint *ep;
	uint64_t enter_ns, exit_ns;
	uint32_t tid;
	bool counted; /* ep->messages has those that it woke */
};

struct wake_wait {
	uint64_t enter_ns, exit_ns;
	uint32_t together; /* slept when it began, itself included */
};

struct pair_wake {
	struct chan *chan;
	struct pair_queue held; /* waits whose waker is not known (yet) */
	struct wake_call calls[WAKE_CALLS];
	struct wake_wait waits[WAKE_WAITS]; /* in order of their end */
	unsigned int next_call, next_wait;
	uint64_t snap_ns; /* of the snapshot that waiters are from */
	uint64_t waiters;
	uint64_t wake_cnt, idle_cnt; /* wakes; those that woke nobody, where they say so */
	uint64_t wait_cnt;
	uint64_t woken, paired; /* of the wakes that say how many they woke */
};

void pair_wake_init(struct pair_wake *pw, struct chan *c);
void pair_wake_fini(struct pair_wake *pw);

/* The record of a wake, already counted in ep. woke: how many; -1: it cannot tell. */
int pair_wake_call(struct model *m, struct pair_wake *pw, struct endpoint *ep,
		   const struct ev_op *op, int woke);

/* The record of a wait that was not in vain: of one that slept, or that vals says was woken. */
int pair_wake_wait(struct model *m, struct pair_wake *pw, struct endpoint *ep,
		   const struct ev_op *op, const struct ev_vals *vals);

/* Any wait ended, however it did. */
void pair_wake_over(struct pair_wake *pw, const struct ev_op *op);

/* A snapshot shows a task asleep in a wait. */
void pair_wake_asleep(const struct model *m, struct pair_wake *pw);

int pair_wake_settle(struct model *m, struct pair_wake *pw, uint64_t now_ns, bool finish);
void pair_wake_replace(struct pair_wake *pw, const struct endpoint *from, struct endpoint *to);

#endif
