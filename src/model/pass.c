// SPDX-License-Identifier: BSD-2-Clause
/*
 * Descriptors that processes hand to each other. One row per channel, giver, taker and
 * way. The sending and the receiving half of a message may be told in either order: a
 * row with one end unknown waits for the other half. Rows name processes by pid and
 * comm, so that nothing keeps exited ones; they go with the channels that they name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

#define PASSES_MAX 4096 /* rows in all; the oldest go, and are counted on their channel */

struct key {
	struct chan *chan, *via;
	uint32_t from, to; /* 0 unknown yet */
};

static void pass_free(struct model *m, struct pass *p)
{
	list_del(&p->in_model);
	list_del(&p->in_chan);
	m->pass_cnt--;
	free(p);
}

static struct pass *find(const struct key *k)
{
	list_for_each (p, &k->chan->passes, struct pass, in_chan)
		if (p->via == k->via && p->from == k->from && p->to == k->to)
			return p;
	return NULL;
}

static int add(struct model *m, const struct key *k, const char *from, const char *to)
{
	struct pass *p = find(k);

	if (!p) {
		if (m->pass_cnt >= PASSES_MAX) {
			p = list_first(&m->passes, struct pass, in_model);
			p->chan->passes_forgotten += p->count;
			pass_free(m, p);
		}
		p = calloc(1, sizeof(*p));
		if (!p)
			return -ENOMEM;
		p->chan = k->chan;
		p->via = k->via;
		p->from = k->from;
		p->to = k->to;
		memcpy(p->from_comm, from, sizeof(p->from_comm));
		memcpy(p->to_comm, to, sizeof(p->to_comm));
		list_add_tail(&m->passes, &p->in_model);
		list_add_tail(&k->chan->passes, &p->in_chan);
		if (k->via)
			k->via->carries = true;
		m->pass_cnt++;
	}
	p->count++;
	return 0;
}

/* A datagram's sender and receiver know it by different sockets. */
static bool same_way(const struct chan *a, const struct chan *b)
{
	return a == b || (a && b && a->mech == MECH_UNIX_DGRAM && b->mech == MECH_UNIX_DGRAM) ||
	       (!a && b && b->mech == MECH_UNIX_DGRAM) || (a && !b && a->mech == MECH_UNIX_DGRAM);
}

/* The oldest other half that waits for this one. */
static struct pass *other_half(const struct key *k)
{
	list_for_each (p, &k->chan->passes, struct pass, in_chan)
		if (same_way(p->via, k->via) && (k->from ? !p->from : !p->to && p->from))
			return p;
	return NULL;
}

static int pair_up(struct model *m, struct key k, const struct proc *self)
{
	struct pass *half = other_half(&k);
	char from[sizeof(half->from_comm)] = "?", to[sizeof(half->to_comm)] = "?";

	memcpy(k.from ? from : to, self->comm, sizeof(from));
	if (!half)
		return add(m, &k, from, to);
	if (k.from) {
		k.to = half->to;
		k.via = half->via; /* the receiver's socket is the channel */
		memcpy(to, half->to_comm, sizeof(to));
	} else {
		k.from = half->from;
		memcpy(from, half->from_comm, sizeof(from));
	}
	if (!--half->count)
		pass_free(m, half);
	return add(m, &k, from, to);
}

int pass_event(struct model *m, const struct ev_pass *ev)
{
	struct obj *o = obj_get(m, ev->chan, ev->mech);
	struct obj *via = ev->via && ev->via_mech ? obj_get(m, ev->via, ev->via_mech) : NULL;
	struct proc *p = proc_get(m, ev->hdr.pid), *from;
	struct key k;

	if (!p)
		return -ENOMEM;
	if (ev->hdr.flags & PASSF_TARGET)
		p->target = true;
	if (!o || !o->chan || (m->opts.no_peers && !(ev->hdr.flags & PASSF_TARGET)))
		return 0;
	k = (struct key){.chan = o->chan, .via = via ? via->chan : NULL};
	if (p->target)
		o->chan->touched_by_target = true;
	if (ev->hdr.flags & PASSF_GETFD) {
		from = proc_get(m, ev->from);
		if (!from)
			return -ENOMEM;
		k.from = ev->from;
		k.to = p->pid;
		return add(m, &k, from->comm, p->comm);
	}
	if (ev->hdr.flags & PASSF_RECV)
		k.to = p->pid;
	else
		k.from = p->pid;
	return pair_up(m, k, p);
}

uint64_t passes_of(const struct chan *c)
{
	uint64_t cnt = 0;

	list_for_each (p, &c->passes, struct pass, in_chan)
		cnt += p->count;
	return cnt;
}

void passes_drop(struct model *m, const struct chan *c)
{
	list_for_each_safe (own, &c->passes, struct pass, in_chan)
		pass_free(m, own);
	if (!c->carries)
		return;
	list_for_each_safe (p, &m->passes, struct pass, in_model) {
		if (p->via != c)
			continue;
		p->chan->passes_forgotten += p->count;
		pass_free(m, p);
	}
}

void passes_facts(const struct chan *c, void (*put)(void *arg, const struct fact *f), void *arg)
{
	unsigned int row = 0;

	list_for_each (p, &c->passes, struct pass, in_chan) {
		const struct fact facts[] = {
			{"passed", row, "from", NULL, p->from},
			{"passed", row, "from_comm", p->from_comm, 0},
			{"passed", row, "to", NULL, p->to},
			{"passed", row, "to_comm", p->to_comm, 0},
			{"passed", row, "via", p->via ? p->via->name : "pidfd_getfd", 0},
			{"passed", row, "count", NULL, p->count},
		};

		for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
			put(arg, &facts[i]);
		row++;
	}
	if (c->holders_left)
		put(arg, &(struct fact){.name = "holders_left_out", .value = c->holders_left});
	if (c->passes_forgotten)
		put(arg, &(struct fact){.name = "passes_forgotten", .value = c->passes_forgotten});
}
