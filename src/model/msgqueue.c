// SPDX-License-Identifier: BSD-2-Clause
#include "model/msgqueue.h"

#include <errno.h>

struct chan *msgqueue_chan(struct model *m, struct obj *o, size_t size)
{
	struct chan *c = o->chan;
	struct msgqueue *q;

	if (c)
		return c;
	c = chan_new(m, o->mech, size, m->now_ns);
	if (!c)
		return NULL;
	q = c->priv;
	pair_typed_init(&q->pairs, c);
	obj_join(o, c, 0);
	return c;
}

void msgqueue_describe(struct chan *c, const struct ev_obj *ev)
{
	if (ev->hdr.flags & OBJF_BACKLOG)
		chan_backlog(c, 0, ev->backlog);
	if (ev->hdr.flags & (OBJF_BACKLOG | OBJF_FULL))
		chan_full(c, 0, ev->hdr.flags & OBJF_FULL, ev->hdr.ts_ns);
}

int msgqueue_found(struct chan *c, uint64_t type, const struct ev_op *op)
{
	struct msgqueue *q = c->priv;

	/* Two tasks may list it at the same time: the first list counts. */
	if (!q->found_ns)
		q->found_ns = op->hdr.ts_ns;
	if (op->ret < 0 || q->found_ns != op->hdr.ts_ns)
		return 0;
	return pair_typed_found(&q->pairs, type, (uint32_t)op->ret, op->hdr.ts_ns);
}

/* Nothing that was sent long before is in it. */
static void seen_empty(struct msgqueue *q, uint64_t at_ns)
{
	if (at_ns < q->emptied_ns + TYPED_SETTLE_NS)
		return;
	q->emptied_ns = at_ns;
	pair_typed_empty(&q->pairs, at_ns);
}

int msgqueue_op(struct model *m, struct obj *o, struct chan *c, struct proc *p,
		const struct ev_op *op, const uint64_t *type)
{
	struct msgqueue *q = c->priv;
	bool send = op->op == OP_SEND, moved;
	struct endpoint *ep = ep_of_obj(m, o, c, p, send ? EP_SEND : EP_RECV);
	struct xfer x;

	if (!ep)
		return -ENOMEM;
	moved = ep_count(ep, op, true);
	ep_fullness(ep, 0, op);
	if (op->hdr.flags & OPF_BACKLOG)
		chan_backlog(c, 0, op->backlog);
	if (op->ret == -ETIMEDOUT)
		q->timeouts++;
	if (op->ret == -EIDRM)
		msgqueue_removed(m, o, c, op->hdr.ts_ns);
	if (!send && op->hdr.flags & OPF_BACKLOG && !op->backlog)
		seen_empty(q, op->hdr.ts_ns);
	chan_hold(m, c);
	if (!moved)
		return 0;
	xfer_init(m, &x, ep, op);
	if (!type)
		return pair_typed_recv_blind(m, &q->pairs, &x);
	return send ? pair_typed_send(m, &q->pairs, *type, &x)
		    : pair_typed_recv(m, &q->pairs, *type, &x);
}

void msgqueue_removed(struct model *m, struct obj *o, struct chan *c, uint64_t at_ns)
{
	struct msgqueue *q = c->priv;

	o->removed = true;
	if (!q->removed_ns)
		q->removed_ns = at_ns;
	chan_full(c, 0, false, at_ns);
	chan_backlog(c, 0, 0);
	chan_close(m, c);
	chan_hold(m, c);
}

int msgqueue_settle(struct model *m, struct chan *c, uint64_t now_ns, bool finish)
{
	struct msgqueue *q = c->priv;
	bool waits = false;
	int err = pair_typed_settle(m, &q->pairs, now_ns, finish, &waits);

	/* a receive that took a message before the end may be told of after it */
	if (q->removed_ns && (finish || q->removed_ns + TYPED_SETTLE_NS < now_ns))
		c->dropped += pair_typed_drop(&q->pairs, q->removed_ns);
	else if (q->removed_ns)
		waits = true;
	if (waits && !finish)
		chan_hold(m, c);
	return err;
}

void msgqueue_on_merge(struct chan *c, struct endpoint *from, struct endpoint *to)
{
	struct msgqueue *q = c->priv;

	pair_typed_merge(&q->pairs, from, to);
}

void msgqueue_fini(struct model *m, struct chan *c)
{
	struct msgqueue *q = c->priv;

	(void)m;
	pair_typed_fini(&q->pairs);
}

void msgqueue_put_types(const struct chan *c, const char *group, const char *name,
			void (*put)(void *arg, const struct fact *f), void *arg)
{
	const struct msgqueue *q = c->priv;
	const struct typed_class *row[TYPED_SHOWN];
	unsigned int cnt = pair_typed_busiest(&q->pairs, row);

	for (unsigned int i = 0; i < cnt; i++) {
		put(arg, &(struct fact){group, i, name, NULL, row[i]->type});
		put(arg, &(struct fact){group, i, "sent", NULL, row[i]->sent});
		put(arg, &(struct fact){group, i, "received", NULL, row[i]->received});
		put(arg, &(struct fact){group, i, "queued", NULL, row[i]->msgs.sends.live});
	}
}
