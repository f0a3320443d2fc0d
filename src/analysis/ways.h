/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ways.h - where the waits of a graph lead, of all of them at once.
 *
 * A way goes from one to whom it waits for (graph_next()), until that is nobody, or one of a
 * knot. By numbers of g->waits. A struct ways is the caller's and freed with ways_fini(); it
 * borrows from the graph.
 */
#ifndef IPCSPY_ANALYSIS_WAYS_H
#define IPCSPY_ANALYSIS_WAYS_H

#include "analysis/graph.h"

struct ways {
	uint32_t *end;   /* by wait: where its way ends; its own number if it begins there */
	uint32_t *first; /* by wait: the first of those whose way ends there, plus 1; 0: none */
	uint32_t *next;  /* by wait: the next one whose way ends at the same, plus 1 */
};

/* Linear. Returns 0 or -ENOMEM; ways_fini() is due in both cases. */
int ways_init(struct ways *w, const struct graph *g);
void ways_fini(struct ways *w);

/*
 * By wait: does a chain of those who are stuck begin there, of which all other chains are a
 * part? Each knot has one such, if no chain leads into it its first member. One that is stopped
 * or a zombie, alone, is no chain. NULL: out of memory; the caller's to free().
 */
bool *ways_begin(const struct graph *g);

#endif
