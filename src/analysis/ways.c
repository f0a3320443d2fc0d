// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/ways.h"

#include <errno.h>
#include <stdlib.h>

#define UNKNOWN UINT32_MAX

static uint32_t number_of(const struct graph *g, const struct wait *w)
{
	return (uint32_t)(w - g->waits);
}

/* One step, UNKNOWN at the end. */
static uint32_t step(const struct graph *g, uint32_t i)
{
	const struct wait *w = &g->waits[i];
	const struct wait *next = graph_knot(g, w) == KNOT_NONE ? graph_next(g, w) : NULL;

	return next ? number_of(g, next) : UNKNOWN;
}

/* From i to where it ends, or to one of which that is known; and all on the way know it then. */
static void follow(struct ways *w, const struct graph *g, uint32_t i)
{
	uint32_t at = i, on = i, end;

	/* outside knots a way comes to no one twice; should it, then this ends it */
	for (size_t steps = 0; w->end[at] == UNKNOWN; at = on, steps++) {
		on = steps < g->wait_cnt ? step(g, at) : UNKNOWN;
		if (on == UNKNOWN)
			w->end[at] = on = at;
	}
	end = w->end[at];
	for (; w->end[i] == UNKNOWN; i = on) {
		on = step(g, i);
		w->end[i] = end;
	}
}

int ways_init(struct ways *w, const struct graph *g)
{
	size_t cnt = g->wait_cnt;

	*w = (struct ways){
		.end = malloc((cnt + 1) * sizeof(*w->end)),
		.first = calloc(cnt + 1, sizeof(*w->first)),
		.next = calloc(cnt + 1, sizeof(*w->next)),
	};
	if (!w->end || !w->first || !w->next)
		return -ENOMEM;
	for (size_t i = 0; i < cnt; i++)
		w->end[i] = UNKNOWN;
	for (uint32_t i = 0; i < cnt; i++)
		follow(w, g, i);
	for (uint32_t i = (uint32_t)cnt; i-- > 0;) {
		w->next[i] = w->first[w->end[i]];
		w->first[w->end[i]] = i + 1;
	}
	return 0;
}

void ways_fini(struct ways *w)
{
	free(w->end);
	free(w->first);
	free(w->next);
	*w = (struct ways){0};
}

bool *ways_begin(const struct graph *g)
{
	size_t knot_cnt = g->knots.knot_cnt;
	bool *begins = calloc(g->wait_cnt + 1, sizeof(*begins));
	bool *known = calloc(knot_cnt + 1, sizeof(*known)); /* by knot: something leads into it */

	if (!begins || !known) {
		free(begins);
		free(known);
		return NULL;
	}
	for (size_t i = 0; i < g->wait_cnt; i++) {
		const struct wait *w = &g->waits[i];

		begins[i] = !graph_can_go_on(g, w) && graph_next(g, w);
	}
	/* unless somebody else waits for it: then it is in that one's chain */
	for (size_t i = 0; i < g->wait_cnt; i++) {
		const struct wait *w = &g->waits[i], *next = graph_next(g, w);

		if (!next || next == w || graph_can_go_on(g, w) || graph_knot(g, w) != KNOT_NONE)
			continue;
		if (graph_knot(g, next) == KNOT_NONE)
			begins[number_of(g, next)] = false;
		else
			known[graph_knot(g, next)] = true;
	}
	/* of a knot into which no chain leads the first one stands for it */
	for (size_t i = 0; i < g->wait_cnt; i++) {
		uint32_t knot = graph_knot(g, &g->waits[i]);

		if (knot == KNOT_NONE)
			continue;
		begins[i] = begins[i] && !known[knot];
		known[knot] = true;
	}
	free(known);
	return begins;
}
