// SPDX-License-Identifier: BSD-2-Clause
/*
 * The process that the others wait for. Every sleep on a channel is blamed on
 * whoever is at its other end. A process keeps of that blame the share of its
 * time that it was awake, and hands the rest on to those that it waited for
 * itself; what was kept, after a few rounds, names who is busy while others wait.
 */
#include <errno.h>
#include <stdlib.h>

#include "analysis/analysis.h"
#include "analysis/ends.h"
#include "lib/hmap.h"

#define ROUNDS        16
#define WORTH_SHARE   10  /* percent of the time observed that others must have waited */
#define ASLEEP_MOSTLY 0.9 /* who sleeps more waits for others: in a deadlock all do */

struct edge { /* waiter sleeps because of cause */
	size_t waiter, cause;
	double ns;
};

struct node {
	struct proc *proc;
	double waited;       /* on channels, all edges that leave */
	double asleep;       /* share of its time that it slept, 0 ... 1 */
	double caused;       /* by others' sleep, directly */
	double passed, next; /* blame that still moves */
	double kept;
	unsigned int waiters;
};

struct graph {
	struct node *nodes;
	struct edge *edges;
	size_t node_cnt, node_cap, edge_cnt, edge_cap;
	struct hmap index; /* proc -> number of its node, plus 1 */
	struct hmap pairs; /* waiter and cause that have an edge */
};

static int more(void **v, size_t *cap, size_t cnt, size_t size)
{
	size_t want = *cap ? *cap * 2 : 64;
	void *p;

	if (cnt < *cap)
		return 0;
	p = realloc(*v, want * size);
	if (!p)
		return -ENOMEM;
	*v = p;
	*cap = want;
	return 0;
}

static int node_of(struct graph *g, struct proc *p, size_t *out)
{
	uintptr_t at = (uintptr_t)hmap_get(&g->index, (uintptr_t)p);

	if (!at) {
		if (more((void **)&g->nodes, &g->node_cap, g->node_cnt, sizeof(*g->nodes)) ||
		    hmap_put(&g->index, (uintptr_t)p, (void *)(uintptr_t)(g->node_cnt + 1)))
			return -ENOMEM;
		g->nodes[g->node_cnt] = (struct node){.proc = p};
		at = ++g->node_cnt;
	}
	*out = at - 1;
	return 0;
}

/* At the other end of what ep waits for. */
static bool is_cause(const struct endpoint *ep, const struct endpoint *other)
{
	return other->proc != ep->proc && other->role == role_opposite(ep->role) &&
	       endpoint_is_opposite(ep->chan, ep->role, ep->side, other);
}

static int add_edge(struct graph *g, struct proc *waiter, struct proc *cause, double ns)
{
	size_t w, c;
	uint64_t pair;

	if (more((void **)&g->edges, &g->edge_cap, g->edge_cnt, sizeof(*g->edges)) ||
	    node_of(g, waiter, &w) || node_of(g, cause, &c))
		return -ENOMEM;
	g->edges[g->edge_cnt++] = (struct edge){w, c, ns};
	g->nodes[w].waited += ns;
	g->nodes[c].caused += ns;
	pair = hmap_mix((uintptr_t)waiter, (uintptr_t)cause);
	if (hmap_get(&g->pairs, pair))
		return 0;
	g->nodes[c].waiters++;
	return hmap_put(&g->pairs, pair, waiter);
}

/* Holds the other end open, and so could use it. */
static bool could_help(const struct endpoint *ep, const struct holder *h)
{
	if (h->proc == ep->proc || h->proc->exited)
		return false;
	return holder_is_opposite(ep->chan, ep->role, ep->side, h);
}

/* Nobody ever did what ep waits for: those that could are the cause. */
static int blame_holders(struct graph *g, const struct endpoint *ep, double ns)
{
	unsigned int causes = 0;
	int err = 0;

	list_for_each (h, &ep->chan->holders, struct holder, in_chan)
		causes += could_help(ep, h);
	list_for_each (h, &ep->chan->holders, struct holder, in_chan)
		if (!err && could_help(ep, h))
			err = add_edge(g, ep->proc, h->proc, ns / causes);
	return err;
}

static int add_waits_of(struct graph *g, const struct endpoint *ep)
{
	double ns = (double)(ep->blocked.total_ns + ep->blocked.now_ns + ep->stalled.total_ns);
	unsigned int causes = 0;
	int err = 0;

	if (ns == 0 || ep->role == EP_ATTACH || chan_shape(ep->chan) == SHAPE_INBOX)
		return 0;
	list_for_each (other, &ep->chan->endpoints, struct endpoint, in_chan)
		causes += is_cause(ep, other);
	if (!causes)
		return blame_holders(g, ep, ns);
	list_for_each (other, &ep->chan->endpoints, struct endpoint, in_chan)
		if (!err && is_cause(ep, other))
			err = add_edge(g, ep->proc, other->proc, ns / causes);
	return err;
}

/* The share of the time from its start, or ours, that the process slept on somebody. */
static void measure_sleep(struct graph *g, const struct model *m)
{
	uint64_t start_ns = model_start_ns(m), now_ns = model_now_ns(m), from_ns;
	double span;

	for (size_t i = 0; i < g->node_cnt; i++) {
		struct node *n = &g->nodes[i];

		from_ns = n->proc->start_ns > start_ns ? n->proc->start_ns : start_ns;
		span = now_ns > from_ns ? (double)(now_ns - from_ns) : 1;
		n->asleep = (n->waited + (double)n->proc->waits.total_ns +
			     (double)n->proc->waits.now_ns) /
			    span;
		if (n->asleep > 1)
			n->asleep = 1;
		n->passed = n->caused;
	}
}

static void pass_blame(struct graph *g)
{
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < g->node_cnt; i++) {
			struct node *n = &g->nodes[i];

			n->kept += n->passed * (n->waited > 0 ? 1 - n->asleep : 1);
			n->next = 0;
		}
		for (size_t i = 0; i < g->edge_cnt; i++) {
			const struct edge *e = &g->edges[i];
			const struct node *w = &g->nodes[e->waiter];

			g->nodes[e->cause].next += w->passed * w->asleep * e->ns / w->waited;
		}
		for (size_t i = 0; i < g->node_cnt; i++)
			g->nodes[i].passed = g->nodes[i].next;
	}
}

static struct culprit pick(const struct graph *g, const struct model *m)
{
	double worth = (double)(model_now_ns(m) - model_start_ns(m)) * WORTH_SHARE / 100;
	const struct node *best = NULL;
	double score, best_score = 0;

	for (size_t i = 0; i < g->node_cnt; i++) {
		const struct node *n = &g->nodes[i];

		score = n->kept * (1 - n->asleep);
		if (n->caused >= worth && n->asleep < ASLEEP_MOSTLY && score > best_score) {
			best = n;
			best_score = score;
		}
	}
	if (!best)
		return (struct culprit){NULL, 0, 0};
	return (struct culprit){best->proc, (uint64_t)best->caused, best->waiters};
}

struct culprit find_culprit(const struct model *m)
{
	struct culprit found = {NULL, 0, 0};
	struct graph g = {0};
	int err = 0;

	hmap_init(&g.index);
	hmap_init(&g.pairs);
	list_for_each (c, model_chans(m), struct chan, in_model) {
		if (!chan_concerns_target(c))
			continue;
		list_for_each (ep, &c->endpoints, struct endpoint, in_chan)
			if (!err)
				err = add_waits_of(&g, ep);
	}
	if (!err) {
		measure_sleep(&g, m);
		pass_blame(&g);
		found = pick(&g, m);
	}
	hmap_fini(&g.index);
	hmap_fini(&g.pairs);
	free(g.nodes);
	free(g.edges);
	return found;
}
