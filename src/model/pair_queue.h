/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair_queue.h - transfers that wait for their other half, in order of their end.
 *
 * A ring that grows by doubling and gives memory back when it runs empty.
 * Entries taken out of turn are marked XF_DONE and leave when they reach the
 * head, so the head, if there is one, is never done. Owner: whoever embeds it.
 */
#ifndef IPCSPY_PAIR_QUEUE_H
#define IPCSPY_PAIR_QUEUE_H

#include "model/internal.h"

struct pair_queue {
	struct xfer *v;
	uint32_t head, cnt, cap; /* cap: power of two, 0 at first */
	uint32_t live;           /* entries that are not done */
	uint64_t bytes;          /* sum of left over all entries */
};

/* Tells whether several tasks took part lately. */
struct pair_task {
	uint32_t tid;
	uint64_t last_ns, other_ns; /* last call of tid, and of any other task */
};

/* Tasks this close in time may be at it together. */
#define TOGETHER_NS 1000000000ull

static inline void task_seen(struct pair_task *t, const struct xfer *x)
{
	if (t->tid != x->tid) {
		if (t->tid)
			t->other_ns = t->last_ns;
		t->tid = x->tid;
	}
	t->last_ns = x->exit_ns;
}

static inline bool several(const struct pair_task *t)
{
	return t->other_ns && t->last_ns - t->other_ns < TOGETHER_NS;
}

/* Marks x and the entries that other tasks put in between from_ns and now. */
void pq_mark_overlap(struct pair_queue *q, struct xfer *x, uint64_t from_ns);

/* Counts a piece that was paired in this way: a message is as sure as its worst piece. */
static inline void xfer_set_how(struct xfer *x, enum pairing how)
{
	if ((uint32_t)how > (x->flags & XF_HOW) >> XF_HOW_BIT)
		x->flags = (x->flags & ~(uint32_t)XF_HOW) | (uint32_t)how << XF_HOW_BIT;
}

static inline enum pairing xfer_how(const struct xfer *x)
{
	return (x->flags & XF_HOW) >> XF_HOW_BIT;
}

static inline struct xfer *pq_at(const struct pair_queue *q, uint32_t i)
{
	return &q->v[(q->head + i) & (q->cap - 1)];
}

static inline struct xfer *pq_first(const struct pair_queue *q)
{
	return q->cnt ? &q->v[q->head] : NULL;
}

/* What the next push, or else the next look at the head, will touch; NULL before the first push. */
static inline const struct xfer *pq_next(const struct pair_queue *q, bool push)
{
	return q->cap ? pq_at(q, push ? q->cnt : 0) : NULL;
}

/*
 * Puts a copy of x behind all that ended earlier (or, with by_pos, that lie
 * before it in the stream). Returns its place, valid until the next push, or
 * NULL when out of memory.
 */
struct xfer *pq_push(struct pair_queue *q, const struct xfer *x, bool by_pos);

/* Puts x at the head. */
struct xfer *pq_push_front(struct pair_queue *q, const struct xfer *x);

/* Takes n bytes off an entry. */
static inline void pq_take(struct pair_queue *q, struct xfer *x, uint64_t n)
{
	x->left -= n;
	q->bytes -= n;
}

/* Marks an entry done; what was left of it is gone. Entries move: no pointer stays valid. */
void pq_done(struct pair_queue *q, struct xfer *x);

/* What is from's becomes to's. */
void pq_replace(struct pair_queue *q, const struct endpoint *from, struct endpoint *to);

void pq_fini(struct pair_queue *q);

#endif
