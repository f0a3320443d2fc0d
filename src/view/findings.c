// SPDX-License-Identifier: BSD-2-Clause
/* Findings: one paragraph each, broken between words to fit the terminal. */
#include "analysis/findings.h"

#include <string.h>

#include "lib/utf8.h"
#include "view/sections.h"

#define INDENT 2

/* Columns of one word are counted, those of what is longer than a line are cut. */
static void put_words(struct strbuf *sb, const struct text_style *style, const char *s, size_t used)
{
	size_t width = text_width(style), len;

	for (; *s; s += len + strspn(s + len, " ")) {
		size_t columns;

		len = strcspn(s, " ");
		columns = utf8_str_width(s, len);
		if (used + 1 + columns > width && used > INDENT) {
			strbuf_putc(sb, '\n');
			strbuf_fill(sb, ' ', INDENT);
			used = INDENT;
		} else if (used > INDENT) {
			strbuf_putc(sb, ' ');
			used++;
		}
		used += text_put_cut(sb, style, s, len, width - used);
	}
	strbuf_putc(sb, '\n');
}

static int put_finding(const struct view *v, const struct finding *f)
{
	enum style how = f->severity == SEVERITY_CRITICAL  ? STYLE_BAD
			 : f->severity == SEVERITY_WARNING ? STYLE_WARN
							   : STYLE_NONE;
	const struct text_style *style = &v->opts->style;
	struct strbuf *sb = sink_buf(v->out), text;
	int err;

	text_on(sb, style, how);
	strbuf_printf(sb, "%s:", severity_name(f->severity));
	text_off(sb, style, how);
	strbuf_init(&text);
	text_put(&text, style, f->text);
	err = text.err;
	if (!err)
		put_words(sb, style, text.s, strlen(severity_name(f->severity)) + 1);
	strbuf_fini(&text);
	return err ? err : sink_spill(v->out);
}

int view_findings(const struct view *v)
{
	const struct text_style *style = &v->opts->style;
	struct strbuf *sb = sink_buf(v->out);
	struct findings f;
	int err = v->moment ? findings_init_moment(&f, v->m)
			    : findings_init(&f, v->m, v->info->blame);

	if (!err && f.cnt) {
		strbuf_putc(sb, '\n');
		text_on(sb, style, STYLE_BOLD);
		strbuf_puts(sb, "FINDINGS");
		text_off(sb, style, STYLE_BOLD);
		strbuf_putc(sb, '\n');
	}
	for (size_t i = 0; !err && i < f.cnt; i++)
		err = put_finding(v, &f.v[i]);
	findings_fini(&f);
	return err;
}
