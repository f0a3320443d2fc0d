// SPDX-License-Identifier: BSD-2-Clause
/*
 * Unix datagram sockets: the receiving socket's queue is the channel, counted
 * in messages. The receiver is the connected peer, or whoever is bound to the
 * name in the call.
 */
#include <errno.h>
#include <string.h>

#include "model/dgram.h"
#include "model/unix.h"

#define TAG_NAME  0x756e697864000001ull
#define TAG_NAMED 0x756e697864000002ull
#define TAG_PEER  0x756e697864000003ull

struct name {
	const uint8_t *s;
	unsigned int len;
	uint32_t netns; /* abstract names belong to one */
};

static uint64_t hash_bytes(const uint8_t *s, unsigned int len)
{
	uint64_t h = len, w;

	for (; len >= 8; s += 8, len -= 8) {
		memcpy(&w, s, 8);
		h = hmap_mix(h, w);
	}
	w = 0;
	memcpy(&w, s, len);
	return hmap_mix(h, w);
}

static bool is_abstract(const struct name *n)
{
	return n->s[0] == 0;
}

/* The last component: all that a path relative to elsewhere has in common with the bound one. */
static struct name last_part(const struct name *n)
{
	struct name last = *n;
	const uint8_t *slash = is_abstract(n) ? NULL : memrchr(n->s, '/', n->len);

	if (slash) {
		last.len = (unsigned int)(n->s + n->len - slash - 1);
		last.s = slash + 1;
	}
	return last;
}

static uint64_t name_key(uint64_t tag, const struct name *n)
{
	struct name last = last_part(n);

	return hmap_mix(tag + (is_abstract(n) ? n->netns : 0), hash_bytes(last.s, last.len));
}

static uint64_t peer_key(uint64_t peer)
{
	return hmap_mix(TAG_PEER, peer);
}

static struct name name_of(const struct obj *o)
{
	return (struct name){o->net->name, o->net->name_len, o->netns};
}

static struct obj *find_named(const struct model *m, const struct name *n)
{
	struct obj *similar = NULL;

	for (struct obj *o = index_first(m, name_key(TAG_NAME, n)); o; o = o->next_same) {
		struct name has = name_of(o);

		if (o->dead)
			continue;
		if (has.len == n->len && memcmp(has.s, n->s, n->len) == 0)
			return o;
		/* The same file may be called by a relative path on one side. */
		if (!similar && !is_abstract(n) && (has.s[0] != '/' || n->s[0] != '/'))
			similar = o;
	}
	return similar;
}

static struct chan *queue_of(struct model *m, struct obj *o)
{
	struct chan *c = o->chan;

	if (c)
		return c;
	c = dgram_new(m, o);
	return c && !unix_set_name(c, o) ? c : NULL;
}

static struct chan *wanted(struct model *m, uint64_t key, const struct name *n)
{
	struct chan *c = dgram_wanted(m, key);
	char text[8 + sizeof(((struct obj_net *)NULL)->name)] = "unix:[?]";
	unsigned int len = 8;

	if (c)
		return c;
	c = dgram_new_wanted(m, MECH_UNIX_DGRAM, key, NULL);
	if (!c)
		return NULL;
	if (n) {
		memcpy(text + 5, n->s, n->len);
		len = 5 + n->len;
	}
	return chan_set_name(c, text, len) ? NULL : c;
}

/* The queue of whoever is bound to this name; dest->len is not 0. */
static struct chan *queue_named(struct model *m, const struct obj *from,
				const struct ev_addr_un *dest)
{
	struct name n = {dest->name, unix_name_len(dest), from->netns};
	struct obj *to = find_named(m, &n);

	return to ? queue_of(m, to) : wanted(m, name_key(TAG_NAMED, &n), &n);
}

static struct chan *queue_for(struct model *m, struct obj *o, const struct ev_addr_un *dest)
{
	struct obj *to;

	if (dest && unix_name_len(dest))
		return queue_named(m, o, dest);
	if (!o->peer)
		return queue_of(m, o);
	to = unix_at(m, o->peer);
	return to ? queue_of(m, to) : wanted(m, peer_key(o->peer), NULL);
}

static int unix_dgram_on_obj(struct model *m, struct obj *o, const struct ev_obj *ev, bool first)
{
	unsigned int had = o->net ? o->net->name_len : 0;
	struct name n;
	int got, err = unix_describe(m, o, ev);

	if (err)
		return err;
	if (ev->hdr.flags & OBJF_PEER_NAME)
		o->net->name_len = 0;
	m->addr_gen++;
	n = name_of(o);
	if (n.len && !had) {
		err = index_add(m, name_key(TAG_NAME, &n), o);
		if (err)
			return err;
	}
	got = dgram_adopt(m, o, peer_key(o->self));
	if (got >= 0 && n.len)
		got |= dgram_adopt(m, o, name_key(TAG_NAMED, &n));
	if (got < 0)
		return got;
	if (o->chan && (got || (n.len && !had)))
		err = unix_set_name(o->chan, o);
	/* Messages that nobody was seen sending: the queue must remember that it has them. */
	if (first && ev->hdr.flags & OBJF_BACKLOG && ev->backlog && !o->chan && !queue_of(m, o))
		return -ENOMEM;
	if (o->chan && ev->hdr.flags & OBJF_BACKLOG) {
		chan_backlog(o->chan, 0, ev->backlog);
		if (first)
			dgram_begin(o->chan, ev);
	}
	return err;
}

static uint64_t source_key(const uint8_t *s, unsigned int len)
{
	return len ? hash_bytes(s, len) | 1 : 0;
}

static int unix_dgram_on_op(struct model *m, struct obj *o, struct proc *p, const struct event *ev)
{
	const struct ev_addr_un *addr = ev->addr_un;
	struct chan *c;

	if (ev->op->op == OP_RECV) {
		c = queue_of(m, o);
		return c ? dgram_recv(m, o, c, p, ev->op,
				      addr ? source_key(addr->name, unix_name_len(addr)) : 0, NULL)
			 : -ENOMEM;
	}
	c = queue_for(m, o, addr);
	return c ? dgram_send(m, c, p, ev->op,
			      o->net ? source_key(o->net->name, o->net->name_len) : 0)
		 : -ENOMEM;
}

static struct chan *unix_dgram_chan_for(struct model *m, struct obj *o, enum ipcspy_op op)
{
	return op == OP_SEND ? queue_for(m, o, NULL) : queue_of(m, o);
}

static void unix_dgram_on_gone(struct model *m, struct obj *o)
{
	struct name n;

	unix_gone(m, o);
	if (o->net && o->net->name_len) {
		n = name_of(o);
		index_del(m, name_key(TAG_NAME, &n), o);
	}
	m->addr_gen++;
}

const struct chan_class unix_dgram_class = {
	.unit = "messages",
	.shape = SHAPE_QUEUE,
	.on_obj = unix_dgram_on_obj,
	.on_op = unix_dgram_on_op,
	.chan_for = unix_dgram_chan_for,
	.settle = dgram_settle,
	.on_merge = dgram_on_merge,
	.on_gone = unix_dgram_on_gone,
	.fold_name = unix_fold_name,
	.fini = dgram_fini,
};
