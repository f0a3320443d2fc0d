// SPDX-License-Identifier: BSD-2-Clause
/* Channels without a flow: only one side was seen, or nothing went through. */
#include "lib/human.h"
#include "model/mech.h"
#include "view/sections.h"

#define NAMED_MAX 3 /* endpoints named in one cell */

static enum style cell_mech(struct strbuf *cell, const void *row, const void *arg)
{
	(void)arg;
	strbuf_puts(cell, mech_name(((const struct chan *)row)->mech));
	return STYLE_NONE;
}

static enum style cell_chan(struct strbuf *cell, const void *row, const void *arg)
{
	return view_put_chan(cell, arg, row);
}

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
		human_bytes(cell, ep->bytes);
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

/* Leaves the channels without a flow in w; all is set: also those that are only held open. */
static void drop_busy(struct walk *w, bool all)
{
	size_t kept = 0;

	for (size_t i = 0; i < w->cnt; i++) {
		const struct chan *c = w->v[i];

		if (chan_shape(c) == SHAPE_MEMORY) /* has a section of its own */
			continue;
		if (list_empty(&c->flows) && (all || is_used(c)))
			w->v[kept++] = c;
	}
	w->cnt = kept;
}

int view_quiet_chans(const struct view *v)
{
	static const struct column cols[] = {
		{"MECHANISM", ALIGN_LEFT, 0, false, cell_mech},
		{"CHANNEL", ALIGN_LEFT, 24, false, cell_chan},
		{"STATE", ALIGN_LEFT, 0, false, cell_state},
		{"BACKLOG", ALIGN_RIGHT, 0, false, cell_backlog},
		{"USED BY", ALIGN_LEFT, 40, false, cell_used_by},
	};
	struct walk w = WALK_INIT;
	int err;

	err = walk_chans(&w, v->m);
	if (!err) {
		drop_busy(&w, !v->opts->max_rows);
		err = view_table(v, "CHANNELS without a message that was both sent and received",
				 "channels", cols, sizeof(cols) / sizeof(cols[0]), &w);
	}
	walk_fini(&w);
	return err;
}
