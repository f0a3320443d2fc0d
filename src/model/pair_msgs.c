// SPDX-License-Identifier: BSD-2-Clause
#include "model/pair_msgs.h"

#include <errno.h>

#define SCAN_MAX  512
#define QUEUE_MAX 16384

void pair_msgs_init(struct pair_msgs *pm, struct chan *c, bool drops)
{
	pm->chan = c;
	pm->drops = drops;
	pm->settle_ns = SETTLE_NS;
}

void pair_msgs_fini(struct pair_msgs *pm)
{
	pq_fini(&pm->sends);
	pq_fini(&pm->recvs);
}

void pair_msgs_begin(struct pair_msgs *pm, uint64_t messages, uint64_t at_ns)
{
	pm->unknown = messages;
	pm->begin_ns = at_ns;
}

/* Both hashed the same number of bytes? A cut receive only when it has 32 of them. */
static bool comparable(const struct xfer *r, const struct xfer *w)
{
	return r->flags & w->flags & OPF_FP && (r->len == w->len || (r->len >= 32 && w->len >= 32));
}

/* Can r have received w? */
static bool possible(const struct xfer *r, const struct xfer *w)
{
	if (w->flags & XF_DONE || w->enter_ns >= r->exit_ns)
		return false;
	if (r->flags & OPF_TRUNC ? w->len < r->len : w->len != r->len)
		return false;
	if (r->addr_key && w->addr_key && r->addr_key != w->addr_key)
		return false;
	return !comparable(r, w) || r->fp == w->fp;
}

/* The first pending send that r can be, and whether others had to be passed over. */
static struct xfer *find(const struct pair_msgs *pm, const struct xfer *r, uint32_t *at)
{
	uint32_t i, end = pm->sends.cnt < SCAN_MAX ? pm->sends.cnt : SCAN_MAX;

	for (i = 0; i < end; i++) {
		if (possible(r, pq_at(&pm->sends, i))) {
			*at = i;
			return pq_at(&pm->sends, i);
		}
	}
	return NULL;
}

static enum pairing how_of(const struct pair_msgs *pm, const struct xfer *r, const struct xfer *w,
			   uint32_t at)
{
	if (at == 0 && !several(&pm->receiver) && (!several(&pm->sender) || r->addr_key) &&
	    !(w->flags & XF_OVERLAP))
		return PAIR_EXACT;
	return comparable(r, w) ? PAIR_SETTLED : PAIR_ASSUMED;
}

/* A send that nobody will receive. */
static void lost(struct pair_msgs *pm, struct xfer *w)
{
	if (pm->drops && pm->receiver.tid)
		pm->chan->dropped++;
	else if (w->ep)
		pm->chan->unpaired++;
	pq_done(&pm->sends, w);
}

static void note_gone(struct pair_msgs *pm, uint64_t before_ns, uint64_t at_ns)
{
	if (!pm->gone.at_ns) {
		pm->gone.before_ns = before_ns;
		pm->gone.at_ns = at_ns;
	}
}

/* Entries that r overtook for so long that it was no reordering. */
static void drop_passed(struct pair_msgs *pm, uint32_t cnt, uint64_t sent_ns, uint64_t now_ns)
{
	struct xfer *w;

	if (pm->patient) {
		if (cnt)
			note_gone(pm, sent_ns, now_ns);
		return;
	}
	while (cnt-- && (w = pq_first(&pm->sends)) && w->exit_ns + pm->settle_ns < sent_ns)
		lost(pm, w);
}

static int orphan(struct model *m, struct pair_msgs *pm, const struct xfer *r)
{
	return pm->orphan ? pm->orphan(m, pm->chan, r) : 0;
}

static int pair(struct model *m, struct pair_msgs *pm, const struct xfer *r, struct xfer *w,
		uint32_t at)
{
	uint64_t sent_ns = w->enter_ns;
	struct flow *f = NULL;
	int err = -ENOMEM;

	if (w->ep)
		f = flow_get(m, w->ep, NULL, r->ep, NULL);
	else
		err = orphan(m, pm, r);
	if (f) {
		f->bytes += w->len < r->len ? w->len : r->len;
		err = flow_message(m, f, w, r, how_of(pm, r, w, at));
	}
	pq_done(&pm->sends, w);
	drop_passed(pm, at, sent_ns, r->exit_ns);
	return err;
}

bool pair_msgs_matches(const struct pair_msgs *pm, const struct xfer *r)
{
	uint32_t at;

	return find(pm, r, &at);
}

int pair_msgs_found(struct pair_msgs *pm, uint32_t len, uint64_t at_ns)
{
	struct xfer x = {.exit_ns = at_ns, .left = len, .len = len};

	if (pm->sends.cnt >= QUEUE_MAX)
		return 0;
	pm->found_ns = at_ns;
	return pq_push(&pm->sends, &x, false) ? 0 : -ENOMEM;
}

/* Under way when the queue was looked at, and perhaps already in it: then it has a sender now. */
static void claim_found(struct pair_msgs *pm, const struct xfer *x)
{
	for (uint32_t i = pm->sends.cnt; i-- > 0;) {
		struct xfer *w = pq_at(&pm->sends, i);

		if (w->ep || w->flags & XF_DONE || w->len != x->len)
			continue;
		pq_done(&pm->sends, w);
		return;
	}
}

void pair_msgs_empty(struct pair_msgs *pm, uint64_t at_ns)
{
	struct xfer *w;

	if (at_ns > pm->empty_ns)
		pm->empty_ns = at_ns;
	pm->unknown = 0;
	if (pm->patient)
		note_gone(pm, at_ns, at_ns);
	if (pm->patient || pm->recvs.cnt)
		return;
	while ((w = pq_first(&pm->sends)) && w->exit_ns + pm->settle_ns < at_ns)
		lost(pm, w);
}

int pair_msgs_send(struct model *m, struct pair_msgs *pm, const struct xfer *x)
{
	uint32_t limit = pm->limit ? pm->limit : QUEUE_MAX, i;
	struct xfer item = *x, *w, *r;
	int err = 0;

	if (x->exit_ns <= pm->begin_ns)
		return 0;
	/* Under way when the queue was first looked at: it may be one of the unknown. */
	if (pm->unknown && x->enter_ns < pm->begin_ns)
		pm->unknown--;
	if (pm->found_ns && x->enter_ns < pm->found_ns)
		claim_found(pm, x);
	task_seen(&pm->sender, x);
	if (several(&pm->sender))
		pq_mark_overlap(&pm->sends, &item, x->enter_ns + x->blocked_ns);
	w = pq_push(&pm->sends, &item, false);
	if (!w)
		return -ENOMEM;
	for (i = 0; i < pm->recvs.cnt && i < SCAN_MAX; i++) {
		r = pq_at(&pm->recvs, i);
		if (r->flags & XF_DONE || !possible(r, w))
			continue;
		err = pair(m, pm, r, w, pm->sends.live > 1);
		pq_done(&pm->recvs, r);
		break;
	}
	while (pm->sends.live > limit)
		lost(pm, pq_first(&pm->sends));
	return err;
}

int pair_msgs_recv(struct model *m, struct pair_msgs *pm, const struct xfer *x)
{
	struct xfer *w;
	uint32_t at;

	if (x->exit_ns <= pm->begin_ns)
		return 0;
	task_seen(&pm->receiver, x);
	if (x->blocked_ns)
		pair_msgs_empty(pm, x->enter_ns);
	if (pm->unknown) {
		pm->unknown--;
		return orphan(m, pm, x);
	}
	w = find(pm, x, &at);
	if (w)
		return pair(m, pm, x, w, at);
	if (pm->recvs.cnt >= QUEUE_MAX)
		pq_done(&pm->recvs, pq_first(&pm->recvs));
	chan_hold(m, pm->chan);
	return pq_push(&pm->recvs, x, false) ? 0 : -ENOMEM;
}

int pair_msgs_settle(struct model *m, struct pair_msgs *pm, uint64_t now_ns, bool finish)
{
	struct xfer *r, *w;
	int err = 0, e;

	while ((r = pq_first(&pm->recvs))) {
		if (!finish && r->exit_ns + pm->settle_ns >= now_ns)
			break;
		e = orphan(m, pm, r);
		if (e)
			err = e;
		pq_done(&pm->recvs, r);
	}
	if (pm->gone.at_ns && pm->gone.at_ns + pm->settle_ns < now_ns) {
		while ((w = pq_first(&pm->sends)) && w->exit_ns < pm->gone.before_ns)
			lost(pm, w);
		pm->gone.at_ns = 0;
	}
	while (finish && (w = pq_first(&pm->sends)) && w->exit_ns < pm->empty_ns)
		lost(pm, w);
	return err;
}

int pair_msgs_move(struct model *m, struct pair_msgs *to, struct pair_msgs *from)
{
	int err = 0;

	for (uint32_t i = 0; i < from->sends.cnt && !err; i++) {
		struct xfer x = *pq_at(&from->sends, i);

		if (x.flags & XF_DONE)
			continue;
		x.ep = ep_get(m, to->chan, x.ep->proc, EP_SEND, x.ep->side);
		err = x.ep ? pair_msgs_send(m, to, &x) : -ENOMEM;
	}
	pq_fini(&from->sends);
	return err;
}
