// SPDX-License-Identifier: BSD-2-Clause
/*
 * Eventfds: one object, one counter. Each write is a message of 8 bytes that adds
 * its value; a read takes all there is, or with EFD_SEMAPHORE one (eventfd(2)).
 * Units are first in, first out, and a write is received when its last unit is
 * taken. Every value is known, so it is known as well what a read must have taken
 * before the record of the write comes. What no write explains was added by the
 * kernel (KVM, aio): its sender is unknown.
 *
 * EV_OBJ: vals[0] the count, vals[1] EFD_* flags. EV_OP: v[0] the value written or
 * read, v[1] the count afterwards.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>

#include "model/internal.h"
#include "model/pair_queue.h"

#define SCAN_MAX   64           /* pending writes that one read looks through */
#define MERGE_FROM 256          /* pending writes beyond share an entry with their neighbour */
#define WRITES_MAX 65536        /* of many senders that take turns, with nobody who reads */
#define READS_MAX  1024         /* reads that wait for the records of writes */
#define STARVED_NS 200000000ull /* ... at most so long */

struct eventfd {
	struct pair_queue writes, reads; /* left: units; pos: of each message */
	struct pair_task writer, reader;
	uint64_t nameless; /* units of before the trace, in front of all */
	uint64_t begin_ns; /* what ended before is in nameless */
	uint64_t last_read_ns;
	uint64_t id;
	bool semaphore, named, lossy;
};

static struct chan *eventfd_chan(struct model *m, struct obj *o)
{
	struct chan *c = o->chan;
	struct eventfd *e;
	char text[40];
	int n;

	if (!c) {
		c = chan_new(m, o->mech, sizeof(*e), m->now_ns);
		if (!c)
			return NULL;
		c->capacity = UINT64_MAX - 1;
		obj_join(o, c, 0);
	}
	e = c->priv;
	if (e->named)
		return c;
	n = snprintf(text, sizeof(text), o->described ? "eventfd:[%llu]" : "eventfd:[?]",
		     (unsigned long long)o->ino);
	e->named = o->described;
	e->id = o->ino;
	return chan_set_name(c, text, (size_t)n) ? NULL : c;
}

static int eventfd_on_obj(struct model *m, struct obj *o, const struct ev_obj *ev, bool first)
{
	struct chan *c = eventfd_chan(m, o);
	struct eventfd *e;

	if (!c)
		return -ENOMEM;
	e = c->priv;
	e->semaphore = ev->vals[1] & EFD_SEMAPHORE;
	if (first && ev->hdr.flags & (OBJF_CREATED | OBJF_BACKLOG)) {
		e->nameless = ev->vals[0];
		e->begin_ns = ev->hdr.flags & OBJF_CREATED ? 0 : ev->hdr.ts_ns;
	}
	if (ev->hdr.flags & OBJF_BACKLOG) {
		chan_backlog(c, 0, ev->vals[0]);
		chan_full(c, 0, ev->hdr.flags & OBJF_FULL, ev->hdr.ts_ns);
	}
	return 0;
}

/* Messages of an entry that still have units: pos is the value of each. */
static uint64_t messages_left(const struct xfer *w)
{
	return w->left / w->pos + (w->left % w->pos != 0);
}

static int received(struct model *m, const struct xfer *w, const struct xfer *r, uint64_t cnt)
{
	enum pairing how = (w->flags | r->flags) & XF_OVERLAP ? PAIR_ASSUMED : PAIR_EXACT;
	struct flow *f = flow_get(m, w->ep, NULL, r->ep, NULL);
	int err = 0;

	if (!f)
		return -ENOMEM;
	while (cnt--) {
		f->bytes += w->len;
		if (flow_message(m, f, w, r, how))
			err = -ENOMEM;
	}
	return err;
}

static int take(struct model *m, struct eventfd *e, struct xfer *r, struct xfer *w)
{
	uint64_t n = r->left < w->left ? r->left : w->left, before = messages_left(w);
	int err;

	r->left -= n;
	r->flags |= XF_STARTED;
	pq_take(&e->writes, w, n);
	err = received(m, w, r, before - messages_left(w));
	if (!w->left)
		pq_done(&e->writes, w);
	return err;
}

/* The first pending write that had begun when r returned. */
static struct xfer *next_write(const struct eventfd *e, const struct xfer *r)
{
	for (uint32_t i = 0; i < e->writes.cnt && i < SCAN_MAX; i++) {
		struct xfer *w = pq_at(&e->writes, i);

		if (!(w->flags & XF_DONE) && w->enter_ns < r->exit_ns)
			return w;
	}
	return NULL;
}

/* The first held read that returned after w was called. */
static struct xfer *next_read(const struct eventfd *e, const struct xfer *w)
{
	for (uint32_t i = 0; i < e->reads.cnt; i++) {
		struct xfer *r = pq_at(&e->reads, i);

		if (!(r->flags & XF_DONE) && w->enter_ns < r->exit_ns)
			return r;
	}
	return NULL;
}

static void unpaired(struct chan *c, struct eventfd *e, struct xfer *w)
{
	c->unpaired += messages_left(w);
	pq_done(&e->writes, w);
}

/* Very many writes that nobody reads: alike ones of one sender in less detail. */
static bool merge(struct eventfd *e, const struct xfer *x)
{
	struct xfer *last =
		e->writes.cnt >= MERGE_FROM ? pq_at(&e->writes, e->writes.cnt - 1) : NULL;

	if (!last || last->ep != x->ep || last->pos != x->pos || last->flags & XF_DONE ||
	    last->exit_ns > x->exit_ns || last->left > UINT64_MAX - x->left)
		return false;
	last->left += x->left;
	e->writes.bytes += x->left;
	last->exit_ns = x->exit_ns;
	return true;
}

static int efd_sent(struct model *m, struct chan *c, struct xfer *x)
{
	struct eventfd *e = c->priv;
	bool emptied = false;
	struct xfer *w, *r;
	uint64_t before;
	int err = 0;

	task_seen(&e->writer, x);
	if (!x->left || merge(e, x))
		return 0;
	if (several(&e->writer))
		pq_mark_overlap(&e->writes, x, x->enter_ns + x->blocked_ns);
	w = pq_push(&e->writes, x, false);
	if (!w)
		return -ENOMEM;
	while (!emptied && (r = next_read(e, w))) {
		before = r->left;
		emptied = w->left <= before;
		if (take(m, e, r, w))
			err = -ENOMEM;
		e->reads.bytes -= before - r->left;
		if (!r->left)
			pq_done(&e->reads, r);
	}
	while (e->writes.cnt > WRITES_MAX)
		unpaired(c, e, pq_first(&e->writes));
	return err;
}

/* Units that no write explains. */
static int from_kernel(struct model *m, const struct xfer *r)
{
	struct flow *f;

	if (r->flags & XF_STARTED)
		return 0;
	f = flow_get(m, NULL, NULL, r->ep, NULL);
	if (!f)
		return -ENOMEM;
	f->bytes += r->len;
	return flow_message(m, f, NULL, r, PAIR_ASSUMED);
}

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/*
 * r found so many units and left the others. What had been written by then beyond
 * them was taken by a read that we did not see; of several readers, one's record may
 * still come.
 */
static void drop_taken(struct chan *c, struct eventfd *e, const struct xfer *r, uint64_t found)
{
	uint64_t grace_ns = several(&e->reader) && !e->lossy ? STARVED_NS : 0;
	uint64_t sure = e->nameless;
	struct xfer *w;

	if (e->reads.cnt || sum(e->nameless, e->writes.bytes) <= found)
		return;
	for (uint32_t i = 0; i < e->writes.cnt; i++) {
		w = pq_at(&e->writes, i);
		if (w->exit_ns + grace_ns > r->enter_ns)
			break;
		sure = sum(sure, w->left);
	}
	if (sure > found && e->nameless) {
		sure -= e->nameless;
		e->nameless = 0;
	}
	while (sure > found && (w = pq_first(&e->writes))) {
		sure -= w->left;
		unpaired(c, e, w);
	}
}

static int efd_got(struct model *m, struct chan *c, struct xfer *r, uint64_t after)
{
	struct eventfd *e = c->priv;
	uint64_t n;
	struct xfer *w;
	int err = 0;

	task_seen(&e->reader, r);
	if (several(&e->reader) && r->enter_ns + r->blocked_ns < e->last_read_ns)
		r->flags |= XF_OVERLAP;
	if (r->exit_ns > e->last_read_ns)
		e->last_read_ns = r->exit_ns;
	drop_taken(c, e, r, sum(r->left, after));
	n = r->left < e->nameless ? r->left : e->nameless;
	e->nameless -= n;
	r->left -= n;
	while (r->left && (w = next_write(e, r)))
		if (take(m, e, r, w))
			err = -ENOMEM;
	if (!r->left)
		return err;
	if (n)
		r->flags |= XF_STARTED;
	chan_hold(m, c);
	if (e->reads.cnt >= READS_MAX) {
		if (from_kernel(m, pq_first(&e->reads)))
			err = -ENOMEM;
		pq_done(&e->reads, pq_first(&e->reads));
	}
	return pq_push(&e->reads, r, false) ? err : -ENOMEM;
}

static int eventfd_on_op(struct model *m, struct obj *o, struct proc *p, const struct event *ev)
{
	const struct ev_op *op = ev->op;
	bool send = op->op == OP_SEND, moved;
	struct chan *c = o->chan ? o->chan : eventfd_chan(m, o);
	struct endpoint *ep = c ? ep_of_obj(m, o, c, p, send ? EP_SEND : EP_RECV) : NULL;
	struct eventfd *e;
	struct xfer x;

	if (!ep)
		return -ENOMEM;
	e = c->priv;
	moved = ep_count(ep, op, false);
	ep_fullness(ep, 0, op);
	if (ev->vals)
		chan_backlog(c, 0, ev->vals->v[1]);
	if (!moved || op->hdr.ts_ns <= e->begin_ns)
		return 0;
	xfer_init(m, &x, ep, op);
	x.pos = x.left = ev->vals ? ev->vals->v[0] : 1;
	return send ? efd_sent(m, c, &x)
		    : efd_got(m, c, &x, ev->vals ? ev->vals->v[1] : UINT64_MAX - x.left);
}

static const struct xfer *eventfd_next_xfer(const struct obj *o, bool send)
{
	const struct eventfd *e = o->priv;

	return pq_next(&e->writes, send);
}

static int eventfd_settle(struct model *m, struct chan *c, uint64_t now_ns, bool finish)
{
	struct eventfd *e = c->priv;
	struct xfer *r;
	int err = 0;

	while ((r = pq_first(&e->reads))) {
		if (!finish && r->exit_ns + STARVED_NS >= now_ns)
			break;
		if (from_kernel(m, r))
			err = -ENOMEM;
		pq_done(&e->reads, r);
	}
	if (e->reads.cnt)
		chan_hold(m, c);
	return err;
}

static void eventfd_on_loss(struct chan *c)
{
	struct eventfd *e = c->priv;

	e->lossy = true;
}

static void eventfd_on_merge(struct chan *c, struct endpoint *from, struct endpoint *to)
{
	struct eventfd *e = c->priv;

	pq_replace(&e->writes, from, to);
	pq_replace(&e->reads, from, to);
}

static const char *eventfd_fold_name(const struct chan *c, char *buf, size_t len)
{
	(void)c;
	(void)buf;
	(void)len;
	return "eventfd:[closed]";
}

static void eventfd_facts(const struct model *m, const struct chan *c,
			  void (*put)(void *arg, const struct fact *f), void *arg)
{
	const struct eventfd *e = c->priv;

	(void)m;
	if (!e || !e->named)
		return;
	put(arg, &(struct fact){.name = "eventfd_id", .value = e->id});
	put(arg, &(struct fact){.name = "semaphore", .text = e->semaphore ? fact_yes : fact_no});
}

static void eventfd_fini(struct model *m, struct chan *c)
{
	struct eventfd *e = c->priv;

	(void)m;
	pq_fini(&e->writes);
	pq_fini(&e->reads);
}

const struct chan_class eventfd_class = {
	.unit = "count",
	.shape = SHAPE_PIPE, /* every descriptor can do both */
	.on_obj = eventfd_on_obj,
	.on_op = eventfd_on_op,
	.next_xfer = eventfd_next_xfer,
	.settle = eventfd_settle,
	.on_loss = eventfd_on_loss,
	.on_merge = eventfd_on_merge,
	.fold_name = eventfd_fold_name,
	.facts = eventfd_facts,
	.fini = eventfd_fini,
};
