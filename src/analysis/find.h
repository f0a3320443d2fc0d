/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * find.h - the kit that detectors are made from, and the detectors.
 *
 * A detector looks at one channel, or at the moment as a whole; it adds what it finds
 * with find_add() and completes it. What is added is the findings' to free, also when
 * the detector fails. Private to src/analysis.
 */
#ifndef IPCSPY_ANALYSIS_FIND_H
#define IPCSPY_ANALYSIS_FIND_H

#include "analysis/blame.h"
#include "analysis/findings.h"
#include "analysis/graph.h"

/* A new finding without proofs and text, or NULL. Valid until the next one is added. */
struct finding *find_add(struct findings *f, const char *kind, enum severity severity,
			 const struct chan *c);

/* Returns 0 or -ENOMEM. */
int find_prove(struct finding *f, struct proc *p, uint32_t tid, const struct chan *c, int fd);

/* The text becomes the finding's; sb is used up. Returns 0 or -ENOMEM. */
int find_say(struct finding *f, struct strbuf *sb);

/* Mechanism and name; most names begin with the mechanism: then only that. */
void find_put_chan(struct strbuf *sb, const struct chan *c);

/* "comm[pid]", "comm[pid/tid]" */
void find_put_proc(struct strbuf *sb, const struct proc *p, uint32_t tid);

/* Is there a finding about this channel already? */
bool find_has(const struct findings *f, const struct chan *c);

/* Detectors. Each returns 0 or -ENOMEM. */
int find_unsynchronised_shm(struct findings *f, const struct model *m, const struct chan *c);
int find_full_queue(struct findings *f, const struct model *m, const struct chan *c);
int find_coalesced_signals(struct findings *f, const struct model *m, const struct chan *c);
int find_slow(struct findings *f, const struct model *m, const struct blame_table *t);
int find_knots(struct findings *f, const struct graph *g);     /* deadlock, end-leak, ... */
int find_stopped(struct findings *f, const struct graph *g);   /* stopped-peer */
int find_one_sided(struct findings *f, const struct graph *g); /* no-reader, no-writer */
int find_unopened(struct findings *f, const struct graph *g);  /* ... of a FIFO's open(2) */
int find_lost_wakeups(struct findings *f, const struct graph *g);
int find_orphans(struct findings *f, const struct graph *g);

#endif
