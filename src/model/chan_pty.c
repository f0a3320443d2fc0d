// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pseudoterminals: master and slave are two objects that name each other, one
 * channel with two directions. Side 0 is the master, whose program plays the
 * terminal; side 1 the slave, /dev/pts/N, which the shell and its children share.
 * Direction s leads from side s to the other.
 *
 * Endpoints count what the calls returned, as strace would. Between them is the line
 * discipline (termios(3)), and as long as it passes bytes on as they are, messages
 * are paired to the byte (pair_bytes.h). Where it does not, a direction is paired
 * loosely (pair_loose.h) from then on:
 *   to the slave    ICANON hands out lines, so that what is typed is received with
 *                   its end of line, and what was erased with it; ISIG, IXON, IGNCR
 *                   and PARMRK take or add bytes
 *   to the master   ECHO makes the kernel write the input back, which is nobody's
 *                   message; OPOST writes \r\n for \n; packet mode adds a byte
 * Bytes of a flow are those that its sender wrote. Bytes that were read and that
 * nobody wrote are in the facts.
 *
 * How much fits in depends on how it was written, so there is no capacity.
 *
 * EV_OBJ: vals[0] = PTYF_* << 32 | number of the terminal, vals[1] the foreground
 * process group. EV_OP: seq, with OPF_SEQ, is PTYF_* of that moment.
 */
#include <errno.h>
#include <stdio.h>

#include "model/internal.h"
#include "model/pair_bytes.h"
#include "model/pair_loose.h"

#define TAG_PTY 0x707479707479ull

#define ALTERS_INPUT  (PTYF_CANONICAL | PTYF_SPECIAL)
#define ALTERS_OUTPUT (PTYF_ECHO | PTYF_OUTPUT | PTYF_PACKET)

struct pty_dir {
	bool loose;
	struct pair_bytes exact; /* until loose */
	struct pair_loose pairs; /* since */
};

struct pty {
	struct pty_dir dir[2]; /* 0: to the slave, 1: to the master */
	uint64_t ends;         /* the smaller id of both objects, 0 not described */
	uint32_t mode;         /* PTYF_* */
	uint32_t index, pgrp;
};

static uint64_t pty_key(uint64_t ends)
{
	return hmap_mix(TAG_PTY, ends);
}

static struct chan *pty_new(struct model *m, struct obj *o, unsigned int side)
{
	struct chan *c = chan_new(m, o->mech, sizeof(struct pty), m->now_ns);
	struct pty *pty;

	if (!c)
		return NULL;
	pty = c->priv;
	for (int i = 0; i < 2; i++) {
		pair_bytes_init(&pty->dir[i].exact, c);
		pair_loose_init(&pty->dir[i].pairs, c);
	}
	obj_join(o, c, side);
	return chan_set_name(c, "pty:?", 5) ? NULL : c;
}

/* The channel of both ends, which o joins. */
static struct chan *pty_of_ends(struct model *m, struct obj *o, const struct ev_obj *ev)
{
	unsigned int side = !(ev->vals[0] >> 32 & PTYF_MASTER);
	uint64_t ends = ev->self < ev->peer ? ev->self : ev->peer;
	struct chan *c = hmap_get(&m->index, pty_key(ends));
	struct pty *pty = c ? c->priv : NULL;
	char text[40];
	int n;

	if (pty && pty->ends == ends) {
		obj_join(o, c, side);
		return c;
	}
	c = pty_new(m, o, side);
	if (!c || hmap_put(&m->index, pty_key(ends), c))
		return NULL;
	pty = c->priv;
	pty->ends = ends;
	pty->index = (uint32_t)ev->vals[0];
	n = snprintf(text, sizeof(text), "pty:/dev/pts/%u", pty->index);
	return chan_set_name(c, text, (size_t)n) ? NULL : c;
}

/* From now on in and out differ: what waits for its receive goes over. */
static int become_loose(struct model *m, struct pty_dir *d)
{
	struct pair_queue *q = &d->exact.writes;
	int err = 0;

	d->loose = true;
	for (uint32_t i = 0; i < q->cnt; i++) {
		const struct xfer *w = pq_at(q, i);

		if (!w->ep)
			d->pairs.nameless += w->left;
		else if (!(w->flags & XF_DONE) && pair_loose_write(m, &d->pairs, w))
			err = -ENOMEM;
	}
	d->pairs.begin_ns = d->exact.begin_ns;
	pq_fini(q);
	pq_fini(&d->exact.reads);
	return err;
}

static int see_mode(struct model *m, struct pty *pty, uint32_t mode)
{
	static const uint32_t alters[2] = {ALTERS_INPUT, ALTERS_OUTPUT};
	int err = 0;

	pty->mode = mode & ~(uint32_t)PTYF_MASTER;
	pty->dir[0].pairs.lines = mode & PTYF_CANONICAL;
	for (int i = 0; i < 2; i++)
		if (mode & alters[i] && !pty->dir[i].loose && become_loose(m, &pty->dir[i]))
			err = -ENOMEM;
	return err;
}

/* What o's end held unread when it was first seen. */
static int pty_begin(struct pty_dir *d, const struct ev_obj *ev)
{
	if (!d->loose)
		return d->exact.synced ? 0
				       : pair_bytes_begin(&d->exact, ev->backlog, ev->hdr.ts_ns);
	if (!d->pairs.begin_ns)
		pair_loose_begin(&d->pairs, ev->backlog, ev->hdr.ts_ns);
	return 0;
}

static int pty_on_obj(struct model *m, struct obj *o, const struct ev_obj *ev, bool first)
{
	struct chan *c = o->chan ? o->chan : pty_of_ends(m, o, ev);
	struct pty *pty;
	int err;

	if (!c)
		return -ENOMEM;
	pty = c->priv;
	if (!pty->ends) /* an operation came before any description */
		return 0;
	pty->pgrp = (uint32_t)ev->vals[1];
	err = see_mode(m, pty, (uint32_t)(ev->vals[0] >> 32));
	if (err || !(ev->hdr.flags & OBJF_BACKLOG))
		return err;
	chan_backlog(c, !o->side, ev->backlog);
	return first ? pty_begin(&pty->dir[!o->side], ev) : 0;
}

static int transfer(struct model *m, struct pty_dir *d, bool send, const struct xfer *x)
{
	if (d->loose)
		return send ? pair_loose_write(m, &d->pairs, x) : pair_loose_read(m, &d->pairs, x);
	return send ? pair_bytes_write(m, &d->exact, x) : pair_bytes_read(m, &d->exact, x);
}

static int pty_on_op(struct model *m, struct obj *o, struct proc *p, const struct event *ev)
{
	const struct ev_op *op = ev->op;
	bool send = op->op == OP_SEND, moved;
	struct chan *c = o->chan ? o->chan : pty_new(m, o, 0);
	struct endpoint *ep = c ? ep_of_obj(m, o, c, p, send ? EP_SEND : EP_RECV) : NULL;
	unsigned int dir = send ? o->side : !o->side;
	struct pty *pty;
	struct xfer x;

	if (!ep)
		return -ENOMEM;
	pty = c->priv;
	if (op->hdr.flags & OPF_SEQ && see_mode(m, pty, op->seq))
		return -ENOMEM;
	moved = ep_count(ep, op, false);
	ep_fullness(ep, dir, op);
	if (op->hdr.flags & OPF_BACKLOG)
		chan_backlog(c, dir, op->backlog);
	if (!moved)
		return 0;
	xfer_init(m, &x, ep, op);
	return transfer(m, &pty->dir[dir], send, &x);
}

static int pty_settle(struct model *m, struct chan *c, uint64_t now_ns, bool finish)
{
	struct pty *pty = c->priv;
	int err = 0;

	for (int i = 0; i < 2; i++) {
		struct pty_dir *d = &pty->dir[i];

		if (d->loose)
			pair_loose_settle(&d->pairs, now_ns, finish);
		else if (pair_bytes_settle(m, &d->exact, now_ns, finish))
			err = -ENOMEM;
		if (d->loose ? pair_loose_waits(&d->pairs) : pair_bytes_waits(&d->exact))
			chan_hold(m, c);
	}
	return err;
}

static void pty_on_loss(struct chan *c)
{
	struct pty *pty = c->priv;

	pty->dir[0].exact.lossy = pty->dir[1].exact.lossy = true;
}

static void pty_on_merge(struct chan *c, struct endpoint *from, struct endpoint *to)
{
	struct pty *pty = c->priv;

	for (int i = 0; i < 2; i++) {
		pq_replace(&pty->dir[i].exact.writes, from, to);
		pq_replace(&pty->dir[i].exact.reads, from, to);
		pair_loose_replace(&pty->dir[i].pairs, from, to);
	}
}

static const char *pty_fold_name(const struct chan *c, char *buf, size_t len)
{
	(void)c;
	(void)buf;
	(void)len;
	return "pty:[closed]";
}

struct teller {
	void (*put)(void *arg, const struct fact *f);
	void *arg;
};

static void tell(const struct teller *t, const char *name, uint64_t value)
{
	t->put(t->arg, &(struct fact){.name = name, .value = value});
}

static void tell_flag(const struct teller *t, const char *name, uint32_t flag)
{
	t->put(t->arg, &(struct fact){.name = name, .text = flag ? fact_yes : fact_no});
}

static void pty_facts(const struct model *m, const struct chan *c,
		      void (*put)(void *arg, const struct fact *f), void *arg)
{
	const struct teller t = {put, arg};
	const struct pty *pty = c->priv;

	(void)m;
	if (!pty || !pty->ends)
		return;
	tell(&t, "index", pty->index);
	tell(&t, "foreground_pgrp", pty->pgrp);
	tell_flag(&t, "canonical", pty->mode & PTYF_CANONICAL);
	tell_flag(&t, "echo", pty->mode & PTYF_ECHO);
	tell_flag(&t, "output_processing", pty->mode & PTYF_OUTPUT);
	tell_flag(&t, "packet", pty->mode & PTYF_PACKET);
	tell(&t, "added_to_slave_bytes", pty->dir[0].pairs.added);
	tell(&t, "added_to_master_bytes", pty->dir[1].pairs.added);
}

static void pty_fini(struct model *m, struct chan *c)
{
	struct pty *pty = c->priv;

	if (pty->ends && hmap_get(&m->index, pty_key(pty->ends)) == c)
		hmap_del(&m->index, pty_key(pty->ends));
	for (int i = 0; i < 2; i++) {
		pair_bytes_fini(&pty->dir[i].exact);
		pair_loose_fini(&pty->dir[i].pairs);
	}
}

const struct chan_class pty_class = {
	.unit = "bytes",
	.shape = SHAPE_PAIR,
	.on_obj = pty_on_obj,
	.on_op = pty_on_op,
	.settle = pty_settle,
	.on_loss = pty_on_loss,
	.on_merge = pty_on_merge,
	.fold_name = pty_fold_name,
	.facts = pty_facts,
	.fini = pty_fini,
};
