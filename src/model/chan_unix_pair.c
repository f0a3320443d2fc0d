// SPDX-License-Identifier: BSD-2-Clause
/*
 * Connected unix sockets, stream and seqpacket: two objects that name each
 * other as peer make one channel with two directions. Direction s leads from
 * side s to the other. A listening socket is a channel of its own, in which
 * connections wait to be accepted.
 */
#include <errno.h>

#include "model/internal.h"
#include "model/pair_bytes.h"
#include "model/pair_msgs.h"
#include "model/unix.h"

struct unix_pair {
	struct obj *side[2];
	bool packets, named;
	union {
		struct pair_bytes bytes[2];
		struct pair_msgs msgs[2];
	};
};

static struct chan *pair_new(struct model *m, struct obj *o)
{
	struct chan *c = chan_new(m, o->mech, sizeof(struct unix_pair), m->now_ns);
	struct unix_pair *up;

	if (!c)
		return NULL;
	up = c->priv;
	up->packets = o->mech == MECH_UNIX_SEQPACKET;
	for (int dir = 0; dir < 2; dir++) {
		if (up->packets)
			pair_msgs_init(&up->msgs[dir], c, false);
		else
			pair_bytes_init(&up->bytes[dir], c);
	}
	up->side[0] = o;
	obj_join(o, c, 0);
	if (unix_set_name(c, o))
		return NULL;
	return c;
}

/* Leaves a channel that o was alone in and nobody used. */
static void leave_unused(struct model *m, struct obj *o)
{
	struct chan *c = o->chan;
	struct unix_pair *up;

	if (!c)
		return;
	up = c->priv;
	up->side[o->side] = NULL;
	obj_leave(m, o);
	if (list_empty(&c->objs) && list_empty(&c->endpoints))
		chan_free(m, c);
}

/* Joins o to the channel of its peer, when that names o as its own and the place is free. */
static bool join_peer(struct model *m, struct obj *o, uint64_t at_ns)
{
	struct obj *other = unix_at(m, o->peer);
	struct unix_pair *up;
	unsigned int side;

	if (!other || other == o || other->peer != o->self || other->cls != o->cls ||
	    !other->chan || other->chan == o->chan || !chan_was_open(other->chan, at_ns))
		return false;
	up = other->chan->priv;
	side = !other->side;
	if (up->side[side])
		return false;
	leave_unused(m, o);
	up->side[side] = o;
	obj_join(o, other->chan, side);
	return true;
}

/*
 * What o's receive queue held when o was first seen. Once sends to it are
 * known, they say better what is in it.
 */
static int begin(struct unix_pair *up, const struct obj *o, const struct ev_obj *ev)
{
	unsigned int dir = !o->side;
	uint32_t flags = ev->hdr.flags;
	uint64_t inside = flags & OBJF_CREATED ? 0 : ev->backlog;
	uint64_t at_ns = flags & OBJF_CREATED ? 0 : ev->hdr.ts_ns;

	if (!(flags & (OBJF_CREATED | OBJF_BACKLOG)))
		return 0;
	if (!up->packets)
		return up->bytes[dir].synced ? 0 : pair_bytes_begin(&up->bytes[dir], inside, at_ns);
	if (!up->msgs[dir].sender.tid)
		pair_msgs_begin(&up->msgs[dir], inside, at_ns);
	return 0;
}

static int pair_on_obj(struct model *m, struct obj *o, const struct ev_obj *ev, bool first)
{
	struct unix_pair *up;
	int err = unix_describe(m, o, ev);

	if (err)
		return err;
	if (!join_peer(m, o, ev->hdr.ts_ns) && !o->chan) {
		if (!ev->peer && !(ev->hdr.flags & (OBJF_LISTEN | OBJF_CONNECTED)))
			return 0;
		if (!pair_new(m, o))
			return -ENOMEM;
	}
	up = o->chan->priv;
	if (!up->named && o->net->name_len) {
		up->named = true;
		err = unix_set_name(o->chan, o);
		if (err)
			return err;
	}
	if (ev->hdr.flags & OBJF_LISTEN)
		o->chan->unit = "connections";
	if (ev->capacity > o->chan->capacity)
		o->chan->capacity = ev->capacity;
	/* What side s can have on its way is bounded by its own send buffer. */
	if (!up->packets)
		up->bytes[o->side].capacity = ev->capacity;
	if (ev->hdr.flags & OBJF_BACKLOG)
		chan_backlog(o->chan, !o->side, ev->backlog);
	return first ? begin(up, o, ev) : 0;
}

/* The end of a seqpacket stream and an empty packet both return 0. */
static bool counts_as_message(const struct unix_pair *up, unsigned int dir, const struct ev_op *op)
{
	const struct xfer *w;

	if (!up->packets || op->ret != 0)
		return up->packets;
	w = pq_first(&up->msgs[dir].sends);
	return op->op == OP_SEND || (w && w->len == 0);
}

static int transfer(struct model *m, struct unix_pair *up, unsigned int dir, bool send,
		    const struct xfer *x)
{
	if (up->packets)
		return send ? pair_msgs_send(m, &up->msgs[dir], x)
			    : pair_msgs_recv(m, &up->msgs[dir], x);
	return send ? pair_bytes_write(m, &up->bytes[dir], x)
		    : pair_bytes_read(m, &up->bytes[dir], x);
}

static int pair_on_op(struct model *m, struct obj *o, struct proc *p, const struct event *ev)
{
	const struct ev_op *op = ev->op;
	bool send = op->op == OP_SEND, moved;
	struct chan *c = o->chan ? o->chan : pair_new(m, o);
	struct endpoint *ep = c ? ep_of_obj(m, o, c, p, send ? EP_SEND : EP_RECV) : NULL;
	unsigned int dir = send ? o->side : !o->side;
	struct unix_pair *up;
	struct xfer x;
	int err = 0;

	if (!ep)
		return -ENOMEM;
	up = c->priv;
	moved = ep_count(ep, op, counts_as_message(up, dir, op));
	ep_fullness(ep, dir, op);
	if (moved) {
		xfer_init(m, &x, ep, op);
		err = transfer(m, up, dir, send, &x);
	}
	if (op->hdr.flags & OPF_BACKLOG)
		chan_backlog(c, dir, op->backlog);
	else if (!up->packets)
		chan_backlog(c, dir, up->bytes[dir].writes.bytes);
	return err;
}

static const struct xfer *pair_next_xfer(const struct obj *o, bool send)
{
	const struct unix_pair *up = o->priv;
	unsigned int dir = send ? o->side : !o->side;

	return pq_next(up->packets ? &up->msgs[dir].sends : &up->bytes[dir].writes, send);
}

static int pair_settle(struct model *m, struct chan *c, uint64_t now_ns, bool finish)
{
	struct unix_pair *up = c->priv;
	int err = 0, e;

	for (int dir = 0; dir < 2; dir++) {
		if (up->packets)
			e = pair_msgs_settle(m, &up->msgs[dir], now_ns, finish);
		else
			e = pair_bytes_settle(m, &up->bytes[dir], now_ns, finish);
		if (e)
			err = e;
		if (up->packets ? pair_msgs_waits(&up->msgs[dir])
				: pair_bytes_waits(&up->bytes[dir]))
			chan_hold(m, c);
	}
	return err;
}

static void pair_on_loss(struct chan *c)
{
	struct unix_pair *up = c->priv;

	if (!up->packets)
		up->bytes[0].lossy = up->bytes[1].lossy = true;
}

static void pair_on_merge(struct chan *c, struct endpoint *from, struct endpoint *to)
{
	struct unix_pair *up = c->priv;

	for (int dir = 0; dir < 2; dir++) {
		pq_replace(up->packets ? &up->msgs[dir].sends : &up->bytes[dir].writes, from, to);
		pq_replace(up->packets ? &up->msgs[dir].recvs : &up->bytes[dir].reads, from, to);
	}
}

static void pair_on_gone(struct model *m, struct obj *o)
{
	struct unix_pair *up = o->chan ? o->chan->priv : NULL;

	unix_gone(m, o);
	if (up && up->side[o->side] == o)
		up->side[o->side] = NULL;
}

static void pair_fini(struct model *m, struct chan *c)
{
	struct unix_pair *up = c->priv;

	(void)m;
	for (int dir = 0; dir < 2; dir++) {
		if (up->packets)
			pair_msgs_fini(&up->msgs[dir]);
		else
			pair_bytes_fini(&up->bytes[dir]);
	}
}

#define PAIR_CLASS                                                                       \
	.shape = SHAPE_PAIR, .on_obj = pair_on_obj, .on_op = pair_on_op,                 \
	.next_xfer = pair_next_xfer, .settle = pair_settle, .on_loss = pair_on_loss,     \
	.on_merge = pair_on_merge, .on_gone = pair_on_gone, .fold_name = unix_fold_name, \
	.accept_key = unix_accept_key, .accepts = unix_accepts, .fini = pair_fini

const struct chan_class unix_stream_class = {.unit = "bytes", PAIR_CLASS};
const struct chan_class unix_seqpacket_class = {.unit = "messages", PAIR_CLASS};
