// SPDX-License-Identifier: BSD-2-Clause
/* The model as a whole: one row per kind of event, and the passing of time. */
#include "model/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/maps.h"
#include "model/task.h"

/* Channels that wait for records are looked at this often. */
#define SWEEP_NS 5000000ull

struct model *model_new(const struct model_opts *opts)
{
	struct model *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->opts = *opts;
	m->now_ns = m->swept_ns = opts->start_ns;
	hmap_init(&m->procs_by_pid);
	hmap_init(&m->objs_by_id);
	hmap_init(&m->eps);
	hmap_init(&m->flows);
	hmap_init(&m->convs);
	hmap_init(&m->index);
	hmap_init(&m->fold_rows);
	hmap_init(&m->standins);
	hmap_init(&m->tasks_by_tid);
	list_init(&m->tasks);
	list_init(&m->ipcs);
	list_init(&m->procs);
	list_init(&m->chans);
	list_init(&m->objs);
	list_init(&m->inflight);
	list_init(&m->conv_list);
	list_init(&m->loose);
	list_init(&m->held);
	list_init(&m->closed);
	list_init(&m->gone);
	list_init(&m->passes);
	return m;
}

void model_free(struct model *m)
{
	if (!m)
		return;
	m->opts.on_forget = NULL;
	tasks_clear(m);
	ipcs_clear(m);
	list_for_each_safe (i, &m->inflight, struct inflight, in_model)
		inflight_free(i);
	list_for_each_safe (c, &m->chans, struct chan, in_model)
		chan_free(m, c);
	list_for_each_safe (v, &m->conv_list, struct conversation, in_model)
		conv_free(m, v);
	list_for_each_safe (o, &m->objs, struct obj, in_model)
		obj_free(m, o);
	procs_fini(m);
	hmap_fini(&m->procs_by_pid);
	hmap_fini(&m->objs_by_id);
	hmap_fini(&m->eps);
	hmap_fini(&m->flows);
	hmap_fini(&m->convs);
	hmap_fini(&m->index);
	hmap_fini(&m->fold_rows);
	hmap_fini(&m->standins);
	hmap_fini(&m->tasks_by_tid);
	payloads_fini(&m->payloads);
	free(m);
}

/* A record says when its call began and slept; a hostile one may say nonsense. */
static const struct ev_op *op_in_order(const struct ev_op *op, struct ev_op *copy)
{
	uint64_t end_ns = op->hdr.ts_ns;

	if (op->enter_ns <= end_ns && op->blocked_ns <= end_ns - op->enter_ns)
		return op;
	*copy = *op;
	if (copy->enter_ns > end_ns)
		copy->enter_ns = end_ns;
	if (copy->blocked_ns > end_ns - copy->enter_ns)
		copy->blocked_ns = end_ns - copy->enter_ns;
	return copy;
}

static void tell_op(const struct model *m, const struct proc *p, const struct chan *c,
		    const struct ev_op *op)
{
	if (m->opts.on_op)
		m->opts.on_op(m->opts.on_op_arg,
			      &(struct operation){.proc = p, .chan = c, .ev = op});
}

static void count_wait(struct model *m, struct proc *p, const struct ev_op *op)
{
	if (!op->blocked_ns)
		return;
	tell_op(m, p, NULL, op);
	p->waits.count++;
	p->waits.total_ns += op->blocked_ns;
	if (op->blocked_ns > p->waits.max_ns)
		p->waits.max_ns = op->blocked_ns;
	if (m->opts.on_blocked)
		m->opts.on_blocked(m->opts.on_blocked_arg,
				   &(struct blocked){.proc = p,
						     .side = -1,
						     .tid = op->hdr.tid,
						     .waker_tid = op->waker_tid,
						     .slept_ns = op->blocked_ns,
						     .end_ns = op->hdr.ts_ns,
						     .timed_out = op->ret == 0});
}

/* Mostly the process that used the object so before; else the one with that pid. */
static struct proc *user_of(struct model *m, const struct obj *o, const struct ev_op *op)
{
	const struct endpoint *ep = o ? o->ep[op->op == OP_SEND ? EP_SEND : EP_RECV] : NULL;

	if (ep && ep->proc->pid == op->hdr.pid && !ep->proc->exited)
		return ep->proc;
	return proc_get(m, op->hdr.pid);
}

static int feed_op(struct model *m, const struct event *ev)
{
	struct ev_op copy;
	struct event in_order = *ev;
	const struct ev_op *op = op_in_order(ev->op, &copy);
	struct proc *p;
	struct obj *o;

	if (m->opts.no_peers && !(op->hdr.flags & OPF_TARGET))
		return 0;
	o = op->chan && op->mech ? obj_get(m, op->chan, op->mech) : NULL;
	if (op->op == OP_FOUND)
		return o && o->cls->on_other ? o->cls->on_other(m, o, NULL, ev) : 0;
	p = user_of(m, o, op);
	if (!p)
		return -ENOMEM;
	if (op->hdr.flags & OPF_TARGET)
		p->target = true;
	if (p->inflight_cnt && !(op->hdr.flags & OPF_ASYNC))
		inflight_done(m, p, op);
	if (op->op == OP_WAIT)
		count_wait(m, p, op);
	if (!o)
		return op->chan && mech_class(op->mech) ? -ENOMEM : 0;
	if (o->chan && p->target)
		o->chan->touched_by_target = true;
	if (op->op == OP_CLOSE) {
		if (op->ret >= 0)
			obj_closed_by(m, o, p);
		return 0;
	}
	if (o->chan && !o->chan->open && !o->removed)
		chan_reopen(m, o->chan);
	o->dead = o->closed = false;
	if (op->hdr.ts_ns <= o->since_ns)
		return 0;
	in_order.op = op;
	if (op->op == OP_SEND || op->op == OP_RECV)
		return o->cls->on_op(m, o, p, &in_order);
	if (o->chan)
		tell_op(m, p, o->chan, op);
	return o->cls->on_other ? o->cls->on_other(m, o, p, &in_order) : 0;
}

static int feed_obj(struct model *m, const struct event *ev)
{
	return obj_describe(m, ev->obj);
}

static int feed_proc(struct model *m, const struct event *ev)
{
	return proc_describe(m, ev->proc);
}

static int feed_exit(struct model *m, const struct event *ev)
{
	int err;

	task_ended(m, ev->hdr->tid);
	proc_exit(m, ev->exit);
	err = fold_closed(m, m->opts.keep_closed);
	return err ? err : fold_gone(m);
}

static int feed_inflight(struct model *m, const struct event *ev)
{
	return snap_inflight(m, ev->inflight);
}

static int feed_hold(struct model *m, const struct event *ev)
{
	return snap_hold(m, ev->hold);
}

static int feed_name(struct model *m, const struct event *ev)
{
	const char *text = (const char *)ev->name->text;
	struct obj *o;

	if (ev->hdr->flags & NAMEF_EXE)
		return proc_set_exe(m, ev->hdr->pid, text);
	if (ev->hdr->flags & NAMEF_OPEN)
		return task_open_event(m, ev->name);
	if (!(ev->hdr->flags & NAMEF_CHAN))
		return 0;
	o = obj_find(m, ev->name->chan);
	return o && o->chan && text[0] ? chan_set_name(o->chan, text, strlen(text)) : 0;
}

static void chan_lost(struct model *m, const struct ev_loss *ev)
{
	struct obj *o = obj_find(m, ev->chan);
	struct chan *c = o ? o->chan : NULL;

	if (!c)
		return;
	if (!c->incomplete)
		m->loss.channels_incomplete++;
	c->incomplete = true;
	c->lost = ev->cnt;
	if (c->cls->on_loss)
		c->cls->on_loss(c);
}

static int feed_map(struct model *m, const struct event *ev)
{
	return maps_event(m, ev->map);
}

static int feed_loss(struct model *m, const struct event *ev)
{
	const struct ev_loss *loss = ev->loss;
	uint32_t flags = ev->hdr->flags;

	if (flags & LOSSF_CHAN) {
		chan_lost(m, loss);
	} else if (flags & LOSSF_EVENTS) {
		m->loss.events += loss->cnt - m->loss.by_mech[loss->mech];
		m->loss.by_mech[loss->mech] = loss->cnt;
	}
	if (flags & LOSSF_COMPAT)
		m->loss.compat_syscalls = loss->cnt;
	if (flags & LOSSF_TABLE)
		m->loss.table = loss->cnt;
	if (flags & LOSSF_URING)
		m->loss.io_uring = loss->cnt;
	return 0;
}

static int feed_pass(struct model *m, const struct event *ev)
{
	return pass_event(m, ev->pass);
}

static int feed_task(struct model *m, const struct event *ev)
{
	return task_event(m, ev->task);
}

static int feed_set(struct model *m, const struct event *ev)
{
	return task_set_event(m, ev->set);
}

static int feed_ipc(struct model *m, const struct event *ev)
{
	return ipc_event(m, ev->ipc);
}

static int feed_word(struct model *m, const struct event *ev)
{
	task_word_event(m, ev->word);
	return 0;
}

static int (*const feeds[EV_MAX])(struct model *m, const struct event *ev) = {
	[EV_OP] = feed_op,     [EV_OBJ] = feed_obj,    [EV_PROC] = feed_proc,
	[EV_EXIT] = feed_exit, [EV_SNAP] = snap_event, [EV_INFLIGHT] = feed_inflight,
	[EV_HOLD] = feed_hold, [EV_NAME] = feed_name,  [EV_LOSS] = feed_loss,
	[EV_PASS] = feed_pass, [EV_MAP] = feed_map,    [EV_TASK] = feed_task,
	[EV_SET] = feed_set,   [EV_IPC] = feed_ipc,    [EV_WORD] = feed_word,
};

/* Settles what was held; a channel that still waits puts itself back. */
static int sweep(struct model *m, bool finish)
{
	struct list_head due;
	struct chan *c;
	int err = 0, e;

	m->swept_ns = m->now_ns;
	if (list_empty(&m->held))
		return 0;
	list_init(&due);
	while ((c = list_first(&m->held, struct chan, in_held))) {
		list_del(&c->in_held);
		list_add_tail(&due, &c->in_held);
	}
	while ((c = list_first(&due, struct chan, in_held))) {
		list_del(&c->in_held);
		e = c->cls->settle ? c->cls->settle(m, c, m->now_ns, finish) : 0;
		if (e)
			err = e;
	}
	return err;
}

/* Does one event. */
static int feed(struct model *m, const struct event *ev)
{
	int err, e = 0;

	if (ev->hdr->ts_ns > m->now_ns)
		m->now_ns = ev->hdr->ts_ns;
	err = feeds[ev->hdr->kind] ? feeds[ev->hdr->kind](m, ev) : 0;
	m->payload = 0; /* what goes on from here was sent by other operations */
	if (m->now_ns - m->swept_ns >= SWEEP_NS)
		e = sweep(m, false);
	return err ? err : e;
}

/* Does what is still queued; the first error is told by the next call that can. */
static void catch_up(const struct model *cm)
{
	struct model *m = (struct model *)cm;
	struct event ev;
	int err;

	while (ahead_pop(&m->ahead, &ev, &m->payload)) {
		err = feed(m, &ev);
		if (err)
			m->err = err;
	}
	if (flow_catch_up(m))
		m->err = -ENOMEM;
}

static int take_err(struct model *m, int err)
{
	int old = m->err;

	m->err = 0;
	return old ? old : err;
}

int model_feed(struct model *m, const struct event *ev)
{
	uint32_t payload = 0;
	struct event oldest;
	int err = 0;

	if (!ahead_takes(ev)) {
		catch_up(m);
		return take_err(m, feed(m, ev));
	}
	if (ahead_is_full(&m->ahead) && ahead_pop(&m->ahead, &oldest, &m->payload))
		err = feed(m, &oldest);
	if (ev->payload && m->opts.on_message) { /* nobody else asks for it */
		payload = payloads_put(&m->payloads, ev->payload + 1, ev->payload->len);
		err = payload ? err : -ENOMEM;
	}
	ahead_push(m, &m->ahead, ev, payload);
	return take_err(m, err);
}

int model_advance(struct model *m, uint64_t now_ns)
{
	int err, e;

	catch_up(m);
	if (now_ns > m->now_ns)
		m->now_ns = now_ns;
	err = sweep(m, false);
	e = fold_gone(m);
	if (!err)
		err = e;
	e = fold_closed(m, m->opts.keep_closed);
	return take_err(m, err ? err : e);
}

/* What is still going on has lasted until now. */
static void end_spans(struct chan *c, uint64_t now_ns)
{
	uint64_t since = c->backlog.full_since_ns, ns;

	if (since && now_ns > since) {
		c->backlog.full_ns += now_ns - since;
		c->backlog.full_since_ns = now_ns;
	}
	list_for_each (ep, &c->endpoints, struct endpoint, in_chan) {
		if (!ep->stall_since_ns || now_ns <= ep->stall_since_ns)
			continue;
		ns = now_ns - ep->stall_since_ns;
		ep->stalled.count++;
		ep->stalled.total_ns += ns;
		if (ns > ep->stalled.max_ns)
			ep->stalled.max_ns = ns;
		ep->stall_since_ns = 0;
	}
}

int model_finish(struct model *m, uint64_t now_ns)
{
	int err = 0, e;

	catch_up(m);
	if (now_ns > m->now_ns)
		m->now_ns = now_ns;
	list_for_each (c, &m->chans, struct chan, in_model) {
		e = c->cls->settle && c->priv ? c->cls->settle(m, c, m->now_ns, true) : 0;
		if (e)
			err = e;
		end_spans(c, m->now_ns);
	}
	if (flow_catch_up(m))
		err = -ENOMEM;
	return take_err(m, err);
}

uint64_t model_start_ns(const struct model *m)
{
	return m->opts.start_ns;
}

uint64_t model_holds_ns(const struct model *m)
{
	return m->holds_ns;
}

uint64_t model_now_ns(const struct model *m)
{
	catch_up(m);
	return m->now_ns;
}

const struct list_head *model_procs(const struct model *m)
{
	catch_up(m);
	return &m->procs;
}

const struct list_head *model_chans(const struct model *m)
{
	catch_up(m);
	return &m->chans;
}

const struct list_head *model_inflight(const struct model *m)
{
	catch_up(m);
	return &m->inflight;
}

const struct list_head *model_tasks(const struct model *m)
{
	catch_up(m);
	return &m->tasks;
}

const struct list_head *model_conversations(const struct model *m)
{
	catch_up(m);
	return &m->conv_list;
}

const struct list_head *model_passes(const struct model *m)
{
	catch_up(m);
	return &m->passes;
}

const struct loss *model_loss(const struct model *m)
{
	catch_up(m);
	return &m->loss;
}

struct proc *model_proc_by_pid(const struct model *m, uint32_t pid)
{
	catch_up(m);
	return hmap_get(&m->procs_by_pid, pid);
}
