// SPDX-License-Identifier: BSD-2-Clause
/* What a graph that was built has to say. */
#include "analysis/graph.h"
#include "analysis/nodes.h"

/* A thread that waits for any of its process does not wait for itself, while there are others. */
static const struct wait *other_thread(const struct graph *g, const struct wait *w)
{
	const struct graph_node *p = &g->nodes[node_of_proc(g, w->proc)];

	for (uint32_t i = p->at; i < p->at + p->cnt; i++)
		if (&g->waits[i] != w && g->waits[i].kind != WAIT_ENDED)
			return &g->waits[i];
	return w;
}

const struct wait *graph_wait(const struct graph *g, uint32_t tid)
{
	uintptr_t at = (uintptr_t)hmap_get(&g->by_tid, tid);

	return at ? &g->waits[at - 1] : NULL;
}

const struct wait *graph_waits_of(const struct graph *g, const struct proc *p, size_t *cnt)
{
	uint32_t number = node_of_proc(g, p);

	*cnt = number == KNOT_NONE ? 0 : g->nodes[number].cnt;
	return *cnt ? &g->waits[g->nodes[number].at] : NULL;
}

bool graph_can_go_on(const struct graph *g, const struct wait *w)
{
	return g->knots.nodes[w->node].can;
}

uint32_t graph_knot(const struct graph *g, const struct wait *w)
{
	return g->knots.nodes[w->node].knot;
}

const uint32_t *graph_members(const struct graph *g, uint32_t knot, size_t *cnt)
{
	*cnt = g->member_first[knot + 1] - g->member_first[knot];
	return &g->members[g->member_first[knot]];
}

static const struct wait *numbered(const struct graph *g, uintptr_t number)
{
	return number ? &g->waits[number - 1] : NULL;
}

const struct wait *graph_first_at(const struct graph *g, const struct chan *c)
{
	return numbered(g, (uintptr_t)hmap_get(&g->by_chan, (uintptr_t)c));
}

const struct wait *graph_next_at(const struct graph *g, const struct wait *w)
{
	return numbered(g, g->also_there[w - g->waits]);
}

const struct wait *graph_next(const struct graph *g, const struct wait *w)
{
	uint32_t at = g->knots.nodes[w->node].next;
	const struct wait *next;

	/* a task, an end, a process, a task: never more than three steps */
	while (at != KNOT_NONE && g->nodes[at].kind != NODE_TASK) {
		if (g->nodes[at].kind == NODE_PROC && g->knots.nodes[at].free)
			return &g->waits[g->nodes[at].at];
		at = g->knots.nodes[at].next;
	}
	if (at == KNOT_NONE)
		return NULL;
	next = &g->waits[g->nodes[at].at];
	return next == w && waits_among_threads(w) ? other_thread(g, w) : next;
}

/* Counts p, unless it was in this round. */
static size_t helper_put(const struct graph *g, uint32_t node, struct proc **out, size_t max,
			 size_t cnt)
{
	if (g->marks[node] == g->marks[g->knots.node_cnt])
		return cnt;
	g->marks[node] = g->marks[g->knots.node_cnt];
	if (cnt < max)
		out[cnt] = g->nodes[node].proc;
	return cnt + 1;
}

size_t graph_helpers(const struct graph *g, const struct wait *w, struct proc **out, size_t max)
{
	const struct knot_node *k = g->knots.nodes;
	size_t cnt = 0;

	g->marks[g->knots.node_cnt]++;
	for (uint32_t e = k[w->node].first; e < k[w->node + 1].first; e++) {
		uint32_t to = g->knots.to[e];

		if (g->nodes[to].kind == NODE_PROC) {
			cnt = helper_put(g, to, out, max, cnt);
			continue;
		}
		for (uint32_t p = k[to].first; p < k[to + 1].first; p++)
			cnt = helper_put(g, g->knots.to[p], out, max, cnt);
	}
	return cnt;
}

const struct wait *graph_wait_at(const struct graph *g, uint32_t node)
{
	return g->nodes[node].kind == NODE_TASK ? &g->waits[g->nodes[node].at] : NULL;
}

const struct proc *graph_proc_at(const struct graph *g, uint32_t node)
{
	return g->nodes[node].kind == NODE_PROC ? g->nodes[node].proc : NULL;
}

const struct chan *graph_end_at(const struct graph *g, uint32_t node)
{
	return g->nodes[node].kind == NODE_END ? g->ends[g->nodes[node].at].chan : NULL;
}

bool graph_has_children(const struct graph *g, const struct proc *p)
{
	return hmap_get(&g->children, p->pid);
}
