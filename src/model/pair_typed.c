// SPDX-License-Identifier: BSD-2-Clause
#include "model/pair_typed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CLASSES_MAX 256
#define BLIND_MAX   4096

void pair_typed_init(struct pair_typed *pt, struct chan *c)
{
	memset(pt, 0, sizeof(*pt));
	pt->chan = c;
	hmap_init(&pt->by_type);
	list_init(&pt->classes);
}

static void class_free(struct pair_typed *pt, struct typed_class *tc)
{
	hmap_del(&pt->by_type, tc->type);
	list_del(&tc->in_typed);
	pt->cnt--;
	pair_msgs_fini(&tc->msgs);
	free(tc);
}

void pair_typed_fini(struct pair_typed *pt)
{
	list_for_each_safe (tc, &pt->classes, struct typed_class, in_typed)
		class_free(pt, tc);
	hmap_fini(&pt->by_type);
	pq_fini(&pt->blind);
}

static bool is_idle(const struct typed_class *tc)
{
	return !tc->msgs.sends.cnt && !tc->msgs.recvs.cnt;
}

/* One class less: one with nothing pending if there is any, else the one used least lately. */
static void make_room(struct pair_typed *pt)
{
	struct typed_class *victim = list_first(&pt->classes, struct typed_class, in_typed);

	list_for_each (tc, &pt->classes, struct typed_class, in_typed) {
		if (!is_idle(tc))
			continue;
		victim = tc;
		break;
	}
	pt->chan->unpaired += victim->msgs.sends.live;
	pt->forgotten++;
	class_free(pt, victim);
}

/* The class of a type, made when there is none; NULL: out of memory. */
static struct typed_class *class_of(struct pair_typed *pt, uint64_t type)
{
	struct typed_class *tc = hmap_get(&pt->by_type, type);

	if (tc) {
		list_del(&tc->in_typed);
		list_add_tail(&pt->classes, &tc->in_typed);
		return tc;
	}
	if (pt->cnt >= CLASSES_MAX)
		make_room(pt);
	tc = calloc(1, sizeof(*tc));
	if (!tc)
		return NULL;
	tc->type = type;
	pair_msgs_init(&tc->msgs, pt->chan, false);
	tc->msgs.settle_ns = TYPED_SETTLE_NS;
	tc->msgs.patient = true;
	if (hmap_put(&pt->by_type, type, tc)) {
		free(tc);
		return NULL;
	}
	list_add_tail(&pt->classes, &tc->in_typed);
	pt->cnt++;
	return tc;
}

int pair_typed_found(struct pair_typed *pt, uint64_t type, uint32_t len, uint64_t at_ns)
{
	struct typed_class *tc = class_of(pt, type);

	return tc ? pair_msgs_found(&tc->msgs, len, at_ns) : -ENOMEM;
}

/* Receives that did not ask for the type, and came before the record of their send. */
static int answer_blind(struct model *m, struct pair_typed *pt, struct typed_class *tc)
{
	struct xfer r;

	for (uint32_t i = 0; i < pt->blind.cnt; i++) {
		r = *pq_at(&pt->blind, i);
		if (r.flags & XF_DONE || !pair_msgs_matches(&tc->msgs, &r))
			continue;
		pq_done(&pt->blind, pq_at(&pt->blind, i));
		tc->received++;
		return pair_msgs_recv(m, &tc->msgs, &r);
	}
	return 0;
}

int pair_typed_send(struct model *m, struct pair_typed *pt, uint64_t type, const struct xfer *x)
{
	struct typed_class *tc = class_of(pt, type);
	int err;

	if (!tc)
		return -ENOMEM;
	tc->sent++;
	err = pair_msgs_send(m, &tc->msgs, x);
	if (!err && pt->blind.cnt && tc->msgs.sends.cnt)
		err = answer_blind(m, pt, tc);
	return err;
}

int pair_typed_recv(struct model *m, struct pair_typed *pt, uint64_t type, const struct xfer *x)
{
	struct typed_class *tc = class_of(pt, type);

	if (!tc)
		return -ENOMEM;
	tc->received++;
	return pair_msgs_recv(m, &tc->msgs, x);
}

int pair_typed_recv_blind(struct model *m, struct pair_typed *pt, const struct xfer *x)
{
	struct typed_class *best = NULL;

	list_for_each (tc, &pt->classes, struct typed_class, in_typed)
		if ((!best || tc->type > best->type) && pair_msgs_matches(&tc->msgs, x))
			best = tc;
	if (best) {
		best->received++;
		return pair_msgs_recv(m, &best->msgs, x);
	}
	if (pt->blind.cnt >= BLIND_MAX)
		pq_done(&pt->blind, pq_first(&pt->blind));
	chan_hold(m, pt->chan);
	return pq_push(&pt->blind, x, false) ? 0 : -ENOMEM;
}

void pair_typed_empty(struct pair_typed *pt, uint64_t at_ns)
{
	list_for_each (tc, &pt->classes, struct typed_class, in_typed)
		if (tc->msgs.sends.cnt)
			pair_msgs_empty(&tc->msgs, at_ns);
}

void pair_typed_lacks(struct pair_typed *pt, uint64_t type, uint64_t at_ns)
{
	struct typed_class *tc = hmap_get(&pt->by_type, type);

	if (tc)
		pair_msgs_empty(&tc->msgs, at_ns);
}

uint64_t pair_typed_drop(struct pair_typed *pt, uint64_t at_ns)
{
	uint64_t cnt = 0;
	struct xfer *w;

	list_for_each (tc, &pt->classes, struct typed_class, in_typed) {
		while ((w = pq_first(&tc->msgs.sends)) && w->exit_ns <= at_ns) {
			pq_done(&tc->msgs.sends, w);
			cnt++;
		}
	}
	return cnt;
}

int pair_typed_settle(struct model *m, struct pair_typed *pt, uint64_t now_ns, bool finish,
		      bool *waits)
{
	struct xfer *r;
	int err = 0, e;

	list_for_each (tc, &pt->classes, struct typed_class, in_typed) {
		e = pair_msgs_settle(m, &tc->msgs, now_ns, finish);
		if (e)
			err = e;
		*waits = *waits || pair_msgs_waits(&tc->msgs);
	}
	while ((r = pq_first(&pt->blind)) && (finish || r->exit_ns + TYPED_SETTLE_NS < now_ns))
		pq_done(&pt->blind, r);
	*waits = *waits || pt->blind.cnt;
	return err;
}

void pair_typed_merge(struct pair_typed *pt, const struct endpoint *from, struct endpoint *to)
{
	list_for_each (tc, &pt->classes, struct typed_class, in_typed) {
		pq_replace(&tc->msgs.sends, from, to);
		pq_replace(&tc->msgs.recvs, from, to);
	}
	pq_replace(&pt->blind, from, to);
}

static uint64_t traffic(const struct typed_class *tc)
{
	return tc->sent + tc->received;
}

unsigned int pair_typed_busiest(const struct pair_typed *pt, const struct typed_class **out)
{
	unsigned int cnt = 0, i;

	list_for_each (tc, &pt->classes, struct typed_class, in_typed) {
		if (cnt == TYPED_SHOWN && traffic(out[cnt - 1]) >= traffic(tc))
			continue;
		if (cnt < TYPED_SHOWN)
			cnt++;
		for (i = cnt - 1; i && traffic(out[i - 1]) < traffic(tc); i--)
			out[i] = out[i - 1];
		out[i] = tc;
	}
	return cnt;
}
