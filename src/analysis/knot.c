// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/knot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/vec.h"

/* What solving needs beside the result. */
struct solver {
	struct knots *k;
	uint32_t *back, *back_first; /* edges by where they lead */
	uint32_t *queue;
	uint32_t *index, *low, *at; /* Tarjan's numbers; the edge that a node looks at */
	uint32_t *stack, *path;     /* nodes without a component yet; the way to where we are */
	uint32_t stack_cnt, path_cnt, next_index;
};

#define UNSEEN 0u
#define DONE   UINT32_MAX /* as low: its component is known */

int knot_add(struct knots *k, bool is_free, uint32_t *out)
{
	/* one more than there are: nodes[n + 1].first ends the edges of n */
	if (k->node_cnt >= KNOT_NONE - 1 ||
	    vec_room((void **)&k->nodes, &k->node_cap, (size_t)k->node_cnt + 1, sizeof(*k->nodes)))
		return -ENOMEM;
	k->nodes[k->node_cnt] =
		(struct knot_node){.free = is_free, .next = KNOT_NONE, .knot = KNOT_NONE};
	*out = k->node_cnt++;
	return 0;
}

int knot_edge(struct knots *k, uint32_t from, uint32_t to)
{
	if (k->edge_cnt >= KNOT_NONE - 1 ||
	    vec_room((void **)&k->edges, &k->edge_cap, k->edge_cnt, sizeof(*k->edges)))
		return -ENOMEM;
	k->edges[k->edge_cnt++] = (struct knot_edge){from, to};
	return 0;
}

void knot_fini(struct knots *k)
{
	free(k->nodes);
	free(k->edges);
	free(k->to);
	*k = (struct knots){0};
}

static void solver_fini(struct solver *s)
{
	free(s->back);
	free(s->back_first);
	free(s->queue);
	free(s->index);
	free(s->low);
	free(s->at);
	free(s->stack);
	free(s->path);
}

static int solver_init(struct solver *s, struct knots *k)
{
	uint32_t **const vectors[] = {&s->back_first, &s->queue, &s->index, &s->low,
				      &s->at,         &s->stack, &s->path};

	*s = (struct solver){.k = k};
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		*vectors[i] = calloc((size_t)k->node_cnt + 2, sizeof(uint32_t));
		if (!*vectors[i])
			return -ENOMEM;
	}
	free(k->to);
	k->to = calloc((size_t)k->edge_cnt + 1, sizeof(uint32_t));
	s->back = calloc((size_t)k->edge_cnt + 1, sizeof(uint32_t));
	return k->to && s->back ? 0 : -ENOMEM;
}

/* Sorts the edges by where they begin, in the order in which they were added, and by end. */
static void sort_edges(struct solver *s)
{
	struct knots *k = s->k;

	for (uint32_t n = 0; n <= k->node_cnt; n++)
		k->nodes[n].first = 0;
	for (uint32_t e = 0; e < k->edge_cnt; e++) {
		k->nodes[k->edges[e].from + 1].first++;
		s->back_first[k->edges[e].to + 1]++;
	}
	for (uint32_t n = 0; n < k->node_cnt; n++) {
		k->nodes[n + 1].first += k->nodes[n].first;
		s->back_first[n + 1] += s->back_first[n];
	}
	for (uint32_t e = 0; e < k->edge_cnt; e++) {
		const struct knot_edge *edge = &k->edges[e];

		k->to[k->nodes[edge->from].first + s->index[edge->from]++] = edge->to;
		s->back[s->back_first[edge->to] + s->low[edge->to]++] = edge->from;
	}
	memset(s->index, 0, k->node_cnt * sizeof(*s->index));
	memset(s->low, 0, k->node_cnt * sizeof(*s->low));
}

/*
 * From the nodes in the queue, number i and on, against the edges: who comes to one of them, and
 * which way. Returns how many there are then.
 */
static uint32_t spread(struct solver *s, uint32_t i, uint32_t cnt, bool can)
{
	struct knots *k = s->k;

	for (; i < cnt; i++) {
		uint32_t n = s->queue[i];

		for (uint32_t e = s->back_first[n]; e < s->back_first[n + 1]; e++) {
			struct knot_node *from = &k->nodes[s->back[e]];

			if (from->can || from->next != KNOT_NONE || from->knot != KNOT_NONE)
				continue;
			from->next = n;
			from->can = can;
			s->queue[cnt++] = s->back[e];
		}
	}
	return cnt;
}

static void who_can(struct solver *s)
{
	struct knots *k = s->k;
	uint32_t cnt = 0;

	for (uint32_t n = 0; n < k->node_cnt; n++) {
		struct knot_node *node = &k->nodes[n];

		node->can = node->free;
		node->next = node->knot = KNOT_NONE;
		if (node->can)
			s->queue[cnt++] = n;
	}
	cnt = spread(s, 0, cnt, true);
	for (uint32_t n = 0; n < k->node_cnt; n++) {
		struct knot_node *node = &k->nodes[n];

		if (!node->late || node->can)
			continue;
		node->can = true;
		s->queue[cnt] = n;
		cnt = spread(s, cnt, cnt + 1, true);
	}
}

static void enter(struct solver *s, uint32_t n)
{
	s->index[n] = s->low[n] = ++s->next_index;
	s->at[n] = s->k->nodes[n].first;
	s->stack[s->stack_cnt++] = n;
	s->path[s->path_cnt++] = n;
}

/* n's component is whole: those above it on the stack. It is a knot if no edge leaves it. */
static void leave_component(struct solver *s, uint32_t n)
{
	struct knots *k = s->k;
	uint32_t begin = s->stack_cnt;
	bool leads_out = false;

	do
		begin--;
	while (s->stack[begin] != n);
	for (uint32_t i = begin; i < s->stack_cnt; i++) {
		uint32_t member = s->stack[i];

		for (uint32_t e = k->nodes[member].first; e < k->nodes[member + 1].first; e++)
			leads_out = leads_out || s->low[k->to[e]] == DONE;
	}
	for (uint32_t i = begin; i < s->stack_cnt; i++) {
		uint32_t member = s->stack[i];

		s->low[member] = DONE;
		if (leads_out)
			continue;
		k->nodes[member].knot = k->knot_cnt;
		if (k->nodes[member].first < k->nodes[member + 1].first)
			k->nodes[member].next = k->to[k->nodes[member].first];
	}
	k->knot_cnt += !leads_out;
	s->stack_cnt = begin;
}

/* One step of Tarjan's walk, without recursion: at the last node of the path. */
static void step(struct solver *s)
{
	uint32_t n = s->path[s->path_cnt - 1], to;

	if (s->at[n] < s->k->nodes[n + 1].first) {
		to = s->k->to[s->at[n]++];
		if (s->index[to] == UNSEEN)
			enter(s, to);
		else if (s->low[to] != DONE && s->index[to] < s->low[n])
			s->low[n] = s->index[to];
		return;
	}
	s->path_cnt--;
	if (s->path_cnt && s->low[n] < s->low[s->path[s->path_cnt - 1]])
		s->low[s->path[s->path_cnt - 1]] = s->low[n];
	if (s->low[n] == s->index[n])
		leave_component(s, n);
}

/* Edges of a stuck node lead to stuck nodes only, so the walk stays among them. */
static void find_knots(struct solver *s)
{
	struct knots *k = s->k;
	uint32_t cnt = 0;

	k->knot_cnt = 0;
	for (uint32_t n = 0; n < k->node_cnt; n++) {
		if (k->nodes[n].can || s->index[n] != UNSEEN)
			continue;
		enter(s, n);
		while (s->path_cnt)
			step(s);
	}
	for (uint32_t n = 0; n < k->node_cnt; n++)
		if (k->nodes[n].knot != KNOT_NONE)
			s->queue[cnt++] = n;
	spread(s, 0, cnt, false);
}

int knot_solve(struct knots *k)
{
	struct solver s;
	int err;

	k->knot_cnt = 0;
	if (!k->node_cnt)
		return 0;
	err = solver_init(&s, k);
	if (!err) {
		sort_edges(&s);
		who_can(&s);
		find_knots(&s);
	}
	solver_fini(&s);
	return err;
}
