/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sleeps.h - what one sleep came down to: the inside of struct blame. Private to blame*.c
 * and sleeps.c.
 *
 * A sleep is open until it is settled: then its time is charged to whom it is due, and it
 * is remembered, so that blame for others passes through it.
 */
#ifndef IPCSPY_ANALYSIS_SLEEPS_H
#define IPCSPY_ANALYSIS_SLEEPS_H

#include "analysis/blame.h"
#include "lib/hmap.h"

#define SPANS   16 /* latest sleeps of a thread */
#define SHARES  4  /* processes that one sleep came down to */
#define CAUSES  8  /* processes at the other end that are considered */
#define PENDING 64 /* sleeps that wait for what their causes do */

struct share {
	struct proc *proc;
	uint64_t ns;
};

/* What a thread slept, [from, to], and what that came down to. */
struct span {
	uint64_t from, to, slept;
	struct share of[SHARES];
	unsigned int cnt;
};

struct thread {
	struct proc *proc;
	unsigned int cnt;
	struct span spans[SPANS]; /* oldest first; they do not overlap */
};

struct cause {
	struct proc *proc;
	uint32_t tid; /* 0: not known which thread */
};

/* A sleep that is not settled, or not over. */
struct open_span {
	struct proc *proc;
	uint32_t tid;
	bool charged; /* counts; else it only passes blame on */
	bool visited;
	uint64_t from, to;
	struct cause causes[CAUSES];
	unsigned int cause_cnt;
	size_t next; /* of those that are not over: the next one of this thread, plus 1 */
};

struct blame {
	struct hmap threads; /* by tid; of very many those that slept lately */
	uint64_t forgot_ns;  /* when others were forgotten last */
	struct hmap rows;    /* struct proc -> struct blame_row */
	struct hmap pairs;   /* who was found to wait for whom */
	struct open_span pending[PENDING];
	unsigned int pending_cnt;
	uint64_t total_ns, unattributed_ns;
	struct open_span *live; /* of the latest snapshot, while a table is made */
	size_t live_cnt, live_cap;
	struct hmap live_by_tid; /* the first one of a thread, plus 1 */
	int err;
};

/* Where blame for one sleep goes: all of it is passed on, what is asked about is charged. */
struct sums {
	struct share of[CAUSES * 2];
	uint64_t due[CAUSES * 2]; /* of each share, what is charged */
	unsigned int cnt, steps;
	uint64_t placed, left; /* sum of what is charged; what is in no share */
	bool asked;            /* what is placed now is asked about */
	const struct proc *waiter;
};

/* At the other end: p, by its thread tid (0: not known which). Not the sleeper, no one twice. */
void sleep_cause(struct open_span *o, struct proc *p, uint32_t tid);

/* Whom the time of a sleep goes to; nothing is charged. */
struct sums sleep_resolve(struct blame *b, struct open_span *o);

/* Charges it and remembers it. */
void sleep_settle(struct blame *b, struct open_span *o);

/* The same of number at of those that are pending; it and perhaps others leave them. */
void sleep_settle_pending(struct blame *b, unsigned int at);

/* The row of p, made when there is none; NULL: out of memory, which b->err says. */
struct blame_row *blame_row_of(struct blame *b, struct proc *p);

/* Is it one to be measured? */
bool blame_counts(const struct blocked *bl);

#endif
