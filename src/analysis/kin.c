// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/kin.h"

#include "analysis/analysis.h"
#include "analysis/ends.h"
#include "analysis/find.h"

#define ENDS_NAMED_MAX 8 /* named in one sentence */

static bool is_pipe(const struct wait *w)
{
	return w->chan && has_end_of_file(w->chan);
}

static bool reads_pipe(const struct wait *w)
{
	const struct task *t = w->task;

	if (w->kind == WAIT_POLL)
		return is_pipe(w) && t && t->polled_cnt == 1 && !t->children &&
		       polls_as(w->chan, w->proc, &t->polled[0], EP_RECV);
	return w->kind == WAIT_CHAN && is_pipe(w) && w->in->op == OP_RECV;
}

static bool writes_pipe(const struct wait *w)
{
	return w->kind == WAIT_CHAN && is_pipe(w) && w->in->op == OP_SEND;
}

/* On the way from one who waits for a child: the first who waits for something else. */
static const struct wait *first_on_way(const struct graph *g, const struct wait *w)
{
	for (size_t i = 0; w && w->kind == WAIT_CHILD && i < g->wait_cnt; i++)
		w = graph_next(g, w);
	return w && w->kind != WAIT_CHILD ? w : NULL;
}

/* The wait in this knot of one who waits for a child and has w's pipe open for reading, or NULL. */
static const struct wait *reader_of(const struct graph *g, const struct wait *w, uint32_t knot)
{
	list_for_each (h, model_holders(w->chan), struct holder, in_chan) {
		size_t cnt;
		const struct wait *waits = graph_waits_of(g, h->proc, &cnt);

		for (size_t i = 0; h->can & HOLDF_READ && i < cnt; i++)
			if (waits[i].kind == WAIT_CHILD && graph_knot(g, &waits[i]) == knot)
				return &waits[i];
	}
	return NULL;
}

/*
 * Of several who write, as in a pipeline, the last one: its pipe the parent has, and does not
 * read, while the others' have other writers, who would if they could.
 */
static bool find_last_writer(struct kin *out, const struct graph *g, uint32_t knot)
{
	size_t cnt;
	const uint32_t *members = graph_members(g, knot, &cnt);

	for (size_t i = 0; i < cnt; i++) {
		const struct wait *w = &g->waits[members[i]];
		const struct wait *parent = writes_pipe(w) ? reader_of(g, w, knot) : NULL;

		if (!parent)
			continue;
		*out = (struct kin){.parent = parent, .child = w, .chan = w->chan};
		return true;
	}
	return false;
}

bool kin_find(struct kin *out, const struct graph *g, uint32_t knot)
{
	size_t readers = 0, writers = 0, cnt;
	const uint32_t *members = graph_members(g, knot, &cnt);

	*out = (struct kin){0};
	for (size_t i = 0; i < cnt; i++) {
		const struct wait *w = &g->waits[members[i]];

		readers += reads_pipe(w);
		writers += writes_pipe(w);
		if (w->kind != WAIT_CHILD && !reads_pipe(w) && !writes_pipe(w))
			return false;
		if (w->kind == WAIT_CHILD && !out->parent)
			out->parent = w;
	}
	out->child = out->parent ? first_on_way(g, out->parent) : NULL;
	if (!out->child || (readers && writers))
		return false;
	if (writers > 1)
		return find_last_writer(out, g, knot);
	out->chan = out->child->chan;
	out->leak = readers;
	return true;
}

/* Who has the end of c that `can` stands for: "its read end is open in a[1], descriptor 3". */
static void put_holders(struct strbuf *sb, const struct chan *c, unsigned int can)
{
	const struct proc *last = NULL;
	size_t cnt = 0;

	strbuf_printf(sb, "its %s end is open in ", can == HOLDF_READ ? "read" : "write");
	list_for_each (h, model_holders(c), struct holder, in_chan) {
		if (!(h->can & can) || h->proc->exited || ++cnt > ENDS_NAMED_MAX)
			continue;
		if (h->proc == last) {
			strbuf_printf(sb, " and %d", h->fd);
			continue;
		}
		strbuf_puts(sb, last ? "; " : "");
		find_put_proc(sb, h->proc, 0);
		strbuf_printf(sb, ", descriptor %d", h->fd);
		last = h->proc;
	}
	if (cnt > ENDS_NAMED_MAX)
		strbuf_printf(sb, "; and %zu more", cnt - ENDS_NAMED_MAX);
}

/* Nobody but the parent has it. */
static bool is_parents_alone(const struct kin *k)
{
	list_for_each (h, model_holders(k->chan), struct holder, in_chan)
		if (h->can & HOLDF_WRITE && !h->proc->exited && h->proc != k->parent->proc)
			return false;
	return true;
}

static const struct holder *held_for_writing(const struct chan *c, const struct proc *p)
{
	list_for_each (h, model_holders(c), struct holder, in_chan)
		if (h->proc == p && h->can & HOLDF_WRITE)
			return h;
	return NULL;
}

/*
 * Whether who has the write end is to write there cannot be seen. If so, then it is what that
 * one reads whose end does not come: of that, too, the parent may have forgotten the end.
 */
static void put_others(struct strbuf *sb, const struct graph *g, const struct kin *k)
{
	const struct proc *parent = k->parent->proc;
	const struct holder *h;
	const uint32_t *members;
	size_t cnt;

	if (held_for_writing(k->chan, parent))
		return;
	members = graph_members(g, graph_knot(g, k->child), &cnt);
	for (size_t i = 0; i < cnt; i++) {
		const struct wait *w = &g->waits[members[i]];

		if (!reads_pipe(w) || w->chan == k->chan || !held_for_writing(k->chan, w->proc))
			continue;
		h = held_for_writing(w->chan, parent);
		if (!h)
			continue;
		strbuf_puts(sb, " If ");
		find_put_proc(sb, w->proc, 0);
		strbuf_puts(sb, " is to write there, ");
		find_put_proc(sb, parent, 0);
		strbuf_printf(sb, " has to close descriptor %d, the write end of %s.", h->fd,
			      w->chan->name);
		return;
	}
}

void kin_put(struct strbuf *sb, const struct graph *g, const struct kin *k)
{
	find_put_proc(sb, k->parent->proc, k->parent->tid);
	strbuf_puts(sb, " waits for the end of ");
	find_put_proc(sb, k->child->proc, k->child->tid);
	if (!k->leak) {
		strbuf_printf(sb, ", which writes to %s, which is full: ", k->chan->name);
		put_holders(sb, k->chan, HOLDF_READ);
		strbuf_puts(sb, ", and not read. Read it until its end, and wait then.");
		return;
	}
	strbuf_printf(sb, ", which reads %s and never sees its end: ", k->chan->name);
	put_holders(sb, k->chan, HOLDF_WRITE);
	if (is_parents_alone(k))
		strbuf_puts(sb, ". Close it before waiting.");
	else
		strbuf_puts(sb, ". Close it there after fork(2), or open it with O_CLOEXEC.");
	put_others(sb, g, k);
}
