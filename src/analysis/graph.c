// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/graph.h"

#include <errno.h>
#include <stdlib.h>

#include "analysis/ends.h"
#include "analysis/hidden.h"
#include "analysis/nodes.h"
#include "lib/vec.h"

static int node_add(struct graph *g, const struct graph_node *node, bool is_free, uint32_t *out)
{
	if (vec_room((void **)&g->nodes, &g->node_cap, g->knots.node_cnt, sizeof(*g->nodes)) ||
	    knot_add(&g->knots, is_free, out))
		return -ENOMEM;
	g->nodes[*out] = *node;
	return 0;
}

/*
 * What needs no help: it is running, or time alone will end its wait. With a time-out of its own
 * it does not, either, but who could help says more; of threads that says little: any may be it.
 */
static bool is_free(struct wait *w, bool *late)
{
	*late = false;
	switch (w->kind) {
	case WAIT_RUNS:
	case WAIT_DISK:
	case WAIT_OTHER:
	case WAIT_UNKNOWN:
		return true;
	case WAIT_SLEEP:
		w->timed = true;
		return true;
	case WAIT_STOPPED:
	case WAIT_ENDED:
		return false;
	default:
		w->timed = w->task && w->task->until_ns;
		*late = w->timed && !waits_among_threads(w);
		return w->timed && !*late;
	}
}

static int wait_add(struct graph *g, struct proc *p, uint32_t tid, const struct task *t,
		    const struct inflight *in)
{
	const struct graph_node node = {.kind = NODE_TASK, .at = (uint32_t)g->wait_cnt, .proc = p};
	bool is_late, needs_none;
	struct wait *w;

	if (vec_room((void **)&g->waits, &g->wait_cap, g->wait_cnt, sizeof(*g->waits)))
		return -ENOMEM;
	w = &g->waits[g->wait_cnt];
	*w = (struct wait){.proc = p, .tid = tid, .task = t, .in = in, .fd = -1};
	w->kind = wait_kind_of(t, in);
	w->chan = w->kind == WAIT_CHAN ? in->chan : NULL;
	needs_none = is_free(w, &is_late);
	if (node_add(g, &node, needs_none, &w->node) ||
	    hmap_put(&g->by_tid, tid, (void *)(uintptr_t)++g->wait_cnt))
		return -ENOMEM;
	g->knots.nodes[w->node].late = is_late;
	return 0;
}

/* One wait for a process of which no task was told; its other threads may do anything. */
static int add_untold(struct graph *g, struct proc *p)
{
	return wait_add(g, p, p->pid, NULL,
			p->inflight_cnt ? hmap_get(&g->in_by_tid, p->pid) : NULL);
}

/*
 * Nobody told of its threads, so one of them may well go on; or all ended while we looked: then
 * its descriptors are closed, its locks free, and whoever waits for its end is about to know.
 */
static bool is_free_proc(const struct graph *g, const struct graph_node *node)
{
	for (uint32_t i = 0; i < node->cnt; i++)
		if (g->waits[node->at + i].kind != WAIT_ENDED)
			return list_empty(&node->proc->tasks);
	return true;
}

static int add_proc(struct graph *g, struct proc *p)
{
	struct graph_node node = {.kind = NODE_PROC, .at = (uint32_t)g->wait_cnt, .proc = p};
	uint32_t number;
	int err = 0;

	list_for_each (t, &p->tasks, struct task, in_proc)
		if (!err)
			err = wait_add(g, p, t->tid, t, hmap_get(&g->in_by_tid, t->tid));
	if (list_empty(&p->tasks))
		err = add_untold(g, p);
	node.cnt = (uint32_t)g->wait_cnt - node.at;
	if (err || node_add(g, &node, is_free_proc(g, &node), &number) ||
	    hmap_put(&g->by_proc, (uintptr_t)p, (void *)(uintptr_t)(number + 1)))
		return -ENOMEM;
	/* a main thread that ended before the others helps nobody, and keeps nobody waiting */
	for (uint32_t i = 0; !err && i < node.cnt; i++)
		if (g->waits[node.at + i].kind != WAIT_ENDED)
			err = knot_edge(&g->knots, number, g->waits[node.at + i].node);
	return err;
}

static int index_inflight(struct graph *g)
{
	list_for_each (i, model_inflight(g->m), struct inflight, in_model)
		if (hmap_put(&g->in_by_tid, i->tid, i))
			return -ENOMEM;
	return 0;
}

static int index_children(struct graph *g)
{
	uint32_t cnt = 0;

	list_for_each (p, model_procs(g->m), struct proc, in_model)
		cnt++;
	g->child = calloc((size_t)cnt + 1, sizeof(*g->child));
	if (!g->child)
		return -ENOMEM;
	cnt = 0;
	list_for_each (p, model_procs(g->m), struct proc, in_model) {
		if (p->exited || !p->ppid)
			continue;
		g->child[cnt] = (struct graph_child){
			p, (uint32_t)(uintptr_t)hmap_get(&g->children, p->ppid)};
		if (hmap_put(&g->children, p->ppid, (void *)(uintptr_t)++cnt))
			return -ENOMEM;
	}
	return 0;
}

/* One more process behind an end. */
static int end_put(struct graph *g, uint32_t end, struct proc *p)
{
	struct graph_end *e = &g->ends[end];
	uint32_t number = p->exited ? KNOT_NONE : node_of_proc(g, p);

	if (number == KNOT_NONE || g->nodes[number].mark == end + 1)
		return 0;
	g->nodes[number].mark = end + 1;
	e->cnt++;
	e->only = p;
	return knot_edge(&g->knots, e->node, number);
}

static int put_holders(struct graph *g, uint32_t end)
{
	const struct graph_end e = g->ends[end];
	int err = 0;

	list_for_each (h, &e.chan->holders, struct holder, in_chan)
		if (!err && holder_is_opposite(e.chan, e.role, e.side, h))
			err = end_put(g, end, h->proc);
	return err;
}

static int put_users(struct graph *g, uint32_t end)
{
	const struct graph_end e = g->ends[end];
	int err = 0;

	list_for_each (ep, &e.chan->endpoints, struct endpoint, in_chan)
		if (!err && ep->role != EP_ATTACH &&
		    endpoint_is_opposite(e.chan, e.role, e.side, ep))
			err = end_put(g, end, ep->proc);
	return err;
}

/* A word in shared memory: whoever has it mapped can wake those who wait for it. */
static int put_mappers(struct graph *g, uint32_t end, const struct chan *memory)
{
	int err = 0;

	list_for_each (a, model_attaches(memory), struct attach, in_chan)
		if (!err && !a->passed && a->now.cnt)
			err = end_put(g, end, a->ep->proc);
	return err;
}

/* Whoever can accept the connection. */
static int put_listeners(struct graph *g, uint32_t end)
{
	const struct chan *l;
	uint32_t at = 0;
	int err = 0;

	while (!err && (l = accepts_next(&g->accepts, g->ends[end].chan, &at)))
		list_for_each (h, &l->holders, struct holder, in_chan)
			err = err ? err : end_put(g, end, h->proc);
	g->ends[end].queued = g->ends[end].cnt;
	if (!err && g->ends[end].cnt && !accepts_surely(&g->accepts, g->ends[end].chan))
		g->knots.nodes[g->ends[end].node].late = true;
	return err;
}

static int end_fill(struct graph *g, uint32_t end)
{
	const struct chan *c = g->ends[end].chan, *memory;
	int err;

	if (end_is_open(c, g->ends[end].role)) {
		g->ends[end].outside = true;
		return 0;
	}
	memory = c->mech == MECH_FUTEX ? model_memory_of(g->m, c) : NULL;
	if (memory)
		err = put_mappers(g, end, memory);
	else
		err = chan_is_unheld(c) || list_empty(&c->holders) ? put_users(g, end)
								   : put_holders(g, end);
	if (!err && !g->ends[end].cnt && chan_shape(c) == SHAPE_PAIR)
		err = put_listeners(g, end);
	g->ends[end].hidden = !memory && g->ends[end].cnt && !g->ends[end].queued &&
			      hidden_holds(&g->calls, c, g->ends[end].role, g->ends[end].side);
	if (!g->ends[end].cnt || c->holders_left || g->ends[end].hidden)
		g->ends[end].outside = true;
	return err;
}

/* The end that one waits for; made when it is the first. */
static int end_get(struct graph *g, const struct chan *c, enum ep_role role, int side,
		   uint32_t *out)
{
	uint64_t key = hmap_mix((uintptr_t)c, (uint64_t)role << 8 | (uint64_t)(side + 1));
	struct graph_node node = {.kind = NODE_END, .at = (uint32_t)g->end_cnt};
	struct graph_end *e;
	uintptr_t at;
	int err;

	for (; (at = (uintptr_t)hmap_get(&g->by_end, key)); key++) {
		e = &g->ends[at - 1];
		*out = (uint32_t)(at - 1);
		if (e->chan == c && e->role == role && e->side == side)
			return 0;
	}
	if (vec_room((void **)&g->ends, &g->end_cap, g->end_cnt, sizeof(*g->ends)))
		return -ENOMEM;
	*out = (uint32_t)g->end_cnt;
	e = &g->ends[g->end_cnt];
	*e = (struct graph_end){.chan = c, .role = role, .side = side, .by_name = end_has_name(c)};
	if (node_add(g, &node, false, &e->node) ||
	    hmap_put(&g->by_end, key, (void *)(uintptr_t)++g->end_cnt))
		return -ENOMEM;
	err = end_fill(g, *out);
	g->knots.nodes[g->ends[*out].node].free = g->ends[*out].outside;
	return err;
}

static int helped_by(struct graph *g, const struct wait *w, const struct proc *p)
{
	uint32_t number = p && !p->exited ? node_of_proc(g, p) : KNOT_NONE;

	return number == KNOT_NONE ? -ENOENT : knot_edge(&g->knots, w->node, number);
}

/* Any of its children. Returns -ENOENT when none is in the picture. */
static int helped_by_children(struct graph *g, const struct wait *w)
{
	uint32_t at = (uint32_t)(uintptr_t)hmap_get(&g->children, w->proc->pid);
	int err = -ENOENT, one;

	for (; at; at = g->child[at - 1].next) {
		one = helped_by(g, w, g->child[at - 1].proc);
		if (!one || one != -ENOENT)
			err = one;
		if (err && err != -ENOENT)
			break;
	}
	return err;
}

static void help_from_outside(struct graph *g, struct wait *w)
{
	w->outside = true;
	g->knots.nodes[w->node].free = true;
}

/*
 * Nobody but w has the other end: that is often on purpose. A server opens its FIFO or queue for
 * both, so as not to see it end; an eventfd has one end only, and the kernel may be at it, too.
 */
static bool is_own_alone(const struct graph_end *e, const struct wait *w, bool polls)
{
	return e->cnt == 1 && e->only == w->proc &&
	       (polls || e->by_name || e->chan->mech == MECH_EVENTFD);
}

/* Waits at this end. */
static int wait_at(struct graph *g, struct wait *w, struct chan *c, enum ep_role role, int side,
		   bool polls)
{
	const struct graph_end *e;
	uint32_t end;
	int err;

	if (c->mech == MECH_FUTEX_PRIVATE) {
		err = helped_by(g, w, w->proc);
		return err == -ENOENT ? 0 : err;
	}
	err = end_get(g, c, role, side, &end);
	if (err)
		return err;
	e = &g->ends[end];
	w->by_name = w->by_name || e->by_name;
	w->hidden = w->hidden || e->hidden;
	w->queued = w->queued || e->queued;
	/* one that only it, or a thread of it, can make go on; then its children say more */
	if (!e->outside && polls && w->task->children && is_own_alone(e, w, polls)) {
		g->knots.nodes[w->node].late = true;
		return 0;
	}
	if (e->outside || is_own_alone(e, w, polls))
		help_from_outside(g, w);
	return knot_edge(&g->knots, w->node, e->node);
}

static int wait_chan(struct graph *g, struct wait *w)
{
	enum ep_role role = w->in->op == OP_SEND ? EP_SEND : EP_RECV;
	int side, err;

	if (!w->chan || (w->in->op != OP_SEND && w->in->op != OP_RECV)) {
		help_from_outside(g, w); /* accept, connect: whoever is there */
		return 0;
	}
	side = end_side(w->chan, w->proc, role);
	w->fd = end_fd(w->chan, w->proc, role, side);
	/* the last receiver of a queue, say: others may come, and it is no help to itself */
	if (w->in->owner && !w->in->owner->exited &&
	    !(end_has_name(w->chan) && w->in->owner == w->proc)) {
		w->by_name = end_has_name(w->chan);
		err = helped_by(g, w, w->in->owner);
		if (err != -ENOENT)
			return err;
	}
	return wait_at(g, w, w->chan, role, side, false);
}

static int wait_poll(struct graph *g, struct wait *w)
{
	const struct task *t = w->task;
	int err = 0;

	if (!t || !t->polled_cnt || t->polls_others)
		help_from_outside(g, w);
	for (size_t i = 0; !err && t && i < t->polled_cnt; i++) {
		struct chan *c = model_polled_chan(g->m, &t->polled[i]);
		int side = model_polled_side(g->m, &t->polled[i]);

		if (!c) {
			help_from_outside(g, w);
			continue;
		}
		if (!w->chan) {
			w->chan = c;
			w->fd = t->polled[i].fd;
		}
		if (polls_as(c, w->proc, &t->polled[i], EP_SEND))
			err = wait_at(g, w, c, EP_SEND, side, true);
		if (!err && polls_as(c, w->proc, &t->polled[i], EP_RECV))
			err = wait_at(g, w, c, EP_RECV, side, true);
	}
	if (!err && t && t->children)
		err = helped_by_children(g, w);
	return err == -ENOENT ? 0 : err;
}

/* A thread waits for those, too, that others of its process trace: do_wait() in kernel/exit.c. */
static bool traces_others(const struct proc *p)
{
	list_for_each (t, &p->tasks, struct task, in_proc)
		if (t->traces)
			return true;
	return false;
}

/* For one child, or for any of them; and for any tracee, of which not all that trace are told. */
static int wait_child(struct graph *g, struct wait *w)
{
	int32_t who = w->task->who;
	int err;

	if (who > 0) {
		err = helped_by(g, w, model_proc_by_pid(g->m, (uint32_t)who));
	} else {
		err = helped_by_children(g, w);
		g->knots.nodes[w->node].late |= traces_others(w->proc);
	}
	if (err == -ENOENT)
		help_from_outside(g, w);
	return err == -ENOENT ? 0 : err;
}

static int wait_edges(struct graph *g, struct wait *w)
{
	int err;

	switch (w->kind) {
	case WAIT_CHAN:
		return wait_chan(g, w);
	case WAIT_POLL:
		return wait_poll(g, w);
	case WAIT_CHILD:
		return wait_child(g, w);
	case WAIT_LOCK:
	case WAIT_STOPPED:
		err = w->task && w->task->who > 0
			      ? helped_by(g, w, model_proc_by_pid(g->m, (uint32_t)w->task->who))
			      : -ENOENT;
		g->knots.nodes[w->node].late |= !err && w->task->shared;
		if (err == -ENOENT && w->kind == WAIT_LOCK)
			help_from_outside(g, w);
		return err == -ENOENT ? 0 : err;
	case WAIT_OPEN:
		w->by_name = true;
		w->chan = model_polled_chan(g->m, &(struct polled){.obj = w->task->opens_obj});
		help_from_outside(g, w);
		return 0;
	default:
		return 0;
	}
}

/*
 * On from a process in a knot it goes by a thread that waits for something outside the process,
 * if there is one: those that wait for each other say less.
 */
static void route_by_threads(struct graph *g)
{
	for (uint32_t n = 0; n < g->knots.node_cnt; n++) {
		const struct graph_node *node = &g->nodes[n];

		if (node->kind != NODE_PROC || g->knots.nodes[n].knot == KNOT_NONE)
			continue;
		for (uint32_t i = node->at; i < node->at + node->cnt; i++) {
			if (g->waits[i].kind == WAIT_ENDED || waits_among_threads(&g->waits[i]))
				continue;
			g->knots.nodes[n].next = g->waits[i].node;
			break;
		}
	}
}

/* One of its threads does something that may end in use of c, more than to wait for children. */
static bool may_use(const struct graph *g, const struct graph_node *proc, const struct chan *c)
{
	for (uint32_t i = proc->at; i < proc->at + proc->cnt; i++)
		if (g->waits[i].kind != WAIT_CHILD && g->waits[i].kind != WAIT_ENDED &&
		    g->waits[i].chan != c)
			return true;
	return false;
}

/*
 * On from an end in a knot it goes to who may have come to use it: a parent that waits for its
 * children has what it gave them, and so have those who wait there themselves.
 */
static void route_by_users(struct graph *g)
{
	struct knots *k = &g->knots;

	for (size_t i = 0; i < g->end_cnt; i++) {
		uint32_t n = g->ends[i].node;

		if (k->nodes[n].knot == KNOT_NONE)
			continue;
		for (uint32_t e = k->nodes[n].first; e < k->nodes[n + 1].first; e++) {
			if (!may_use(g, &g->nodes[k->to[e]], g->ends[i].chan))
				continue;
			k->nodes[n].next = k->to[e];
			break;
		}
	}
}

/* Whom nobody helps who is known, but somebody may who is not. */
static void see_late(struct graph *g)
{
	for (size_t i = 0; i < g->wait_cnt; i++) {
		const struct knot_node *k = &g->knots.nodes[g->waits[i].node];

		if (k->late && k->next == KNOT_NONE && !g->waits[i].timed)
			g->waits[i].outside = true;
	}
}

/* The waits of each knot together, those of knot n up to where those of n + 1 begin. */
static void sort_members(struct graph *g)
{
	uint32_t *first = g->member_first, knot, cnt;

	for (size_t i = 0; i < g->wait_cnt; i++) {
		knot = g->knots.nodes[g->waits[i].node].knot;
		if (knot != KNOT_NONE)
			first[knot + 1]++;
	}
	for (uint32_t n = 0; n < g->knots.knot_cnt; n++)
		first[n + 1] += first[n];
	cnt = first[g->knots.knot_cnt];
	for (size_t i = g->wait_cnt; i-- > 0;) {
		knot = g->knots.nodes[g->waits[i].node].knot;
		if (knot != KNOT_NONE)
			g->members[--first[knot + 1]] = (uint32_t)i;
	}
	/* what was where a knot ends is now where it begins, one place too far */
	for (uint32_t n = 0; n < g->knots.knot_cnt; n++)
		first[n] = first[n + 1];
	first[g->knots.knot_cnt] = cnt;
}

/* What is asked for of a graph that is solved. */
static int index_waits(struct graph *g)
{
	g->marks = calloc((size_t)g->knots.node_cnt + 1, sizeof(*g->marks));
	g->member_first = calloc((size_t)g->knots.knot_cnt + 2, sizeof(*g->member_first));
	g->members = calloc(g->wait_cnt + 1, sizeof(*g->members));
	g->also_there = calloc(g->wait_cnt + 1, sizeof(*g->also_there));
	if (!g->marks || !g->member_first || !g->members || !g->also_there)
		return -ENOMEM;
	sort_members(g);
	for (size_t i = g->wait_cnt; i-- > 0;) {
		uintptr_t c = (uintptr_t)g->waits[i].chan;

		if (!c)
			continue;
		g->also_there[i] = (uint32_t)(uintptr_t)hmap_get(&g->by_chan, c);
		if (hmap_put(&g->by_chan, c, (void *)(i + 1)))
			return -ENOMEM;
	}
	return 0;
}

int graph_build(struct graph *g, const struct model *m)
{
	int err;

	*g = (struct graph){.m = m};
	err = index_inflight(g);
	err = err ? err : hidden_index(&g->calls, m);
	err = err ? err : accepts_index(&g->accepts, m);
	if (!err)
		err = index_children(g);
	list_for_each (p, model_procs(m), struct proc, in_model)
		if (!err && !p->exited)
			err = add_proc(g, p);
	for (size_t i = 0; !err && i < g->wait_cnt; i++)
		err = wait_edges(g, &g->waits[i]);
	err = err ? err : knot_solve(&g->knots);
	err = err ? err : index_waits(g);
	if (err)
		return err;
	see_late(g);
	route_by_threads(g);
	route_by_users(g);
	return 0;
}

void graph_fini(struct graph *g)
{
	knot_fini(&g->knots);
	hmap_fini(&g->by_tid);
	hmap_fini(&g->by_proc);
	hmap_fini(&g->by_end);
	hmap_fini(&g->in_by_tid);
	hmap_fini(&g->calls);
	accepts_fini(&g->accepts);
	hmap_fini(&g->children);
	free(g->waits);
	free(g->nodes);
	free(g->ends);
	free(g->child);
	hmap_fini(&g->by_chan);
	free(g->member_first);
	free(g->members);
	free(g->also_there);
	free(g->marks);
	*g = (struct graph){0};
}
