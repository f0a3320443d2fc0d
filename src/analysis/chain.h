/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chain.h - from one who waits to the root cause, and what to say about it.
 *
 * A struct chain is the caller's and freed with chain_fini(); it borrows from the graph.
 */
#ifndef IPCSPY_ANALYSIS_CHAIN_H
#define IPCSPY_ANALYSIS_CHAIN_H

#include "analysis/graph.h"
#include "lib/strbuf.h"

#define CHAIN_HELPERS_MAX 4  /* shown of those who could help one */
#define CHAIN_LOOK_MAX    64 /* looked at */
#define CHAIN_ROWS_MAX    64

struct chain_row {
	const struct wait *wait;
	unsigned int depth;  /* 0: who was asked about */
	bool again;          /* is in the chain already, further up */
	bool on_way;         /* leads to the root */
	size_t helpers_left; /* who could help as well, and is not shown */
	size_t alike;        /* who could, and waits for the very same: not shown either */
};

struct chain {
	struct chain_row *rows; /* each followed by those whom it waits for, deeper by one */
	size_t cnt, cap;
	const struct wait *root; /* where the way ends; in a knot, where it comes back to */
};

/* Returns 0 or -ENOMEM; chain_fini() is due in both cases. */
int chain_build(struct chain *c, const struct graph *g, const struct wait *from);
void chain_fini(struct chain *c);

/* One sentence: what it all comes down to. */
void chain_verdict(struct strbuf *sb, const struct graph *g, const struct chain *c);

/* What one does or waits for, without who: "reads from pipe x", "is stopped". */
void wait_put(struct strbuf *sb, const struct wait *w);

/* How long until it goes on by itself, at the latest; ns, 0: it does not, or does so now. */
uint64_t wait_left_ns(const struct wait *w);

/* ", for another 58 s at most" where what it waits for may come before. */
void wait_put_left(struct strbuf *sb, const struct wait *w);

/* The task of p that decides whether p can go on; NULL: p is not in the picture. */
const struct wait *graph_of_proc(const struct graph *g, const struct proc *p);

#endif
