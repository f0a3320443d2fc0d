// SPDX-License-Identifier: BSD-2-Clause
/*
 * UDP: the receiving socket's queue is the channel. A datagram goes to the
 * socket that the kernel would choose: one connected to the sender, else one
 * bound to that address, else one bound to any address. Sockets that share an
 * address (SO_REUSEPORT) share the channel. Loopback addresses mean something
 * only inside one network namespace.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "model/dgram.h"

#define TAG_PORT   0x7564700000000001ull
#define TAG_WANTED 0x7564700000000002ull
#define TAG_QUEUE  0x7564700000000003ull
#define TAG_HOST   0x7564700000000004ull

static uint64_t port_key(unsigned int port)
{
	return hmap_mix(TAG_PORT, port);
}

static uint64_t wanted_key(const struct ev_addr_in *dest, uint32_t netns)
{
	return hmap_mix(TAG_WANTED + (addr_is_loopback(dest) ? netns : 0), addr_hash(dest));
}

static uint64_t host_key(const struct ev_addr_in *a)
{
	struct ev_addr_in host = *a;

	host.port = 0;
	return hmap_mix(TAG_HOST, addr_hash(&host));
}

/* Is it an address of this host, as far as its sockets have told? */
static bool is_local(const struct model *m, const struct ev_addr_in *a)
{
	return addr_is_loopback(a) || hmap_get(&m->index, host_key(a));
}

/* How well a socket fits a datagram from `from` to dest; 0: not at all. */
static unsigned int fits(const struct model *m, const struct obj *o, const struct obj *from,
			 const struct ev_addr_in *dest)
{
	const struct obj_net *n = o->net;
	unsigned int score = o->netns == from->netns ? 1 : 0;

	if (o->dead || o->mech != MECH_UDP || n->laddr.port != dest->port)
		return 0;
	if (addr_is_loopback(dest) && o->netns != from->netns)
		return 0;
	if (addr_is_any(&n->laddr)) {
		if (!is_local(m, dest))
			return 0;
		score += 2;
	} else if (addr_same_host(&n->laddr, dest)) {
		score += 4;
	} else {
		return 0;
	}
	if (n->raddr.port == 0)
		return score;
	if (!from->net || n->raddr.port != from->net->laddr.port ||
	    (!addr_is_any(&from->net->laddr) && !addr_same_host(&n->raddr, &from->net->laddr)))
		return 0;
	return score + 8;
}

static int queue_name(struct chan *c, const struct ev_addr_in *addr)
{
	char text[ADDR_TEXT_LEN], name[ADDR_TEXT_LEN + 8];
	int n = snprintf(name, sizeof(name), "udp:%s", addr ? addr_text(addr, text) : "?");

	return chan_set_name(c, name, (size_t)n);
}

/* The queue that o receives from, made when there is none. */
static struct chan *queue_of(struct model *m, struct obj *o)
{
	const struct obj_net *n = o->net;
	struct dgram_queue *q;
	struct chan *c = o->chan;
	uint64_t key;

	if (c)
		return c;
	if (!n || !n->laddr.port) {
		c = dgram_new(m, o);
		return c && !queue_name(c, n ? &n->laddr : NULL) ? c : NULL;
	}
	key = hmap_mix(TAG_QUEUE + o->netns, hmap_mix(addr_hash(&n->laddr), addr_hash(&n->raddr)));
	c = hmap_get(&m->index, key);
	if (c && c->open) {
		obj_join(o, c, 0);
		return c;
	}
	c = dgram_new(m, o);
	if (!c || queue_name(c, &n->laddr) || hmap_put(&m->index, key, c))
		return NULL;
	q = c->priv;
	q->shared = key;
	return c;
}

static struct chan *queue_at(struct model *m, const struct obj *from, const struct ev_addr_in *dest)
{
	unsigned int best = 0, score;
	struct obj *to = NULL;
	struct chan *c;
	uint64_t key;

	for (struct obj *o = index_first(m, port_key(dest->port)); o; o = o->next_same) {
		score = fits(m, o, from, dest);
		if (score > best) {
			best = score;
			to = o;
		}
	}
	if (to)
		return queue_of(m, to);
	key = wanted_key(dest, from->netns);
	c = dgram_wanted(m, key);
	if (c)
		return c;
	c = dgram_new_wanted(m, MECH_UDP, key, dest);
	return c && !queue_name(c, dest) ? c : NULL;
}

/* Where a datagram from o goes; the last answer is kept as long as nothing changed. */
static struct chan *queue_for(struct model *m, struct obj *o, const struct ev_addr_in *dest)
{
	struct obj_net *n = o->net;
	struct chan *c;
	uint64_t key;

	if (!dest && n && n->raddr.port)
		dest = &n->raddr;
	if (!dest || !dest->port)
		return queue_of(m, o);
	key = addr_hash(dest);
	if (n && n->to && n->to_key == key && n->to_gen == m->addr_gen)
		return n->to;
	c = queue_at(m, o, dest);
	if (c && n) {
		n->to = c;
		n->to_key = key;
		n->to_gen = m->addr_gen;
	}
	return c;
}

/* Datagrams that were sent before the receiver was known. */
static int adopt(struct model *m, struct obj *o)
{
	static const struct ev_addr_in loopback[2] = {
		{.family = AF_INET, .addr = {127, 0, 0, 1}},
		{.family = AF_INET6, .addr = {[15] = 1}},
	};
	struct ev_addr_in dest = o->net->laddr;
	bool was_without = !o->chan;
	int got, any = 0, i;

	if (o->net->raddr.port)
		return 0;
	got = dgram_adopt(m, o, wanted_key(&dest, o->netns));
	for (i = 0; i < 2 && got >= 0 && addr_is_any(&o->net->laddr); i++) {
		any |= got;
		dest = loopback[i];
		dest.port = o->net->laddr.port;
		got = dgram_adopt(m, o, wanted_key(&dest, o->netns));
	}
	if (got < 0)
		return got;
	return (got || any) && was_without ? queue_name(o->chan, &o->net->laddr) : 0;
}

static int udp_on_obj(struct model *m, struct obj *o, const struct ev_obj *ev, bool first)
{
	bool same;
	int err;

	(void)first;
	if (!o->net)
		o->net = calloc(1, sizeof(*o->net));
	if (!o->net)
		return -ENOMEM;
	same = addr_equal(&o->net->laddr, &ev->laddr) && addr_equal(&o->net->raddr, &ev->raddr);
	if (same && o->net->laddr.family)
		return 0;
	if (o->net->laddr.port)
		index_del(m, port_key(o->net->laddr.port), o);
	o->net->laddr = ev->laddr;
	o->net->raddr = ev->raddr;
	m->addr_gen++;
	if (!ev->laddr.port)
		return 0;
	if (!addr_is_any(&ev->laddr) && hmap_put(&m->index, host_key(&ev->laddr), m))
		return -ENOMEM;
	err = index_add(m, port_key(ev->laddr.port), o);
	if (err)
		return err;
	if (o->chan)
		return queue_name(o->chan, &ev->laddr);
	return adopt(m, o);
}

/* Is a socket of this host bound to the sender's address? */
static bool sender_is_here(const struct model *m, const struct ev_addr_in *src)
{
	for (struct obj *o = index_first(m, port_key(src->port)); o; o = o->next_same)
		if (o->mech == MECH_UDP && !o->dead &&
		    (addr_same_host(&o->net->laddr, src) ||
		     (addr_is_any(&o->net->laddr) && is_local(m, src))))
			return true;
	return false;
}

/* Sockets bound to any address send from one of several, but from one port. */
static uint64_t sender_key(const struct ev_addr_in *src)
{
	return src && src->port ? 0x10000u | src->port : 0;
}

static int udp_recv(struct model *m, struct obj *o, struct proc *p, const struct event *ev)
{
	const struct ev_addr_in *src = ev->addr_in;
	const struct remote *remote = NULL;
	struct chan *c = queue_of(m, o);

	if (!c)
		return -ENOMEM;
	if (!src && o->net && o->net->raddr.port)
		src = &o->net->raddr;
	if (src && src->port && ev->op->ret >= 0 && !sender_is_here(m, src)) {
		remote = chan_remote(c, src, true);
		if (!remote)
			return -ENOMEM;
	}
	return dgram_recv(m, o, c, p, ev->op, sender_key(src), remote);
}

static int udp_on_op(struct model *m, struct obj *o, struct proc *p, const struct event *ev)
{
	struct chan *c;

	if (ev->op->op == OP_RECV)
		return udp_recv(m, o, p, ev);
	c = queue_for(m, o, ev->addr_in);
	if (!c)
		return -ENOMEM;
	return dgram_send(m, c, p, ev->op, sender_key(o->net ? &o->net->laddr : NULL));
}

static struct chan *udp_chan_for(struct model *m, struct obj *o, enum ipcspy_op op)
{
	return op == OP_SEND ? queue_for(m, o, NULL) : queue_of(m, o);
}

static void udp_on_gone(struct model *m, struct obj *o)
{
	if (o->net && o->net->laddr.port)
		index_del(m, port_key(o->net->laddr.port), o);
	m->addr_gen++;
}

static const char *udp_fold_name(const struct chan *c, char *buf, size_t len)
{
	(void)c;
	(void)buf;
	(void)len;
	return "udp:[closed]";
}

const struct chan_class udp_class = {
	.unit = "bytes",
	.shape = SHAPE_QUEUE,
	.on_obj = udp_on_obj,
	.on_op = udp_on_op,
	.chan_for = udp_chan_for,
	.settle = dgram_settle,
	.on_merge = dgram_on_merge,
	.on_gone = udp_on_gone,
	.fold_name = udp_fold_name,
	.fini = dgram_fini,
};
