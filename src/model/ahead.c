// SPDX-License-Identifier: BSD-2-Clause
#include "model/ahead.h"

#include <string.h>

#include "model/internal.h"

#define LINE 64

/* Steps between asking for one thing and using it: as many events as memory takes to answer. */
#define STEP_OBJ  4
#define STEP_CHAN 8
#define STEP_FLOW 12

static void fetch(const void *p, unsigned int lines)
{
	for (unsigned int i = 0; p && i < lines; i++)
		__builtin_prefetch((const char *)p + i * LINE, 1);
}

static const struct ev_op *op_at(const struct ahead *a, unsigned int i)
{
	return &a->rec[i % AHEAD_LEN].op;
}

static const struct endpoint *endpoint_at(const struct ahead *a, unsigned int i)
{
	const struct obj *o = a->obj[i % AHEAD_LEN];

	return o ? o->ep[op_at(a, i)->op == OP_SEND ? EP_SEND : EP_RECV] : NULL;
}

static void ask_obj(struct model *m, struct ahead *a, unsigned int i)
{
	struct obj *o = hmap_get(&m->objs_by_id, op_at(a, i)->chan);

	a->obj[i % AHEAD_LEN] = o;
	fetch(o, 1);
}

static void ask_chan(const struct ahead *a, unsigned int i)
{
	const struct obj *o = a->obj[i % AHEAD_LEN];

	if (!o)
		return;
	fetch(o->chan, 2);
	fetch(o->priv, 3);
	fetch(endpoint_at(a, i), 2);
}

static void ask_flow(const struct ahead *a, unsigned int i)
{
	const struct endpoint *ep = endpoint_at(a, i);
	const struct obj *o = a->obj[i % AHEAD_LEN];

	if (!ep)
		return;
	if (o->cls->next_xfer)
		fetch(o->cls->next_xfer(o, ep->role == EP_SEND), 2);
	fetch(ep->proc, 1);
	fetch(ep->last_flow, 2);
}

void ahead_push(struct model *m, struct ahead *a, const struct event *ev, uint32_t payload)
{
	unsigned int i = a->head + a->cnt++;

	memcpy(&a->rec[i % AHEAD_LEN], ev->hdr, ahead_len(ev));
	a->rec[i % AHEAD_LEN].payload = payload;
	a->obj[i % AHEAD_LEN] = NULL;
	hmap_prefetch(&m->objs_by_id, ev->op->chan);

	if (a->cnt > STEP_OBJ)
		ask_obj(m, a, i - STEP_OBJ);
	if (a->cnt > STEP_CHAN)
		ask_chan(a, i - STEP_CHAN);
	if (a->cnt > STEP_FLOW)
		ask_flow(a, i - STEP_FLOW);
}

int ahead_pop(struct ahead *a, struct event *ev, uint32_t *payload)
{
	const struct ahead_rec *rec = &a->rec[a->head % AHEAD_LEN];
	uint32_t flags = rec->op.hdr.flags;

	if (!a->cnt)
		return 0;
	a->head++;
	a->cnt--;
	*payload = rec->payload;
	*ev = (struct event){
		.op = &rec->op,
		.addr_in = flags & OPF_ADDR_IN ? &rec->tail.in : NULL,
		.addr_un = flags & OPF_ADDR_UN ? &rec->tail.un : NULL,
		.vals = flags & OPF_VALS ? &rec->tail.vals : NULL,
	};
	return 1;
}
