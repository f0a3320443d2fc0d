// SPDX-License-Identifier: BSD-2-Clause
/* Endpoints: what each process did on each channel, counted from its system calls. */
#include <errno.h>
#include <stdlib.h>

#include "model/internal.h"

/* Results between these were interrupted by a signal and restart or become EINTR. */
#define ERESTART_FIRST 512
#define ERESTART_LAST  516

static uint64_t ep_key(const struct chan *c, const struct proc *p, enum ep_role role)
{
	return hmap_mix((uintptr_t)c, (uintptr_t)p + role);
}

struct endpoint *ep_find(const struct model *m, const struct chan *c, const struct proc *p,
			 enum ep_role role)
{
	uint64_t key = ep_key(c, p, role);
	struct endpoint *ep;

	/* Two pairs with one hash: the later one took the next key. */
	for (ep = hmap_get(&m->eps, key); ep; ep = hmap_get(&m->eps, ++key))
		if (ep->chan == c && ep->proc == p && ep->role == role)
			break;
	return ep;
}

struct endpoint *ep_get(struct model *m, struct chan *c, struct proc *p, enum ep_role role,
			unsigned int side)
{
	struct endpoint *ep = ep_find(m, c, p, role), *attach;

	if (ep)
		return ep;
	ep = calloc(1, sizeof(*ep));
	if (!ep)
		return NULL;
	ep->key = ep_key(c, p, role);
	while (hmap_get(&m->eps, ep->key))
		ep->key++;
	if (hmap_put(&m->eps, ep->key, ep)) {
		free(ep);
		return NULL;
	}
	ep->chan = c;
	ep->proc = p;
	ep->role = role;
	ep->side = (uint8_t)side;
	p->refs++;
	list_add_tail(&c->endpoints, &ep->in_chan);
	list_add_tail(&p->endpoints, &ep->in_proc);
	if (p->target)
		c->touched_by_target = true;
	if (role != EP_ATTACH) {
		attach = ep_find(m, c, p, EP_ATTACH);
		if (attach)
			ep_free(m, attach);
	}
	return ep;
}

void ep_free(struct model *m, struct endpoint *ep)
{
	list_for_each (o, &ep->chan->objs, struct obj, in_chan)
		if (o->ep[ep->role] == ep)
			o->ep[ep->role] = NULL;
	hmap_del(&m->eps, ep->key);
	list_del(&ep->in_chan);
	list_del(&ep->in_proc);
	proc_put(ep->proc);
	free(ep);
}

struct endpoint *ep_of_obj(struct model *m, struct obj *o, struct chan *c, struct proc *p,
			   enum ep_role role)
{
	struct endpoint *ep = o->ep[role];

	if (ep && ep->proc == p && ep->chan == c) {
		__builtin_prefetch(ep->last_flow, 1);
		__builtin_prefetch((const char *)ep->last_flow + 64, 1);
		return ep;
	}
	ep = ep_get(m, c, p, role, o->side);
	/* Only the channel's own objects are told when it goes. */
	if (ep && o->chan == c)
		o->ep[role] = ep;
	return ep;
}

static void span_add(struct span_stat *s, uint64_t ns)
{
	s->count++;
	s->total_ns += ns;
	if (ns > s->max_ns)
		s->max_ns = ns;
}

static void count_failure(struct endpoint *ep, const struct ev_op *op)
{
	unsigned int err = -(unsigned int)op->ret; /* also of a damaged recording */

	if (err == EAGAIN || err == ENOMSG) { /* msgrcv(2) says it so */
		ep->would_block++;
		if (ep->role == EP_SEND && !ep->stall_since_ns)
			ep->stall_since_ns = op->hdr.ts_ns;
	} else if (err != EINTR && (err < ERESTART_FIRST || err > ERESTART_LAST)) {
		ep->errors++;
	}
}

static void tell_blocked(const struct endpoint *ep, const struct ev_op *op, uint64_t slept_ns)
{
	const struct model_opts *opts = &ep->chan->model->opts;

	if (!opts->on_blocked || !slept_ns)
		return;
	opts->on_blocked(opts->on_blocked_arg, &(struct blocked){.proc = ep->proc,
								 .chan = ep->chan,
								 .role = ep->role,
								 .side = ep->side,
								 .tid = op->hdr.tid,
								 .waker_tid = op->waker_tid,
								 .slept_ns = slept_ns,
								 .end_ns = op->hdr.ts_ns});
}

static void tell_op(const struct endpoint *ep, const struct ev_op *op)
{
	const struct model_opts *opts = &ep->chan->model->opts;
	struct operation told = {.proc = ep->proc, .chan = ep->chan, .ev = op};

	if (!opts->on_op)
		return;
	if (ep->chan->cls->shape == SHAPE_PAIR)
		told.dir = ep->role == EP_SEND ? ep->side & 1 : !ep->side;
	opts->on_op(opts->on_op_arg, &told);
}

/* It could not send for some time, and now it can. */
static void end_stall(struct endpoint *ep, const struct ev_op *op)
{
	uint64_t ns = op->hdr.ts_ns > ep->stall_since_ns ? op->hdr.ts_ns - ep->stall_since_ns : 0;
	struct ev_op call = *op;

	span_add(&ep->stalled, ns);
	ep->stall_since_ns = 0;
	call.waker_tid = 0;
	/* the sleep in this very call is told of by itself */
	tell_blocked(ep, &call, ns > op->blocked_ns ? ns - op->blocked_ns : 0);
}

bool ep_count(struct endpoint *ep, const struct ev_op *op, bool messages)
{
	uint32_t flags = op->hdr.flags;

	ep->chan->last_ns = op->hdr.ts_ns;
	tell_op(ep, op);
	if (!(flags & OPF_MORE))
		ep->calls++;
	if (flags & OPF_ERRQUEUE)
		return false;
	if (op->blocked_ns)
		span_add(&ep->blocked, op->blocked_ns);
	tell_blocked(ep, op, op->blocked_ns);
	if (op->ret < 0) {
		count_failure(ep, op);
		return false;
	}
	if (ep->role == EP_SEND && ep->stall_since_ns)
		end_stall(ep, op);
	if (flags & OPF_PEEK || (op->ret == 0 && !messages))
		return false;
	ep->messages++;
	ep->bytes += (uint32_t)op->ret;
	return true;
}

/* Time without room until now, the span that is still going on included. */
static uint64_t full_until(const struct chan *c, uint64_t now_ns)
{
	uint64_t since = c->backlog.full_since_ns;

	return c->backlog.full_ns + (since && now_ns > since ? now_ns - since : 0);
}

/* What of [from, to] lies in the channel's present or last time without room. */
static uint64_t full_between(const struct chan *c, uint64_t from, uint64_t to)
{
	uint64_t since = c->backlog.full_since_ns;
	uint64_t begin = since ? since : c->was_full[0], end = since ? to : c->was_full[1];

	if (begin < from)
		begin = from;
	if (end > to)
		end = to;
	return end > begin ? end - begin : 0;
}

/*
 * OPF_FULL says how it is after a call. Inside a call that slept for room the
 * channel was full at least as long as the sleep, even where reads in between
 * saw a moment's room that the same call filled again at once: what is not
 * already counted is added. Counted since this sender's last call, that is,
 * without what was counted before it began this one.
 */
void ep_fullness(struct endpoint *ep, unsigned int dir, const struct ev_op *op)
{
	struct chan *c = ep->chan;
	uint32_t flags = op->hdr.flags;
	bool send = ep->role == EP_SEND;
	uint64_t now_ns = op->hdr.ts_ns, counted;

	if (flags & OPF_ERRQUEUE)
		return;
	chan_full(c, dir, flags & OPF_FULL || (send && op->ret == -EAGAIN), now_ns);
	if (!send)
		return;
	if (op->blocked_ns) {
		counted = full_until(c, now_ns) - ep->full_mark_ns -
			  full_between(c, ep->sent_ns, op->enter_ns);
		if (op->blocked_ns > counted)
			c->backlog.full_ns += op->blocked_ns - counted;
	}
	ep->full_mark_ns = full_until(c, now_ns);
	ep->sent_ns = now_ns;
}

void xfer_init(const struct model *m, struct xfer *x, struct endpoint *ep, const struct ev_op *op)
{
	*x = (struct xfer){
		.ep = ep,
		.enter_ns = op->enter_ns,
		.exit_ns = op->hdr.ts_ns,
		.blocked_ns = op->blocked_ns,
		.left = (uint32_t)op->ret,
		.len = (uint32_t)op->ret,
		.fp = op->fp,
		.tid = op->hdr.tid,
		.backlog = op->backlog,
		.flags = op->hdr.flags & 0xffff,
		.payload = m->payload,
	};
	/* Completions are told in batches: what was in the channel behind this very transfer is
	 * not known. */
	if (x->flags & OPF_ASYNC)
		x->flags &= ~(uint32_t)(OPF_BACKLOG | OPF_EMPTY);
}
