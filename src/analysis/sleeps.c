// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/sleeps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS_MAX   (1u << 16)
#define THREADS_MAX (1u << 15)
#define THREADS_FEW (1u << 12) /* so many are kept whether they slept lately or not */
#define LATELY_NS   10000000000ull
#define STEPS_MAX   4096 /* of following chains, for one sleep */

static void settle_pending_of(struct blame *b, uint32_t tid, uint64_t before_ns);

void sleep_cause(struct open_span *o, struct proc *p, uint32_t tid)
{
	if (p == o->proc || o->cause_cnt == CAUSES)
		return;
	for (unsigned int i = 0; i < o->cause_cnt; i++)
		if (o->causes[i].proc == p)
			return;
	o->causes[o->cause_cnt++] = (struct cause){p, tid};
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

	if (ns > s->left) /* sleeps of one thread overlap in no trace, but in a file that lies */
		ns = s->left;
	if (!ns || p == s->waiter)
		return;
	for (i = 0; i < s->cnt && s->of[i].proc != p; i++)
		;
	if (i == sizeof(s->of) / sizeof(s->of[0]))
		return;
	if (i == s->cnt)
		s->of[s->cnt++] = (struct share){p, 0};
	s->of[i].ns += ns;
	s->left -= ns;
	if (!s->asked)
		return;
	s->due[i] += ns;
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
	for (size_t i = (uintptr_t)hmap_get(&b->live_by_tid, tid); i; i = b->live[i - 1].next)
		if (b->live[i - 1].proc == c->proc)
			passed += pass_open(b, s, &b->live[i - 1], from, to, ns);
	if (passed < ns)
		place(s, c->proc, ns - passed);
}

/* A peer that waits for another peer is no concern of the targets. */
struct sums sleep_resolve(struct blame *b, struct open_span *o)
{
	uint64_t ns = o->to - o->from;
	struct sums s = {.waiter = o->charged ? o->proc : NULL, .left = ns};

	o->visited = true;
	for (unsigned int i = 0; i < o->cause_cnt; i++) {
		s.asked = o->proc->target || o->causes[i].proc->target;
		follow(b, &s, &o->causes[i], o->from, o->to,
		       ns / o->cause_cnt + (i < ns % o->cause_cnt));
	}
	o->visited = false;
	return s;
}

struct blame_row *blame_row_of(struct blame *b, struct proc *p)
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
		struct blame_row *row = s->due[i] ? blame_row_of(b, s->of[i].proc) : NULL;

		if (!row)
			continue;
		row->caused_ns += s->due[i];
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

static void forget_threads(struct blame *b, uint64_t before_ns)
{
	struct hmap old = b->threads;

	hmap_init(&b->threads);
	hmap_for_each (slot, &old) {
		struct thread *t = slot->val;
		bool keep = t->cnt && t->spans[t->cnt - 1].to >= before_ns;

		if (keep && !hmap_put(&b->threads, slot->key, t))
			continue;
		if (keep)
			b->err = -ENOMEM;
		free(t);
	}
	hmap_fini(&old);
}

/* Most of very many have ended. What was so long ago overlaps with few sleeps of now. */
static void make_room(struct blame *b, uint64_t now_ns)
{
	if (b->threads.cnt < THREADS_FEW || now_ns < b->forgot_ns ||
	    now_ns - b->forgot_ns < LATELY_NS)
		return;
	b->forgot_ns = now_ns;
	forget_threads(b, now_ns - LATELY_NS);
}

static struct thread *thread_of(struct blame *b, uint32_t tid, struct proc *p, uint64_t now_ns)
{
	struct thread *t = hmap_get(&b->threads, tid);

	if (!t) {
		make_room(b, now_ns);
		if (b->threads.cnt >= THREADS_MAX)
			return NULL;
		t = malloc(sizeof(*t));
		if (!t || hmap_put(&b->threads, tid, t)) {
			free(t);
			b->err = -ENOMEM;
			return NULL;
		}
		t->proc = NULL;
	}
	if (t->proc != p) { /* its number went to another */
		t->proc = p;
		t->cnt = 0;
	}
	return t;
}

/* Leaves of it what lies in [from, to]. False: nothing does. */
static bool clip(struct span *sp, uint64_t from, uint64_t to)
{
	uint64_t whole = sp->slept;

	sp->from = sp->from > from ? sp->from : from;
	sp->to = sp->to < to ? sp->to : to;
	if (sp->from >= sp->to)
		return false;
	sp->slept = sp->to - sp->from;
	for (unsigned int i = 0; i < sp->cnt; i++)
		sp->of[i].ns = scale(sp->of[i].ns, sp->slept, whole);
	return true;
}

/*
 * In order of time; one that a record told late goes where it belongs. A time in which it could
 * not send (EAGAIN) it has slept in poll, mostly: that was told before, and counts once.
 */
static void remember(struct blame *b, const struct open_span *o, const struct sums *s)
{
	struct thread *t = o->tid ? thread_of(b, o->tid, o->proc, o->to) : NULL;
	struct span sp = {.from = o->from, .to = o->to, .slept = o->to - o->from};
	unsigned int at;

	if (!t)
		return;
	for (unsigned int i = 0; i < s->cnt; i++)
		span_share(&sp, s->of[i].proc, s->of[i].ns);
	if (t->cnt == SPANS)
		merge_old(t);
	for (at = t->cnt; at > 0 && t->spans[at - 1].to > sp.to; at--)
		;
	if (!clip(&sp, at ? t->spans[at - 1].to : 0, at < t->cnt ? t->spans[at].from : sp.to))
		return;
	memmove(&t->spans[at + 1], &t->spans[at], (t->cnt - at) * sizeof(*t->spans));
	t->spans[at] = sp;
	t->cnt++;
}

void sleep_settle(struct blame *b, struct open_span *o)
{
	struct sums s = sleep_resolve(b, o);

	if (o->charged)
		charge(b, o->proc, &s, o->to - o->from);
	remember(b, o, &s);
}

void sleep_settle_pending(struct blame *b, unsigned int at)
{
	struct open_span o = b->pending[at];

	b->pending_cnt--;
	memmove(&b->pending[at], &b->pending[at + 1], (b->pending_cnt - at) * sizeof(*b->pending));
	sleep_settle(b, &o);
}

static void settle_pending_of(struct blame *b, uint32_t tid, uint64_t before_ns)
{
	for (unsigned int i = 0; i < b->pending_cnt;) {
		if (b->pending[i].tid == tid && b->pending[i].from < before_ns) {
			sleep_settle_pending(b, i);
			i = 0; /* settling it may have settled others */
		} else {
			i++;
		}
	}
}
