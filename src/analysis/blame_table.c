// SPDX-License-Identifier: BSD-2-Clause
/* Whom others waited for, up to now: what is settled, and what is not over. */
#include "analysis/blame.h"

#include <errno.h>
#include <stdlib.h>

#include "analysis/analysis.h"
#include "analysis/ends.h"
#include "analysis/sleeps.h"
#include "lib/vec.h"

#define WORTH_SHARE 10 /* percent of the time observed that others must have waited */
#define HELPERS_MAX 64 /* of those who could end one sleep that are looked at */

static bool is_among(struct proc *const *v, size_t cnt, const struct proc *p)
{
	while (cnt && v[cnt - 1] != p)
		cnt--;
	return cnt;
}

/* Who has moved something at the other end, and ended after from: until then it could have helped.
 */
static bool is_gone(const struct blocked *bl, const struct endpoint *ep, uint64_t from)
{
	return ep->messages && ep->proc->status_known && ep->proc->exited_ns > from &&
	       endpoint_is_opposite(bl->chan, bl->role, bl->side, ep);
}

/* When the last of those ended, 0: there are none. They are causes of o. */
static uint64_t add_gone(struct open_span *o, const struct blocked *bl)
{
	uint64_t last = 0;

	list_for_each (ep, &bl->chan->endpoints, struct endpoint, in_chan) {
		if (!is_gone(bl, ep, o->from))
			continue;
		sleep_cause(o, ep->proc, 0);
		last = ep->proc->exited_ns > last ? ep->proc->exited_ns : last;
	}
	return last;
}

/*
 * Who could end a sleep now: before others, who has moved something there. Those who are gone, or
 * have closed their end, can not.
 */
static void add_helpers(struct open_span *o, const struct blocked *bl, const struct inflight *i)
{
	struct proc *on[HELPERS_MAX];
	size_t cnt = waits_for(i, on, HELPERS_MAX);
	bool moved = false;

	if (cnt > HELPERS_MAX)
		cnt = HELPERS_MAX;
	list_for_each (ep, &bl->chan->endpoints, struct endpoint, in_chan) {
		if (!ep->messages || !endpoint_is_opposite(bl->chan, bl->role, bl->side, ep) ||
		    !is_among(on, cnt, ep->proc))
			continue;
		sleep_cause(o, ep->proc, 0);
		moved = true;
	}
	for (size_t k = 0; !moved && k < cnt; k++)
		sleep_cause(o, on[k], 0);
}

static int push_live(struct blame *b, const struct open_span *o)
{
	if (vec_room((void **)&b->live, &b->live_cap, b->live_cnt, sizeof(*b->live)))
		return -ENOMEM;
	b->live[b->live_cnt] = *o;
	b->live[b->live_cnt++].next = (uintptr_t)hmap_get(&b->live_by_tid, o->tid);
	return hmap_put(&b->live_by_tid, o->tid, (void *)b->live_cnt);
}

/* The part of a sleep in which some were still there who are gone now; o is what is left. */
static int push_until_gone(struct blame *b, struct open_span *o, const struct blocked *bl,
			   const struct inflight *i)
{
	struct open_span until = *o;
	uint64_t last = add_gone(&until, bl);

	if (!last)
		return 0;
	add_helpers(&until, bl, i);
	o->from = until.to = last < o->to ? last : o->to;
	return push_live(b, &until);
}

/* What the latest snapshot shows to be asleep. */
static int add_live(struct blame *b, const struct inflight *i)
{
	struct blocked bl = {.proc = i->proc,
			     .chan = i->chan,
			     .role = i->op == OP_SEND ? EP_SEND : EP_RECV,
			     .tid = i->tid};
	struct open_span o = {.proc = i->proc, .tid = i->tid, .to = i->seen_ns};
	int err;

	if (!i->asleep ||
	    (i->op != OP_WAIT && (!i->chan || (i->op != OP_SEND && i->op != OP_RECV))))
		return 0;
	o.from = i->seen_ns - (i->blocked_ns < i->seen_ns ? i->blocked_ns : i->seen_ns);
	if (i->op != OP_WAIT) {
		bl.side = end_side(i->chan, i->proc, bl.role);
		o.charged = blame_counts(&bl);
		err = push_until_gone(b, &o, &bl, i);
		if (err)
			return err;
		add_helpers(&o, &bl, i);
	}
	return push_live(b, &o);
}

/* Rows while they are made: where that of a process is. */
struct making {
	struct blame_table *t;
	struct hmap at;   /* struct proc -> number of its row, plus 1 */
	struct hmap seen; /* who was found to wait for whom, of what is not over */
};

static int table_add(struct making *mk, struct proc *p, uint64_t ns, unsigned int waiters)
{
	struct blame_table *t = mk->t;
	size_t at = (uintptr_t)hmap_get(&mk->at, (uintptr_t)p);

	if (!at) {
		if (vec_room((void **)&t->rows, &t->cap, t->cnt, sizeof(*t->rows)))
			return -ENOMEM;
		t->rows[t->cnt] = (struct blame_row){.proc = p};
		at = ++t->cnt;
		if (hmap_put(&mk->at, (uintptr_t)p, (void *)at))
			return -ENOMEM;
	}
	t->rows[at - 1].caused_ns += ns;
	t->rows[at - 1].waiters += waiters;
	return 0;
}

/* Adds what is not over; who waits twice counts once. */
static int add_live_rows(struct making *mk, struct blame *b)
{
	int err = 0;

	for (size_t i = 0; !err && i < b->live_cnt; i++) {
		struct open_span *o = &b->live[i];
		struct sums s;

		if (!o->charged)
			continue;
		s = sleep_resolve(b, o);
		mk->t->total_ns += o->to - o->from;
		mk->t->unattributed_ns += o->to - o->from - s.placed;
		for (unsigned int k = 0; !err && k < s.cnt; k++) {
			uint64_t pair = hmap_mix((uintptr_t)o->proc, (uintptr_t)s.of[k].proc);
			bool known = hmap_get(&b->pairs, pair) || hmap_get(&mk->seen, pair);

			if (!s.due[k])
				continue;
			err = table_add(mk, s.of[k].proc, s.due[k], !known);
			err = err ? err : hmap_put(&mk->seen, pair, o);
		}
	}
	return err;
}

static int make_rows(struct blame_table *t, struct blame *b)
{
	struct making mk = {.t = t};
	int err = 0;

	t->total_ns = b->total_ns;
	t->unattributed_ns = b->unattributed_ns;
	hmap_for_each (slot, &b->rows) {
		const struct blame_row *row = slot->val;

		if (!err)
			err = table_add(&mk, row->proc, row->caused_ns, row->waiters);
	}
	err = err ? err : add_live_rows(&mk, b);
	hmap_fini(&mk.at);
	hmap_fini(&mk.seen);
	return err;
}

static void forget_live(struct blame *b)
{
	b->live_cnt = 0;
	hmap_fini(&b->live_by_tid);
	hmap_init(&b->live_by_tid);
}

static int by_caused(const void *pa, const void *pb)
{
	const struct blame_row *x = pa, *y = pb;

	if (x->caused_ns != y->caused_ns)
		return x->caused_ns > y->caused_ns ? -1 : 1;
	return (x->proc->pid > y->proc->pid) - (x->proc->pid < y->proc->pid);
}

int blame_table_init(struct blame_table *t, struct blame *b, const struct model *m)
{
	int err = b ? b->err : 0;

	*t = (struct blame_table){0};
	if (!b)
		return 0;
	forget_live(b);
	list_for_each (i, model_inflight(m), struct inflight, in_model)
		if (!err)
			err = add_live(b, i);
	while (b->pending_cnt)
		sleep_settle_pending(b, 0);
	err = err ? err : make_rows(t, b);
	forget_live(b);
	if (t->cnt)
		qsort(t->rows, t->cnt, sizeof(*t->rows), by_caused);
	return err;
}

void blame_table_fini(struct blame_table *t)
{
	free(t->rows);
	*t = (struct blame_table){0};
}

const struct blame_row *blame_worst(const struct blame_table *t, const struct model *m)
{
	uint64_t span_ns = model_now_ns(m) - model_start_ns(m);

	if (!t->cnt || t->rows[0].caused_ns < span_ns / 100 * WORTH_SHARE)
		return NULL;
	return &t->rows[0];
}
