// SPDX-License-Identifier: BSD-2-Clause
/* What only one kind of channel has to tell: a line per channel, one per row of its groups. */
#include <string.h>

#include "analysis/analysis.h"
#include "model/mech.h"
#include "view/sections.h"

struct details {
	const struct view *v;
	const struct chan *c; /* whose line is not begun yet, NULL: it is */
	bool titled;          /* the section */
	bool groups;          /* facts of groups; else the channel's own, which come first */
	struct fact prev;
};

static void begin_chan(struct details *d)
{
	struct strbuf *sb = sink_buf(d->v->out);
	const struct text_style *style = &d->v->opts->style;

	if (!d->titled) {
		strbuf_putc(sb, '\n');
		text_on(sb, style, STYLE_BOLD);
		strbuf_puts(sb, "DETAILS");
		text_off(sb, style, STYLE_BOLD);
		d->titled = true;
	}
	strbuf_printf(sb, "\n%s ", mech_name(d->c->mech));
	view_put_chan(sb, d->v, d->c);
	d->c = NULL;
	d->prev = (struct fact){0};
}

static bool same_row(const struct fact *a, const struct fact *b)
{
	return a->row == b->row &&
	       (a->group == b->group || (a->group && b->group && !strcmp(a->group, b->group)));
}

static void put_fact(void *arg, const struct fact *f)
{
	struct details *d = arg;
	struct strbuf *sb = sink_buf(d->v->out);
	bool first = d->c;

	if (d->groups != (f->group != NULL) || f->text == fact_none || f->text == fact_zero)
		return;
	if (first)
		begin_chan(d);
	if (f->group && !same_row(f, &d->prev))
		strbuf_printf(sb, "\n  %s: ", f->group);
	else
		strbuf_puts(sb, first ? ": " : ", ");
	d->prev = *f;
	strbuf_printf(sb, "%s ", f->name);
	if (f->text)
		text_put(sb, &d->v->opts->style, f->text);
	else
		strbuf_put_u64(sb, f->value);
}

/* Pids are those of the machine; a process in a namespace of its own knows itself by another. */
static int put_ns_pids(const struct view *v)
{
	struct strbuf *sb = sink_buf(v->out);
	struct walk w = WALK_INIT;
	bool titled = false;
	int err = walk_procs(&w, v->m);

	for (size_t i = 0; !err && i < w.cnt; i++) {
		const struct proc *p = w.v[i];

		if (!p->ns_pid || p->ns_pid == (p->pid & ~PID_OUTSIDE))
			continue;
		if (!titled) {
			strbuf_putc(sb, '\n');
			text_on(sb, &v->opts->style, STYLE_BOLD);
			strbuf_puts(sb, "PIDS in other namespaces\n");
			text_off(sb, &v->opts->style, STYLE_BOLD);
		}
		titled = true;
		view_put_proc(sb, v, p, 0);
		strbuf_printf(sb, " is %u\n", p->ns_pid);
		err = sink_spill(v->out);
	}
	walk_fini(&w);
	return err;
}

int view_details(const struct view *v)
{
	struct details d = {.v = v};
	int err = 0;

	if (v->opts->max_rows)
		return 0;
	list_for_each (c, model_chans(v->m), struct chan, in_model) {
		if (err || !chan_concerns_target(c))
			continue;
		d.c = c;
		d.groups = false;
		model_facts(v->m, c, put_fact, &d);
		d.groups = true;
		model_facts(v->m, c, put_fact, &d);
		err = sink_spill(v->out);
	}
	if (d.titled)
		strbuf_putc(sink_buf(v->out), '\n');
	return err ? err : put_ns_pids(v);
}
