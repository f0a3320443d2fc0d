// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/chain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/doing.h"
#include "analysis/ends.h"
#include "analysis/find.h"
#include "analysis/kin.h"
#include "lib/human.h"
#include "lib/syscalls.h"
#include "lib/vec.h"
#include "model/mech.h"

#define DEPTH_MAX 32

static bool is_shown(const struct chain *c, const struct wait *w)
{
	for (size_t i = 0; i < c->cnt; i++)
		if (c->rows[i].wait == w)
			return true;
	return false;
}

static int row_add(struct chain *c, const struct wait *w, unsigned int depth, bool on_way)
{
	bool again = is_shown(c, w);

	if (vec_room((void **)&c->rows, &c->cap, c->cnt, sizeof(*c->rows)))
		return -ENOMEM;
	c->rows[c->cnt++] =
		(struct chain_row){.wait = w, .depth = depth, .again = again, .on_way = on_way};
	return 0;
}

/* It waits where w does, so it is no way on. */
static bool is_alike(const struct wait *w, const struct wait *other)
{
	return w->kind == WAIT_CHAN && other->kind == WAIT_CHAN && w->chan &&
	       w->chan == other->chan && w->in->op == other->in->op;
}

/* Whom the row waits for beside `next`: what those wait for themselves is another story. */
static int grow_others(struct chain *c, const struct graph *g, size_t at, const struct wait *next)
{
	const struct wait *w = c->rows[at].wait, *other;
	struct proc *helpers[CHAIN_LOOK_MAX];
	size_t cnt = graph_helpers(g, w, helpers, CHAIN_LOOK_MAX), passed = 0;
	size_t shown = next ? 1 : 0;
	unsigned int depth = c->rows[at].depth + 1;
	int err = 0;

	for (size_t i = 0; !err && i < cnt && i < CHAIN_LOOK_MAX; i++) {
		other = graph_of_proc(g, helpers[i]);
		if (!other || (next && other->proc == next->proc))
			continue;
		/* itself: it has both ends on purpose, or shares what it waits for */
		if (other == w && (w->outside || next)) {
			passed++;
		} else if (is_alike(w, other)) {
			c->rows[at].alike++;
		} else if (shown < CHAIN_HELPERS_MAX && c->cnt < CHAIN_ROWS_MAX) {
			err = row_add(c, other, depth, false);
			shown++;
		}
	}
	passed += shown + c->rows[at].alike;
	c->rows[at].helpers_left = cnt > passed ? cnt - passed : 0;
	return err;
}

/* Row number at, and below it whom it waits for: first the one who leads to the root. */
static int grow(struct chain *c, const struct graph *g, size_t at)
{
	const struct wait *next = graph_next(g, c->rows[at].wait);
	unsigned int depth = c->rows[at].depth + 1;
	int err = 0;

	if (c->rows[at].again || depth > DEPTH_MAX || c->cnt >= CHAIN_ROWS_MAX)
		return 0;
	if (next) {
		err = row_add(c, next, depth, c->rows[at].on_way);
		err = err ? err : grow(c, g, c->cnt - 1);
	}
	return err ? err : grow_others(c, g, at, next);
}

int chain_build(struct chain *c, const struct graph *g, const struct wait *from)
{
	const struct wait *next;
	int err;

	*c = (struct chain){.root = from};
	err = row_add(c, from, 0, true);
	if (!err)
		err = grow(c, g, 0);
	for (size_t i = 0; i < g->wait_cnt; i++) {
		next = graph_next(g, c->root);
		if (!next || graph_knot(g, c->root) != KNOT_NONE)
			break;
		c->root = next;
	}
	return err;
}

void chain_fini(struct chain *c)
{
	free(c->rows);
	*c = (struct chain){0};
}

const struct wait *graph_of_proc(const struct graph *g, const struct proc *p)
{
	size_t cnt;
	const struct wait *w = graph_waits_of(g, p, &cnt), *best = w;

	for (size_t i = 0; i < cnt; i++)
		if (graph_can_go_on(g, &w[i]) && !graph_can_go_on(g, best))
			best = &w[i];
	return best;
}

static void put_call(struct strbuf *sb, const struct wait *w)
{
	unsigned int nr = w->in ? w->in->nr : w->task ? w->task->nr : TASK_NO_CALL;
	char buf[32];

	strbuf_puts(sb, nr == TASK_NO_CALL ? "a call" : syscall_name(nr, buf, sizeof(buf)));
}

static void put_chan(struct strbuf *sb, const struct wait *w)
{
	find_put_chan(sb, w->chan);
}

uint64_t wait_left_ns(const struct wait *w)
{
	return w->timed && w->task->until_ns > w->task->seen_ns
		       ? w->task->until_ns - w->task->seen_ns
		       : 0;
}

void wait_put_left(struct strbuf *sb, const struct wait *w)
{
	if (w->kind == WAIT_SLEEP || !wait_left_ns(w))
		return;
	strbuf_puts(sb, ", for another ");
	human_ns(sb, wait_left_ns(w));
	strbuf_puts(sb, " at most");
}

void wait_put(struct strbuf *sb, const struct wait *w)
{
	switch (w->kind) {
	case WAIT_CHAN:
		strbuf_puts(sb, "is blocked in ");
		put_call(sb, w);
		strbuf_puts(sb, w->in->op == OP_SEND ? " to " : " on ");
		if (w->chan)
			put_chan(sb, w);
		else
			strbuf_puts(sb, mech_name(w->in->mech));
		if (w->queued)
			strbuf_puts(sb, ", which nobody has accepted yet");
		return;
	case WAIT_POLL:
		strbuf_puts(sb, "waits in ");
		put_call(sb, w);
		if (w->chan && !w->outside) {
			strbuf_puts(sb, " for ");
			put_chan(sb, w);
		}
		if (w->task && w->task->polled_cnt > 1)
			strbuf_printf(sb, " and %zu more", w->task->polled_cnt - 1);
		if (w->chan && !w->outside && w->task && w->task->children)
			strbuf_puts(sb, " or the end of a child");
		return;
	case WAIT_STOPPED:
		strbuf_puts(sb, w->task && w->task->state == 't' ? "is stopped by its tracer"
								 : "is stopped by a signal");
		return;
	case WAIT_SLEEP:
		strbuf_puts(sb, "sleeps in ");
		put_call(sb, w);
		if (wait_left_ns(w)) {
			strbuf_puts(sb, " for another ");
			human_ns(sb, wait_left_ns(w));
		}
		return;
	case WAIT_OPEN:
		strbuf_puts(sb, "waits in ");
		put_call(sb, w);
		strbuf_printf(sb, " for a %s of FIFO ", wait_partner(w));
		strbuf_puts(sb, w->task->opens ? w->task->opens : "?");
		return;
	case WAIT_OTHER:
		strbuf_puts(sb, "is inside ");
		put_call(sb, w);
		return;
	case WAIT_RUNS:
		strbuf_puts(sb, "is running");
		return;
	case WAIT_DISK:
		strbuf_puts(sb, "is in disk wait");
		return;
	case WAIT_ENDED:
		strbuf_puts(sb, "has ended, and its parent has not taken note of it");
		return;
	case WAIT_UNKNOWN:
		strbuf_puts(sb, "ended just now, or could not be looked at");
		return;
	default:
		strbuf_puts(sb, wait_kind_name(w->kind));
	}
}

/* Who may help that is not in the picture. */
static void put_outside(struct strbuf *sb, const struct graph *g, const struct wait *w)
{
	const struct chan *c = w->chan;

	strbuf_puts(sb, ", ");
	if (w->kind == WAIT_POLL && graph_has_children(g, w->proc))
		strbuf_puts(sb, "for what comes from outside, for a timer or device, or for a "
				"signal that one of its children has ended");
	else if (w->kind == WAIT_POLL)
		strbuf_puts(sb,
			    "for what comes from outside, or for a signal, timer or device: it is "
			    "idle as far as can be seen");
	else if (w->kind == WAIT_CHILD)
		strbuf_puts(sb, w->task && w->task->traces
					? "or for what those do that it traces"
					: "and there is none that could be seen");
	else if (w->kind == WAIT_LOCK)
		strbuf_puts(sb,
			    w->task && w->task->who > 0
				    ? "which others than its holder can give back if they share "
				      "its open file"
				    : "and who holds it is not known");
	else if (w->kind == WAIT_OPEN)
		strbuf_puts(sb, "which nobody else has open");
	else if (w->in && w->in->op == OP_ACCEPT)
		strbuf_puts(sb, "for a new connection: it is idle");
	else if (w->hidden)
		strbuf_puts(sb, "of which somebody else has the other end without a descriptor: "
				"it is on its way through a socket, or io_uring or the kernel "
				"keeps it");
	else if (c && c->mech == MECH_SIGNAL)
		strbuf_puts(sb, "for a signal: it is idle");
	else if (c && c->mech == MECH_PTY)
		strbuf_puts(sb, "for the user of the terminal");
	else if (c && (c->mech == MECH_TCP || c->mech == MECH_UDP))
		strbuf_puts(sb, "for the other end, which no process of this machine has");
	else
		strbuf_puts(sb, "for somebody who is not to be seen from here");
}

/* It reads, and has the write end itself. */
static void put_own_end(struct strbuf *sb, const struct wait *w)
{
	int fd = w->chan ? end_fd(w->chan, w->proc, EP_SEND, -1) : -1;

	strbuf_puts(sb, ", so its end never comes; close the end for writing");
	if (fd >= 0)
		strbuf_printf(sb, ", descriptor %d", fd);
}

/* What it waits for, nobody but itself could give. */
static void put_itself(struct strbuf *sb, const struct wait *w)
{
	const struct chan *c = w->chan;

	strbuf_puts(sb, c && c->mech == MECH_FUTEX_PRIVATE
				? " waits for itself: it has no other thread that could change "
				: " waits for itself: nobody else has the other end of ");
	if (c)
		put_chan(sb, w);
	if (c && w->in && w->in->op == OP_RECV && has_end_of_file(c))
		put_own_end(sb, w);
	strbuf_putc(sb, '.');
}

static bool is_among(const struct wait *const *told, size_t cnt, const struct wait *w)
{
	while (cnt && told[cnt - 1] != w)
		cnt--;
	return cnt;
}

/* The way on from w, until it comes back: not always to w, which may only lead into a circle. */
static void put_way(struct strbuf *sb, const struct graph *g, const struct wait *w)
{
	const struct wait *told[CHAIN_ROWS_MAX] = {NULL};
	size_t cnt = 0;

	strbuf_puts(sb, "Deadlock: ");
	while (w && cnt < CHAIN_ROWS_MAX && !is_among(told, cnt, w)) {
		strbuf_puts(sb, !cnt ? "" : cnt == 1 ? " waits for " : ", which waits for ");
		find_put_proc(sb, w->proc, w->tid);
		told[cnt++] = w;
		w = graph_next(g, w);
	}
	strbuf_puts(sb, cnt > 1 ? ", which waits for " : " waits for ");
	if (w && w == told[cnt - 1])
		strbuf_puts(sb, "itself");
	else if (w)
		find_put_proc(sb, w->proc, w->tid);
	strbuf_puts(sb, "; nobody else can help, so one of them has to be ended.");
}

static void put_knot(struct strbuf *sb, const struct graph *g, const struct chain *c)
{
	const struct wait *w = c->root;
	struct kin kin;

	if (graph_next(g, w) == w) {
		find_put_proc(sb, w->proc, w->tid);
		put_itself(sb, w);
		return;
	}
	if (kin_find(&kin, g, graph_knot(g, w))) {
		kin_put(sb, g, &kin);
		return;
	}
	put_way(sb, g, w);
}

static void put_stopped(struct strbuf *sb, const struct wait *w)
{
	if (w->kind != WAIT_STOPPED || !w->task || w->task->state == 't')
		return;
	strbuf_puts(sb, "; `kill -CONT ");
	human_pid(sb, w->proc->pid);
	strbuf_puts(sb, "` lets it go on");
}

/* A helper of w that is stopped, NULL: none of the first few. */
static const struct wait *stopped_helper(const struct graph *g, const struct wait *w)
{
	struct proc *procs[CHAIN_LOOK_MAX];
	size_t cnt = graph_helpers(g, w, procs, CHAIN_LOOK_MAX);

	for (size_t i = 0; i < cnt && i < CHAIN_LOOK_MAX; i++) {
		const struct wait *v = graph_of_proc(g, procs[i]);

		if (v && v->kind == WAIT_STOPPED)
			return v;
	}
	return NULL;
}

/* It goes on by itself; but if who could help is stopped, that is to be known. */
static void put_timed(struct strbuf *sb, const struct graph *g, const struct wait *w)
{
	const struct wait *helper = stopped_helper(g, w);

	wait_put_left(sb, w);
	if (!helper)
		return;
	strbuf_puts(sb, ", and who could help, ");
	find_put_proc(sb, helper->proc, helper->tid);
	strbuf_puts(sb, ", ");
	wait_put(sb, helper);
	put_stopped(sb, helper);
}

void chain_verdict(struct strbuf *sb, const struct graph *g, const struct chain *c)
{
	const struct wait *from = c->rows[0].wait, *w = c->root;

	if (graph_knot(g, w) != KNOT_NONE && graph_next(g, w)) {
		put_knot(sb, g, c);
		return;
	}
	if (w == from && w->kind == WAIT_RUNS)
		strbuf_puts(sb, "Not stuck: ");
	else if (w != from)
		strbuf_puts(sb, "It is up to ");
	find_put_proc(sb, w->proc, w->tid);
	strbuf_puts(sb, w != from ? ", which " : " ");
	wait_put(sb, w);
	doing_put(sb, g, w);
	if (w->kind != WAIT_SLEEP && wait_left_ns(w))
		put_timed(sb, g, w);
	else if (w->outside)
		put_outside(sb, g, w);
	put_stopped(sb, w);
	strbuf_putc(sb, '.');
	if (from->kind == WAIT_CHAN && from->task && from->task->word_changed && !from->timed)
		strbuf_puts(sb,
			    " The word that it sleeps on has changed since: its wake-up may have "
			    "been lost.");
}
