// SPDX-License-Identifier: BSD-2-Clause
/* Channels without a flow: only one side was seen, or nothing went through. */
#include "lib/human.h"
#include "model/mech.h"
#include "view/sections.h"

#define NAMED_MAX  3  /* endpoints named in one cell */
#define LONG_SHARE 10 /* what part of the trace is long to wait */

static enum style cell_state(struct strbuf *cell, const void *row, const void *arg)
{
	(void)arg;
	strbuf_puts(cell, ((const struct chan *)row)->open ? "open" : "closed");
	return STYLE_NONE;
}

static enum style cell_backlog(struct strbuf *cell, const void *row, const void *arg)
{
	const struct chan *c = row;

	(void)arg;
	view_put_quantity(cell, c, c->backlog.now);
	return STYLE_NONE;
}

static enum style cell_dropped(struct strbuf *cell, const void *row, const void *arg)
{
	const struct chan *c = row;

	(void)arg;
	if (c->dropped)
		human_count(cell, c->dropped);
	else
		strbuf_putc(cell, '-');
	return STYLE_NONE;
}

/* Signals and wake-ups are messages without bytes. */
static void put_amount(struct strbuf *cell, const struct endpoint *ep)
{
	if (ep->bytes || !ep->messages) {
		human_bytes(cell, ep->bytes);
	} else {
		human_count(cell, ep->messages);
		strbuf_puts(cell, " msg");
	}
}

static enum style cell_used_by(struct strbuf *cell, const void *row, const void *arg)
{
	const struct chan *c = row;
	const struct view *v = arg;
	size_t cnt = 0;

	list_for_each (ep, &c->endpoints, struct endpoint, in_chan) {
		if (++cnt > NAMED_MAX)
			continue;
		if (cnt > 1)
			strbuf_puts(cell, ", ");
		view_put_proc(cell, v, ep->proc, 0);
		if (ep->role == EP_ATTACH) {
			strbuf_puts(cell, " holds it");
			continue;
		}
		strbuf_puts(cell, ep->role == EP_SEND ? " sent " : " received ");
		put_amount(cell, ep);
		if (ep->blocked.total_ns + ep->blocked.now_ns) {
			strbuf_puts(cell, " (blocked ");
			human_ns(cell, ep->blocked.total_ns + ep->blocked.now_ns);
			strbuf_putc(cell, ')');
		}
	}
	if (cnt > NAMED_MAX)
		strbuf_printf(cell, ", %zu more", cnt - NAMED_MAX);
	if (!cnt)
		strbuf_putc(cell, '-');
	return STYLE_NONE;
}

/* A target tried to send or receive, or something is in it. */
static bool is_used(const struct chan *c)
{
	list_for_each (ep, &c->endpoints, struct endpoint, in_chan) {
		if (ep->role != EP_ATTACH && ep->proc->target)
			return true;
	}
	return c->backlog.now;
}

/*
 * Over, and nothing ever went in: it tells nothing but that there was one. Unless somebody waited
 * there for long: who starts a program often waits at a pipe until that is done, for a moment.
 */
static bool is_hollow(const struct view *v, const struct chan *c)
{
	uint64_t long_ns = v->info->duration_ns / LONG_SHARE;

	if (c->open || c->backlog.now || c->backlog.max || c->dropped || c->unpaired)
		return false;
	list_for_each (ep, &c->endpoints, struct endpoint, in_chan)
		if (ep->messages || ep->bytes || ep->blocked.total_ns > long_ns)
			return false;
	return true;
}

struct hollow {
	uint64_t cnt[MECH_MAX];
};

/*
 * Leaves the channels without a flow in w. Unless all rows are asked for: not those that are
 * only held open, nor those that carried nothing, which are counted.
 */
static void drop_busy(const struct view *v, struct walk *w, struct hollow *hollow)
{
	bool all = !v->opts->max_rows;
	size_t kept = 0;

	for (size_t i = 0; i < w->cnt; i++) {
		const struct chan *c = w->v[i];

		if (chan_shape(c) == SHAPE_MEMORY) /* has a section of its own */
			continue;
		if (!list_empty(&c->flows) || !(all || is_used(c)))
			continue;
		if (!all && is_hollow(v, c))
			hollow->cnt[c->mech] += c->folded ? c->folded : 1;
		else
			w->v[kept++] = c;
	}
	w->cnt = kept;
}

static void put_hollow(const struct view *v, const struct hollow *hollow, bool below_table)
{
	struct strbuf *sb = sink_buf(v->out);
	const char *sep = below_table ? "Closed, and carried nothing: "
				      : "\nChannels that are closed and carried nothing: ";
	bool any = false;

	for (unsigned int mech = 0; mech < MECH_MAX; mech++) {
		if (!hollow->cnt[mech])
			continue;
		strbuf_printf(sb, "%s%llu %s", sep, (unsigned long long)hollow->cnt[mech],
			      mech_name(mech));
		sep = ", ";
		any = true;
	}
	if (any)
		strbuf_puts(sb, " (-v shows them)\n");
}

int view_quiet_chans(const struct view *v)
{
	static const struct column cols[] = {
		{"MECHANISM", ALIGN_LEFT, 0, 0, view_cell_mech},
		{"CHANNEL", ALIGN_LEFT, 24, CUT_ADDR, view_cell_chan},
		{"STATE", ALIGN_LEFT, 0, 0, cell_state},
		{"BACKLOG", ALIGN_RIGHT, 0, 0, cell_backlog},
		{"DROPPED", ALIGN_RIGHT, 0, COL_OPTIONAL, cell_dropped},
		{"USED BY", ALIGN_LEFT, 40, CUT_LIST, cell_used_by},
	};
	struct walk w = WALK_INIT;
	struct hollow hollow = {0};
	int err;

	err = walk_chans(&w, v->m);
	if (!err) {
		drop_busy(v, &w, &hollow);
		err = view_table(v, "CHANNELS without a message that was both sent and received",
				 "channels", cols, sizeof(cols) / sizeof(cols[0]), &w);
	}
	if (!err)
		put_hollow(v, &hollow, w.cnt);
	walk_fini(&w);
	return err;
}
