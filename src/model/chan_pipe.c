// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pipes and FIFOs: one object, one direction, bytes; a FIFO's path comes as an EV_NAME. A FIFO that
 * everybody closed loses what was in it, and is the same channel when opened again: that it is
 * empty then is seen from the kernel's own count (pair_bytes.h).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/internal.h"
#include "model/pair_bytes.h"

struct pipe {
	struct pair_bytes bytes;
	bool named;
};

static int pipe_name(struct chan *c, const struct obj *o)
{
	struct pipe *pipe = c->priv;
	char text[48];
	int n;

	if (pipe->named)
		return 0;
	n = snprintf(text, sizeof(text), o->described ? "%s:[%llu]" : "%s:[?]",
		     c->mech == MECH_FIFO ? "fifo" : "pipe", (unsigned long long)o->ino);
	pipe->named = o->described;
	return chan_set_name(c, text, (size_t)n);
}

static struct chan *pipe_chan(struct model *m, struct obj *o)
{
	struct chan *c = o->chan;
	struct pipe *pipe;

	if (!c) {
		c = chan_new(m, o->mech, sizeof(*pipe), m->now_ns);
		if (!c)
			return NULL;
		pipe = c->priv;
		pair_bytes_init(&pipe->bytes, c);
		obj_join(o, c, 0);
	}
	return pipe_name(c, o) ? NULL : c;
}

static int pipe_on_obj(struct model *m, struct obj *o, const struct ev_obj *ev, bool first)
{
	struct chan *c = pipe_chan(m, o);
	struct pipe *pipe;
	int err = 0;

	if (!c)
		return -ENOMEM;
	pipe = c->priv;
	pipe->bytes.capacity = ev->capacity;
	if (!first && ev->hdr.flags & OBJF_CREATED)
		pair_bytes_discard(&pipe->bytes);
	else if (first && ev->hdr.flags & OBJF_CREATED)
		err = pair_bytes_begin(&pipe->bytes, 0, 0);
	else if (first && ev->hdr.flags & OBJF_BACKLOG)
		err = pair_bytes_begin(&pipe->bytes, ev->backlog, ev->hdr.ts_ns);
	if (ev->hdr.flags & OBJF_BACKLOG)
		chan_backlog(c, 0, ev->backlog);
	if (ev->hdr.flags & (OBJF_BACKLOG | OBJF_FULL))
		chan_full(c, 0, ev->hdr.flags & OBJF_FULL, ev->hdr.ts_ns);
	return err;
}

static int pipe_on_op(struct model *m, struct obj *o, struct proc *p, const struct event *ev)
{
	const struct ev_op *op = ev->op;
	bool send = op->op == OP_SEND, moved;
	struct chan *c = o->chan ? o->chan : pipe_chan(m, o);
	struct endpoint *ep = c ? ep_of_obj(m, o, c, p, send ? EP_SEND : EP_RECV) : NULL;
	struct pipe *pipe;
	struct xfer x;

	if (!ep)
		return -ENOMEM;
	pipe = c->priv;
	moved = ep_count(ep, op, false);
	ep_fullness(ep, 0, op);
	if (op->hdr.flags & OPF_BACKLOG)
		chan_backlog(c, 0, op->backlog);
	else if (op->hdr.flags & OPF_EMPTY)
		chan_backlog(c, 0, 0);
	if (!moved)
		return 0;
	xfer_init(m, &x, ep, op);
	return send ? pair_bytes_write(m, &pipe->bytes, &x) : pair_bytes_read(m, &pipe->bytes, &x);
}

static const struct xfer *pipe_next_xfer(const struct obj *o, bool send)
{
	const struct pipe *pipe = o->priv;

	return pq_next(&pipe->bytes.writes, send);
}

static int pipe_settle(struct model *m, struct chan *c, uint64_t now_ns, bool finish)
{
	struct pipe *pipe = c->priv;
	int err = pair_bytes_settle(m, &pipe->bytes, now_ns, finish);

	if (pair_bytes_waits(&pipe->bytes))
		chan_hold(m, c);
	return err;
}

static void pipe_on_loss(struct chan *c)
{
	struct pipe *pipe = c->priv;

	pipe->bytes.lossy = true;
}

static void pipe_on_merge(struct chan *c, struct endpoint *from, struct endpoint *to)
{
	struct pipe *pipe = c->priv;

	pq_replace(&pipe->bytes.writes, from, to);
	pq_replace(&pipe->bytes.reads, from, to);
}

static const char *pipe_fold_name(const struct chan *c, char *buf, size_t len)
{
	if (c->mech == MECH_PIPE)
		return "pipe:[closed]";
	snprintf(buf, len, "%s", c->name);
	return buf;
}

static void pipe_fini(struct model *m, struct chan *c)
{
	struct pipe *pipe = c->priv;

	(void)m;
	pair_bytes_fini(&pipe->bytes);
}

const struct chan_class pipe_class = {
	.unit = "bytes",
	.shape = SHAPE_PIPE,
	.on_obj = pipe_on_obj,
	.on_op = pipe_on_op,
	.next_xfer = pipe_next_xfer,
	.settle = pipe_settle,
	.on_loss = pipe_on_loss,
	.on_merge = pipe_on_merge,
	.fold_name = pipe_fold_name,
	.fini = pipe_fini,
};
