// SPDX-License-Identifier: BSD-2-Clause
/* "why": a tree, one line for each who waits, and below it the verdict. */
#include "view/why.h"

#include <inttypes.h>

#include "analysis/analysis.h"
#include "analysis/doing.h"
#include "lib/human.h"
#include "model/mech.h"
#include "view/sections.h"

#define INDENT 2

static void put_since(struct strbuf *sb, const struct wait *w)
{
	bool at_least;
	uint64_t since = wait_since_ns(w, &at_least);
	uint64_t seen = w->task ? w->task->seen_ns : w->in ? w->in->seen_ns : 0;

	if (!since || seen < since)
		return;
	strbuf_puts(sb, at_least ? ", for at least " : ", for ");
	human_ns(sb, seen - since);
}

static void put_fill(struct strbuf *sb, const struct wait *w)
{
	const struct chan *c = w->chan;

	if (w->kind != WAIT_CHAN || !c)
		return;
	if (w->fd >= 0)
		strbuf_printf(sb, ", fd %d", w->fd);
	if (!c->capacity)
		return;
	strbuf_puts(sb, ", ");
	view_put_quantity(sb, c, inflight_backlog(w->in));
	strbuf_puts(sb, " of ");
	view_put_quantity(sb, c, c->capacity);
}

/* Row number at waits, of all processes, for itself. */
static bool is_itself(const struct chain_row *row, size_t at)
{
	return at && row->again && row[-1].wait == row->wait && row[-1].depth < row->depth;
}

static void put_row(struct strbuf *sb, const struct chain_row *row, bool itself)
{
	const struct wait *w = row->wait;

	if (itself) {
		strbuf_puts(sb, "itself");
		return;
	}

	strbuf_puts(sb, w->proc->comm);
	human_task(sb, w->proc->pid, w->tid);
	strbuf_puts(sb, row->depth && !row->again ? ", which " : " ");
	if (row->again) {
		strbuf_puts(sb, "(see above)");
		return;
	}
	wait_put(sb, w);
	put_fill(sb, w);
	put_since(sb, w);
	wait_put_left(sb, w);
	if (row->alike)
		strbuf_printf(sb, "; %zu other%s wait%s there, too", row->alike,
			      row->alike == 1 ? "" : "s", row->alike == 1 ? "s" : "");
	if (row->helpers_left)
		strbuf_printf(sb, "; %zu more could help", row->helpers_left);
}

/* "crunch+0x12 (libfoo.so)"; where there is no name "libfoo.so+0x1234" */
static void put_frame(struct strbuf *sb, const struct stack_frame *f)
{
	if (f->symbol[0])
		strbuf_printf(sb, "%s+0x%" PRIx64, f->symbol, f->offset);
	else if (f->module[0])
		strbuf_printf(sb, "%s+0x%" PRIx64, f->module, f->offset);
	else
		strbuf_printf(sb, "0x%" PRIx64, f->offset);
	if (f->kernel)
		strbuf_printf(sb, f->module[0] ? " (kernel, %s)" : " (kernel)", f->module);
	else if (f->symbol[0] && f->module[0])
		strbuf_printf(sb, " (%s)", f->module);
}

/* Below the row, a line for each function, the innermost first. */
static int put_stack(struct sink *out, const struct text_opts *opts, const struct stack *st,
		     unsigned int depth)
{
	struct strbuf line;
	int err = 0;

	strbuf_init(&line);
	for (uint32_t i = 0; !err && i < st->cnt; i++) {
		strbuf_reset(&line);
		put_frame(&line, &st->frames[i]);
		if (!i && st->runs)
			strbuf_printf(&line, ", %u of %u samples", st->seen, st->samples);
		err = line.err;
		strbuf_fill(sink_buf(out), ' ', (size_t)INDENT * (depth + 1));
		strbuf_puts(sink_buf(out), i ? "    " : "in: ");
		text_put(sink_buf(out), &opts->style, line.s);
		strbuf_putc(sink_buf(out), '\n');
	}
	strbuf_fini(&line);
	return err;
}

static int put_rows(struct sink *out, const struct text_opts *opts, const struct graph *g,
		    const struct chain *c)
{
	struct strbuf line;
	int err = 0;

	strbuf_init(&line);
	for (size_t i = 0; !err && i < c->cnt; i++) {
		const struct chain_row *row = &c->rows[i];
		const struct stack *st = row->again ? NULL : doing_stack(g, row->wait);

		strbuf_reset(&line);
		put_row(&line, row, is_itself(row, i));
		err = line.err;
		strbuf_fill(sink_buf(out), ' ', (size_t)INDENT * row->depth);
		if (row->depth)
			strbuf_puts(sink_buf(out), row->on_way ? "waits for " : "or for ");
		text_put(sink_buf(out), &opts->style, line.s);
		strbuf_putc(sink_buf(out), '\n');
		if (!err && st)
			err = put_stack(out, opts, st, row->depth);
	}
	strbuf_fini(&line);
	return err;
}

int why_text(struct sink *out, const struct text_opts *opts, const struct graph *g,
	     const struct wait *from)
{
	bool stuck = !graph_can_go_on(g, from);
	struct strbuf verdict;
	struct chain c;
	int err = chain_build(&c, g, from);

	if (!err)
		err = put_rows(out, opts, g, &c);
	strbuf_init(&verdict);
	if (!err) {
		chain_verdict(&verdict, g, &c);
		err = verdict.err;
	}
	if (!err) {
		text_on(sink_buf(out), &opts->style, stuck ? STYLE_BAD : STYLE_BOLD);
		text_put(sink_buf(out), &opts->style, verdict.s);
		text_off(sink_buf(out), &opts->style, stuck ? STYLE_BAD : STYLE_BOLD);
		strbuf_putc(sink_buf(out), '\n');
	}
	strbuf_fini(&verdict);
	chain_fini(&c);
	return err ? err : sink_spill(out);
}

int why_findings_text(struct sink *out, const struct text_opts *opts, const struct model *m)
{
	const struct view v = {.out = out, .opts = opts, .m = m, .moment = true};

	return view_findings(&v);
}

int why_unseen_text(struct sink *out, const struct model *m)
{
	const char *before =
		"\nNot all could be looked at, so some may be there that nobody uses: ";
	struct strbuf *sb = sink_buf(out);

	for (unsigned int mech = 1; mech < MECH_MAX; mech++) {
		if (!(model_ipcs_unseen(m) & 1u << mech))
			continue;
		strbuf_puts(sb, before);
		strbuf_puts(sb, mech_name((enum ipcspy_mech)mech));
		before = ", ";
	}
	if (model_ipcs_unseen(m))
		strbuf_puts(sb, ".\n");
	return sink_spill(out);
}
