// SPDX-License-Identifier: BSD-2-Clause
#include "view/flow_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analysis.h"
#include "view/sections.h"

#define HANDFUL   5   /* more are merged */
#define PLACE_LEN 256 /* of a name: a longer one is told apart by its beginning */
#define ARROW     "<->"
#define ANY_END   ARROW "*"

/* A flow that may be merged with others, and by what. */
struct candidate {
	const struct flow *f;
	char *place;
	int direction; /* of like names: 1 from the process with more flows, -1 to it */
};

uint64_t flow_blocked_ns(const struct flow *f, enum ep_role role)
{
	const struct endpoint *ep = flow_endpoint(f, role);

	return ep ? ep->blocked.total_ns + ep->blocked.now_ns : 0;
}

uint64_t flow_stalled_ns(const struct model *m, const struct flow *f)
{
	const struct endpoint *ep = flow_endpoint(f, EP_SEND);

	return ep ? endpoint_stalled_ns(m, ep) : 0;
}

/* Processes by their names; who is elsewhere by the host, without the port. */
static int party_order(const struct party *a, const struct party *b)
{
	size_t len_a, len_b;
	int order;

	if (a->proc && b->proc)
		return strcmp(a->proc->comm, b->proc->comm);
	if (a->proc || b->proc || !a->addr || !b->addr)
		return (a->proc || a->addr) - (b->proc || b->addr) ?: !a->proc - !b->proc;
	len_a = party_host_len(a);
	len_b = party_host_len(b);
	order = strncmp(a->addr, b->addr, len_a < len_b ? len_a : len_b);
	return order ? order : (len_a > len_b) - (len_a < len_b);
}

static int by_likeness(const void *pa, const void *pb)
{
	const struct candidate *a = pa, *b = pb;
	int order = (int)a->f->chan->mech - (int)b->f->chan->mech;

	if (!order)
		order = strcmp(a->place, b->place);
	if (!order)
		order = a->direction - b->direction;
	if (!order)
		order = party_order(&a->f->src, &b->f->src);
	return order ? order : party_order(&a->f->dst, &b->f->dst);
}

static uint64_t row_messages(const struct flow_row *row)
{
	return row->merged ? row->messages : row->f->messages;
}

static int by_busy(const void *pa, const void *pb)
{
	const struct flow_row *a = *(const struct flow_row *const *)pa;
	const struct flow_row *b = *(const struct flow_row *const *)pb;
	uint64_t messages_a = row_messages(a), messages_b = row_messages(b);

	if (messages_a != messages_b)
		return messages_a < messages_b ? 1 : -1;
	return flow_busier(a->f, b->f);
}

static int by_identity(const void *pa, const void *pb)
{
	uintptr_t a = *(const uintptr_t *)pa, b = *(const uintptr_t *)pb;

	return (a > b) - (a < b);
}

/* How many different ones there are; they are sorted. */
static size_t count_different(uintptr_t *v, size_t cnt)
{
	size_t different = 0;

	qsort(v, cnt, sizeof(*v), by_identity);
	for (size_t i = 0; i < cnt; i++)
		different += !i || v[i] != v[i - 1];
	return different;
}

/* What is an endpoint's, not a flow's: of several flows the first tells it. */
static int add_endpoint(struct flow_row *row, struct hmap *told, const struct model *m,
			const struct flow *f, enum ep_role role)
{
	const struct endpoint *ep = flow_endpoint(f, role);

	if (!ep || hmap_get(told, (uintptr_t)ep))
		return 0;
	if (role == EP_SEND) {
		row->send_blocked_ns += flow_blocked_ns(f, role);
		row->stalled_ns += flow_stalled_ns(m, f);
	} else {
		row->recv_blocked_ns += flow_blocked_ns(f, role);
	}
	return hmap_put(told, (uintptr_t)ep, row);
}

static int row_add(struct flow_row *row, const struct flow *f)
{
	const struct chan *c = f->chan;

	if (!row->f || flow_busier(f, row->f) < 0)
		row->f = f;
	row->merged++;
	row->messages += f->messages;
	row->bytes += f->bytes;
	if (c->backlog.max > row->backlog_max)
		row->backlog_max = c->backlog.max;
	if (c->capacity > row->capacity)
		row->capacity = c->capacity;
	return hist_merge(&row->latency, &f->latency);
}

/* What belongs to channels, not to flows: each of them once. */
static void count_chans(struct flow_row *row, uintptr_t *ids, size_t cnt)
{
	count_different(ids, cnt);
	for (size_t i = 0; i < cnt; i++) {
		const struct chan *c = (const struct chan *)ids[i];

		if (i && ids[i] == ids[i - 1])
			continue;
		row->chan_cnt += c->folded ? c->folded : 1;
		row->dropped += c->dropped;
	}
}

static int merge_group(struct flow_row *row, const struct model *m, const struct candidate *v,
		       size_t cnt)
{
	uintptr_t *ids = calloc(cnt, sizeof(*ids));
	struct hmap told;
	int err = 0;

	if (!ids)
		return -ENOMEM;
	hmap_init(&told);
	for (size_t i = 0; i < cnt && !err; i++) {
		err = row_add(row, v[i].f);
		err = err ? err : add_endpoint(row, &told, m, v[i].f, EP_SEND);
		err = err ? err : add_endpoint(row, &told, m, v[i].f, EP_RECV);
	}
	hmap_fini(&told);
	for (size_t i = 0; i < cnt; i++)
		ids[i] = (uintptr_t)v[i].f->src.proc ?: (uintptr_t)v[i].f->src.addr;
	row->src_cnt = count_different(ids, cnt);
	for (size_t i = 0; i < cnt; i++)
		ids[i] = (uintptr_t)v[i].f->dst.proc ?: (uintptr_t)v[i].f->dst.addr;
	row->dst_cnt = count_different(ids, cnt);
	for (size_t i = 0; i < cnt; i++)
		ids[i] = (uintptr_t)v[i].f->chan;
	count_chans(row, ids, cnt);
	free(ids);
	return err;
}

/* Rows for groups of more than a handful; what is left of v comes first in it. */
static int merge_alike(struct flow_rows *r, struct candidate *v, size_t *cnt)
{
	size_t end, left = 0;
	int err = 0;

	if (*cnt)
		qsort(v, *cnt, sizeof(*v), by_likeness);
	for (size_t at = 0; at < *cnt; at = end) {
		for (end = at + 1; end < *cnt && !by_likeness(&v[at], &v[end]); end++)
			;
		if (end - at > HANDFUL && !err) {
			struct flow_row *row = &r->v[r->w.cnt++];

			hist_init(&row->latency);
			err = merge_group(row, r->m, v + at, end - at);
			row->place = v[at].place; /* row's from now on */
			v[at].place = NULL;
		}
		for (size_t i = at; i < end; i++) {
			if (end - at <= HANDFUL)
				v[left++] = v[i];
			else
				free(v[i].place);
		}
	}
	*cnt = left;
	return err;
}

/*
 * The name of a connection does not say which end is the server's: what has not
 * been merged by the one is tried by the other.
 */
static int swap_places(struct candidate *v, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		const char *name = v[i].f->chan->name, *arrow = strstr(name, ARROW);
		char *place;

		if (!arrow)
			continue;
		if (asprintf(&place, "%.*s%s", (int)(arrow - name), name, ANY_END) < 0)
			return -ENOMEM;
		free(v[i].place);
		v[i].place = place;
	}
	return 0;
}

static uintptr_t flows_of(const struct hmap *flows, const struct proc *p)
{
	return (uintptr_t)hmap_get(flows, (uintptr_t)p);
}

static int count_flow(struct hmap *flows, struct proc *p)
{
	return p ? hmap_put(flows, (uintptr_t)p, (void *)(flows_of(flows, p) + 1)) : 0;
}

/* A server and clients of one name: the two directions are no one row. */
static int set_directions(struct candidate *v, size_t cnt)
{
	struct hmap flows; /* a number by process */
	int err = 0;

	hmap_init(&flows);
	for (size_t i = 0; i < cnt && !err; i++) {
		err = count_flow(&flows, v[i].f->src.proc);
		if (!err)
			err = count_flow(&flows, v[i].f->dst.proc);
	}
	for (size_t i = 0; i < cnt; i++) {
		const struct party *src = &v[i].f->src, *dst = &v[i].f->dst;
		uintptr_t from, to;

		if (!src->proc || !dst->proc || party_order(src, dst))
			continue;
		from = flows_of(&flows, src->proc);
		to = flows_of(&flows, dst->proc);
		v[i].direction = (from > to) - (from < to);
	}
	hmap_fini(&flows);
	return err;
}

static int add_rows(struct flow_rows *r, const struct walk *flows, struct candidate *v, bool merge)
{
	char buf[PLACE_LEN];
	size_t cnt = 0;
	int err = 0;

	for (size_t i = 0; i < flows->cnt && !err; i++) {
		const struct flow *f = flows->v[i];

		if (!merge || f->chan->open) {
			r->v[r->w.cnt++].f = f;
			continue;
		}
		v[cnt].f = f;
		v[cnt].place = strdup(chan_place(f->chan, buf, sizeof(buf)));
		err = v[cnt++].place ? 0 : -ENOMEM;
	}
	if (!err)
		err = set_directions(v, cnt);
	if (!err)
		err = merge_alike(r, v, &cnt);
	if (!err)
		err = swap_places(v, cnt);
	if (!err)
		err = merge_alike(r, v, &cnt);
	for (size_t i = 0; i < cnt; i++) {
		if (!err)
			r->v[r->w.cnt++].f = v[i].f;
		free(v[i].place);
	}
	return err;
}

int flow_rows_init(struct flow_rows *r, const struct model *m, bool merge)
{
	struct walk flows = WALK_INIT;
	struct candidate *v = NULL;
	int err;

	*r = (struct flow_rows){.w = WALK_INIT, .m = m};
	err = walk_flows(&flows, m, FLOWS_BUSIEST);
	if (err || !flows.cnt)
		goto out;
	err = -ENOMEM;
	v = calloc(flows.cnt, sizeof(*v));
	r->v = calloc(flows.cnt, sizeof(*r->v));
	r->w.v = calloc(flows.cnt, sizeof(*r->w.v));
	if (!v || !r->v || !r->w.v)
		goto out;
	err = add_rows(r, &flows, v, merge);
	for (size_t i = 0; i < r->w.cnt; i++)
		r->w.v[i] = &r->v[i];
	qsort(r->w.v, r->w.cnt, sizeof(*r->w.v), by_busy);
out:
	free(v);
	walk_fini(&flows);
	return err;
}

void flow_rows_fini(struct flow_rows *r)
{
	for (size_t i = 0; r->v && i < r->w.cnt; i++) {
		hist_fini(&r->v[i].latency);
		free(r->v[i].place);
	}
	free(r->v);
	walk_fini(&r->w);
	*r = (struct flow_rows){.w = WALK_INIT};
}
