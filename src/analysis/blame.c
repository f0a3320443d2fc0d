// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/blame.h"

#include <stdlib.h>

#include "analysis/analysis.h"
#include "analysis/ends.h"
#include "analysis/sleeps.h"

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
	hmap_fini(&b->live_by_tid);
	free(b->live);
	free(b);
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

/* Those that used the other end: who moved something, and is still there, before others. */
static void add_users(struct open_span *o, const struct blocked *bl, bool moved, bool exited)
{
	list_for_each (ep, &bl->chan->endpoints, struct endpoint, in_chan)
		if (ep->role != EP_ATTACH && (ep->messages != 0) == moved &&
		    ep->proc->exited == exited &&
		    endpoint_is_opposite(bl->chan, bl->role, bl->side, ep))
			sleep_cause(o, ep->proc, 0);
}

/* Those that used or hold the other end, where nobody is known to have ended the sleep. */
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
			sleep_cause(o, h->proc, 0);
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

bool blame_counts(const struct blocked *bl)
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
	o.charged = bl->chan && blame_counts(bl);
	if (waker && waker != bl->proc && (!bl->chan || is_opposite(bl, waker))) {
		sleep_cause(&o, waker, bl->waker_tid);
		sleep_settle(b, &o);
		return;
	}
	if (bl->chan)
		add_causes(&o, bl);
	if (b->pending_cnt == PENDING)
		sleep_settle_pending(b, 0);
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
		to = blame_row_of(b, row->proc);
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
