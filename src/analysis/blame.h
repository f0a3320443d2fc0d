/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blame.h - for each process, how much of the others' blocked time it caused.
 *
 * Fed with every finished sleep (blame_on_blocked() as the model's on_blocked). Who
 * caused it is who ended it, where that is known to be at the other end; else who used
 * the other end; else who holds it. What is not over is due to who could end it now, and
 * until they ended to those who are gone. For the parts of that time in which the cause
 * was asleep itself, whoever *it* waited for is blamed, and so on: its own sleeps were
 * over before it could end this one, so they are known. Each thread's latest sleeps are
 * kept with what they came down to; older ones are merged, their sums exact; of very many
 * threads those are kept that slept lately. A sleep that nobody is known to have ended (a
 * signal did) is settled later: those who might be the cause may still be in one.
 *
 * Sums of rows and what is unattributed are the time that was measured, exactly. Time in
 * poll is nobody's fault, and passed on. What a peer waits for another peer is nobody's,
 * either: only the targets were asked about. Owned by who made it; borrows processes from
 * the model, which tells when one is folded (blame_on_fold()); to be freed before or
 * after it.
 */
#ifndef IPCSPY_ANALYSIS_BLAME_H
#define IPCSPY_ANALYSIS_BLAME_H

#include "model/model.h"

struct blame;

struct blame_row {
	struct proc *proc;
	uint64_t caused_ns;
	unsigned int waiters; /* processes that waited, directly or through others */
};

struct blame_table {
	struct blame_row *rows; /* the worst first */
	size_t cnt, cap;
	uint64_t total_ns;        /* blocked time, that which still goes on included */
	uint64_t unattributed_ns; /* of it */
};

/* NULL when out of memory. */
struct blame *blame_new(void);
void blame_free(struct blame *b);

/* For struct model_opts; arg is a struct blame. */
void blame_on_blocked(void *arg, const struct blocked *bl);
void blame_on_fold(void *arg);

/*
 * The table up to now, with what is blocked in the latest snapshot; b NULL: an empty
 * one. Returns 0 or -ENOMEM (of this call or when it was fed); fini in both cases.
 */
int blame_table_init(struct blame_table *t, struct blame *b, const struct model *m);
void blame_table_fini(struct blame_table *t);

/* The first row, when it is worth a word; else NULL. */
const struct blame_row *blame_worst(const struct blame_table *t, const struct model *m);

#endif
