// SPDX-License-Identifier: BSD-2-Clause
/*
 * Who will not go on: knots of the wait graph, tasks that others wait for and that are
 * stopped, channels with one end only. A snapshot looks at one task after the other;
 * what is called stuck for good was so for all of them at one and the same moment.
 */
#include <errno.h>

#include "analysis/analysis.h"
#include "analysis/ends.h"
#include "analysis/find.h"
#include "analysis/kin.h"
#include "analysis/ways.h"
#include "lib/human.h"
#include "model/mech.h"

#define NAMED_MAX 8 /* processes in one sentence */

/* The waits of one knot, and what they have in common. */
struct knot {
	const uint32_t *members; /* cnt numbers of waits */
	size_t cnt, polls;
	uint32_t number;
	const struct wait *first;
	bool one_proc, one_chan, all_recv, by_name, target, together;
};

static bool is_recv(const struct wait *w)
{
	return w->kind == WAIT_CHAN && w->in->op == OP_RECV;
}

static uint64_t seen_ns(const struct wait *w)
{
	return w->task ? w->task->seen_ns : w->in ? w->in->seen_ns : 0;
}

static const struct wait *member(const struct knot *k, const struct graph *g, size_t i)
{
	return &g->waits[k->members[i]];
}

static void knot_look(struct knot *k, const struct graph *g, uint32_t number)
{
	uint64_t since = 0, seen = UINT64_MAX, begin;
	bool at_least;

	*k = (struct knot){.number = number, .one_proc = true, .one_chan = true, .all_recv = true};
	k->together = true;
	k->members = graph_members(g, number, &k->cnt);
	for (size_t i = 0; i < k->cnt; i++) {
		const struct wait *w = member(k, g, i);

		if (!i)
			k->first = w;
		k->polls += w->kind == WAIT_POLL;
		k->one_proc = k->one_proc && w->proc == k->first->proc;
		k->one_chan = k->one_chan && w->chan && w->chan == k->first->chan;
		k->all_recv = k->all_recv && is_recv(w);
		k->by_name = k->by_name || w->by_name;
		k->target =
			k->target || w->proc->target || (w->chan && chan_concerns_target(w->chan));
		begin = wait_since_ns(w, &at_least);
		since = begin > since ? begin : since;
		seen = seen_ns(w) < seen ? seen_ns(w) : seen;
		k->together = k->together && begin;
	}
	/* who fell asleep later may have opened, closed or passed on an end before it did */
	k->together = k->together && since <= seen && since <= model_holds_ns(g->m);
}

static int prove(struct finding *f, const struct graph *g, const struct knot *k)
{
	int err = 0;

	for (size_t i = 0; !err && i < k->cnt; i++) {
		const struct wait *w = member(k, g, i);

		err = find_prove(f, w->proc, w->tid, w->chan, w->fd);
	}
	return err;
}

/* It sleeps until somebody wakes it: nothing is in such a channel. */
static bool is_wakeup(const struct chan *c)
{
	return c->mech == MECH_FUTEX || c->mech == MECH_FUTEX_PRIVATE || c->mech == MECH_SYSV_SEM;
}

static void put_what(struct strbuf *sb, const struct wait *w)
{
	if (w->kind == WAIT_CHAN && w->chan) {
		strbuf_puts(sb, w->in->op == OP_SEND ? "sends to "
				: is_wakeup(w->chan) ? "sleeps on "
						     : "receives from ");
		find_put_chan(sb, w->chan);
	} else if (w->kind == WAIT_POLL) {
		strbuf_puts(sb, "polls");
	} else if (w->kind == WAIT_STOPPED) {
		strbuf_puts(sb, "is stopped");
	} else {
		strbuf_puts(sb, wait_kind_name(w->kind));
	}
}

/* "a[1] receives from pipe x and waits for b[2], b[2] ... " */
static void put_members(struct strbuf *sb, const struct graph *g, const struct knot *k)
{
	for (size_t i = 0; i < k->cnt && i < NAMED_MAX; i++) {
		const struct wait *w = member(k, g, i), *next = graph_next(g, w);

		if (i)
			strbuf_puts(sb, ", ");
		find_put_proc(sb, w->proc, w->tid);
		strbuf_putc(sb, ' ');
		if (w->kind != WAIT_CHILD || !next)
			put_what(sb, w);
		if (!next)
			continue;
		strbuf_puts(sb,
			    w->kind == WAIT_CHILD ? "waits for the end of " : " and waits for ");
		if (next == w)
			strbuf_puts(sb, "itself");
		else
			find_put_proc(sb, next->proc, next->tid);
	}
	if (k->cnt > NAMED_MAX)
		strbuf_printf(sb, ", and %zu more", k->cnt - NAMED_MAX);
}

/* What nobody is known to have, between processes: who had it may have been killed. */
static const struct chan *left_taken(const struct graph *g, const struct knot *k)
{
	for (size_t i = 0; i < k->cnt; i++) {
		const struct wait *w = member(k, g, i);

		if (is_recv(w) && w->chan && !w->in->owner && is_wakeup(w->chan) &&
		    w->chan->mech != MECH_FUTEX_PRIVATE)
			return w->chan;
	}
	return NULL;
}

static int say_deadlock(struct finding *f, const struct graph *g, const struct knot *k)
{
	const struct chan *taken = left_taken(g, k);
	struct strbuf sb;

	strbuf_init(&sb);
	put_members(&sb, g, k);
	strbuf_puts(&sb, ". Nobody outside can help: ");
	if (!k->together)
		strbuf_puts(&sb, "if they still are when you look again, ");
	if (k->polls == k->cnt)
		strbuf_puts(&sb, "each polls nothing but the others; that is all right where they "
				 "are idle, and a deadlock where one expects an answer.");
	else if (k->by_name)
		strbuf_puts(&sb, "unless a newcomer opens a queue or semaphore by its name, end "
				 "one of them.");
	else
		strbuf_puts(&sb, "end one of them, and change the order in which they send, "
				 "receive and lock.");
	if (taken) {
		strbuf_puts(&sb, " Or who was to give back or wake ");
		find_put_chan(&sb, taken);
		strbuf_puts(&sb, " has ended without doing so.");
	}
	return find_say(f, &sb);
}

static int report_deadlock(struct findings *f, const struct graph *g, const struct knot *k)
{
	enum severity severity = SEVERITY_CRITICAL;
	struct finding *new;
	int err;

	if (k->by_name || k->polls ||
	    (k->first->chan && k->first->chan->mech == MECH_FUTEX_PRIVATE))
		severity = SEVERITY_WARNING;
	if (!k->together || k->polls == k->cnt)
		severity = SEVERITY_INFO;
	new = find_add(f, "deadlock", severity, k->one_chan ? k->first->chan : NULL);
	err = new ? prove(new, g, k) : -ENOMEM;
	return err ? err : say_deadlock(new, g, k);
}

/* Not so for good: things may have changed while we looked, or somebody may come by the name. */
static enum severity severity_of(const struct knot *k)
{
	return k->together && !k->by_name ? SEVERITY_CRITICAL : SEVERITY_WARNING;
}

static void put_doubt(struct strbuf *sb, const struct knot *k)
{
	if (!k->together)
		strbuf_puts(sb, " It may have been on its way while it was looked at. Look again.");
	else if (k->by_name)
		strbuf_puts(sb, " All right where somebody is still to come and open it by name.");
}

/* The parent of one who reads or writes a pipe waits for it. */
static int report_kin(struct findings *f, const struct graph *g, const struct knot *k,
		      const struct kin *kin)
{
	struct finding *new = find_add(f, kin->leak ? "end-leak" : "deadlock",
				       k->polls ? SEVERITY_WARNING : severity_of(k), kin->chan);
	struct strbuf sb;
	int err = new ? prove(new, g, k) : -ENOMEM;

	list_for_each (h, model_holders(kin->chan), struct holder, in_chan)
		if (!err && h->can & (kin->leak ? HOLDF_WRITE : HOLDF_READ))
			err = find_prove(new, h->proc, 0, kin->chan, h->fd);
	if (err)
		return err;
	strbuf_init(&sb);
	kin_put(&sb, g, kin);
	put_doubt(&sb, k);
	return find_say(new, &sb);
}

/* Others read the same pipe, and wait for those of the knot: they are in it just as deep. */
static int prove_readers(struct finding *f, const struct graph *g, const struct knot *k)
{
	const struct wait *w = graph_first_at(g, k->first->chan);
	int err = 0;

	for (; !err && w; w = graph_next_at(g, w)) {
		if (is_recv(w) && graph_knot(g, w) != k->number && !graph_can_go_on(g, w))
			err = find_prove(f, w->proc, w->tid, w->chan, w->fd);
	}
	return err;
}

/* The descriptors that keep the pipe open for writing are among those who read it. */
static int prove_ends(struct finding *f, const struct chan *c)
{
	int err = 0;

	list_for_each (h, model_holders(c), struct holder, in_chan)
		if (!err && h->can & HOLDF_WRITE)
			err = find_prove(f, h->proc, 0, c, h->fd);
	return err;
}

static int report_end_leak(struct findings *f, const struct graph *g, const struct knot *k)
{
	const struct chan *c = k->first->chan;
	struct finding *new = find_add(f, "end-leak", severity_of(k), c);
	const char *sep = "";
	struct strbuf sb;
	size_t named = 0;
	int err = new ? prove(new, g, k) : -ENOMEM;

	err = err ? err : prove_readers(new, g, k);
	err = err ? err : prove_ends(new, c);
	if (err)
		return err;
	strbuf_init(&sb);
	find_put_proc(&sb, k->first->proc, k->first->tid);
	strbuf_printf(&sb, " reads %s, and whoever can write to it only reads it, too: ", c->name);
	list_for_each (h, model_holders(c), struct holder, in_chan) {
		if (!(h->can & HOLDF_WRITE) || named++ >= NAMED_MAX)
			continue;
		strbuf_puts(&sb, sep);
		find_put_proc(&sb, h->proc, 0);
		strbuf_printf(&sb, " has the write end as descriptor %d", h->fd);
		sep = ", ";
	}
	if (named > NAMED_MAX)
		strbuf_printf(&sb, ", and %zu more", named - NAMED_MAX);
	strbuf_puts(&sb, ". The end of file never comes: close it there after fork(2), or open it "
			 "with O_CLOEXEC.");
	put_doubt(&sb, k);
	return find_say(new, &sb);
}

static int report_own_end(struct findings *f, const struct graph *g, const struct knot *k)
{
	const struct chan *c = k->first->chan;
	struct finding *new = find_add(f, "no-reader", severity_of(k), c);
	struct strbuf sb;
	int err = new ? prove(new, g, k) : -ENOMEM;

	if (err)
		return err;
	strbuf_init(&sb);
	find_put_proc(&sb, k->first->proc, k->first->tid);
	strbuf_printf(&sb,
		      " writes to %s, which is full, and nobody but those who write has it "
		      "open for reading: it has to be read, or closed.",
		      c->name);
	put_doubt(&sb, k);
	return find_say(new, &sb);
}

static int report_knot(struct findings *f, const struct graph *g, const struct knot *k)
{
	const struct chan *c = k->first->chan;
	struct kin kin;
	bool pipe = c && k->one_chan && has_end_of_file(c);

	if (pipe && k->all_recv)
		return report_end_leak(f, g, k);
	if (pipe && k->first->kind == WAIT_CHAN && !k->polls && k->one_proc)
		return report_own_end(f, g, k);
	return kin_find(&kin, g, k->number) ? report_kin(f, g, k, &kin) : report_deadlock(f, g, k);
}

int find_knots(struct findings *f, const struct graph *g)
{
	struct knot k;
	int err = 0;

	for (uint32_t number = 0; !err && number < g->knots.knot_cnt; number++) {
		knot_look(&k, g, number);
		if (!k.cnt || !k.target || !graph_next(g, k.first))
			continue; /* one alone that waits for nobody: stopped, or ended */
		err = report_knot(f, g, &k);
	}
	return err;
}

/* Who waits for w by the way it is on itself; a parent waits for its child, stopped or not. */
static bool is_kept(const struct wait *from, const struct wait *w)
{
	return from != w && from->kind != WAIT_STOPPED && from->kind != WAIT_ENDED;
}

static int say_stopped(struct finding *f, const struct wait *w, const struct wait *first,
		       size_t cnt)
{
	struct strbuf sb;

	strbuf_init(&sb);
	find_put_proc(&sb, w->proc, w->tid);
	strbuf_puts(&sb, " is stopped, and ");
	find_put_proc(&sb, first->proc, first->tid);
	strbuf_putc(&sb, ' ');
	put_what(&sb, first);
	if (cnt > 1)
		strbuf_printf(&sb, "; %zu tasks in all wait for it", cnt);
	strbuf_puts(&sb, ": continue it with `kill -CONT ");
	human_pid(&sb, w->proc->pid);
	strbuf_puts(&sb, "`, or end it.");
	return find_say(f, &sb);
}

static int report_stopped(struct findings *f, const struct graph *g, const struct ways *ways,
			  uint32_t at)
{
	const struct wait *first = NULL, *w = &g->waits[at];
	struct finding *new = NULL;
	size_t cnt = 0;
	int err = 0;

	for (uint32_t i = ways->first[at]; !err && i; i = ways->next[i - 1]) {
		const struct wait *from = &g->waits[i - 1];

		if (!is_kept(from, w))
			continue;
		if (!first && from->kind != WAIT_CHILD) {
			first = from;
			new = find_add(f, "stopped-peer", SEVERITY_WARNING, from->chan);
			err = new ? find_prove(new, w->proc, w->tid, NULL, -1) : -ENOMEM;
		}
		if (!err && new) {
			err = find_prove(new, from->proc, from->tid, from->chan, from->fd);
			cnt++;
		}
	}
	return err || !new ? err : say_stopped(new, w, first, cnt);
}

/* Is a target among those whose way ends there? */
static bool concerns_target(const struct graph *g, const struct ways *ways, uint32_t at)
{
	for (uint32_t i = ways->first[at]; i; i = ways->next[i - 1])
		if (g->waits[i - 1].proc->target)
			return true;
	return false;
}

int find_stopped(struct findings *f, const struct graph *g)
{
	struct ways ways;
	int err = ways_init(&ways, g);

	for (uint32_t i = 0; !err && i < g->wait_cnt; i++) {
		const struct wait *w = &g->waits[i];

		if (w->kind == WAIT_STOPPED && graph_knot(g, w) != KNOT_NONE && !graph_next(g, w) &&
		    concerns_target(g, &ways, i))
			err = report_stopped(f, g, &ways, i);
	}
	ways_fini(&ways);
	return err;
}

/* Has anybody but p what it takes to end p's wait? */
static bool has_other_end(const struct wait *w)
{
	unsigned int other = w->in->op == OP_SEND ? HOLDF_READ : HOLDF_WRITE;

	list_for_each (h, model_holders(w->chan), struct holder, in_chan)
		if (h->proc != w->proc && h->can & other)
			return true;
	return false;
}

/* Queues and FIFOs: they have names, so somebody may still come. */
int find_one_sided(struct findings *f, const struct graph *g)
{
	struct finding *new;
	struct strbuf sb;
	bool send;

	for (size_t i = 0; i < g->wait_cnt; i++) {
		const struct wait *w = &g->waits[i];

		if (w->kind != WAIT_CHAN || !w->by_name || !w->chan || !w->outside ||
		    list_empty(model_holders(w->chan)) || has_other_end(w) ||
		    !chan_concerns_target(w->chan))
			continue;
		send = w->in->op == OP_SEND;
		new = find_add(f, send ? "no-reader" : "no-writer",
			       send ? SEVERITY_WARNING : SEVERITY_INFO, w->chan);
		if (!new || find_prove(new, w->proc, w->tid, w->chan, w->fd))
			return -ENOMEM;
		strbuf_init(&sb);
		find_put_proc(&sb, w->proc, w->tid);
		strbuf_printf(&sb,
			      " waits %s, and nobody else has %s open for %s: is the process "
			      "that should running?",
			      send ? "for room" : "for something to read", w->chan->name,
			      send ? "reading" : "writing");
		if (find_say(new, &sb))
			return -ENOMEM;
	}
	return 0;
}

/* open(2) of a FIFO goes on when its other end is open: so nobody has it, and nobody opens it. */
int find_unopened(struct findings *f, const struct graph *g)
{
	struct finding *new;
	struct strbuf sb;
	bool send;

	for (size_t i = 0; i < g->wait_cnt; i++) {
		const struct wait *w = &g->waits[i];

		if (w->kind != WAIT_OPEN || !w->proc->target)
			continue;
		send = w->task->who == HOLDF_READ;
		new = find_add(f, send ? "no-reader" : "no-writer",
			       send ? SEVERITY_WARNING : SEVERITY_INFO, w->chan);
		if (!new || find_prove(new, w->proc, w->tid, w->chan, -1))
			return -ENOMEM;
		strbuf_init(&sb);
		find_put_proc(&sb, w->proc, w->tid);
		strbuf_printf(&sb,
			      " opens FIFO %s and waits for a %s: is the process that should "
			      "open it running?",
			      w->task->opens ? w->task->opens : "?", wait_partner(w));
		if (find_say(new, &sb))
			return -ENOMEM;
	}
	return 0;
}
