/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nodes.h - what the nodes of a wait graph's knots stand for. Private to graph*.c.
 */
#ifndef IPCSPY_ANALYSIS_NODES_H
#define IPCSPY_ANALYSIS_NODES_H

#include "analysis/graph.h"

enum node_kind { NODE_TASK = 0, NODE_PROC = 1, NODE_END = 2 };

struct graph_node {
	enum node_kind kind;
	uint32_t at;   /* task: its wait; end: its number; process: its first wait */
	uint32_t cnt;  /* process: its waits */
	uint32_t mark; /* process: the last end that has it, plus 1 */
	struct proc *proc;
};

/* Who waits in this role on this side of a channel waits for the processes behind it. */
struct graph_end {
	const struct chan *chan;
	enum ep_role role;
	int side;
	uint32_t node, cnt;
	struct proc *only; /* one of them */
	bool outside;      /* somebody may be behind it who is not in the picture */
	bool by_name;
	bool hidden; /* outside, as hidden.h says */
	bool queued; /* nobody has it: it waits to be accepted, as accepts.h says */
};

struct graph_child {
	struct proc *proc;
	uint32_t next; /* number of the next one, plus 1 */
};

/* Node of a process, KNOT_NONE: it is not in the picture. */
static inline uint32_t node_of_proc(const struct graph *g, const struct proc *p)
{
	uintptr_t at = (uintptr_t)hmap_get(&g->by_proc, (uintptr_t)p);

	return at ? (uint32_t)(at - 1) : KNOT_NONE;
}

static inline bool waits_among_threads(const struct wait *w)
{
	return w->kind == WAIT_CHAN && w->chan && w->chan->mech == MECH_FUTEX_PRIVATE;
}

#endif
