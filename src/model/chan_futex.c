// SPDX-License-Identifier: BSD-2-Clause
/*
 * Futexes: the word is the channel, a wake that released somebody the message, and
 * what is in the channel are those who sleep on it. ev_obj.vals: id of the mapped
 * object and the word's offset in it; of a private word, its process and address.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/internal.h"
#include "model/pair_wake.h"

struct futex {
	struct pair_wake wake;
	uint64_t object, at;
	bool described, named; /* after the mapped object */
};

/* The name of the mapped object, once its own channel has one. */
static const char *mapping_name(const struct model *m, const struct futex *fx)
{
	const struct obj *map = hmap_get(&m->objs_by_id, fx->object);

	return map && map->chan && strcmp(map->chan->name, "?") != 0 ? map->chan->name : NULL;
}

static int futex_name(const struct model *m, struct chan *c, const struct obj *o)
{
	struct futex *fx = c->priv;
	unsigned long long at = fx->at;
	char text[NAME_MAX_LEN + 64];
	const char *map;
	int n;

	if (fx->named)
		return 0;
	map = c->mech == MECH_FUTEX && fx->described ? mapping_name(m, fx) : NULL;
	fx->named = map || (fx->described && c->mech != MECH_FUTEX);
	if (map)
		n = snprintf(text, sizeof(text), "futex:%.*s+0x%llx", NAME_MAX_LEN, map, at);
	else if (!fx->described)
		n = snprintf(text, sizeof(text), "futex:?");
	else if (c->mech == MECH_FUTEX)
		n = snprintf(text, sizeof(text), "futex:[%llu]+0x%llx", (unsigned long long)o->ino,
			     at);
	else
		n = snprintf(text, sizeof(text), "futex:%u+0x%llx", (unsigned int)fx->object, at);
	return chan_set_name(c, text, (size_t)n);
}

static struct chan *futex_chan(struct model *m, struct obj *o)
{
	struct chan *c = o->chan;
	struct futex *fx;

	if (c)
		return c;
	c = chan_new(m, o->mech, sizeof(*fx), m->now_ns);
	if (!c)
		return NULL;
	fx = c->priv;
	pair_wake_init(&fx->wake, c);
	obj_join(o, c, 0);
	return futex_name(m, c, o) ? NULL : c;
}

static int futex_on_obj(struct model *m, struct obj *o, const struct ev_obj *ev, bool first)
{
	struct chan *c = futex_chan(m, o);
	struct futex *fx;

	(void)first;
	if (!c)
		return -ENOMEM;
	fx = c->priv;
	fx->object = ev->vals[0];
	fx->at = ev->vals[1];
	fx->described = true;
	return futex_name(m, c, o);
}

/* What a wake returns are no bytes; that a requeue found another value is no lack of room. */
static int futex_wakes(struct model *m, struct futex *fx, struct endpoint *ep,
		       const struct event *ev)
{
	const struct ev_op *op = ev->op;
	struct ev_op call = *op;

	if (call.ret > 0)
		call.ret = 0;
	ep_count(ep, &call, false);
	ep->stall_since_ns = 0;
	return op->ret >= 0 ? pair_wake_call(m, &fx->wake, ep, op, ev->vals ? -1 : op->ret) : 0;
}

static int futex_waits(struct model *m, struct futex *fx, struct endpoint *ep,
		       const struct event *ev)
{
	struct ev_op call = *ev->op;
	/* a lock that was free by then was not handed over by anybody */
	bool woken = call.ret >= 0 && (ev->vals || call.blocked_ns);

	call.ret = call.ret > 0 ? 0 : call.ret;
	ep_count(ep, &call, woken);
	pair_wake_over(&fx->wake, &call);
	return woken ? pair_wake_wait(m, &fx->wake, ep, &call, ev->vals) : 0;
}

static int futex_on_op(struct model *m, struct obj *o, struct proc *p, const struct event *ev)
{
	bool send = ev->op->op == OP_SEND;
	struct chan *c = futex_chan(m, o);
	struct endpoint *ep = c ? ep_of_obj(m, o, c, p, send ? EP_SEND : EP_RECV) : NULL;
	struct futex *fx;

	if (!ep)
		return -ENOMEM;
	fx = c->priv;
	/* the mapping may get its name later; not to be looked for each time */
	if (!fx->named && !(ep->calls & (ep->calls - 1)) && futex_name(m, c, o))
		return -ENOMEM;
	return send ? futex_wakes(m, fx, ep, ev) : futex_waits(m, fx, ep, ev);
}

static struct chan *futex_chan_for(struct model *m, struct obj *o, enum ipcspy_op op)
{
	struct chan *c = futex_chan(m, o);
	struct futex *fx = c ? c->priv : NULL;

	if (fx && op == OP_RECV)
		pair_wake_asleep(m, &fx->wake);
	return c;
}

static int futex_settle(struct model *m, struct chan *c, uint64_t now_ns, bool finish)
{
	const struct obj *o = list_first(&c->objs, struct obj, in_chan);
	struct futex *fx = c->priv;
	int err = pair_wake_settle(m, &fx->wake, now_ns, finish);

	if (finish && o && futex_name(m, c, o))
		return -ENOMEM;
	return err;
}

static void futex_on_merge(struct chan *c, struct endpoint *from, struct endpoint *to)
{
	struct futex *fx = c->priv;

	pair_wake_replace(&fx->wake, from, to);
}

static const char *futex_fold_name(const struct chan *c, char *buf, size_t len)
{
	(void)c;
	(void)buf;
	(void)len;
	return "futex:[closed]";
}

static void futex_facts(const struct model *m, const struct chan *c,
			void (*put)(void *arg, const struct fact *f), void *arg)
{
	const struct futex *fx = c->priv;

	(void)m;
	if (!fx || !fx->described)
		return;
	put(arg,
	    &(struct fact){.name = c->mech == MECH_FUTEX ? "offset" : "address", .value = fx->at});
	put(arg, &(struct fact){.name = "waits", .value = fx->wake.wait_cnt});
	put(arg, &(struct fact){.name = "wakes", .value = fx->wake.wake_cnt});
	put(arg, &(struct fact){.name = "wakes_of_nobody", .value = fx->wake.idle_cnt});
}

static uint64_t futex_memory(const struct chan *c)
{
	const struct futex *fx = c->priv;

	return fx && c->mech == MECH_FUTEX ? fx->object : 0;
}

static void futex_fini(struct model *m, struct chan *c)
{
	struct futex *fx = c->priv;

	(void)m;
	pair_wake_fini(&fx->wake);
}

const struct chan_class futex_class = {
	.unit = "waiters",
	.shape = SHAPE_QUEUE,
	.unheld = true,
	.on_obj = futex_on_obj,
	.on_op = futex_on_op,
	.chan_for = futex_chan_for,
	.settle = futex_settle,
	.memory = futex_memory,
	.on_merge = futex_on_merge,
	.fold_name = futex_fold_name,
	.facts = futex_facts,
	.fini = futex_fini,
};
