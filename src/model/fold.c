// SPDX-License-Identifier: BSD-2-Clause
/*
 * Folding. Closed channels beyond those kept are merged, oldest first, into
 * one row per mechanism and kind of name, so that memory follows what is open
 * and not what ever was. Totals stay: what a channel, its endpoints and its
 * flows counted is added to the row's. In the same way exited processes beyond
 * those kept are merged into one per comm.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

#define FOLD_NAME_LEN 256
#define KEEP_DEFAULT  1024
#define GONE_KEPT     4096 /* exited processes */
#define STANDINS_MAX  256  /* comms, too, are without number */
#define ROWS_MAX      1024 /* names in the world are without number; beyond, one row takes all */

static uint64_t name_hash(const char *s)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3ull;
	return h;
}

const char *chan_place(const struct chan *c, char *buf, size_t len)
{
	return c->cls->fold_name ? c->cls->fold_name(c, buf, len) : "[closed]";
}

static struct chan *fold_row(struct model *m, const struct chan *c)
{
	char buf[FOLD_NAME_LEN];
	const char *name = chan_place(c, buf, sizeof(buf));
	uint64_t key;
	struct chan *row;

	if (m->fold_rows.cnt >= ROWS_MAX)
		name = "[closed]";
	/* What no target touched is in no report: it stays apart. */
	key = hmap_mix(name_hash(name), c->mech | (uint64_t)c->touched_by_target << 32);
	row = hmap_get(&m->fold_rows, key);
	if (row)
		return row;
	row = chan_new(m, c->mech, 0, c->first_ns);
	if (!row)
		return NULL;
	free(row->priv);
	row->priv = NULL;
	row->open = false;
	if (chan_set_name(row, name, strlen(name)) || hmap_put(&m->fold_rows, key, row)) {
		chan_free(m, row);
		return NULL;
	}
	return row;
}

static void span_fold(struct span_stat *to, const struct span_stat *from)
{
	to->count += from->count;
	to->total_ns += from->total_ns;
	if (from->max_ns > to->max_ns)
		to->max_ns = from->max_ns;
}

static void endpoint_add(struct endpoint *to, const struct endpoint *ep)
{
	to->calls += ep->calls;
	to->messages += ep->messages;
	to->bytes += ep->bytes;
	to->errors += ep->errors;
	to->would_block += ep->would_block;
	span_fold(&to->blocked, &ep->blocked);
	span_fold(&to->stalled, &ep->stalled);
}

static int flow_add(struct flow *to, const struct flow *f)
{
	if (!to->messages || f->first_ns < to->first_ns)
		to->first_ns = f->first_ns;
	if (f->last_ns > to->last_ns)
		to->last_ns = f->last_ns;
	to->messages += f->messages;
	to->bytes += f->bytes;
	for (int i = 0; i < PAIR_MAX; i++)
		to->paired[i] += f->paired[i];
	return hist_merge(&to->latency, &f->latency);
}

static int fold_endpoint(struct model *m, struct chan *row, const struct endpoint *ep)
{
	struct endpoint *to = ep_get(m, row, ep->proc, ep->role, ep->side);

	if (!to)
		return -ENOMEM;
	endpoint_add(to, ep);
	return 0;
}

/* The remote end's host with any port: clients choose a new one each time. */
static struct remote *fold_remote(struct chan *row, const void *end)
{
	const struct remote *r = end;
	struct ev_addr_in host = r->addr;
	struct remote *to;
	char *colon;

	if (r->here)
		return chan_named(row, r->text);
	host.port = 0;
	to = chan_remote(row, &host, true);
	colon = to ? strrchr(to->text, ':') : NULL;
	if (colon && to->addr.family)
		strcpy(colon, ":*");
	return to;
}

static int fold_conv(struct model *m, struct conversation *v, const struct chan *from,
		     struct chan *row)
{
	struct conversation to = *v;

	if (to.chan_ab == from)
		to.chan_ab = row;
	if (to.chan_ba == from)
		to.chan_ba = row;
	return conv_move(m, v, &to);
}

static int fold_flow(struct model *m, struct chan *row, const struct flow *f)
{
	const struct remote *src_far = NULL, *dst_far = NULL;
	struct endpoint *src = NULL, *dst = NULL;
	struct flow *to;

	if (f->src.proc)
		src = ep_get(m, row, f->src.proc, EP_SEND, 0);
	else if (f->from)
		src_far = fold_remote(row, f->from);
	if (f->dst.proc)
		dst = ep_get(m, row, f->dst.proc, EP_RECV, 0);
	else if (f->to)
		dst_far = fold_remote(row, f->to);
	if ((f->src.proc && !src) || (f->dst.proc && !dst))
		return -ENOMEM;
	to = flow_get(m, src, src_far, dst, dst_far);
	if (!to)
		return -ENOMEM;
	if (flow_add(to, f))
		return -ENOMEM;
	return f->conv ? fold_conv(m, f->conv, f->chan, row) : 0;
}

static int fold_chan(struct model *m, struct chan *c)
{
	struct chan *row;
	int err;

	if (!chan_is_channel(c)) {
		chan_free(m, c);
		return 0;
	}
	row = fold_row(m, c);
	err = row ? 0 : -ENOMEM;
	if (c->cls->settle && row)
		err = c->cls->settle(m, c, m->now_ns, true);
	if (flow_catch_up(m))
		err = -ENOMEM;
	list_for_each (ep, &c->endpoints, struct endpoint, in_chan)
		if (!err && ep->role != EP_ATTACH)
			err = fold_endpoint(m, row, ep);
	list_for_each (f, &c->flows, struct flow, in_chan)
		if (!err)
			err = fold_flow(m, row, f);
	if (err)
		return err;
	row->folded++;
	row->incomplete |= c->incomplete;
	row->touched_by_target |= c->touched_by_target;
	row->dropped += c->dropped;
	row->passes_forgotten += c->passes_forgotten + passes_of(c);
	row->unpaired += c->unpaired;
	row->lost += c->lost;
	row->backlog.full_ns += c->backlog.full_ns;
	if (c->backlog.max > row->backlog.max)
		row->backlog.max = c->backlog.max;
	if (c->capacity > row->capacity)
		row->capacity = c->capacity;
	if (c->first_ns < row->first_ns)
		row->first_ns = c->first_ns;
	if (c->last_ns > row->last_ns)
		row->last_ns = c->last_ns;
	chan_free(m, c);
	return 0;
}

int fold_closed(struct model *m, unsigned int keep)
{
	struct chan *c;
	int err = 0;

	if (!keep)
		keep = KEEP_DEFAULT;
	while (!err && m->closed_cnt > keep && (c = list_first(&m->closed, struct chan, in_closed)))
		err = fold_chan(m, c);
	return err;
}

/* The process that stands for exited ones with p's comm. */
static struct proc *standin_for(struct model *m, const struct proc *p)
{
	char comm[IPCSPY_COMM_LEN + 1] = "*";
	struct proc *s;
	uint64_t key;

	if (m->standins.cnt < STANDINS_MAX)
		memcpy(comm, p->comm, sizeof(comm));
	key = name_hash(comm);
	s = hmap_get(&m->standins, key);
	if (s)
		return s;
	s = proc_new_standin(m, comm);
	if (s && hmap_put(&m->standins, key, s)) {
		proc_free(m, s);
		return NULL;
	}
	return s;
}

static struct proc *successor(struct proc *p)
{
	return p->standin ? p->standin : p;
}

static int move_conv(struct model *m, struct conversation *v)
{
	struct conversation to = *v;

	to.a = successor(v->a);
	to.b = successor(v->b);
	return conv_move(m, v, &to);
}

/* Moves a flow that a folded endpoint is part of. */
static int move_flow(struct model *m, struct flow *f)
{
	struct endpoint *src = f->src.proc ? (struct endpoint *)f->from : NULL;
	struct endpoint *dst = f->dst.proc ? (struct endpoint *)f->to : NULL;
	struct flow *to;
	int err;

	if (!(src && src->merged) && !(dst && dst->merged))
		return 0;
	if (f->conv && move_conv(m, f->conv))
		return -ENOMEM;
	to = flow_get(m, src && src->merged ? src->merged : src, src ? NULL : f->from,
		      dst && dst->merged ? dst->merged : dst, dst ? NULL : f->to);
	if (!to)
		return -ENOMEM;
	err = flow_add(to, f);
	flow_free(m, f);
	return err;
}

/* Gives every endpoint of a marked process its successor. */
static int move_endpoints(struct model *m, struct chan *c, bool *any)
{
	list_for_each (ep, &c->endpoints, struct endpoint, in_chan) {
		if (!ep->proc->standin)
			continue;
		ep->merged = ep_get(m, c, ep->proc->standin, ep->role, ep->side);
		if (!ep->merged)
			return -ENOMEM;
		*any = true;
		endpoint_add(ep->merged, ep);
		if (c->priv && c->cls->on_merge)
			c->cls->on_merge(c, ep, ep->merged);
	}
	return 0;
}

/* Replaces marked processes by their stand-ins in one channel. */
static int move_procs(struct model *m, struct chan *c)
{
	bool any = false;
	int err;

	list_for_each_safe (h, &c->holders, struct holder, in_chan)
		if (h->proc->standin)
			holder_free(c, h);
	err = move_endpoints(m, c, &any);
	if (err || !any)
		return err;
	list_for_each_safe (f, &c->flows, struct flow, in_chan)
		if (!err)
			err = move_flow(m, f);
	list_for_each_safe (ep, &c->endpoints, struct endpoint, in_chan)
		if (ep->merged && !err)
			ep_free(m, ep);
	return err;
}

/* One pass over everything pays for thousands of processes. */
int fold_gone(struct model *m)
{
	unsigned int left = m->gone_cnt;
	int err;

	if (m->gone_cnt <= GONE_KEPT)
		return 0;
	err = flow_catch_up(m);
	list_for_each (p, &m->gone, struct proc, in_gone) {
		if (left-- <= GONE_KEPT / 2)
			break;
		p->standin = standin_for(m, p);
		if (!p->standin)
			return -ENOMEM;
	}
	list_for_each_safe (i, &m->inflight, struct inflight, in_model)
		if (i->proc->standin)
			inflight_free(i);
	list_for_each (c, &m->chans, struct chan, in_model)
		if (!err)
			err = move_procs(m, c);
	list_for_each_safe (v, &m->conv_list, struct conversation, in_model)
		if (!err && (v->a->standin || v->b->standin))
			err = move_conv(m, v);
	if (m->opts.on_fold)
		m->opts.on_fold(m->opts.on_blocked_arg);
	list_for_each_safe (p, &m->gone, struct proc, in_gone)
		if (p->standin && p->refs == 0)
			proc_free(m, p);
	return err;
}
