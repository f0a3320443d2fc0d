// SPDX-License-Identifier: BSD-2-Clause
/*
 * System V semaphores: the set is the channel, a wait that somebody ended the
 * message, and what is in the channel are those who wait. A semaphore's value is no
 * backlog: it is told per semaphore. What was taken without waiting was handed over
 * by nobody in particular.
 *
 * ev_obj: vals[0] is key << 32 | id, peer the number of semaphores, netns the IPC
 * namespace.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"
#include "model/pair_wake.h"

#define SEMS_MAX 1024 /* that are told of; sets may have more */

struct semaphore {
	uint32_t value, last_pid;
	bool known; /* value */
	uint64_t ops, waits, wait_ns;
};

struct sem_set {
	struct pair_wake wake;
	struct semaphore *sems; /* sem_cnt */
	uint32_t sem_cnt, set_cnt, key;
	bool described;
};

static struct chan *sem_chan(struct model *m, struct obj *o)
{
	struct chan *c = o->chan;
	struct sem_set *set;

	if (c)
		return c;
	c = chan_new(m, o->mech, sizeof(*set), m->now_ns);
	if (!c)
		return NULL;
	set = c->priv;
	pair_wake_init(&set->wake, c);
	obj_join(o, c, 0);
	return chan_set_name(c, "sem:?", 5) ? NULL : c;
}

static int sem_on_obj(struct model *m, struct obj *o, const struct ev_obj *ev, bool first)
{
	struct chan *c = sem_chan(m, o);
	struct sem_set *set;
	char text[48];
	int n;

	(void)first;
	if (!c)
		return -ENOMEM;
	set = c->priv;
	if (set->described)
		return 0;
	set->described = true;
	set->key = (uint32_t)(ev->vals[0] >> 32);
	set->set_cnt = (uint32_t)ev->peer;
	n = snprintf(text, sizeof(text), "sem:0x%x/%u", set->key, (uint32_t)ev->vals[0]);
	return chan_set_name(c, text, (size_t)n);
}

/* Room for the index-th semaphore; *out NULL: it is not told of. */
static int sem_at(struct sem_set *set, uint32_t index, struct semaphore **out)
{
	struct semaphore *more;
	uint32_t cnt = set->sem_cnt ? set->sem_cnt : 4;

	*out = NULL;
	if (index >= SEMS_MAX)
		return 0;
	while (cnt <= index)
		cnt *= 2;
	if (cnt > set->sem_cnt) {
		more = realloc(set->sems, cnt * sizeof(*more));
		if (!more)
			return -ENOMEM;
		memset(more + set->sem_cnt, 0, (cnt - set->sem_cnt) * sizeof(*more));
		set->sems = more;
		set->sem_cnt = cnt;
	}
	*out = &set->sems[index];
	return 0;
}

static int count_sem(struct sem_set *set, const struct event *ev)
{
	const struct ev_op *op = ev->op;
	struct semaphore *sem;
	int err = ev->vals ? sem_at(set, WAKE_INDEX(ev->vals->v[1]), &sem) : -ENOENT;

	if (err || !sem)
		return err == -ENOENT ? 0 : err;
	sem->ops++;
	if (op->blocked_ns) {
		sem->waits++;
		sem->wait_ns += op->blocked_ns;
	}
	if (op->ret >= 0)
		sem->last_pid = op->hdr.pid;
	if (op->hdr.flags & OPF_SEQ) {
		sem->value = op->seq;
		sem->known = true;
	}
	return 0;
}

static int sem_on_op(struct model *m, struct obj *o, struct proc *p, const struct event *ev)
{
	struct ev_op call = *ev->op;
	bool send = call.op == OP_SEND, woken;
	struct chan *c = sem_chan(m, o);
	struct endpoint *ep = c ? ep_of_obj(m, o, c, p, send ? EP_SEND : EP_RECV) : NULL;
	struct sem_set *set;

	if (!ep || count_sem(c->priv, ev))
		return -ENOMEM;
	set = c->priv;
	call.ret = call.ret > 0 ? 0 : call.ret;
	woken = !send && call.ret == 0 && (call.blocked_ns || (ev->vals && ev->vals->v[0]));
	ep_count(ep, &call, woken);
	if (send) {
		ep->stall_since_ns = 0;
		return call.ret == 0 ? pair_wake_call(m, &set->wake, ep, &call, -1) : 0;
	}
	pair_wake_over(&set->wake, &call);
	return woken ? pair_wake_wait(m, &set->wake, ep, &call, ev->vals) : 0;
}

/* IPC_RMID: those who wait get EIDRM, and the id means nothing any more. */
static int sem_on_other(struct model *m, struct obj *o, struct proc *p, const struct event *ev)
{
	struct chan *c = sem_chan(m, o);

	(void)p;
	if (!c)
		return -ENOMEM;
	if (ev->op->op == OP_REMOVE && ev->op->ret >= 0) {
		o->removed = true;
		chan_close(m, c);
	}
	return 0;
}

static struct chan *sem_chan_for(struct model *m, struct obj *o, enum ipcspy_op op)
{
	struct chan *c = sem_chan(m, o);
	struct sem_set *set = c ? c->priv : NULL;

	if (set && op == OP_RECV)
		pair_wake_asleep(m, &set->wake);
	return c;
}

static int sem_settle(struct model *m, struct chan *c, uint64_t now_ns, bool finish)
{
	struct sem_set *set = c->priv;

	return pair_wake_settle(m, &set->wake, now_ns, finish);
}

static void sem_on_merge(struct chan *c, struct endpoint *from, struct endpoint *to)
{
	struct sem_set *set = c->priv;

	pair_wake_replace(&set->wake, from, to);
}

static const char *sem_fold_name(const struct chan *c, char *buf, size_t len)
{
	const struct sem_set *set = c->priv;

	if (!set || !set->key)
		return "sem:[closed]";
	snprintf(buf, len, "sem:0x%x", set->key);
	return buf;
}

static void sem_facts(const struct model *m, const struct chan *c,
		      void (*put)(void *arg, const struct fact *f), void *arg)
{
	const struct sem_set *set = c->priv;
	struct fact f = {.group = "semaphores"};

	(void)m;
	if (!set)
		return;
	if (set->described)
		put(arg, &(struct fact){.name = "semaphore_count", .value = set->set_cnt});
	for (uint32_t i = 0; i < set->sem_cnt; i++) {
		const struct semaphore *s = &set->sems[i];
		const struct {
			const char *name;
			uint64_t value;
			bool known;
		} fields[] = {
			{"index", i, true},
			{"value", s->value, s->known},
			{"operations", s->ops, true},
			{"waits", s->waits, true},
			{"wait_ns", s->wait_ns, true},
			{"last_pid", s->last_pid, s->last_pid != 0},
		};

		if (!s->ops)
			continue;
		for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]); k++) {
			f.name = fields[k].name;
			f.value = fields[k].value;
			if (fields[k].known)
				put(arg, &f);
		}
		f.row++;
	}
}

static void sem_fini(struct model *m, struct chan *c)
{
	struct sem_set *set = c->priv;

	(void)m;
	pair_wake_fini(&set->wake);
	free(set->sems);
}

const struct chan_class sem_class = {
	.unit = "waiters",
	.shape = SHAPE_QUEUE,
	.unheld = true,
	.on_obj = sem_on_obj,
	.on_op = sem_on_op,
	.on_other = sem_on_other,
	.chan_for = sem_chan_for,
	.settle = sem_settle,
	.on_merge = sem_on_merge,
	.fold_name = sem_fold_name,
	.facts = sem_facts,
	.fini = sem_fini,
};
