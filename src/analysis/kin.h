/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kin.h - knots in which a parent waits for a child, and the child for a pipe that the
 * others of the knot do not serve: what fork(2) and subprocess libraries lead to.
 *
 * Either the child reads until the end of file, which never comes, because somebody in
 * the knot still has the write end; or it writes, and nobody reads. Borrows from the graph.
 */
#ifndef IPCSPY_ANALYSIS_KIN_H
#define IPCSPY_ANALYSIS_KIN_H

#include "analysis/graph.h"
#include "lib/strbuf.h"

struct kin {
	const struct wait *parent; /* waits for the end of ... */
	const struct wait *child; /* ... this one, or of who waits for it; inside its call on ... */
	struct chan *chan;        /* ... this pipe */
	bool leak;                /* it reads; else it writes */
};

/* False: the knot is no such thing. */
bool kin_find(struct kin *out, const struct graph *g, uint32_t knot);

/* Who waits, who has the other end, what to do. */
void kin_put(struct strbuf *sb, const struct graph *g, const struct kin *k);

#endif
