// SPDX-License-Identifier: BSD-2-Clause
/*
 * Signals: all that is sent to one process is one channel. A signal is pending
 * from the moment it is generated until it is delivered to a thread, taken by
 * sigwaitinfo(2) or a signalfd, or discarded.
 *
 * Rules (signal(7), kernel/signal.c): a signal for a thread waits in that
 * thread's own pending set, one for the process in a set that all threads share;
 * a thread looks into its own first. Of a standard signal a set holds one, what
 * comes meanwhile is coalesced; real-time signals queue first in, first out.
 * SIGCONT discards the stop signals that are pending, and they discard it.
 *
 * The object's vals: [0] pending numbers, bit n-1 for n (snapshots), [1] 0 when
 * it stands for a pid that signals could not be sent to.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/internal.h"
#include "model/pair_queue.h"
#include "model/signal_names.h"
#include "model/signal_row.h"

#define PENDING_MAX 65536 /* per number: more than RLIMIT_SIGPENDING mostly allows */

#define SCAN_MAX 512

#define XF_MASKED 0x1000000 /* the receiver blocked it when it was generated */

struct sig_chan {
	struct proc *owner; /* the receiver; NULL: unknown, or it ended */
	uint64_t pending;   /* all numbers */
	uint64_t unknown;   /* numbers that were pending when the process was found ... */
	uint64_t extra;     /* ... and how many more of them in queues */
	uint64_t seen_ns;   /* a snapshot said then what is pending; 0: nothing to compare */
	uint64_t seen, seen_snap_ns;
	struct sig_row *rows[SIGNALS_MAX + 1];
};

static uint64_t bit_of(unsigned int signo)
{
	return 1ull << (signo - 1);
}

static struct sig_row *row_get(struct sig_chan *s, unsigned int signo)
{
	struct sig_row *row = s->rows[signo];

	if (row)
		return row;
	row = calloc(1, sizeof(*row));
	if (!row)
		return NULL;
	hist_init(&row->handler);
	s->rows[signo] = row;
	return row;
}

static void pending_add(struct chan *c, int64_t diff)
{
	struct sig_chan *s = c->priv;

	s->pending = diff < 0 && s->pending < (uint64_t)-diff ? 0 : s->pending + (uint64_t)diff;
	chan_backlog(c, 0, s->pending);
}

/* Everything of this number that was generated before. */
static void discard(struct chan *c, unsigned int signo, uint64_t before_ns)
{
	struct sig_chan *s = c->priv;
	struct sig_row *row = s->rows[signo];
	struct xfer *w;

	if (s->unknown & bit_of(signo)) {
		s->unknown &= ~bit_of(signo);
		pending_add(c, -1);
	}
	while (row && (w = pq_first(&row->waiting)) && w->exit_ns < before_ns) {
		row->discarded++;
		pq_done(&row->waiting, w);
		pending_add(c, -1);
	}
}

static bool is_stop(unsigned int signo)
{
	return signo == SIGSTOP || signo == SIGTSTP || signo == SIGTTIN || signo == SIGTTOU;
}

static void discard_opposite(struct chan *c, unsigned int signo, uint64_t now_ns)
{
	if (is_stop(signo))
		discard(c, SIGCONT, now_ns);
	for (unsigned int i = 1; signo == SIGCONT && i <= SIGNALS_MAX; i++)
		if (is_stop(i))
			discard(c, i, now_ns);
}

/* The process whose signals these are: once it was described, which is before its first signal. */
static int own(struct model *m, struct obj *o)
{
	struct chan *c = o->chan;
	struct sig_chan *s = c->priv;
	struct proc *p;

	if (s->owner || o->removed || !o->peer)
		return 0;
	p = proc_get(m, (uint32_t)o->ino);
	if (!p || !ep_get(m, c, p, EP_RECV, 0))
		return -ENOMEM;
	if (p->exited)
		return 0;
	s->owner = p;
	p->refs++;
	return 0;
}

static int signal_new(struct model *m, struct obj *o)
{
	struct chan *c = chan_new(m, MECH_SIGNAL, sizeof(struct sig_chan), m->now_ns);
	char name[32];
	int n;

	if (!c)
		return -ENOMEM;
	obj_join(o, c, 0);
	n = o->peer && o->ino & PID_OUTSIDE
		    ? snprintf(name, sizeof(name), "signal:outside:%u",
			       (uint32_t)o->ino & ~PID_OUTSIDE)
		    : snprintf(name, sizeof(name), "signal:%d", (int)o->ino);
	return o->described ? chan_set_name(c, name, (size_t)n) : 0;
}

/* A later snapshot: what is no longer pending by then, and was not delivered, was discarded. */
static void note_seen(struct model *m, struct chan *c, const struct ev_obj *ev)
{
	struct sig_chan *s = c->priv;

	if (s->seen_snap_ns != m->snap_ns) {
		s->seen_snap_ns = m->snap_ns;
		s->seen_ns = ev->hdr.ts_ns;
		s->seen = 0;
	}
	s->seen |= ev->vals[0];
	chan_hold(m, c);
}

static int signal_on_obj(struct model *m, struct obj *o, const struct ev_obj *ev, bool first)
{
	struct sig_chan *s;
	uint64_t bits;

	o->peer = ev->vals[1];
	if (!o->chan && signal_new(m, o))
		return -ENOMEM;
	if (!(ev->hdr.flags & OBJF_BACKLOG))
		return 0;
	if (!(ev->hdr.flags & OBJF_SNAPSHOT)) {
		if (!first)
			note_seen(m, o->chan, ev);
		return own(m, o);
	}
	s = o->chan->priv; /* at attach: one record of each thread that has any */
	bits = (uint64_t)__builtin_popcountll(ev->vals[0] & ~s->unknown);
	s->unknown |= ev->vals[0];
	if (ev->backlog > bits)
		s->extra += ev->backlog - bits;
	pending_add(o->chan, (int64_t)(ev->backlog > bits ? ev->backlog : bits));
	return own(m, o);
}

/* Can a thread take this one? */
static bool is_for(const struct xfer *w, uint64_t tid)
{
	return !(w->flags & XF_DONE) && (!w->addr_key || w->addr_key == tid);
}

/* What a thread takes next: the oldest of its own, else of the process; any when it dies. */
static struct xfer *next_for(struct sig_row *row, uint64_t tid, bool any)
{
	struct xfer *w, *shared = NULL;

	for (uint32_t i = 0; i < row->waiting.cnt; i++) {
		w = pq_at(&row->waiting, i);
		if (w->flags & XF_DONE || (!any && !is_for(w, tid)))
			continue;
		if (w->addr_key || any)
			return w;
		if (!shared)
			shared = w;
		if (i >= SCAN_MAX) /* one for this thread alone would be among the first */
			break;
	}
	return shared;
}

/* Is one of this number pending in the same set? */
static bool is_pending(const struct sig_row *row, uint64_t set)
{
	for (uint32_t i = 0; i < row->waiting.cnt; i++) {
		const struct xfer *w = pq_at(&row->waiting, i);

		if (!(w->flags & XF_DONE) && w->addr_key == set)
			return true;
	}
	return false;
}

/* The signal reached its receiver: w was sent by whom it says; NULL: r may say what sent it. */
static int arrived(struct model *m, const struct xfer *w, const struct xfer *r, unsigned int signo)
{
	struct flow *f = flow_get(m, w ? w->ep : NULL, w ? (w->ep ? NULL : w->remote) : r->remote,
				  r->ep, NULL);
	char name[SIGNAL_NAME_LEN];
	int err;

	if (!f)
		return -ENOMEM;
	m->message_what = signal_name(signo, name);
	err = flow_message(m, f, w, r, w ? PAIR_EXACT : PAIR_ASSUMED);
	m->message_what = NULL;
	return err;
}

/* SIGCONT acts when it is generated, whatever its disposition (signal(7)). */
static int continued(struct model *m, struct obj *o, const struct ev_op *op, const struct xfer *w,
		     struct sig_row *row)
{
	struct sig_chan *s = o->chan->priv;
	struct endpoint *ep = s->owner ? ep_get(m, o->chan, s->owner, EP_RECV, 0) : NULL;
	struct xfer r;

	row->delivered++;
	row->by_default++;
	if (!ep)
		return s->owner ? -ENOMEM : 0;
	ep->messages++;
	xfer_init(m, &r, ep, op);
	r.remote = NULL;
	return arrived(m, w, &r, SIGCONT);
}

static int push(struct chan *c, struct sig_row *row, const struct xfer *x)
{
	if (!pq_push(&row->waiting, x, false))
		return -ENOMEM;
	pending_add(c, 1);
	if (row->waiting.live > PENDING_MAX) {
		c->unpaired++;
		pq_done(&row->waiting, pq_first(&row->waiting));
		pending_add(c, -1);
	}
	return 0;
}

static int generated(struct model *m, struct obj *o, const struct event *ev, unsigned int signo,
		     struct xfer *x)
{
	struct sig_chan *s = o->chan->priv;
	struct sig_row *row = row_get(s, signo);
	uint64_t v = ev->vals->v[1];

	if (!row)
		return -ENOMEM;
	discard_opposite(o->chan, signo, x->exit_ns);
	row->generated++;
	switch (SIGV_RESULT(v)) {
	case SIGNAL_IGNORED:
		if (signo == SIGCONT)
			return continued(m, o, ev->op, x, row);
		row->ignored++;
		return 0;
	case SIGNAL_ALREADY_PENDING:
		row->coalesced++;
		return 0;
	case SIGNAL_LOSE_INFO:
		if (is_pending(row, x->addr_key)) {
			row->coalesced++;
			return 0;
		}
		break;
	}
	/* A standard signal is not queued twice: what was pending at attach is gone. */
	if (signo < SIGNAL_RT_FIRST && v & SIGV_GROUP)
		discard(o->chan, signo, 0);
	return push(o->chan, row, x);
}

/* A call that could send no signal at all: the channel is only there to name it. */
static int send_failed(struct model *m, struct obj *o, struct proc *p, const struct ev_op *op)
{
	struct endpoint *ep = ep_get(m, o->chan, p, EP_SEND, 1);

	if (!ep)
		return -ENOMEM;
	ep_count(ep, op, true);
	if (!o->peer)
		chan_close(m, o->chan);
	return 0;
}

static int on_send(struct model *m, struct obj *o, struct proc *p, const struct event *ev,
		   unsigned int signo)
{
	const struct ev_op *op = ev->op;
	uint64_t v = ev->vals->v[1];
	struct endpoint *ep = NULL;
	struct xfer x;

	if (op->hdr.tid) {
		ep = ep_get(m, o->chan, p, EP_SEND, 1);
		if (!ep)
			return -ENOMEM;
		if (!ep_count(ep, op, true))
			return 0;
	}
	xfer_init(m, &x, ep, op);
	if (!ep) {
		x.remote = chan_named(o->chan, signal_source(signo, (int)(ev->vals->v[0] >> 32)));
		if (!x.remote)
			return -ENOMEM;
	}
	x.addr_key = v & SIGV_GROUP ? 0 : v & SIGV_TID;
	if (v & SIGV_MASKED)
		x.flags |= XF_MASKED;
	return generated(m, o, ev, signo, &x);
}

/* Was it one of those that were pending at attach? They come first. */
static bool take_unknown(struct sig_chan *s, unsigned int signo)
{
	if (!(s->unknown & bit_of(signo)))
		return false;
	if (signo >= SIGNAL_RT_FIRST && s->extra)
		s->extra--;
	else
		s->unknown &= ~bit_of(signo);
	return true;
}

static bool is_ignored(unsigned int signo, uint64_t v)
{
	if (v & (SIGV_HANDLER | SIGV_TAKEN))
		return false;
	return v & SIGV_IGNORED || signo == SIGCHLD || signo == SIGURG || signo == SIGWINCH;
}

static void count_fate(struct sig_row *row, uint64_t v)
{
	row->delivered++;
	if (v & SIGV_TAKEN)
		row->taken++;
	else if (v & SIGV_HANDLER)
		row->handled++;
	else
		row->by_default++;
}

/*
 * Who sent a signal of which only the delivery was seen: what was pending at
 * attach, and what a timer's interrupt sent at a moment when the kernel traces
 * nothing (seen on 6.18, by every tracer alike).
 */
static int source_unseen(struct chan *c, struct xfer *r, const struct event *ev, unsigned int signo)
{
	int code = (int)(ev->vals->v[0] >> 32);

	r->remote = NULL;
	if (code != SI_TIMER && code <= 0)
		return 0;
	r->remote = chan_named(c, signal_source(signo, code));
	return r->remote ? 0 : -ENOMEM;
}

static int delivered(struct model *m, struct obj *o, struct endpoint *ep, const struct event *ev,
		     unsigned int signo)
{
	struct sig_chan *s = o->chan->priv;
	struct sig_row *row = row_get(s, signo);
	uint64_t v = ev->vals->v[1];
	struct xfer sent, r, *w = NULL;
	bool known;
	int err = 0;

	if (!row)
		return -ENOMEM;
	known = take_unknown(s, signo);
	if (!known)
		w = next_for(row, v & SIGV_TID, v & SIGV_DEATH);
	if (!known && !w && v & SIGV_DEATH) /* another thread told it already */
		return 0;
	if (known || w)
		pending_add(o->chan, -1);
	else
		row->generated++;
	xfer_init(m, &r, ep, ev->op);
	if (!w && source_unseen(o->chan, &r, ev, signo))
		return -ENOMEM;
	if (w) {
		sent = *w;
		pq_done(&row->waiting, w);
		if (sent.flags & XF_MASKED && !(v & SIGV_TAKEN) && r.exit_ns > sent.exit_ns)
			row->blocked_ns += r.exit_ns - sent.exit_ns;
	}
	if (is_ignored(signo, v)) {
		row->ignored++;
		return 0;
	}
	count_fate(row, v);
	ep_count(ep, ev->op, true);
	err = arrived(m, w ? &sent : NULL, &r, signo);
	return err;
}

static int signal_on_op(struct model *m, struct obj *o, struct proc *p, const struct event *ev)
{
	const struct ev_op *op = ev->op;
	struct endpoint *ep;
	uint64_t signo = ev->vals ? ev->vals->v[0] & 0xffffffff : 0;

	if (!o->chan && signal_new(m, o))
		return -ENOMEM;
	if (own(m, o))
		return -ENOMEM;
	if (ev->vals && (signo < 1 || signo > SIGNALS_MAX))
		return 0;
	if (op->op == OP_SEND)
		return ev->vals ? on_send(m, o, p, ev, (unsigned int)signo)
				: send_failed(m, o, p, op);
	ep = ep_of_obj(m, o, o->chan, p, EP_RECV);
	if (!ep)
		return -ENOMEM;
	if (ev->vals)
		return delivered(m, o, ep, ev, (unsigned int)signo);
	ep_count(ep, op, false);
	return 0;
}

/* A handler returned. */
static int signal_on_other(struct model *m, struct obj *o, struct proc *p, const struct event *ev)
{
	uint64_t signo = ev->vals ? ev->vals->v[0] & 0xffffffff : 0;
	const struct ev_op *op = ev->op;
	struct sig_row *row;

	(void)m;
	(void)p;
	if (op->op != OP_HANDLED || !o->chan || signo < 1 || signo > SIGNALS_MAX)
		return 0;
	row = row_get(o->chan->priv, (unsigned int)signo);
	if (!row)
		return -ENOMEM;
	return hist_add(&row->handler, op->hdr.ts_ns - op->enter_ns - op->blocked_ns);
}

static int signal_settle(struct model *m, struct chan *c, uint64_t now_ns, bool finish)
{
	struct sig_chan *s = c->priv;

	if (!s->seen_ns)
		return 0;
	if (!finish && s->seen_ns + SETTLE_NS >= now_ns) {
		chan_hold(m, c);
		return 0;
	}
	for (unsigned int i = 1; i <= SIGNALS_MAX; i++)
		if (!(s->seen & bit_of(i)))
			discard(c, i, s->seen_ns);
	if (!s->unknown && s->extra) {
		pending_add(c, -(int64_t)s->extra);
		s->extra = 0;
	}
	s->seen_ns = 0;
	return 0;
}

/* Which of several went missing cannot be told: what comes next starts anew. */
static void signal_on_loss(struct chan *c)
{
	struct sig_chan *s = c->priv;
	struct xfer *w;

	for (unsigned int i = 1; i <= SIGNALS_MAX; i++) {
		while (s->rows[i] && (w = pq_first(&s->rows[i]->waiting))) {
			c->unpaired++;
			pq_done(&s->rows[i]->waiting, w);
			pending_add(c, -1);
		}
	}
}

static void signal_on_merge(struct chan *c, struct endpoint *from, struct endpoint *to)
{
	struct sig_chan *s = c->priv;

	for (unsigned int i = 1; i <= SIGNALS_MAX; i++)
		if (s->rows[i])
			pq_replace(&s->rows[i]->waiting, from, to);
}

/* What was pending goes with the process. */
static void signal_on_exit(struct model *m, struct chan *c, struct proc *p)
{
	struct sig_chan *s = c->priv;

	if (s->owner != p)
		return;
	for (unsigned int i = 1; i <= SIGNALS_MAX; i++)
		discard(c, i, UINT64_MAX);
	s->extra = s->unknown = s->seen_ns = 0;
	pending_add(c, -(int64_t)s->pending);
	s->owner = NULL;
	proc_put(p);
	list_for_each (o, &c->objs, struct obj, in_chan)
		o->removed = true;
	chan_close(m, c);
}

static const char *signal_fold_name(const struct chan *c, char *buf, size_t len)
{
	(void)c;
	(void)buf;
	(void)len;
	return "signal:[closed]";
}

static void signal_facts(const struct model *m, const struct chan *c,
			 void (*put)(void *arg, const struct fact *f), void *arg)
{
	const struct sig_chan *s = c->priv;
	unsigned int nth = 0;

	(void)m;
	for (unsigned int i = 1; s && i <= SIGNALS_MAX; i++)
		if (s->rows[i] || s->unknown & bit_of(i))
			signal_row_facts(s->rows[i], i, s->unknown & bit_of(i), nth++, put, arg);
}

static void signal_fini(struct model *m, struct chan *c)
{
	struct sig_chan *s = c->priv;

	(void)m;
	for (unsigned int i = 1; i <= SIGNALS_MAX; i++) {
		if (!s->rows[i])
			continue;
		pq_fini(&s->rows[i]->waiting);
		hist_fini(&s->rows[i]->handler);
		free(s->rows[i]);
	}
	if (s->owner)
		proc_put(s->owner);
}

const struct chan_class signal_class = {
	.unit = "signals",
	.shape = SHAPE_INBOX,
	.unheld = true,
	.on_obj = signal_on_obj,
	.on_op = signal_on_op,
	.on_other = signal_on_other,
	.settle = signal_settle,
	.on_loss = signal_on_loss,
	.on_merge = signal_on_merge,
	.on_exit = signal_on_exit,
	.fold_name = signal_fold_name,
	.facts = signal_facts,
	.fini = signal_fini,
};
