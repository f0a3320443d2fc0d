// SPDX-License-Identifier: BSD-2-Clause
/* Who could end a wait. */
#include "analysis/analysis.h"
#include "analysis/ends.h"

struct set {
	struct proc **out;
	size_t max, cnt;
	const struct proc *last; /* descriptors come process by process */
};

static void set_add(struct set *s, struct proc *p)
{
	if (p == s->last)
		return;
	s->last = p;
	for (size_t i = 0; i < s->cnt && i < s->max; i++)
		if (s->out[i] == p)
			return;
	if (s->cnt < s->max)
		s->out[s->cnt] = p;
	s->cnt++;
}

/* Those that hold the other end; where the snapshot names none, those that used it. */
static void collect(const struct inflight *i, struct set *s, bool self)
{
	enum ep_role role = i->op == OP_SEND ? EP_SEND : EP_RECV;
	int side = end_side(i->chan, i->proc, role);

	list_for_each (h, &i->chan->holders, struct holder, in_chan)
		if ((h->proc == i->proc) == self && !h->proc->exited &&
		    holder_is_opposite(i->chan, role, side, h))
			set_add(s, h->proc);
	if (s->cnt)
		return;
	list_for_each (ep, &i->chan->endpoints, struct endpoint, in_chan)
		if ((ep->proc == i->proc) == self && !ep->proc->exited &&
		    endpoint_is_opposite(i->chan, role, side, ep))
			set_add(s, ep->proc);
}

size_t waits_for(const struct inflight *i, struct proc **out, size_t max)
{
	struct set s = {.out = out, .max = max};

	if (!i->chan || i->op == OP_ACCEPT || chan_shape(i->chan) == SHAPE_INBOX)
		return 0;
	if (i->owner && !i->owner->exited) {
		set_add(&s, i->owner);
		return s.cnt;
	}
	collect(i, &s, false);
	/* A process that waits for itself alone will wait for ever: that is worth saying. */
	if (!s.cnt)
		collect(i, &s, true);
	return s.cnt;
}

uint64_t inflight_backlog(const struct inflight *i)
{
	enum ep_role role = i->op == OP_SEND ? EP_SEND : EP_RECV;

	if (i->op != OP_SEND && i->op != OP_RECV)
		return i->chan->backlog.now;
	return end_backlog(i->chan, role, end_side(i->chan, i->proc, role));
}

bool inflight_is_blocked(const struct inflight *i)
{
	return i->asleep && i->op != OP_WAIT && !(i->chan && chan_shape(i->chan) == SHAPE_INBOX);
}

bool chan_concerns_target(const struct chan *c)
{
	if (!chan_is_channel(c))
		return false;
	if (c->touched_by_target || c->reached)
		return true;
	/* A process may have become a target, by its name, after what it did. */
	list_for_each (ep, &c->endpoints, struct endpoint, in_chan)
		if (ep->proc->target)
			return true;
	return false;
}

bool inflight_concerns_target(const struct inflight *i)
{
	if (i->proc->target || !i->chan)
		return i->proc->target;
	if (i->chan->reached)
		return true;
	if (chan_is_unheld(i->chan))
		return chan_concerns_target(i->chan);
	list_for_each (h, model_holders(i->chan), struct holder, in_chan) {
		if (h->proc->target && !h->proc->exited)
			return true;
	}
	return false;
}
