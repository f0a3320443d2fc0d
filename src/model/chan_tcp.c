// SPDX-License-Identifier: BSD-2-Clause
/*
 * TCP: two sockets with each other's addresses make one channel. The other end
 * may be on another host, or here and not seen yet: for DECIDE_NS both halves
 * wait, then what one end did counts as with a remote end, named by address.
 * When the other end turns up later, pairing goes on from there, because the
 * records say where in the stream they lie.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"
#include "model/pair_seq.h"

#define TAG_TCP       0x7463700000000001ull
#define TAG_ACCEPT    0x7463700000000002ull
#define DECIDE_NS     1000000000ull
#define UNDECIDED_MAX 256 /* transfers kept for a decision */

enum far_end { FAR_UNKNOWN = 0, FAR_LOCAL = 1, FAR_REMOTE = 2 };

struct tcp {
	struct obj *side[2];
	enum far_end far_end;
	uint64_t since_ns; /* the first transfer that waits for a decision */
	struct remote *remote;
	struct pair_seq dir[2];
};

static uint64_t tcp_accept_key(const struct obj *o)
{
	bool listens = o->flags & OBJF_LISTEN;

	return hmap_mix(TAG_ACCEPT + o->netns, listens ? o->net->laddr.port : o->net->raddr.port);
}

/* An address of this host: that of loopback, or the own one. Others are not known here. */
static bool tcp_accepts(const struct obj *listener, const struct obj *o)
{
	const struct ev_addr_in *at = &listener->net->laddr, *to = &o->net->raddr;

	if (listener->netns != o->netns || at->port != to->port)
		return false;
	if (!addr_is_loopback(to) && !addr_same_host(to, &o->net->laddr))
		return false;
	return addr_is_any(at) || addr_same_host(at, to);
}

/* The same for both ends. Loopback addresses are told apart by namespace. */
static uint64_t tuple_key(const struct obj *o)
{
	const struct obj_net *n = o->net;
	uint64_t a = addr_hash(&n->laddr), b = addr_hash(&n->raddr);

	return hmap_mix(TAG_TCP + (addr_is_loopback(&n->laddr) ? o->netns : 0),
			a < b ? hmap_mix(a, b) : hmap_mix(b, a));
}

static bool listening(const struct obj *o)
{
	return o->flags & OBJF_LISTEN;
}

static int tcp_set_name(struct chan *c, const struct obj *o)
{
	char one[ADDR_TEXT_LEN], two[ADDR_TEXT_LEN], text[2 * ADDR_TEXT_LEN + 16];
	const struct ev_addr_in *a, *b;
	int n;

	if (!o->net)
		return chan_set_name(c, "tcp:?", 5);
	a = &o->net->laddr;
	b = &o->net->raddr;
	if (listening(o) || !b->port)
		n = snprintf(text, sizeof(text), "tcp:%s", addr_text(a, one));
	else if (addr_compare(a, b) > 0)
		n = snprintf(text, sizeof(text), "tcp:%s<->%s", addr_text(a, one),
			     addr_text(b, two));
	else
		n = snprintf(text, sizeof(text), "tcp:%s<->%s", addr_text(b, one),
			     addr_text(a, two));
	return chan_set_name(c, text, (size_t)n);
}

static struct chan *tcp_new(struct model *m, struct obj *o)
{
	struct chan *c = chan_new(m, o->mech, sizeof(struct tcp), m->now_ns);
	struct tcp *t;

	if (!c)
		return NULL;
	t = c->priv;
	pair_seq_init(&t->dir[0], c);
	pair_seq_init(&t->dir[1], c);
	t->side[0] = o;
	obj_join(o, c, 0);
	if (listening(o))
		c->unit = "connections";
	return tcp_set_name(c, o) ? NULL : c;
}

/*
 * Whether a connection that is over at one end is the one that o is accepted from: a
 * client may send all it has and exit before. Its first byte has the number that is
 * o's next; another connection with the same addresses begins elsewhere.
 */
static bool goes_on(const struct obj *i, const struct ev_obj *ev)
{
	const struct tcp *t = i->chan->priv;

	return ev->hdr.flags & OBJF_SEQ && pair_seq_begins_at(&t->dir[i->side], ev->rcv_seq);
}

/* The other end of o's connection, if it is here and its place for o is free. */
static struct obj *find_other(const struct model *m, const struct obj *o, const struct ev_obj *ev)
{
	const struct tcp *t;

	for (struct obj *i = index_first(m, tuple_key(o)); i; i = i->next_same) {
		if (i == o || !i->chan || listening(i) ||
		    !addr_equal(&i->net->laddr, &o->net->raddr) ||
		    !addr_equal(&i->net->raddr, &o->net->laddr))
			continue;
		t = i->chan->priv;
		if (!t->side[!i->side] &&
		    ((!i->dead && chan_was_open(i->chan, ev->hdr.ts_ns)) || goes_on(i, ev)))
			return i;
	}
	return NULL;
}

/* A new socket with the addresses of an old one: the old one is gone. */
static void supersede(struct model *m, const struct obj *o)
{
	for (struct obj *i = index_first(m, tuple_key(o)); i; i = i->next_same) {
		if (i == o || i->dead || !i->chan || !addr_equal(&i->net->laddr, &o->net->laddr))
			continue;
		i->dead = true;
		chan_close(m, i->chan);
	}
}

static int tcp_describe(struct model *m, struct obj *o, const struct ev_obj *ev)
{
	if (o->net)
		index_del(m, tuple_key(o), o);
	else
		o->net = calloc(1, sizeof(*o->net));
	if (!o->net)
		return -ENOMEM;
	o->net->laddr = ev->laddr;
	o->net->raddr = ev->raddr;
	return index_add(m, tuple_key(o), o);
}

static int tcp_on_obj(struct model *m, struct obj *o, const struct ev_obj *ev, bool first)
{
	bool connected = ev->raddr.port != 0;
	struct obj *other;
	struct tcp *t;
	int err = tcp_describe(m, o, ev);

	(void)first;
	if (err)
		return err;
	if (!o->chan && (connected || listening(o))) {
		supersede(m, o);
		other = connected ? find_other(m, o, ev) : NULL;
		if (other) {
			t = other->chan->priv;
			t->side[!other->side] = o;
			t->far_end = FAR_LOCAL;
			chan_reopen(m, other->chan);
			obj_join(o, other->chan, !other->side);
		} else if (!tcp_new(m, o)) {
			return -ENOMEM;
		}
	}
	if (!o->chan)
		return 0;
	t = o->chan->priv;
	if (ev->capacity > o->chan->capacity)
		o->chan->capacity = ev->capacity;
	if (ev->hdr.flags & OBJF_SEQ && connected) {
		pair_seq_begin(&t->dir[o->side], ev->snd_seq);
		pair_seq_begin_read(&t->dir[!o->side], ev->rcv_seq);
	}
	if (ev->hdr.flags & OBJF_BACKLOG)
		chan_backlog(o->chan, !o->side, ev->backlog);
	return 0;
}

/* A transfer whose other end is not here. */
static int tcp_far(struct model *m, struct chan *c, const struct xfer *x, bool send)
{
	struct tcp *t = c->priv;
	struct flow *f = send ? flow_get(m, x->ep, NULL, NULL, t->remote)
			      : flow_get(m, NULL, t->remote, x->ep, NULL);

	if (!f)
		return -ENOMEM;
	f->bytes += x->len;
	return flow_message(m, f, send ? x : NULL, send ? NULL : x, PAIR_EXACT);
}

static int flush(struct model *m, struct chan *c, struct pair_queue *q, bool send)
{
	struct xfer *x;
	int err = 0, e;

	while ((x = pq_first(q))) {
		e = tcp_far(m, c, x, send);
		if (e)
			err = e;
		pq_done(q, x);
	}
	return err;
}

/* The other end did not turn up: it is an address. */
static int decide_remote(struct model *m, struct chan *c)
{
	struct tcp *t = c->priv;
	const struct obj *o = t->side[0] ? t->side[0] : t->side[1];
	int err = 0, e;

	if (o && o->net && o->net->raddr.port) {
		t->remote = chan_remote(c, &o->net->raddr, true);
		if (!t->remote)
			return -ENOMEM;
	}
	t->far_end = FAR_REMOTE;
	for (int dir = 0; dir < 2; dir++) {
		e = flush(m, c, &t->dir[dir].writes, true);
		if (e)
			err = e;
		e = flush(m, c, &t->dir[dir].reads, false);
		if (e)
			err = e;
	}
	return err;
}

static int tcp_transfer(struct model *m, struct obj *o, const struct ev_op *op,
			const struct xfer *x)
{
	bool send = op->op == OP_SEND, seq = op->hdr.flags & OPF_SEQ;
	struct tcp *t = o->chan->priv;
	struct pair_seq *ps = &t->dir[send ? o->side : !o->side];
	int err;

	if (t->far_end == FAR_REMOTE)
		return tcp_far(m, o->chan, x, send);
	err = send ? pair_seq_write(m, ps, x, seq, op->seq) : pair_seq_read(m, ps, x, seq, op->seq);
	if (err || t->far_end == FAR_LOCAL)
		return err;
	if (!t->since_ns)
		t->since_ns = x->exit_ns;
	if (t->dir[0].writes.cnt + t->dir[1].reads.cnt + t->dir[1].writes.cnt +
		    t->dir[0].reads.cnt >
	    UNDECIDED_MAX)
		return decide_remote(m, o->chan);
	chan_hold(m, o->chan);
	return 0;
}

static void tcp_backlog(struct chan *c, unsigned int dir, const struct ev_op *op)
{
	struct tcp *t = c->priv;

	if (t->far_end == FAR_LOCAL) {
		chan_backlog(c, 0, pair_seq_backlog(&t->dir[0]));
		chan_backlog(c, 1, pair_seq_backlog(&t->dir[1]));
	} else if (op->hdr.flags & OPF_BACKLOG) {
		chan_backlog(c, dir, op->backlog);
	}
}

static int tcp_on_op(struct model *m, struct obj *o, struct proc *p, const struct event *ev)
{
	const struct ev_op *op = ev->op;
	bool send = op->op == OP_SEND, moved;
	struct chan *c = o->chan ? o->chan : tcp_new(m, o);
	struct endpoint *ep = c ? ep_of_obj(m, o, c, p, send ? EP_SEND : EP_RECV) : NULL;
	unsigned int dir = send ? o->side : !o->side;
	struct xfer x;
	int err = 0;

	if (!ep)
		return -ENOMEM;
	moved = ep_count(ep, op, false);
	ep_fullness(ep, dir, op);
	if (moved) {
		xfer_init(m, &x, ep, op);
		err = tcp_transfer(m, o, op, &x);
	}
	tcp_backlog(c, dir, op);
	return err;
}

static const struct xfer *tcp_next_xfer(const struct obj *o, bool send)
{
	const struct tcp *t = o->priv;

	return pq_next(&t->dir[send ? o->side : !o->side].writes, send);
}

static int tcp_settle(struct model *m, struct chan *c, uint64_t now_ns, bool finish)
{
	struct tcp *t = c->priv;
	int err = 0, e;

	if (t->far_end == FAR_UNKNOWN && t->since_ns) {
		if (finish || t->since_ns + DECIDE_NS < now_ns)
			return decide_remote(m, c);
		chan_hold(m, c);
		return 0;
	}
	for (int dir = 0; dir < 2; dir++) {
		e = pair_seq_settle(m, &t->dir[dir], now_ns, finish);
		if (e)
			err = e;
		if (pair_seq_waits(&t->dir[dir]))
			chan_hold(m, c);
	}
	return err;
}

static void tcp_on_loss(struct chan *c)
{
	struct tcp *t = c->priv;

	t->dir[0].lossy = t->dir[1].lossy = true;
}

static void tcp_on_merge(struct chan *c, struct endpoint *from, struct endpoint *to)
{
	struct tcp *t = c->priv;

	for (int dir = 0; dir < 2; dir++) {
		pq_replace(&t->dir[dir].writes, from, to);
		pq_replace(&t->dir[dir].reads, from, to);
	}
}

static void tcp_on_gone(struct model *m, struct obj *o)
{
	struct tcp *t = o->chan ? o->chan->priv : NULL;

	if (o->net)
		index_del(m, tuple_key(o), o);
	if (t && t->side[o->side] == o)
		t->side[o->side] = NULL;
}

/* "tcp:*<->a:p": all clients of one server address. */
static const char *tcp_fold_name(const struct chan *c, char *buf, size_t len)
{
	const char *server = strstr(c->name, "<->");

	if (server)
		snprintf(buf, len, "tcp:*%s", server);
	else
		snprintf(buf, len, "%s", c->name);
	return buf;
}

static void tcp_fini(struct model *m, struct chan *c)
{
	struct tcp *t = c->priv;

	(void)m;
	pair_seq_fini(&t->dir[0]);
	pair_seq_fini(&t->dir[1]);
}

const struct chan_class tcp_class = {
	.unit = "bytes",
	.shape = SHAPE_PAIR,
	.on_obj = tcp_on_obj,
	.on_op = tcp_on_op,
	.next_xfer = tcp_next_xfer,
	.settle = tcp_settle,
	.on_loss = tcp_on_loss,
	.on_merge = tcp_on_merge,
	.on_gone = tcp_on_gone,
	.fold_name = tcp_fold_name,
	.accept_key = tcp_accept_key,
	.accepts = tcp_accepts,
	.fini = tcp_fini,
};
