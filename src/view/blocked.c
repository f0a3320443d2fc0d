// SPDX-License-Identifier: BSD-2-Clause
/* "Blocked now": operations entered and not returned, longest first. */
#include "analysis/analysis.h"
#include "lib/human.h"
#include "lib/syscalls.h"
#include "model/mech.h"
#include "view/sections.h"

#define NAMED_MAX 3 /* processes named in one cell */

static enum style cell_proc(struct strbuf *cell, const void *row, const void *arg)
{
	const struct inflight *i = row;

	view_put_proc(cell, arg, i->proc, i->tid);
	return STYLE_NONE;
}

static enum style cell_for(struct strbuf *cell, const void *row, const void *arg)
{
	const struct inflight *i = row;

	(void)arg;
	if (i->before_attach)
		strbuf_puts(cell, "> ");
	human_ns(cell, blocked_for_ns(i));
	return STYLE_BAD;
}

static enum style cell_syscall(struct strbuf *cell, const void *row, const void *arg)
{
	const struct inflight *i = row;
	char buf[32];

	(void)arg;
	strbuf_puts(cell, syscall_name(i->nr, buf, sizeof(buf)));
	return STYLE_NONE;
}

static enum style cell_mech(struct strbuf *cell, const void *row, const void *arg)
{
	const struct inflight *i = row;

	(void)arg;
	strbuf_puts(cell, mech_name(i->mech));
	return STYLE_NONE;
}

static enum style cell_chan(struct strbuf *cell, const void *row, const void *arg)
{
	const struct inflight *i = row;

	if (i->chan)
		return view_put_chan(cell, arg, i->chan);
	strbuf_putc(cell, '-');
	return STYLE_NONE;
}

static enum style cell_fill(struct strbuf *cell, const void *row, const void *arg)
{
	const struct inflight *i = row;

	(void)arg;
	if (!i->chan || !i->chan->capacity) {
		strbuf_putc(cell, '-');
		return STYLE_NONE;
	}
	view_put_quantity(cell, i->chan, i->chan->backlog.now);
	strbuf_puts(cell, " of ");
	view_put_quantity(cell, i->chan, i->chan->capacity);
	return STYLE_NONE;
}

static enum style cell_waits_for(struct strbuf *cell, const void *row, const void *arg)
{
	const struct inflight *i = row;
	const struct view *v = arg;
	struct proc *on[NAMED_MAX];
	size_t cnt = waits_for(v->m, i, on, NAMED_MAX);

	for (size_t k = 0; k < cnt && k < NAMED_MAX; k++) {
		if (k)
			strbuf_puts(cell, ", ");
		view_put_proc(cell, v, on[k], 0);
		strbuf_printf(cell, " (%s)",
			      on[k] == i->proc ? "itself" : proc_state(&v->states, on[k]));
	}
	if (cnt > NAMED_MAX)
		strbuf_printf(cell, ", %zu more", cnt - NAMED_MAX);
	if (!cnt)
		strbuf_putc(cell, '?');
	return STYLE_NONE;
}

int view_blocked(const struct view *v)
{
	static const struct column cols[] = {
		{"PROCESS", ALIGN_LEFT, 20, false, cell_proc},
		{"FOR", ALIGN_RIGHT, 0, false, cell_for},
		{"SYSCALL", ALIGN_LEFT, 0, false, cell_syscall},
		{"MECHANISM", ALIGN_LEFT, 0, false, cell_mech},
		{"CHANNEL", ALIGN_LEFT, 24, false, cell_chan},
		{"FILLED", ALIGN_LEFT, 0, false, cell_fill},
		{"WAITS FOR", ALIGN_LEFT, 30, false, cell_waits_for},
	};
	struct walk w = WALK_INIT;
	int err;

	err = walk_blocked(&w, v->m);
	if (!err)
		err = view_table(v, "BLOCKED NOW, longest first", "blocked calls", cols,
				 sizeof(cols) / sizeof(cols[0]), &w);
	if (!err && !w.cnt)
		strbuf_puts(sink_buf(v->out), "\nBlocked now: nobody.\n");
	walk_fini(&w);
	return err;
}
