// SPDX-License-Identifier: BSD-2-Clause
#include "model/pair_wake.h"

#include <errno.h>

#define HELD_MAX 1024

void pair_wake_init(struct pair_wake *pw, struct chan *c)
{
	pw->chan = c;
}

void pair_wake_fini(struct pair_wake *pw)
{
	pq_fini(&pw->held);
}

/* r was ended by what src did, in a call that began at sent_ns. */
static int released(struct model *m, struct endpoint *src, uint32_t tid, uint64_t sent_ns,
		    const struct xfer *r, enum pairing how)
{
	struct xfer w = {.ep = src, .enter_ns = sent_ns, .exit_ns = r->exit_ns, .tid = tid};
	struct flow *f = flow_get(m, src, NULL, r->ep, NULL);

	return f ? flow_message(m, f, src ? &w : NULL, r, how) : -ENOMEM;
}

/* The endpoint of the process that woke the task; *ep NULL: it is not to be shown. */
static int waker(struct model *m, struct pair_wake *pw, uint32_t pid, struct endpoint **ep)
{
	struct proc *p = proc_get(m, pid);

	*ep = NULL;
	if (!p)
		return -ENOMEM;
	if (m->opts.no_peers && !p->target)
		return 0;
	*ep = ep_get(m, pw->chan, p, EP_SEND, 0);
	return *ep ? 0 : -ENOMEM;
}

/*
 * The latest wake that ran while r waited; of the task that woke it, if it is among them.
 * *of: how many it was taken from.
 */
static const struct wake_call *call_at(const struct pair_wake *pw, const struct xfer *r,
				       unsigned int *of)
{
	const struct wake_call *best = NULL;

	*of = 0;
	for (unsigned int i = 0; i < WAKE_CALLS; i++) {
		const struct wake_call *c = &pw->calls[i];

		if (!c->ep || c->enter_ns > r->exit_ns || c->exit_ns < r->enter_ns)
			continue;
		++*of;
		if (!best || (c->tid == r->fp) > (best->tid == r->fp) ||
		    ((c->tid == r->fp) == (best->tid == r->fp) && c->enter_ns > best->enter_ns))
			best = c;
	}
	return best;
}

/*
 * In a held wait fp is the waker's task, addr_key its process, pos when it came and
 * left how many wakes there were by then.
 */
static int assume(struct model *m, struct pair_wake *pw, const struct xfer *r)
{
	struct endpoint *src = NULL;
	const struct wake_call *c;
	unsigned int of;
	int err;

	c = call_at(pw, r, &of);
	if (c) {
		if (c->counted)
			pw->paired++;
		else
			c->ep->messages++;
		return released(m, c->ep, c->tid, c->enter_ns, r,
				of == 1 && c->counted && !r->addr_key ? PAIR_EXACT : PAIR_ASSUMED);
	}
	if (r->addr_key) {
		err = waker(m, pw, (uint32_t)r->addr_key, &src);
		if (err)
			return err;
		if (src)
			src->messages++;
	}
	return released(m, src, r->fp, r->pos, r, PAIR_ASSUMED);
}

static int assume_first(struct model *m, struct pair_wake *pw)
{
	int err = assume(m, pw, pq_first(&pw->held));

	pq_done(&pw->held, pq_first(&pw->held));
	return err;
}

int pair_wake_call(struct model *m, struct pair_wake *pw, struct endpoint *ep,
		   const struct ev_op *op, int woke)
{
	const struct xfer *r;
	int err = 0;

	pw->wake_cnt++;
	if (woke == 0) {
		pw->idle_cnt++;
		return 0;
	}
	if (woke > 0) {
		ep->messages += (unsigned int)woke;
		pw->woken += (unsigned int)woke;
	}
	pw->calls[pw->next_call++ % WAKE_CALLS] =
		(struct wake_call){ep, op->enter_ns, op->hdr.ts_ns, op->hdr.tid, woke > 0};
	/* before what may belong to it is overwritten */
	while (!err && (r = pq_first(&pw->held)) && pw->next_call - r->left >= WAKE_CALLS / 2)
		err = assume_first(m, pw);
	return err;
}

static int hold(struct model *m, struct pair_wake *pw, struct xfer *r, const struct ev_vals *vals)
{
	int err = 0;

	r->addr_key = vals ? (uint32_t)vals->v[1] : 0;
	r->pos = vals ? vals->v[0] : 0;
	r->left = pw->next_call;
	if (pw->held.cnt >= HELD_MAX)
		err = assume_first(m, pw);
	chan_hold(m, pw->chan);
	return pq_push(&pw->held, r, false) ? err : -ENOMEM;
}

int pair_wake_wait(struct model *m, struct pair_wake *pw, struct endpoint *ep,
		   const struct ev_op *op, const struct ev_vals *vals)
{
	uint32_t flags = vals ? WAKE_FLAGS(vals->v[1]) : 0;
	struct endpoint *src;
	struct xfer r;
	int err;

	xfer_init(m, &r, ep, op);
	r.fp = op->waker_tid;
	if (!(flags & WAKEF_CALL))
		return hold(m, pw, &r, vals);
	err = waker(m, pw, (uint32_t)vals->v[1], &src);
	if (err)
		return err;
	if (flags & WAKEF_COUNTED)
		pw->paired++;
	else if (src)
		src->messages++;
	return released(m, src, op->waker_tid, vals->v[0], &r, PAIR_EXACT);
}

/* How many slept at once: where it began, each wait knows which others were going on. */
static void count_together(struct pair_wake *pw, uint64_t enter_ns, uint64_t exit_ns)
{
	struct wake_wait *now = &pw->waits[pw->next_wait % WAKE_WAITS], *w;
	uint32_t together = 1, most = 1;

	for (unsigned int i = 1; i < WAKE_WAITS && i <= pw->next_wait; i++) {
		w = &pw->waits[(pw->next_wait - i) % WAKE_WAITS];
		if (w->exit_ns <= enter_ns)
			break;
		if (w->enter_ns <= enter_ns)
			together++;
		else if (++w->together > most)
			most = w->together;
	}
	*now = (struct wake_wait){enter_ns, exit_ns, together};
	pw->next_wait++;
	most = together > most ? together : most;
	if (most > pw->chan->backlog.max)
		pw->chan->backlog.max = most;
}

void pair_wake_over(struct pair_wake *pw, const struct ev_op *op)
{
	pw->wait_cnt++;
	if (op->blocked_ns)
		count_together(pw, op->enter_ns, op->hdr.ts_ns);
	if (pw->waiters && op->enter_ns <= pw->snap_ns && op->hdr.ts_ns > pw->snap_ns)
		chan_backlog(pw->chan, 0, --pw->waiters);
}

void pair_wake_asleep(const struct model *m, struct pair_wake *pw)
{
	if (pw->snap_ns != m->snap_ns) {
		pw->snap_ns = m->snap_ns;
		pw->waiters = 0;
	}
	chan_backlog(pw->chan, 0, ++pw->waiters);
}

int pair_wake_settle(struct model *m, struct pair_wake *pw, uint64_t now_ns, bool finish)
{
	struct xfer *r;
	int err = 0, e;

	while ((r = pq_first(&pw->held))) {
		if (!finish && r->exit_ns + SETTLE_NS >= now_ns)
			break;
		e = assume_first(m, pw);
		if (e)
			err = e;
	}
	if (finish)
		pw->chan->unpaired = pw->woken > pw->paired ? pw->woken - pw->paired : 0;
	if (pw->held.cnt)
		chan_hold(m, pw->chan);
	return err;
}

void pair_wake_replace(struct pair_wake *pw, const struct endpoint *from, struct endpoint *to)
{
	pq_replace(&pw->held, from, to);
	for (unsigned int i = 0; i < WAKE_CALLS; i++)
		if (pw->calls[i].ep == from)
			pw->calls[i].ep = to;
}
