// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/reach.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/vec.h"

struct walk {
	struct reach *out;
	const struct graph *g;
	bool *seen;      /* by node */
	uint32_t *queue; /* nodes that were seen; as long as there are nodes */
	uint32_t cnt;
	int err;
};

static void visit(struct walk *w, uint32_t node)
{
	/* who can go on does not keep anybody stuck, whatever it waits for */
	if (w->seen[node] || w->g->knots.nodes[node].can)
		return;
	w->seen[node] = true;
	w->queue[w->cnt++] = node;
}

static void add_object(void *arg, uint64_t id)
{
	struct walk *w = arg;
	struct reach *r = w->out;

	if (w->err || vec_room((void **)&r->objects, &r->object_cap, r->object_cnt, sizeof(id)))
		w->err = -ENOMEM;
	else
		r->objects[r->object_cnt++] = id;
}

static void add_chan(struct walk *w, const struct chan *c)
{
	const struct chan *memory = c->mech == MECH_FUTEX ? model_memory_of(w->g->m, c) : NULL;

	model_objects_of(c, add_object, w);
	if (memory) /* who maps it could wake those who wait */
		model_objects_of(memory, add_object, w);
}

static void add_pid(struct walk *w, uint32_t pid)
{
	struct reach *r = w->out;

	if (w->err || vec_room((void **)&r->pids, &r->pid_cap, r->pid_cnt, sizeof(pid)))
		w->err = -ENOMEM;
	else
		r->pids[r->pid_cnt++] = pid;
}

/* What the node stands for, and where its edges lead. */
static void expand(struct walk *w, uint32_t node)
{
	const struct knots *k = &w->g->knots;
	const struct wait *at = graph_wait_at(w->g, node);
	const struct proc *p = graph_proc_at(w->g, node);
	const struct chan *c = graph_end_at(w->g, node);

	if (c)
		add_chan(w, c);
	else if (p)
		add_pid(w, p->pid);
	else if (at && at->chan && at->kind == WAIT_CHAN)
		add_chan(w, at->chan); /* of one that only threads of its process wait for */
	for (uint32_t e = k->nodes[node].first; e < k->nodes[node + 1].first; e++)
		visit(w, k->to[e]);
}

int reach_find(struct reach *r, const struct graph *g, const struct model *traced)
{
	struct walk w = {.out = r, .g = g};
	const struct wait *waits;
	const struct proc *here;
	size_t cnt;

	*r = (struct reach){0};
	w.seen = calloc((size_t)g->knots.node_cnt + 1, sizeof(*w.seen));
	w.queue = calloc((size_t)g->knots.node_cnt + 1, sizeof(*w.queue));
	if (!w.seen || !w.queue)
		w.err = -ENOMEM;
	list_for_each (p, model_procs(traced), struct proc, in_model) {
		if (w.err || !p->target || p->exited)
			continue;
		here = model_proc_by_pid(g->m, p->pid);
		waits = here ? graph_waits_of(g, here, &cnt) : NULL;
		for (size_t i = 0; waits && i < cnt; i++)
			visit(&w, waits[i].node);
	}
	for (uint32_t i = 0; !w.err && i < w.cnt; i++)
		expand(&w, w.queue[i]);
	free(w.seen);
	free(w.queue);
	return w.err;
}

void reach_fini(struct reach *r)
{
	free(r->objects);
	free(r->pids);
	*r = (struct reach){0};
}
