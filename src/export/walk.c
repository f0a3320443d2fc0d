// SPDX-License-Identifier: BSD-2-Clause
#include "export/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analysis.h"
#include "analysis/graph.h"
#include "lib/vec.h"

void walk_fini(struct walk *w)
{
	free(w->v);
	*w = (struct walk)WALK_INIT;
}

/* cap: what the vector has room for. */
static int push(struct walk *w, size_t *cap, const void *item)
{
	if (vec_room((void **)&w->v, cap, w->cnt, sizeof(*w->v)))
		return -ENOMEM;
	w->v[w->cnt++] = item;
	return 0;
}

#define ASCENDING(a, b) (((a) > (b)) - ((a) < (b)))

static int by_chan_id(const void *pa, const void *pb)
{
	const struct chan *a = *(const struct chan *const *)pa;
	const struct chan *b = *(const struct chan *const *)pb;

	return ASCENDING(a->id, b->id);
}

int flow_busier(const struct flow *a, const struct flow *b)
{
	int order = ASCENDING(b->messages, a->messages);

	if (!order)
		order = ASCENDING(b->bytes, a->bytes);
	if (!order)
		order = ASCENDING(a->chan->id, b->chan->id);
	if (!order)
		order = ASCENDING(a->first_ns, b->first_ns);
	return order ? order : ASCENDING(party_pid(&a->src), party_pid(&b->src));
}

static int by_busy(const void *pa, const void *pb)
{
	return flow_busier(*(const struct flow *const *)pa, *(const struct flow *const *)pb);
}

static int by_chan_then_busy(const void *pa, const void *pb)
{
	const struct flow *a = *(const struct flow *const *)pa;
	const struct flow *b = *(const struct flow *const *)pb;
	int order = ASCENDING(a->chan->id, b->chan->id);

	return order ? order : by_busy(pa, pb);
}

static int by_longest(const void *pa, const void *pb)
{
	const struct inflight *a = *(const struct inflight *const *)pa;
	const struct inflight *b = *(const struct inflight *const *)pb;
	int order = ASCENDING(blocked_for_ns(b), blocked_for_ns(a));

	return order ? order : ASCENDING(a->tid, b->tid);
}

static void sort(struct walk *w, int (*order)(const void *, const void *))
{
	if (w->cnt)
		qsort(w->v, w->cnt, sizeof(*w->v), order);
}

int walk_chans(struct walk *w, const struct model *m)
{
	size_t cap = 0;
	int err;

	list_for_each (c, model_chans(m), struct chan, in_model) {
		err = chan_concerns_target(c) ? push(w, &cap, c) : 0;
		if (err)
			return err;
	}
	sort(w, by_chan_id);
	return 0;
}

int walk_flows(struct walk *w, const struct model *m, enum flow_order order)
{
	size_t cap = 0;
	int err;

	list_for_each (c, model_chans(m), struct chan, in_model) {
		if (!chan_concerns_target(c))
			continue;
		list_for_each (f, &c->flows, struct flow, in_chan) {
			err = push(w, &cap, f);
			if (err)
				return err;
		}
	}
	sort(w, order == FLOWS_BUSIEST ? by_busy : by_chan_then_busy);
	return 0;
}

int walk_conversations(struct walk *w, const struct model *m)
{
	size_t cap = 0;
	int err;

	list_for_each (v, model_conversations(m), struct conversation, in_model) {
		if (!chan_concerns_target(v->chan_ab) && !chan_concerns_target(v->chan_ba))
			continue;
		err = push(w, &cap, v);
		if (err)
			return err;
	}
	return 0;
}

/* Everybody at a channel. */
static int put_users(struct hmap *procs, const struct chan *c)
{
	int err = 0, e;

	list_for_each (ep, &c->endpoints, struct endpoint, in_chan) {
		e = hmap_put(procs, (uintptr_t)ep->proc, ep->proc);
		if (e)
			err = e;
	}
	list_for_each (h, model_holders(c), struct holder, in_chan) {
		e = hmap_put(procs, (uintptr_t)h->proc, h->proc);
		if (e)
			err = e;
	}
	return err;
}

int walk_procs(struct walk *w, const struct model *m)
{
	struct hmap users;
	size_t cap = 0;
	int err = 0;

	hmap_init(&users);
	list_for_each (c, model_chans(m), struct chan, in_model)
		if (!err && chan_concerns_target(c))
			err = put_users(&users, c);
	list_for_each (p, model_procs(m), struct proc, in_model)
		if (!err && (p->target || hmap_get(&users, (uintptr_t)p)))
			err = push(w, &cap, p);
	hmap_fini(&users);
	return err;
}

int walk_blocked(struct walk *w, const struct model *m)
{
	size_t cap = 0;
	int err;

	list_for_each (i, model_inflight(m), struct inflight, in_model) {
		if (!inflight_is_blocked(i) || !inflight_concerns_target(i))
			continue;
		err = push(w, &cap, i);
		if (err)
			return err;
	}
	sort(w, by_longest);
	return 0;
}

uint64_t proc_key(const struct proc *p)
{
	uint64_t name[IPCSPY_COMM_LEN / sizeof(uint64_t)];

	if (p->pid)
		return hmap_mix(p->pid, p->start_ns);
	memcpy(name, p->comm, sizeof(name));
	return hmap_mix(name[0], name[1]);
}

size_t target_cnt(const struct model *m)
{
	size_t cnt = 0;

	list_for_each (p, model_procs(m), struct proc, in_model)
		cnt += p->target;
	return cnt;
}

uint64_t blocked_for_ns(const struct inflight *i)
{
	return i->seen_ns > i->enter_ns ? i->seen_ns - i->enter_ns : 0;
}

/* Of several threads, what says most about their process. */
static bool says_more(enum wait_kind a, enum wait_kind b)
{
	static const unsigned char weight[WAIT_KIND_MAX] = {
		[WAIT_UNKNOWN] = 0, [WAIT_ENDED] = 1, [WAIT_OTHER] = 2, [WAIT_POLL] = 3,
		[WAIT_SLEEP] = 4,   [WAIT_OPEN] = 5,  [WAIT_CHILD] = 6, [WAIT_LOCK] = 7,
		[WAIT_CHAN] = 8,    [WAIT_DISK] = 9,  [WAIT_RUNS] = 10, [WAIT_STOPPED] = 11,
	};

	return weight[a] > weight[b];
}

/* A thread that waits for signals, or nothing but them, is idle. */
static enum wait_kind kind_of(const struct task *t, const struct inflight *i)
{
	enum wait_kind kind = wait_kind_of(t, i);

	return kind == WAIT_CHAN && !inflight_is_blocked(i) ? WAIT_POLL : kind;
}

static int note_kind(struct states *s, const struct proc *p, enum wait_kind kind)
{
	uintptr_t known = (uintptr_t)hmap_get(&s->kinds, (uintptr_t)p);

	if (known && !says_more(kind, (enum wait_kind)(known - 1)))
		return 0;
	return hmap_put(&s->kinds, (uintptr_t)p, (void *)((uintptr_t)kind + 1));
}

int states_init(struct states *s, const struct model *m)
{
	struct hmap ops; /* struct inflight by tid: of those that sleep */
	int err = 0;

	hmap_init(&s->kinds);
	hmap_init(&ops);
	list_for_each (i, model_inflight(m), struct inflight, in_model) {
		if (err || !i->asleep)
			continue;
		err = hmap_put(&ops, i->tid, i);
		if (!err && list_empty(&i->proc->tasks)) /* nothing else is known of it */
			err = note_kind(s, i->proc, kind_of(NULL, i));
	}
	list_for_each (t, model_tasks(m), struct task, in_model)
		if (!err)
			err = note_kind(s, t->proc, kind_of(t, hmap_get(&ops, t->tid)));
	hmap_fini(&ops);
	return err;
}

void states_fini(struct states *s)
{
	hmap_fini(&s->kinds);
}

const char *proc_state(const struct states *s, const struct proc *p)
{
	uintptr_t known = (uintptr_t)hmap_get(&s->kinds, (uintptr_t)p);

	if (p->exited)
		return "exited";
	return wait_kind_name(known ? (enum wait_kind)(known - 1) : WAIT_UNKNOWN);
}

const char *party_comm(const struct party *p)
{
	return p->proc ? p->proc->comm : "?";
}

uint32_t party_pid(const struct party *p)
{
	return p->proc ? p->proc->pid : 0;
}

size_t party_host_len(const struct party *p)
{
	const char *colon = p->here ? NULL : strrchr(p->addr, ':');

	return colon ? (size_t)(colon - p->addr) : strlen(p->addr);
}
