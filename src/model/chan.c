// SPDX-License-Identifier: BSD-2-Clause
/* Channels: their life, their name, how full they are, their remote ends. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

/* A channel open to the world meets any number of addresses; later ones share one party. */
#define REMOTES_MAX 512

struct chan *chan_new(struct model *m, unsigned int mech, size_t priv_size, uint64_t ts_ns)
{
	struct chan *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->priv = calloc(1, priv_size ? priv_size : 1);
	c->name = strdup("?");
	if (!c->priv || !c->name) {
		free(c->priv);
		free(c->name);
		free(c);
		return NULL;
	}
	c->model = m;
	c->id = ++m->next_chan_id;
	c->mech = mech;
	c->cls = mech_class(mech);
	c->unit = c->cls->unit;
	c->open = true;
	c->first_ns = c->last_ns = ts_ns;
	list_init(&c->endpoints);
	list_init(&c->flows);
	list_init(&c->objs);
	list_init(&c->holders);
	list_init(&c->passes);
	list_add_tail(&m->chans, &c->in_model);
	return c;
}

void chan_free(struct model *m, struct chan *c)
{
	struct remote *next;

	conv_drop_chan(m, c);
	passes_drop(m, c);
	list_for_each_safe (o, &c->objs, struct obj, in_chan)
		obj_free(m, o);
	if (c->cls->fini && c->priv) /* rows of folded channels have no state */
		c->cls->fini(m, c);
	list_for_each_safe (i, &m->inflight, struct inflight, in_model)
		if (i->chan == c)
			inflight_free(i);
	list_for_each_safe (f, &c->flows, struct flow, in_chan)
		flow_free(m, f);
	list_for_each_safe (ep, &c->endpoints, struct endpoint, in_chan)
		ep_free(m, ep);
	list_for_each_safe (h, &c->holders, struct holder, in_chan)
		holder_free(c, h);
	for (struct remote *r = c->remotes; r; r = next) {
		next = r->next;
		free(r);
	}
	if (c->in_held.next)
		list_del(&c->in_held);
	chan_reopen(m, c);
	list_del(&c->in_model);
	free(c->priv);
	free(c->name);
	free(c);
}

int chan_set_name(struct chan *c, const char *name, size_t len)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++)
		copy[i] = name[i] ? name[i] : '@';
	copy[len] = '\0';
	free(c->name);
	c->name = copy;
	return 0;
}

void chan_close(struct model *m, struct chan *c)
{
	if (!c->open)
		return;
	c->open = false;
	c->closed_ns = m->now_ns;
	list_add_tail(&m->closed, &c->in_closed);
	m->closed_cnt++;
}

void chan_reopen(struct model *m, struct chan *c)
{
	if (!c->in_closed.next)
		return;
	c->open = true;
	list_del(&c->in_closed);
	m->closed_cnt--;
}

bool chan_was_open(const struct chan *c, uint64_t at_ns)
{
	return c->open || at_ns < c->closed_ns;
}

void chan_hold(struct model *m, struct chan *c)
{
	if (!c->in_held.next)
		list_add_tail(&m->held, &c->in_held);
}

void chan_backlog(struct chan *c, unsigned int dir, uint64_t now)
{
	c->dir_now[dir] = now;
	c->backlog.now = c->dir_now[0] > c->dir_now[1] ? c->dir_now[0] : c->dir_now[1];
	if (c->backlog.now > c->backlog.max)
		c->backlog.max = c->backlog.now;
}

void chan_full(struct chan *c, unsigned int dir, bool full, uint64_t at_ns)
{
	uint8_t was = c->full_dirs;

	c->full_dirs = (uint8_t)(full ? was | 1u << dir : was & ~(1u << dir));
	if (!was && c->full_dirs) {
		c->backlog.full_since_ns = at_ns;
	} else if (was && !c->full_dirs) {
		if (at_ns > c->backlog.full_since_ns)
			c->backlog.full_ns += at_ns - c->backlog.full_since_ns;
		c->was_full[0] = c->backlog.full_since_ns;
		c->was_full[1] = at_ns;
		c->backlog.full_since_ns = 0;
	}
}

static struct remote *remote_new(struct chan *c)
{
	struct remote *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->next = c->remotes;
	c->remotes = r;
	c->remote_cnt++;
	return r;
}

/* Families 0 stands for "everybody else". The list is short or, rarely, REMOTES_MAX long. */
struct remote *chan_remote(struct chan *c, const struct ev_addr_in *addr, bool make)
{
	struct remote *r, **prev;
	bool others = c->remote_cnt >= REMOTES_MAX;

	for (prev = &c->remotes; (r = *prev); prev = &r->next)
		if (!r->here && (addr_equal(&r->addr, addr) || (make && others && !r->addr.family)))
			break;
	if (r) {
		*prev = r->next;
		r->next = c->remotes;
		c->remotes = r;
		return r;
	}
	if (!make)
		return NULL;
	r = remote_new(c);
	if (!r)
		return NULL;
	if (others) {
		strcpy(r->text, "*");
	} else {
		r->addr = *addr;
		addr_text(addr, r->text);
	}
	return r;
}

const char fact_yes[] = "yes", fact_no[] = "no", fact_none[] = "-";
const char fact_zero[] = "0";
struct remote *chan_named(struct chan *c, const char *name)
{
	struct remote *r;

	for (r = c->remotes; r; r = r->next)
		if (r->here && !strcmp(r->text, name))
			return r;
	r = remote_new(c);
	if (!r)
		return NULL;
	r->here = true;
	snprintf(r->text, sizeof(r->text), "%s", name);
	return r;
}

/* Ids and names of these belong to an IPC namespace: ipc_namespaces(7). */
static void ipc_ns_fact(const struct chan *c, void (*put)(void *arg, const struct fact *f),
			void *arg)
{
	const struct obj *o = list_first(&c->objs, struct obj, in_chan);

	if (o && o->netns &&
	    (c->mech == MECH_POSIX_MQ || c->mech == MECH_SYSV_SEM || c->mech == MECH_SYSV_SHM))
		put(arg, &(struct fact){.name = "ipc_ns", .value = o->netns});
}

void model_facts(const struct model *m, const struct chan *c,
		 void (*put)(void *arg, const struct fact *f), void *arg)
{
	passes_facts(c, put, arg);
	ipc_ns_fact(c, put, arg);
	if (c->cls->facts)
		c->cls->facts(m, c, put, arg);
}

const struct list_head *model_holders(const struct chan *c)
{
	return &c->holders;
}

bool chan_is_channel(const struct chan *c)
{
	return !c->cls->is_channel || c->cls->is_channel(c);
}

enum chan_shape chan_shape(const struct chan *c)
{
	return c->cls->shape;
}

bool chan_is_unheld(const struct chan *c)
{
	return c->cls->unheld;
}
