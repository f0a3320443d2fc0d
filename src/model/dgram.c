// SPDX-License-Identifier: BSD-2-Clause
#include "model/dgram.h"

#include <errno.h>
#include <string.h>

#define DECIDE_NS     1000000000ull
#define UNDECIDED_MAX 256
#define MIN_TRUESIZE  512 /* what the smallest datagram takes of a receive buffer, at least */

static bool is_udp(const struct chan *c)
{
	return c->mech == MECH_UDP;
}

/* A receive that no local send answers: from a remote address, or nobody knows whom. */
static int from_afar(struct model *m, struct chan *c, const struct xfer *r)
{
	struct flow *f = flow_get(m, NULL, r->remote, r->ep, NULL);

	(void)c;
	if (!f)
		return -ENOMEM;
	f->bytes += r->len;
	return flow_message(m, f, NULL, r, r->remote ? PAIR_EXACT : PAIR_ASSUMED);
}

static struct chan *queue_new(struct model *m, unsigned int mech)
{
	struct chan *c = chan_new(m, mech, sizeof(struct dgram_queue), m->now_ns);
	struct dgram_queue *q;

	if (!c)
		return NULL;
	q = c->priv;
	pair_msgs_init(&q->msgs, c, mech == MECH_UDP);
	q->msgs.orphan = from_afar;
	return c;
}

struct chan *dgram_wanted(const struct model *m, uint64_t key)
{
	return hmap_get(&m->index, key);
}

struct chan *dgram_new_wanted(struct model *m, unsigned int mech, uint64_t key,
			      const struct ev_addr_in *dest)
{
	struct chan *c = queue_new(m, mech);
	struct dgram_queue *q;

	if (!c)
		return NULL;
	q = c->priv;
	if (dest)
		q->dest = *dest;
	if (hmap_put(&m->index, key, c)) {
		chan_free(m, c);
		return NULL;
	}
	q->wanted = key;
	return c;
}

/*
 * Messages in the queue that were sent unseen. UDP counts bytes, and is left
 * to find that out from what is received.
 */
void dgram_begin(struct chan *c, const struct ev_obj *ev)
{
	struct dgram_queue *q = c->priv;

	if (!q->received && !q->msgs.sender.tid && ev->hdr.flags & OBJF_BACKLOG)
		pair_msgs_begin(&q->msgs, ev->backlog, ev->hdr.ts_ns);
}

static void bind_queue(struct chan *c, struct obj *o)
{
	struct dgram_queue *q = c->priv;

	q->bound = true;
	q->remote = false;
	q->since_ns = 0;
	obj_join(o, c, 0);
	if (!o->capacity)
		return;
	c->capacity = o->capacity;
	if (is_udp(c))
		q->msgs.limit = 64 + o->capacity / MIN_TRUESIZE;
}

struct chan *dgram_new(struct model *m, struct obj *o)
{
	struct chan *c = queue_new(m, o->mech);

	if (c)
		bind_queue(c, o);
	return c;
}

int dgram_adopt(struct model *m, struct obj *o, uint64_t key)
{
	struct chan *c = dgram_wanted(m, key);
	struct dgram_queue *q, *mine;
	int err;

	if (!c || c == o->chan)
		return 0;
	q = c->priv;
	q->wanted = 0;
	hmap_del(&m->index, key);
	m->addr_gen++;
	if (!o->chan) {
		bind_queue(c, o);
		return 1;
	}
	mine = o->chan->priv;
	err = pair_msgs_move(m, &mine->msgs, &q->msgs);
	chan_close(m, c);
	return err ? err : 1;
}

static int flush_remote(struct model *m, struct chan *c)
{
	struct dgram_queue *q = c->priv;
	const struct remote *remote = NULL;
	struct flow *f;
	struct xfer *x;
	int err = 0;

	q->remote = true;
	if (q->dest.family) {
		remote = chan_remote(c, &q->dest, true);
		if (!remote)
			return -ENOMEM;
	}
	while ((x = pq_first(&q->msgs.sends))) {
		f = flow_get(m, x->ep, NULL, NULL, remote);
		if (f)
			f->bytes += x->len;
		if (!f || flow_message(m, f, x, NULL, PAIR_EXACT))
			err = -ENOMEM;
		pq_done(&q->msgs.sends, x);
	}
	return err;
}

int dgram_send(struct model *m, struct chan *c, struct proc *p, const struct ev_op *op,
	       uint64_t addr_key)
{
	struct dgram_queue *q = c->priv;
	struct endpoint *ep = ep_get(m, c, p, EP_SEND, 1);
	struct xfer x;
	int err;

	if (!ep)
		return -ENOMEM;
	if (!c->open)
		chan_reopen(m, c);
	ep_fullness(ep, 0, op);
	if (op->hdr.flags & OPF_BACKLOG)
		chan_backlog(c, 0, op->backlog);
	if (!ep_count(ep, op, true))
		return 0;
	xfer_init(m, &x, ep, op);
	x.addr_key = addr_key;
	err = pair_msgs_send(m, &q->msgs, &x);
	if (err || q->bound)
		return err;
	if (q->remote || q->msgs.sends.cnt > UNDECIDED_MAX)
		return flush_remote(m, c);
	if (!q->since_ns)
		q->since_ns = op->hdr.ts_ns;
	chan_hold(m, c);
	return 0;
}

int dgram_recv(struct model *m, struct obj *o, struct chan *c, struct proc *p,
	       const struct ev_op *op, uint64_t addr_key, const struct remote *remote)
{
	struct dgram_queue *q = c->priv;
	struct endpoint *ep = ep_of_obj(m, o, c, p, EP_RECV);
	bool moved;
	struct xfer x;

	if (!ep)
		return -ENOMEM;
	if (op->hdr.flags & OPF_ERRQUEUE) {
		ep_count(ep, op, true);
		return 0;
	}
	q->received = true;
	moved = ep_count(ep, op, true);
	ep_fullness(ep, 0, op);
	if (op->hdr.flags & OPF_BACKLOG)
		chan_backlog(c, 0, op->backlog);
	/* Behind what SO_PEEK_OFF has passed there may be nothing while there is something before
	 * it. */
	if (op->ret == -EAGAIN && !(op->hdr.flags & OPF_PEEK))
		pair_msgs_empty(&q->msgs, op->enter_ns);
	if (!moved)
		return 0;
	xfer_init(m, &x, ep, op);
	x.addr_key = addr_key;
	x.remote = remote;
	return pair_msgs_recv(m, &q->msgs, &x);
}

int dgram_settle(struct model *m, struct chan *c, uint64_t now_ns, bool finish)
{
	struct dgram_queue *q = c->priv;
	int err = pair_msgs_settle(m, &q->msgs, now_ns, finish);

	/* Unix sockets have no remote ends; a queue that another took over (closed) is not one. */
	if (!q->bound && q->since_ns && is_udp(c) && c->open) {
		if (!finish && q->since_ns + DECIDE_NS >= now_ns)
			chan_hold(m, c);
		else if (flush_remote(m, c))
			err = -ENOMEM;
	}
	if (pair_msgs_waits(&q->msgs))
		chan_hold(m, c);
	return err;
}

void dgram_on_merge(struct chan *c, struct endpoint *from, struct endpoint *to)
{
	struct dgram_queue *q = c->priv;

	pq_replace(&q->msgs.sends, from, to);
	pq_replace(&q->msgs.recvs, from, to);
}

void dgram_fini(struct model *m, struct chan *c)
{
	struct dgram_queue *q = c->priv;

	if (q->wanted && hmap_get(&m->index, q->wanted) == c)
		hmap_del(&m->index, q->wanted);
	if (q->shared && hmap_get(&m->index, q->shared) == c)
		hmap_del(&m->index, q->shared);
	m->addr_gen++;
	pair_msgs_fini(&q->msgs);
}
