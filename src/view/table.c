// SPDX-License-Identifier: BSD-2-Clause
#include "view/table.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/utf8.h"
#include "view/cut.h"

#define GAP    2
#define INDENT 2 /* of a row's further lines */

struct cell {
	size_t at; /* in the table's text */
	uint32_t len, width;
	enum style style;
};

#define HIDDEN UINT_MAX

struct table {
	const struct text_style *style;
	const struct column *cols;
	size_t col_cnt, row_cnt;
	struct strbuf text;
	struct cell *cells; /* titles first, then the rows */
	unsigned int width[TABLE_COLUMNS_MAX];
	unsigned int line[TABLE_COLUMNS_MAX]; /* where each column stands; HIDDEN: nowhere */
	unsigned int line_cnt;
};

void text_put(struct strbuf *sb, const struct text_style *style, const char *s)
{
	if (style->ascii)
		strbuf_put_escaped_ascii(sb, s, strlen(s));
	else
		strbuf_put_escaped(sb, s, strlen(s));
}

void text_on(struct strbuf *sb, const struct text_style *style, enum style how)
{
	static const char *const codes[] = {
		[STYLE_BOLD] = "\033[1m",  [STYLE_DIM] = "\033[2m",   [STYLE_BAD] = "\033[31m",
		[STYLE_WARN] = "\033[33m", [STYLE_GOOD] = "\033[32m",
	};

	if (style->colour && how != STYLE_NONE)
		strbuf_puts(sb, codes[how]);
}

void text_off(struct strbuf *sb, const struct text_style *style, enum style how)
{
	if (style->colour && how != STYLE_NONE)
		strbuf_puts(sb, "\033[0m");
}

unsigned int text_width(const struct text_style *style)
{
	return style->width < TEXT_WIDTH_MIN ? TEXT_WIDTH_MIN : style->width;
}

static void end_cell(struct table *t, struct cell *c, enum style how)
{
	c->len = (uint32_t)(t->text.len - c->at);
	c->width = (uint32_t)utf8_str_width(t->text.s + c->at, c->len);
	c->style = how;
}

/* Prints every cell into the table's text and notes the widest of each column. */
static int fill(struct table *t, const void *const *rows, const void *arg)
{
	struct cell *c;

	t->cells = calloc((t->row_cnt + 1) * t->col_cnt, sizeof(*t->cells));
	if (!t->cells)
		return -ENOMEM;
	c = t->cells;
	for (size_t i = 0; i < t->col_cnt; i++, c++) {
		c->at = t->text.len;
		strbuf_puts(&t->text, t->cols[i].title);
		end_cell(t, c, STYLE_BOLD);
		t->width[i] = c->width;
	}
	for (size_t r = 0; r < t->row_cnt; r++) {
		for (size_t i = 0; i < t->col_cnt; i++, c++) {
			c->at = t->text.len;
			end_cell(t, c, t->cols[i].print(&t->text, rows[r], arg));
			if (c->width > t->width[i])
				t->width[i] = c->width;
		}
	}
	return t->text.err;
}

/* Every row has nothing to say here. */
static bool is_idle(const struct table *t, size_t col)
{
	for (size_t r = 1; r <= t->row_cnt; r++) {
		const struct cell *c = &t->cells[r * t->col_cnt + col];

		if (c->len != 1 || t->text.s[c->at] != '-')
			return false;
	}
	return true;
}

/* What a column takes when it gave all it can. */
static unsigned int least(const struct table *t, size_t col)
{
	unsigned int shrink = t->cols[col].shrink;

	return shrink && shrink < t->width[col] ? shrink : t->width[col];
}

/* Puts columns side by side while their least widths fit, then goes on below. */
static void break_lines(struct table *t)
{
	size_t used = 0;

	for (size_t i = 0; i < t->col_cnt; i++) {
		if (t->cols[i].flags & COL_OPTIONAL && is_idle(t, i)) {
			t->line[i] = HIDDEN;
			continue;
		}
		if (used && used + GAP + least(t, i) > text_width(t->style)) {
			t->line_cnt++;
			used = INDENT;
		} else if (used) {
			used += GAP;
		}
		used += least(t, i);
		t->line[i] = t->line_cnt;
	}
	t->line_cnt++;
}

static size_t line_width(const struct table *t, unsigned int line)
{
	size_t sum = line ? INDENT : 0, cnt = 0;

	for (size_t i = 0; i < t->col_cnt; i++) {
		if (t->line[i] != line)
			continue;
		sum += t->width[i];
		cnt++;
	}
	return sum + (cnt ? (cnt - 1) * GAP : 0);
}

/* Takes from the widest shrinkable column until the line fits or nothing can give. */
static void shrink_line(struct table *t, unsigned int line)
{
	size_t sum = line_width(t, line);

	for (; sum > text_width(t->style); sum--) {
		size_t widest = t->col_cnt;

		for (size_t i = 0; i < t->col_cnt; i++) {
			if (t->line[i] != line || t->width[i] <= least(t, i))
				continue;
			if (widest == t->col_cnt || t->width[i] > t->width[widest])
				widest = i;
		}
		if (widest == t->col_cnt)
			return;
		t->width[widest]--;
	}
}

/* Bytes of s that fit in width columns, from the front or from the back. */
static size_t fit(const char *s, size_t len, size_t width, bool back, size_t *used)
{
	size_t total = utf8_str_width(s, len), at = 0, skipped = 0;
	unsigned int n;
	uint32_t cp;

	*used = 0;
	while (at < len) {
		unsigned int w;

		n = utf8_next(s + at, len - at, &cp);
		w = n ? utf8_width(cp) : 1;
		if (back) {
			if (total - skipped <= width)
				break;
			skipped += w;
		} else {
			if (*used + w > width)
				break;
			*used += w;
		}
		at += n ? n : 1;
	}
	if (back)
		*used = total - skipped;
	return back ? len - at : at;
}

size_t text_put_cut(struct strbuf *sb, const struct text_style *style, const char *s, size_t len,
		    size_t width)
{
	size_t head, head_used, tail, tail_used, natural = utf8_str_width(s, len);

	if (natural <= width) {
		strbuf_put(sb, s, len);
		return natural;
	}
	if (!width)
		return 0;
	tail = fit(s, len, (width - 1) / 2, true, &tail_used);
	head = fit(s, len, width - 1 - tail_used, false, &head_used);
	strbuf_put(sb, s, head);
	strbuf_puts(sb, style->ascii ? "~" : "…");
	strbuf_put(sb, s + len - tail, tail);
	return head_used + 1 + tail_used;
}

/* Blanks are written only in front of something: lines do not end in them. */
static void put_line(struct strbuf *sb, const struct table *t, const struct cell *row,
		     unsigned int line)
{
	size_t at = line ? INDENT : 0, written = 0, full = text_width(t->style);

	for (size_t i = 0; i < t->col_cnt; i++) {
		size_t width, start;

		if (t->line[i] != line)
			continue;
		width = t->width[i] < full - at ? t->width[i] : full - at;
		if (row[i].width) {
			start = at;
			if (t->cols[i].align == ALIGN_RIGHT && row[i].width < width)
				start += width - row[i].width;
			strbuf_fill(sb, ' ', start - written);
			text_on(sb, t->style, row[i].style);
			written = start + cut_put(sb, t->style, t->text.s + row[i].at, row[i].len,
						  width, t->cols[i].flags);
			text_off(sb, t->style, row[i].style);
		}
		at += width + GAP;
	}
	strbuf_putc(sb, '\n');
}

int table_print(struct sink *out, const struct text_style *style, const struct column *cols,
		size_t col_cnt, const void *const *rows, size_t cnt, const void *arg)
{
	struct table t = {.style = style, .cols = cols, .col_cnt = col_cnt, .row_cnt = cnt};
	int err;

	if (col_cnt > TABLE_COLUMNS_MAX)
		return -EINVAL;
	strbuf_init(&t.text);
	err = fill(&t, rows, arg);
	if (err)
		goto out;
	break_lines(&t);
	for (unsigned int line = 0; line < t.line_cnt; line++)
		shrink_line(&t, line);
	for (size_t r = 0; r <= cnt && !err; r++) {
		const struct cell *row = t.cells + r * col_cnt;

		for (unsigned int line = 0; line < t.line_cnt; line++)
			put_line(sink_buf(out), &t, row, line);
		err = sink_spill(out);
	}
out:
	free(t.cells);
	strbuf_fini(&t.text);
	return err;
}
