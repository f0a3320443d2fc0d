// SPDX-License-Identifier: BSD-2-Clause
/* Which listening socket a connection waits at that nobody has accepted yet. */
#include "model/internal.h"

/* The channel's only object that is there, NULL: there are none, or two. */
static const struct obj *only_obj(const struct chan *c)
{
	const struct obj *found = NULL;

	list_for_each (o, &c->objs, struct obj, in_chan) {
		if (o->dead || !o->net)
			continue;
		if (found)
			return NULL;
		found = o;
	}
	return found;
}

uint64_t model_accept_key(const struct chan *c, bool *listens)
{
	const struct obj *o = c->open && c->cls->accept_key ? only_obj(c) : NULL;

	*listens = o && o->flags & OBJF_LISTEN;
	return o ? c->cls->accept_key(o) : 0;
}

bool model_accepts(const struct chan *listener, const struct chan *c)
{
	const struct obj *at = only_obj(listener), *o = only_obj(c);

	return at && o && at != o && at->cls == o->cls && o->cls->accepts(at, o);
}
