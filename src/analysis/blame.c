// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/blame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analysis.h"
#include "analysis/ends.h"
#include "lib/vec.h"

#define SPANS       16 /* latest sleeps of a thread */
#define SHARES      4  /* processes that one sleep came down to */
#define CAUSES      8  /* processes at the other end that are considered */
#define PENDING     64 /* sleeps that wait for what their causes do */
#define PAIRS_MAX   (1u << 16)
#define THREADS_MAX (1u << 15)
#define STEPS_MAX   4096 /* of following chains, for one sleep */
#define WORTH_SHARE 10   /* percent of the time observed that others must have waited */

struct share {
	struct proc *proc;
	uint64_t ns;
};

/* What a thread slept, [from, to], and what that came down to. */
struct span {
	uint64_t from, to, slept;
	struct share of[SHARES];
	unsigned int cnt;
};

struct thread {
	uint32_t tid;
	struct proc *proc;
	unsigned int cnt;
	struct span spans[SPANS]; /* oldest first */
};

struct cause {
	struct proc *proc;
	uint32_t tid; /* 0: not known which thread */
};

/* A sleep that is not settled, or not over. */
struct open_span {
	struct proc *proc;
	uint32_t tid;
	bool charged; /* counts; else it only passes blame on */
	bool visited;
	uint64_t from, to;
	struct cause causes[CAUSES];
	unsigned int cause_cnt;
};

struct blame {
	struct hmap threads; /* by tid */
	struct hmap rows;    /* struct proc -> struct blame_row */
	struct hmap pairs;   /* who was found to wait for whom */
	struct open_span pending[PENDING];
	unsigned int pending_cnt;
	uint64_t total_ns, unattributed_ns;
	struct open_span *live; /* of the latest snapshot, while a table is made */
	size_t live_cnt, live_cap;
	int err;
};

/* Where blame for one sleep goes. */
struct sums {
	struct share of[CAUSES * 2];
	unsigned int cnt, steps;
	uint64_t placed;
	const struct proc *waiter;
};

static void settle_pending_of(struct blame *b, uint32_t tid, uint64_t before_ns);

struct blame *blame_new(void)
{
	return calloc(1, sizeof(struct blame));
}

void blame_free(struct blame *b)
{
	if (!b)
		return;
	hmap_for_each (slot, &b->threads)
		free(slot->val);
	hmap_for_each (slot, &b->rows)
		free(slot->val);
	hmap_fini(&b->threads);
	hmap_fini(&b->rows);
	hmap_fini(&b->pairs);
	free(b->live);
	free(b);
}

/* ns * part / whole without overflow; part <= whole. */
static uint64_t scale(uint64_t ns, uint64_t part, uint64_t whole)
{
	return whole ? (uint64_t)((unsigned __int128)ns * part / whole) : 0;
}

/* Blames p. What nobody is found for, or the waiter itself, is left unplaced. */
static void place(struct sums *s, struct proc *p, uint64_t ns)
{
	unsigned int i;

	if (!ns || p == s->waiter)
		return;
	for (i = 0; i < s->cnt && s->of[i].proc != p; i++)
		;
	if (i == sizeof(s->of) / sizeof(s->of[0]))
		return;
	if (i == s->cnt)
		s->of[s->cnt++] = (struct share){p, 0};
	s->of[i].ns += ns;
	s->placed += ns;
}

static uint64_t overlap(uint64_t a_from, uint64_t a_to, uint64_t b_from, uint64_t b_to)
{
	uint64_t from = a_from > b_from ? a_from : b_from, to = a_to < b_to ? a_to : b_to;

	return to > from ? to - from : 0;
}

static void follow(struct blame *b, struct sums *s, const struct cause *c, uint64_t from,
		   uint64_t to, uint64_t ns);

/* Passes on what fell into one known sleep of the cause. Returns how much that is. */
static uint64_t pass_span(struct sums *s, const struct span *sp, uint64_t from, uint64_t to,
			  uint64_t ns)
{
	uint64_t both = overlap(sp->from, sp->to, from, to);
	uint64_t asleep = scale(both, sp->slept, sp->to - sp->from);
	uint64_t part = scale(ns, asleep, to - from);

	for (unsigned int i = 0; part && i < sp->cnt; i++)
		place(s, sp->of[i].proc, scale(part, sp->of[i].ns, sp->slept));
	return part;
}

/* The same of a sleep that is not over: its causes are followed now. In a circle nobody is blamed.
 */
static uint64_t pass_open(struct blame *b, struct sums *s, struct open_span *o, uint64_t from,
			  uint64_t to, uint64_t ns)
{
	uint64_t both = overlap(o->from, o->to, from, to), part = scale(ns, both, to - from);
	uint64_t begin = from > o->from ? from : o->from;

	if (!part || o->visited)
		return part;
	o->visited = true;
	for (unsigned int i = 0; i < o->cause_cnt; i++)
		follow(b, s, &o->causes[i], begin, begin + both, part / o->cause_cnt);
	o->visited = false;
	return part;
}

/* ns of [from, to] are because of c: its own, or of those that it waited for meanwhile. */
static void follow(struct blame *b, struct sums *s, const struct cause *c, uint64_t from,
		   uint64_t to, uint64_t ns)
{
	uint32_t tid = c->tid ? c->tid : c->proc->pid;
	const struct thread *t;
	uint64_t passed = 0;

	if (++s->steps > STEPS_MAX || to <= from)
		return;
	settle_pending_of(b, tid, to);
	t = hmap_get(&b->threads, tid);
	if (t && t->proc == c->proc)
		for (unsigned int i = t->cnt; i > 0 && t->spans[i - 1].to > from; i--)
			passed += pass_span(s, &t->spans[i - 1], from, to, ns);
	for (size_t i = 0; i < b->live_cnt; i++)
		if (b->live[i].tid == tid && b->live[i].proc == c->proc)
			passed += pass_open(b, s, &b->live[i], from, to, ns);
	if (passed < ns)
		place(s, c->proc, ns - passed);
}

static struct sums resolve(struct blame *b, struct open_span *o)
{
	struct sums s = {.waiter = o->charged ? o->proc : NULL};
	uint64_t ns = o->to - o->from;

	o->visited = true;
	for (unsigned int i = 0; i < o->cause_cnt; i++)
		follow(b, &s, &o->causes[i], o->from, o->to,
		       ns / o->cause_cnt + (i < ns % o->cause_cnt));
	o->visited = false;
	return s;
}

static struct blame_row *row_of(struct blame *b, struct proc *p)
{
	struct blame_row *row = hmap_get(&b->rows, (uintptr_t)p);

	if (row)
		return row;
	row = calloc(1, sizeof(*row));
	if (row && hmap_put(&b->rows, (uintptr_t)p, row)) {
		free(row);
		row = NULL;
	}
	if (row)
		row->proc = p;
	else
		b->err = -ENOMEM;
	return row;
}

static void charge(struct blame *b, const struct proc *waiter, const struct sums *s, uint64_t ns)
{
	b->total_ns += ns;
	b->unattributed_ns += ns - s->placed;
	for (unsigned int i = 0; i < s->cnt; i++) {
		uint64_t pair = hmap_mix((uintptr_t)waiter, (uintptr_t)s->of[i].proc);
		struct blame_row *row = row_of(b, s->of[i].proc);

		if (!row)
			return;
		row->caused_ns += s->of[i].ns;
		if (hmap_get(&b->pairs, pair) || b->pairs.cnt >= PAIRS_MAX)
			continue;
		row->waiters++;
		if (hmap_put(&b->pairs, pair, row))
			b->err = -ENOMEM;
	}
}

static void span_share(struct span *sp, struct proc *p, uint64_t ns)
{
	for (unsigned int i = 0; i < sp->cnt; i++) {
		if (sp->of[i].proc == p) {
			sp->of[i].ns += ns;
			return;
		}
	}
	if (sp->cnt < SHARES)
		sp->of[sp->cnt++] = (struct share){p, ns};
}

/* Two neighbours become one: the older half of a full list, pair by pair. */
static void merge_old(struct thread *t)
{
	unsigned int out = 0, in = 0;

	for (; in + 1 < SPANS / 2; in += 2, out++) {
		struct span sp = t->spans[in];
		const struct span *next = &t->spans[in + 1];

		sp.to = next->to;
		sp.slept += next->slept;
		for (unsigned int i = 0; i < next->cnt; i++)
			span_share(&sp, next->of[i].proc, next->of[i].ns);
		t->spans[out] = sp;
	}
	memmove(&t->spans[out], &t->spans[in], (t->cnt - in) * sizeof(*t->spans));
	t->cnt -= in - out;
}

static struct thread *thread_of(struct blame *b, uint32_t tid, struct proc *p)
{
	struct thread *t = hmap_get(&b->threads, tid);

	if (!t) {
		if (b->threads.cnt >= THREADS_MAX)
			return NULL;
		t = malloc(sizeof(*t));
		if (!t || hmap_put(&b->threads, tid, t)) {
			free(t);
			b->err = -ENOMEM;
			return NULL;
		}
		t->tid = tid;
		t->proc = NULL;
	}
	if (t->proc != p) { /* its number went to another */
		t->proc = p;
		t->cnt = 0;
	}
	return t;
}

/* In order of time; one that a record told late goes where it belongs. */
static void remember(struct blame *b, const struct open_span *o, const struct sums *s)
{
	struct thread *t = thread_of(b, o->tid, o->proc);
	struct span sp = {.from = o->from, .to = o->to, .slept = o->to - o->from};
	unsigned int at;

	if (!t || !o->tid)
		return;
	for (unsigned int i = 0; i < s->cnt; i++)
		span_share(&sp, s->of[i].proc, s->of[i].ns);
	if (t->cnt == SPANS)
		merge_old(t);
	for (at = t->cnt; at > 0 && t->spans[at - 1].to > sp.to; at--)
		t->spans[at] = t->spans[at - 1];
	t->spans[at] = sp;
	t->cnt++;
}

static void settle(struct blame *b, struct open_span *o)
{
	struct sums s = resolve(b, o);

	if (o->charged)
		charge(b, o->proc, &s, o->to - o->from);
	remember(b, o, &s);
}

static void settle_pending(struct blame *b, unsigned int at)
{
	struct open_span o = b->pending[at];

	b->pending_cnt--;
	memmove(&b->pending[at], &b->pending[at + 1], (b->pending_cnt - at) * sizeof(*b->pending));
	settle(b, &o);
}

static void settle_pending_of(struct blame *b, uint32_t tid, uint64_t before_ns)
{
	for (unsigned int i = 0; i < b->pending_cnt;) {
		if (b->pending[i].tid == tid && b->pending[i].from < before_ns) {
			settle_pending(b, i);
			i = 0; /* settling it may have settled others */
		} else {
			i++;
		}
	}
}

static bool is_opposite(const struct blocked *bl, const struct proc *p)
{
	if (chan_is_unheld(bl->chan))
		return true; /* whoever released it */
	list_for_each (ep, &bl->chan->endpoints, struct endpoint, in_chan)
		if (ep->proc == p && ep->role != EP_ATTACH &&
		    endpoint_is_opposite(bl->chan, bl->role, bl->side, ep))
			return true;
	list_for_each (h, &bl->chan->holders, struct holder, in_chan)
		if (h->proc == p && holder_is_opposite(bl->chan, bl->role, bl->side, h))
			return true;
	return false;
}

static void add_cause(struct open_span *o, struct proc *p, uint32_t tid)
{
	if (p == o->proc || o->cause_cnt == CAUSES)
		return;
	for (unsigned int i = 0; i < o->cause_cnt; i++)
		if (o->causes[i].proc == p)
			return;
	o->causes[o->cause_cnt++] = (struct cause){p, tid};
}

/* Those that used the other end: who moved something, and is still there, before others. */
static void add_users(struct open_span *o, const struct blocked *bl, bool moved, bool exited)
{
	list_for_each (ep, &bl->chan->endpoints, struct endpoint, in_chan)
		if (ep->role != EP_ATTACH && (ep->messages != 0) == moved &&
		    ep->proc->exited == exited &&
		    endpoint_is_opposite(bl->chan, bl->role, bl->side, ep))
			add_cause(o, ep->proc, 0);
}

static void add_causes(struct open_span *o, const struct blocked *bl)
{
	add_users(o, bl, true, false);
	if (!o->cause_cnt)
		add_users(o, bl, true, true);
	if (!o->cause_cnt)
		add_users(o, bl, false, false);
	if (o->cause_cnt)
		return;
	list_for_each (h, &bl->chan->holders, struct holder, in_chan)
		if (holder_is_opposite(bl->chan, bl->role, bl->side, h))
			add_cause(o, h->proc, 0);
	if (!o->cause_cnt)
		add_users(o, bl, false, true);
}

static struct proc *waker_of(const struct blame *b, const struct blocked *bl)
{
	const struct thread *t = bl->waker_tid ? hmap_get(&b->threads, bl->waker_tid) : NULL;

	if (!bl->waker_tid)
		return NULL;
	if (t)
		return t->proc;
	/* one that never slept: known by its number if it is the first of its process */
	if (bl->chan)
		list_for_each (ep, &bl->chan->endpoints, struct endpoint, in_chan)
			if (ep->proc->pid == bl->waker_tid)
				return ep->proc;
	return NULL;
}

static bool counts(const struct blocked *bl)
{
	enum chan_shape shape = chan_shape(bl->chan);

	return shape != SHAPE_INBOX && shape != SHAPE_CALL &&
	       bl->chan->mech != MECH_FUTEX_PRIVATE &&
	       (bl->proc->target || chan_concerns_target(bl->chan));
}

void blame_on_blocked(void *arg, const struct blocked *bl)
{
	struct blame *b = arg;
	struct open_span o = {.proc = bl->proc, .tid = bl->tid, .to = bl->end_ns};
	struct proc *waker = waker_of(b, bl);

	if (bl->timed_out && !bl->chan)
		return; /* it slept because it wanted to */
	o.from = bl->end_ns > bl->slept_ns ? bl->end_ns - bl->slept_ns : 0;
	o.charged = bl->chan && counts(bl);
	if (waker && waker != bl->proc && (!bl->chan || is_opposite(bl, waker))) {
		add_cause(&o, waker, bl->waker_tid);
		settle(b, &o);
		return;
	}
	if (bl->chan)
		add_causes(&o, bl);
	if (b->pending_cnt == PENDING)
		settle_pending(b, 0);
	if (b->pending_cnt == PENDING) /* cannot be: settling takes at least one */
		return;
	b->pending[b->pending_cnt++] = o;
}

static void replace(struct proc **p)
{
	if (*p && (*p)->standin)
		*p = (*p)->standin;
}

static void replace_in_span(struct span *sp)
{
	for (unsigned int i = 0; i < sp->cnt; i++)
		replace(&sp->of[i].proc);
}

static void fold_rows(struct blame *b)
{
	struct hmap old = b->rows;

	hmap_init(&b->rows);
	hmap_for_each (slot, &old) {
		struct blame_row *row = slot->val, *to;

		replace(&row->proc);
		to = row_of(b, row->proc);
		if (to) {
			to->caused_ns += row->caused_ns;
			to->waiters += row->waiters;
		}
		free(row);
	}
	hmap_fini(&old);
	/* pointers in there may be used again for others */
	hmap_fini(&b->pairs);
	hmap_init(&b->pairs);
}

void blame_on_fold(void *arg)
{
	struct blame *b = arg;

	hmap_for_each (slot, &b->threads) {
		struct thread *t = slot->val;

		if (t->proc && t->proc->standin) {
			t->proc = NULL;
			t->cnt = 0;
		}
		for (unsigned int i = 0; i < t->cnt; i++)
			replace_in_span(&t->spans[i]);
	}
	for (unsigned int i = 0; i < b->pending_cnt; i++) {
		replace(&b->pending[i].proc);
		for (unsigned int k = 0; k < b->pending[i].cause_cnt; k++)
			replace(&b->pending[i].causes[k].proc);
	}
	fold_rows(b);
}

/* What the latest snapshot shows to be asleep. */
static int add_live(struct blame *b, const struct inflight *i)
{
	struct blocked bl = {.proc = i->proc,
			     .chan = i->chan,
			     .role = i->op == OP_SEND ? EP_SEND : EP_RECV,
			     .tid = i->tid};
	struct open_span o = {.proc = i->proc, .tid = i->tid, .to = i->seen_ns};

	if (!i->asleep ||
	    (i->op != OP_WAIT && (!i->chan || (i->op != OP_SEND && i->op != OP_RECV))))
		return 0;
	o.from = i->seen_ns - (i->blocked_ns < i->seen_ns ? i->blocked_ns : i->seen_ns);
	if (i->op != OP_WAIT) {
		bl.side = end_side(i->chan, i->proc, bl.role);
		o.charged = counts(&bl);
		if (i->owner)
			add_cause(&o, i->owner, 0);
		else
			add_causes(&o, &bl);
	}
	if (vec_room((void **)&b->live, &b->live_cap, b->live_cnt, sizeof(*b->live)))
		return -ENOMEM;
	b->live[b->live_cnt++] = o;
	return 0;
}

static int table_add(struct blame_table *t, struct proc *p, uint64_t ns, unsigned int waiters)
{
	for (size_t i = 0; i < t->cnt; i++) {
		if (t->rows[i].proc == p) {
			t->rows[i].caused_ns += ns;
			t->rows[i].waiters += waiters;
			return 0;
		}
	}
	if (vec_room((void **)&t->rows, &t->cap, t->cnt, sizeof(*t->rows)))
		return -ENOMEM;
	t->rows[t->cnt++] = (struct blame_row){p, ns, waiters};
	return 0;
}

/* Adds what is not over; who waits twice counts once. */
static int table_add_live(struct blame_table *t, struct blame *b)
{
	struct hmap seen;
	int err = 0;

	hmap_init(&seen);
	for (size_t i = 0; !err && i < b->live_cnt; i++) {
		struct open_span *o = &b->live[i];
		struct sums s;

		if (!o->charged)
			continue;
		s = resolve(b, o);
		t->total_ns += o->to - o->from;
		t->unattributed_ns += o->to - o->from - s.placed;
		for (unsigned int k = 0; !err && k < s.cnt; k++) {
			uint64_t pair = hmap_mix((uintptr_t)o->proc, (uintptr_t)s.of[k].proc);
			bool known = hmap_get(&b->pairs, pair) || hmap_get(&seen, pair);

			err = table_add(t, s.of[k].proc, s.of[k].ns, !known);
			err = err ? err : hmap_put(&seen, pair, o);
		}
	}
	hmap_fini(&seen);
	return err;
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
	b->live_cnt = 0;
	list_for_each (i, model_inflight(m), struct inflight, in_model)
		if (!err)
			err = add_live(b, i);
	while (b->pending_cnt)
		settle_pending(b, 0);
	t->total_ns = b->total_ns;
	t->unattributed_ns = b->unattributed_ns;
	hmap_for_each (slot, &b->rows) {
		const struct blame_row *row = slot->val;

		if (!err)
			err = vec_room((void **)&t->rows, &t->cap, t->cnt, sizeof(*t->rows));
		if (!err)
			t->rows[t->cnt++] = *row;
	}
	if (!err)
		err = table_add_live(t, b);
	b->live_cnt = 0;
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
