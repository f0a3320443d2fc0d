// SPDX-License-Identifier: BSD-2-Clause
/*
 * Snapshots: who is inside a call now, and who holds what open. The operations
 * in flight of a snapshot replace those of the last one; an entry goes earlier
 * when the record of the finished call comes.
 */
#include <errno.h>
#include <stdlib.h>

#include "model/maps.h"
#include "model/task.h"

#define HOLDERS_OF_CHAN (1u << 14)
#define HOLDERS_OF_ALL  (1u << 19) /* 80 bytes each */

void holder_free(struct chan *c, struct holder *h)
{
	c->holder_cnt--;
	c->model->holder_cnt--;
	list_del(&h->in_chan);
	proc_put(h->proc);
	free(h);
}

static struct span_stat *span_of(const struct inflight *i, struct endpoint *ep)
{
	return ep && (i->op == OP_SEND || i->op == OP_RECV) ? &ep->blocked : NULL;
}

void inflight_free(struct inflight *i)
{
	if (i->op == OP_WAIT)
		i->proc->waits.now_ns = 0;
	i->proc->inflight_cnt--;
	proc_put(i->proc);
	if (i->owner)
		proc_put(i->owner);
	list_del(&i->in_model);
	free(i);
}

static struct endpoint *inflight_ep(const struct model *m, const struct inflight *i)
{
	if (!i->chan || (i->op != OP_SEND && i->op != OP_RECV))
		return NULL;
	return ep_find(m, i->chan, i->proc, i->op == OP_SEND ? EP_SEND : EP_RECV);
}

static void inflight_end(struct model *m, struct inflight *i)
{
	struct span_stat *s = span_of(i, inflight_ep(m, i));

	if (s)
		s->now_ns = 0;
	inflight_free(i);
}

/* A task is in one call at a time: one that began later means that the noted one is over. */
void inflight_done(struct model *m, struct proc *p, const struct ev_op *op)
{
	list_for_each_safe (i, &m->inflight, struct inflight, in_model) {
		if (i->proc != p || i->tid != op->hdr.tid || op->hdr.ts_ns < i->enter_ns)
			continue;
		if (op->enter_ns >= i->enter_ns || op->hdr.ts_ns >= i->seen_ns) {
			task_went_on(m, i->tid);
			inflight_end(m, i);
		}
	}
}

static void holders_clear(struct model *m)
{
	list_for_each (c, &m->chans, struct chan, in_model) {
		c->reached = false;
		list_for_each_safe (h, &c->holders, struct holder, in_chan)
			holder_free(c, h);
		c->holders_left = 0;
		if (c->cls->shape == SHAPE_MEMORY) /* mapped, not held */
			continue;
		list_for_each_safe (ep, &c->endpoints, struct endpoint, in_chan)
			if (ep->role == EP_ATTACH)
				ep_free(m, ep);
	}
}

static void snap_begin(struct model *m, const struct ev_snap *ev)
{
	list_for_each_safe (i, &m->inflight, struct inflight, in_model)
		inflight_end(m, i);
	tasks_clear(m);
	ipcs_clear(m);
	m->snap_ns = ev->hdr.ts_ns;
	m->snap_holds = ev->hdr.flags & SNAPF_HOLDS;
	m->snap_ahead = !(ev->hdr.flags & SNAPF_FIRST);
	if (m->snap_holds) {
		m->snap_gen++;
		m->holds_ns = m->snap_ns;
		holders_clear(m);
	}
}

/*
 * Nobody holds it: it is closed. Not so when something happened on it after
 * the snapshot began, or for queues that only have senders here.
 */
static void close_unheld(struct model *m)
{
	list_for_each (c, &m->chans, struct chan, in_model) {
		if (!c->open || !list_empty(&c->holders) || c->last_ns >= m->snap_ns || c->folded ||
		    c->cls->unheld)
			continue;
		chan_close(m, c);
	}
	/* Sockets that belong to no channel of their own: senders of datagrams. */
	list_for_each_safe (o, &m->objs, struct obj, in_model)
		if (!o->chan && o->held_gen + 2 < m->snap_gen)
			obj_free(m, o);
}

int snap_event(struct model *m, const struct event *ev)
{
	uint32_t flags = ev->hdr->flags;

	if (!(flags & SNAPF_END)) {
		snap_begin(m, ev->snap);
		return 0;
	}
	if (flags & SNAPF_HOLDS && m->snap_holds) {
		close_unheld(m);
		maps_unseen(m);
	}
	m->snap_holds = m->snap_ahead = false;
	return fold_closed(m, m->opts.keep_closed);
}

/* The endpoint shows what its process waits for, also when it never returned from a call. */
static int show_blocked(struct model *m, struct inflight *i, const struct obj *o)
{
	struct chan *c = i->chan;
	struct endpoint *ep;
	unsigned int side = o->chan == c ? o->side : 1;

	if (i->op != OP_SEND && i->op != OP_RECV)
		return 0;
	ep = ep_get(m, c, i->proc, i->op == OP_SEND ? EP_SEND : EP_RECV, side);
	if (!ep)
		return -ENOMEM;
	if (i->blocked_ns > ep->blocked.now_ns)
		ep->blocked.now_ns = i->blocked_ns;
	if (i->op == OP_SEND && i->asleep && !c->full_dirs)
		chan_full(c, side & 1, true, i->enter_ns);
	return 0;
}

int snap_inflight(struct model *m, const struct ev_inflight *ev)
{
	struct proc *p = proc_get(m, ev->hdr.pid);
	struct obj *o = ev->chan ? obj_get(m, ev->chan, ev->mech) : NULL;
	struct inflight *i;

	if (!p)
		return -ENOMEM;
	if (ev->hdr.flags & OPF_TARGET)
		p->target = true;
	else if (m->opts.no_peers)
		return 0;
	i = calloc(1, sizeof(*i));
	if (!i)
		return -ENOMEM;
	i->proc = p;
	i->tid = ev->hdr.tid;
	i->op = ev->op;
	i->mech = ev->mech;
	i->nr = ev->nr;
	i->asleep = ev->hdr.flags & OPF_ASLEEP;
	i->before_attach = ev->hdr.flags & OPF_BEFORE_ATTACH;
	i->enter_ns = ev->enter_ns;
	i->blocked_ns = ev->blocked_ns;
	i->seen_ns = ev->hdr.ts_ns;
	if (o && ev->op != OP_WAIT)
		i->chan = o->cls->chan_for ? o->cls->chan_for(m, o, ev->op) : o->chan;
	p->refs++;
	i->owner = ev->owner_pid ? model_proc_by_pid(m, ev->owner_pid) : NULL;
	if (i->owner)
		i->owner->refs++;
	p->inflight_cnt++;
	list_add_tail(&m->inflight, &i->in_model);
	if (ev->op == OP_WAIT && ev->blocked_ns > p->waits.now_ns)
		p->waits.now_ns = ev->blocked_ns;
	if (!i->chan)
		return 0;
	if (p->target)
		i->chan->touched_by_target = true;
	if (!i->chan->open && !o->removed)
		chan_reopen(m, i->chan);
	return show_blocked(m, i, o);
}

/*
 * The last of p's on this side. Descriptors come process by process, so those of p are the last
 * ones of the channel.
 */
static struct holder *last_holder(const struct chan *c, const struct proc *p, uint8_t side)
{
	for (struct list_node *n = c->holders.node.prev; n != &c->holders.node; n = n->prev) {
		struct holder *h = container_of(n, struct holder, in_chan);

		if (h->proc != p)
			break;
		if (h->side == side)
			return h;
	}
	return NULL;
}

/*
 * Anybody can have any number of descriptors of one channel, at no cost of theirs, and any number
 * of processes some. *left: there is no room for more.
 */
static int holder_add(struct model *m, struct obj *o, struct proc *p, const struct ev_hold *ev,
		      bool *left)
{
	unsigned int can = ev->hdr.flags & (HOLDF_READ | HOLDF_WRITE);
	struct holder *last = last_holder(o->chan, p, o->side), *h;

	if (last && last->nth >= HOLDERS_MAX) {
		last->can |= can;
		return 0;
	}
	*left = o->chan->holder_cnt >= HOLDERS_OF_CHAN || m->holder_cnt >= HOLDERS_OF_ALL;
	if (*left) {
		o->chan->holders_left++;
		return 0;
	}
	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->proc = p;
	h->can = can;
	h->side = o->side;
	h->fd = ev->fd;
	h->refs = ev->refs;
	h->file = ev->file;
	h->nth = last ? last->nth + 1 : 1;
	p->refs++;
	list_add_tail(&o->chan->holders, &h->in_chan);
	o->chan->holder_cnt++;
	m->holder_cnt++;
	return 0;
}

int snap_hold(struct model *m, const struct ev_hold *ev)
{
	struct obj *o = obj_find(m, ev->chan);
	bool left = false;
	struct proc *p;

	if (!o || !m->snap_holds)
		return 0;
	o->held_gen = m->snap_gen;
	p = proc_get(m, ev->hdr.pid);
	if (!p)
		return -ENOMEM;
	if (!o->chan)
		return 0;
	if (holder_add(m, o, p, ev, &left))
		return -ENOMEM;
	if (p->target)
		o->chan->touched_by_target = true;
	chan_reopen(m, o->chan);
	if (left || (m->opts.no_peers && !p->target) || ep_find(m, o->chan, p, EP_SEND) ||
	    ep_find(m, o->chan, p, EP_RECV))
		return 0;
	return ep_get(m, o->chan, p, EP_ATTACH, o->side) ? 0 : -ENOMEM;
}
