// SPDX-License-Identifier: BSD-2-Clause
#include "model/pair_queue.h"

#include <stdlib.h>
#include <string.h>

#define CAP_MIN      2
#define COMPACT_MIN  32
#define OVERLAP_SCAN 64
#define CAP_KEPT     64 /* a ring that ran empty keeps this much */

static bool grow(struct pair_queue *q)
{
	uint32_t cap = q->cap ? q->cap * 2 : CAP_MIN, i;
	struct xfer *v = malloc(cap * sizeof(*v));

	if (!v)
		return false;
	for (i = 0; i < q->cnt; i++)
		v[i] = *pq_at(q, i);
	free(q->v);
	q->v = v;
	q->cap = cap;
	q->head = 0;
	return true;
}

static bool before(const struct xfer *a, const struct xfer *b, bool by_pos)
{
	return by_pos ? a->pos < b->pos : a->exit_ns < b->exit_ns;
}

struct xfer *pq_push(struct pair_queue *q, const struct xfer *x, bool by_pos)
{
	uint32_t i;

	if (q->cnt == q->cap && !grow(q))
		return NULL;
	/* Records come almost in order: few steps back, and never before one already begun. */
	for (i = q->cnt; i > 0; i--) {
		struct xfer *prev = pq_at(q, i - 1);

		if (!before(x, prev, by_pos) || prev->flags & XF_STARTED || !prev->ep)
			break;
		*pq_at(q, i) = *prev;
	}
	*pq_at(q, i) = *x;
	q->cnt++;
	q->live++;
	q->bytes += x->left;
	return pq_at(q, i);
}

struct xfer *pq_push_front(struct pair_queue *q, const struct xfer *x)
{
	if (q->cnt == q->cap && !grow(q))
		return NULL;
	q->head = (q->head - 1) & (q->cap - 1);
	q->v[q->head] = *x;
	q->cnt++;
	q->live++;
	q->bytes += x->left;
	return &q->v[q->head];
}

void pq_mark_overlap(struct pair_queue *q, struct xfer *x, uint64_t from_ns)
{
	uint32_t i;

	for (i = q->cnt; i > 0 && q->cnt - i < OVERLAP_SCAN; i--) {
		struct xfer *o = pq_at(q, i - 1);

		if (!o->ep || o->exit_ns <= from_ns)
			return;
		if (o->tid != x->tid) {
			o->flags |= XF_OVERLAP;
			x->flags |= XF_OVERLAP;
		}
	}
}

/* Closes the gaps that entries taken out of turn left behind a head that waits. */
static void compact(struct pair_queue *q)
{
	uint32_t i, to = 0;

	for (i = 0; i < q->cnt; i++)
		if (!(pq_at(q, i)->flags & XF_DONE))
			*pq_at(q, to++) = *pq_at(q, i);
	q->cnt = to;
}

void pq_done(struct pair_queue *q, struct xfer *x)
{
	q->bytes -= x->left;
	x->left = 0;
	x->flags |= XF_DONE;
	q->live--;
	while (q->cnt && q->v[q->head].flags & XF_DONE) {
		q->head = (q->head + 1) & (q->cap - 1);
		q->cnt--;
	}
	if (!q->cnt && q->cap > CAP_KEPT)
		pq_fini(q);
	else if (q->cnt >= COMPACT_MIN && q->live * 2 < q->cnt)
		compact(q);
}

void pq_replace(struct pair_queue *q, const struct endpoint *from, struct endpoint *to)
{
	for (uint32_t i = 0; i < q->cnt; i++)
		if (pq_at(q, i)->ep == from)
			pq_at(q, i)->ep = to;
}

void pq_fini(struct pair_queue *q)
{
	free(q->v);
	memset(q, 0, sizeof(*q));
}
