// SPDX-License-Identifier: BSD-2-Clause
/*
 * Kernel objects. Each is described by EV_OBJ before the first operation on
 * it; when that record was lost, the operation itself makes a nameless one, so
 * that nothing is dropped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

/*
 * Sockets that make no channel (senders of datagrams, failed connects) come and
 * go without end. Of those that were closed the latest stay, for late records
 * and because the close may have been one of several descriptors.
 */
#define LOOSE_CLOSED 1024
#define LOOSE_MAX    16384
#define LOOSE_STEP   1024 /* so many new ones are worth a look through all */

struct obj *obj_find(struct model *m, uint64_t id)
{
	struct obj *o = m->last_obj;

	if (o && o->id == id)
		return o;
	o = hmap_get(&m->objs_by_id, id);
	if (o)
		m->last_obj = o;
	return o;
}

struct obj *obj_get(struct model *m, uint64_t id, unsigned int mech)
{
	const struct chan_class *cls;
	struct obj *o = obj_find(m, id);

	if (o)
		return o;
	cls = mech_class(mech);
	if (!cls)
		return NULL;
	o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	o->id = id;
	o->cls = cls;
	o->mech = (uint8_t)mech;
	if (hmap_put(&m->objs_by_id, id, o)) {
		free(o);
		return NULL;
	}
	list_add_tail(&m->objs, &o->in_model);
	list_add_tail(&m->loose, &o->in_chan);
	m->loose_made++;
	m->last_obj = o;
	return o;
}

void obj_join(struct obj *o, struct chan *c, unsigned int side)
{
	list_del(&o->in_chan);
	o->chan = c;
	o->priv = c->priv;
	o->side = (uint8_t)side;
	memset(o->ep, 0, sizeof(o->ep));
	list_add_tail(&c->objs, &o->in_chan);
}

void obj_leave(struct model *m, struct obj *o)
{
	list_del(&o->in_chan);
	list_add_tail(&m->loose, &o->in_chan);
	o->chan = NULL;
	o->priv = NULL;
	memset(o->ep, 0, sizeof(o->ep));
}

void obj_free(struct model *m, struct obj *o)
{
	if (o->cls->on_gone)
		o->cls->on_gone(m, o);
	list_del(&o->in_chan);
	if (m->last_obj == o)
		m->last_obj = NULL;
	hmap_del(&m->objs_by_id, o->id);
	if (m->opts.on_forget)
		m->opts.on_forget(m->opts.on_forget_arg, o->id);
	list_del(&o->in_model);
	free(o->net);
	free(o);
}

/* Only between events that no operation waits behind: see ahead.h. */
static void free_loose(struct model *m)
{
	unsigned int closed = 0, all = 0;

	if (m->loose_made < LOOSE_STEP)
		return;
	m->loose_made = 0;
	list_for_each (o, &m->loose, struct obj, in_chan) {
		closed += o->closed;
		all++;
	}
	list_for_each_safe (o, &m->loose, struct obj, in_chan) {
		if (all <= LOOSE_MAX && !(o->closed && closed > LOOSE_CLOSED))
			continue;
		closed -= o->closed;
		all--;
		obj_free(m, o);
	}
}

/* What an object holds at a later moment than that of the records to come says nothing. */
static const struct ev_obj *without_content(const struct ev_obj *ev, struct ev_obj *copy)
{
	*copy = *ev;
	copy->hdr.flags &= ~(uint32_t)(OBJF_BACKLOG | OBJF_SEQ | OBJF_FULL);
	return copy;
}

int obj_describe(struct model *m, const struct ev_obj *ev)
{
	struct ev_obj copy;
	struct obj *o;
	bool first;
	int err;

	free_loose(m);
	o = obj_get(m, ev->chan, ev->mech);
	if (!o)
		return mech_class(ev->mech) ? -ENOMEM : 0;
	if (o->mech != ev->mech)
		return 0;
	first = !o->begun;
	if (m->snap_ahead && first)
		ev = without_content(ev, &copy);
	else
		o->begun = true;
	o->described = true;
	o->closed = false;
	if (first && ev->hdr.flags & OBJF_SNAPSHOT)
		o->since_ns = ev->hdr.ts_ns;
	o->flags = (uint8_t)ev->hdr.flags;
	o->capacity = ev->capacity;
	o->ino = ev->ino;
	o->netns = ev->netns;
	err = o->cls->on_obj(m, o, ev, first);
	if (o->chan)
		o->chan->reached = ev->hdr.flags & OBJF_REACHED;
	if (!err && o->chan && ev->capacity && o->cls->shape != SHAPE_PAIR)
		o->chan->capacity = ev->capacity;
	return err;
}

/* Is somebody but p known to use or hold o's end of its channel? */
static bool used_by_others(const struct obj *o, const struct proc *p)
{
	list_for_each (h, &o->chan->holders, struct holder, in_chan)
		if (h->proc != p && !h->proc->exited && h->side == o->side)
			return true;
	list_for_each (ep, &o->chan->endpoints, struct endpoint, in_chan)
		if (ep->proc != p && !ep->proc->exited && ep->side == o->side)
			return true;
	return false;
}

void obj_closed_by(struct model *m, struct obj *o, const struct proc *p)
{
	o->closed = true;
	if (!o->chan || o->cls->shape == SHAPE_PIPE || used_by_others(o, p))
		return;
	o->dead = true;
	list_for_each (other, &o->chan->objs, struct obj, in_chan)
		if (!other->dead)
			return;
	chan_close(m, o->chan);
}

void model_objects_of(const struct chan *c, void (*put)(void *arg, uint64_t id), void *arg)
{
	list_for_each (o, &c->objs, struct obj, in_chan)
		put(arg, o->id);
}
