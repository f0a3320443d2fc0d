// SPDX-License-Identifier: BSD-2-Clause
#include "model/unix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG_SELF   0x756e697873656c66ull
#define TAG_ACCEPT 0x756e697861636370ull

static uint64_t self_key(uint64_t self)
{
	return hmap_mix(TAG_SELF, self);
}

struct obj *unix_at(const struct model *m, uint64_t self)
{
	struct obj *o = self ? hmap_get(&m->index, self_key(self)) : NULL;

	return o && o->self == self && !o->dead ? o : NULL;
}

static void supersede(struct model *m, struct obj *old)
{
	old->dead = true;
	if (!old->chan)
		return;
	list_for_each (o, &old->chan->objs, struct obj, in_chan)
		if (!o->dead)
			return;
	chan_close(m, old->chan);
}

void unix_gone(struct model *m, struct obj *o)
{
	if (o->self && hmap_get(&m->index, self_key(o->self)) == o)
		hmap_del(&m->index, self_key(o->self));
}

unsigned int unix_name_len(const struct ev_addr_un *name)
{
	unsigned int len = name->len;

	/* Abstract names are any bytes; in a path the first NUL ends it. */
	if (len && name->name[0])
		len = (unsigned int)strnlen((const char *)name->name, len);
	return len;
}

int unix_describe(struct model *m, struct obj *o, const struct ev_obj *ev)
{
	struct obj *old = unix_at(m, ev->self);
	unsigned int len = unix_name_len(&ev->name);

	if (!o->net) {
		o->net = calloc(1, sizeof(*o->net));
		if (!o->net)
			return -ENOMEM;
	}
	if (o->self != ev->self)
		unix_gone(m, o);
	if (old && old != o)
		supersede(m, old);
	o->self = ev->self;
	o->peer = ev->peer;
	o->dead = false;
	if (len) {
		memcpy(o->net->name, ev->name.name, len);
		o->net->name_len = (uint16_t)len;
	}
	return o->self ? hmap_put(&m->index, self_key(o->self), o) : 0;
}

int unix_set_name(struct chan *c, const struct obj *o)
{
	char text[8 + sizeof(o->net->name)];
	unsigned int len = o->net ? o->net->name_len : 0;
	int n;

	if (len) {
		memcpy(text, "unix:", 5);
		memcpy(text + 5, o->net->name, len);
		return chan_set_name(c, text, 5 + len);
	}
	n = o->described ? snprintf(text, sizeof(text), "unix:[%llu]", (unsigned long long)o->ino)
			 : snprintf(text, sizeof(text), "unix:[?]");
	return chan_set_name(c, text, (size_t)n);
}

uint64_t unix_accept_key(const struct obj *o)
{
	uint64_t key = TAG_ACCEPT;

	for (unsigned int i = 0; i < o->net->name_len; i++)
		key = hmap_mix(key, o->net->name[i]);
	return o->net->name_len ? key : 0;
}

/* unix(7): abstract names are those of one network namespace. */
bool unix_accepts(const struct obj *listener, const struct obj *o)
{
	const struct obj_net *at = listener->net, *to = o->net;

	return at->name_len && at->name_len == to->name_len &&
	       !memcmp(at->name, to->name, to->name_len) &&
	       (to->name[0] || listener->netns == o->netns);
}

const char *unix_fold_name(const struct chan *c, char *buf, size_t len)
{
	if (strncmp(c->name, "unix:[", 6) == 0)
		return "unix:[closed]";
	snprintf(buf, len, "%s", c->name);
	return buf;
}
