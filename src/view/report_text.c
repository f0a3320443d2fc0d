// SPDX-License-Identifier: BSD-2-Clause
#include "view/report_text.h"

#include <string.h>

#include "analysis/analysis.h"
#include "analysis/blame.h"
#include "lib/human.h"
#include "lib/utf8.h"
#include "model/mech.h"
#include "view/sections.h"

void view_put_proc(struct strbuf *sb, const struct view *v, const struct proc *p, uint32_t tid)
{
	text_put(sb, &v->opts->style, p->comm);
	human_task(sb, p->pid, tid);
}

enum style view_put_chan(struct strbuf *sb, const struct view *v, const struct chan *c)
{
	text_put(sb, &v->opts->style, c->name);
	if (!c->incomplete)
		return STYLE_NONE;
	strbuf_putc(sb, '!');
	return STYLE_BAD;
}

enum style view_cell_mech(struct strbuf *cell, const void *row, const void *arg)
{
	(void)arg;
	strbuf_puts(cell, mech_name(((const struct chan *)row)->mech));
	return STYLE_NONE;
}

enum style view_cell_chan(struct strbuf *cell, const void *row, const void *arg)
{
	return view_put_chan(cell, arg, row);
}

void view_put_quantity(struct strbuf *sb, const struct chan *c, uint64_t value)
{
	if (!strcmp(c->unit, "bytes")) {
		human_bytes(sb, value);
	} else {
		human_count(sb, value);
		if (!strcmp(c->unit, "messages"))
			strbuf_puts(sb, " msg");
		else if (!strcmp(c->unit, "connections"))
			strbuf_puts(sb, " conn");
	}
}

int view_table(const struct view *v, const char *title, const char *what, const struct column *cols,
	       size_t col_cnt, const struct walk *w)
{
	struct strbuf *sb = sink_buf(v->out);
	size_t max = v->opts->max_rows, cnt = max && w->cnt > max ? max : w->cnt;
	int err;

	if (!w->cnt)
		return 0;
	strbuf_putc(sb, '\n');
	text_on(sb, &v->opts->style, STYLE_BOLD);
	strbuf_puts(sb, title);
	text_off(sb, &v->opts->style, STYLE_BOLD);
	strbuf_putc(sb, '\n');
	err = table_print(v->out, &v->opts->style, cols, col_cnt, w->v, cnt, v);
	if (!err && cnt < w->cnt)
		strbuf_printf(sb, "More %s: %zu (-v shows all)\n", what, w->cnt - cnt);
	return err;
}

/* The command as it was typed, or close to it. */
static void put_argv(struct strbuf *sb, const struct text_style *style, char *const *argv)
{
	for (char *const *arg = argv; *arg; arg++) {
		bool quote = !**arg || strpbrk(*arg, " \t\n'\"|&;<>()$*?");

		if (arg != argv)
			strbuf_putc(sb, ' ');
		if (quote)
			strbuf_putc(sb, '\'');
		text_put(sb, style, *arg);
		if (quote)
			strbuf_putc(sb, '\'');
	}
}

static void put_target(struct strbuf *sb, const struct view *v)
{
	const struct report_info *info = v->info;

	strbuf_puts(sb, "ipcspy " IPCSPY_VERSION ": ");
	if (!info->argv) {
		text_put(sb, &v->opts->style, info->filter);
		if (info->chosen_by) {
			size_t cnt = target_cnt(v->m);

			strbuf_printf(sb, ": %zu process%s", cnt, cnt == 1 ? "" : "es");
		}
		return;
	}
	put_argv(sb, &v->opts->style, info->argv);
	strbuf_printf(sb, " [%u]", info->command_pid);
	if (info->command_ended)
		strbuf_printf(sb, " exit %d", status_as_shell(info->command_status));
}

/* A line of text that was put together in part, no wider than the terminal. */
static void put_cut_line(const struct view *v, const struct strbuf *part, enum style how)
{
	struct strbuf *sb = sink_buf(v->out);

	text_on(sb, &v->opts->style, how);
	text_put_cut(sb, &v->opts->style, part->s, part->len, text_width(&v->opts->style));
	text_off(sb, &v->opts->style, how);
	strbuf_putc(sb, '\n');
}

static int put_head(const struct view *v)
{
	const struct report_info *info = v->info;
	struct strbuf part;
	int err;

	strbuf_init(&part);
	put_target(&part, v);
	put_cut_line(v, &part, STYLE_BOLD);
	err = part.err;
	strbuf_reset(&part);
	human_ns(&part, info->duration_ns);
	strbuf_puts(&part, ", ");
	strbuf_put_u64(&part, info->events);
	strbuf_puts(&part, " events, Linux ");
	text_put(&part, &v->opts->style, info->kernel);
	strbuf_putc(&part, ' ');
	text_put(&part, &v->opts->style, info->arch);
	strbuf_puts(&part, " on ");
	text_put(&part, &v->opts->style, info->host);
	put_cut_line(v, &part, STYLE_NONE);
	err = err ? err : part.err;
	strbuf_fini(&part);
	return err;
}

static int put_culprit(const struct view *v)
{
	struct strbuf *sb = sink_buf(v->out);
	const struct blame_row *worst;
	struct blame_table t;
	int err = blame_table_init(&t, v->info->blame, v->m);

	worst = err ? NULL : blame_worst(&t, v->m);
	if (worst) {
		strbuf_puts(sb, "\nWaited for most: ");
		text_on(sb, &v->opts->style, STYLE_BAD);
		view_put_proc(sb, v, worst->proc, 0);
		text_off(sb, &v->opts->style, STYLE_BAD);
		strbuf_puts(sb, ", by ");
		strbuf_printf(sb, "%u process%s for ", worst->waiters,
			      worst->waiters == 1 ? "" : "es");
		human_ns(sb, worst->caused_ns);
		strbuf_puts(sb, " in all.\n");
	}
	blame_table_fini(&t);
	return err;
}

/* Messages that went in and did not come out: not in any flow, so said here. */
static void put_undelivered(const struct view *v)
{
	struct strbuf *sb = sink_buf(v->out);
	uint64_t dropped = 0, unpaired = 0;

	list_for_each (c, model_chans(v->m), struct chan, in_model) {
		if (!chan_concerns_target(c))
			continue;
		dropped += c->dropped;
		unpaired += c->unpaired;
	}
	if (dropped)
		strbuf_printf(sb, "Dropped: %llu (messages sent and never received).\n",
			      (unsigned long long)dropped);
	if (unpaired)
		strbuf_printf(sb, "Unpaired: %llu (messages for which no receive was seen).\n",
			      (unsigned long long)unpaired);
}

static void put_loss_detail(struct strbuf *sb, const char *what, uint64_t cnt)
{
	if (!cnt)
		return;
	strbuf_printf(sb, "  %s: %llu.\n", what, (unsigned long long)cnt);
}

static void put_loss(const struct view *v)
{
	const struct loss *loss = model_loss(v->m);
	enum style how = report_has_loss(v->m) ? STYLE_BAD : STYLE_NONE;
	struct strbuf *sb = sink_buf(v->out);
	const char *sep = " (";

	text_on(sb, &v->opts->style, how);
	strbuf_printf(sb, "Lost: %llu events", (unsigned long long)loss->events);
	for (unsigned int mech = 0; mech < MECH_MAX; mech++) {
		if (!loss->by_mech[mech])
			continue;
		strbuf_printf(sb, "%s%s %llu", sep, mech ? mech_name(mech) : "other",
			      (unsigned long long)loss->by_mech[mech]);
		sep = ", ";
	}
	if (*sep == ',')
		strbuf_putc(sb, ')');
	strbuf_puts(sb, ".\n");
	put_loss_detail(sb, "Calls not followed, for want of room in a table", loss->table);
	put_loss_detail(sb, "Incomplete channels, marked with !", loss->channels_incomplete);
	put_loss_detail(sb, "System calls of 32-bit programs, not decoded", loss->compat_syscalls);
	put_loss_detail(sb, "io_uring requests on channels, not followed", loss->io_uring);
	text_off(sb, &v->opts->style, how);
}

int report_text(struct sink *out, const struct text_opts *opts, const struct report_info *info,
		const struct model *m)
{
	struct view v = {.out = out, .opts = opts, .info = info, .m = m};
	int err;

	err = states_init(&v.states, m);
	if (!err)
		err = put_head(&v);
	if (!err)
		err = view_blocked(&v);
	if (!err)
		err = put_culprit(&v);
	if (!err)
		err = view_flows(&v);
	if (!err)
		err = view_quiet_chans(&v);
	if (!err)
		err = view_shared(&v);
	if (!err)
		err = view_findings(&v);
	if (!err)
		err = view_details(&v);
	if (!err) {
		strbuf_putc(sink_buf(out), '\n');
		put_undelivered(&v);
		put_loss(&v);
		err = sink_spill(out);
	}
	states_fini(&v.states);
	return err;
}
