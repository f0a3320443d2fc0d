/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h - rows in columns that fit the width of a terminal.
 *
 * A table is described by an array of struct column; the renderer prints every
 * cell once, measures, and lays out. Columns that may shrink do so when there is
 * no room, widest first, and lose their middle, or what flags say (see cut.h).
 * What does not fit even then goes on to further, indented lines of each row. No line is ever
 * wider than asked.
 *
 * Cells must be safe for a terminal: print functions escape what a traced
 * process controls (text_put()). Nothing here owns rows.
 */
#ifndef IPCSPY_TABLE_H
#define IPCSPY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export/sink.h"

enum style { STYLE_NONE = 0, STYLE_BOLD, STYLE_DIM, STYLE_BAD, STYLE_WARN, STYLE_GOOD };

struct text_style {
	unsigned int width; /* columns of the terminal; read it with text_width() */
	bool colour;
	bool ascii; /* the output takes nothing else */
};

#define TEXT_WIDTH_MIN     40
#define TEXT_WIDTH_DEFAULT 100
#define TEXT_WIDTH_ENDLESS UINT16_MAX /* for what is no terminal: nothing is cut */

enum align { ALIGN_LEFT, ALIGN_RIGHT };

struct column {
	const char *title;
	enum align align;
	unsigned int shrink; /* 0: not cut; else: down to this width, if need be */
	unsigned int flags;  /* COL_* */
	/* Appends the cell, and says how it looks. */
	enum style (*print)(struct strbuf *cell, const void *row, const void *arg);
};

#define COL_OPTIONAL 0x1u /* left out when all its cells are "-" */
/* What is cut, where that is not the middle: */
#define CUT_ADDR 0x2u /* "tcp:a:p<->b:q": the addresses, never the ports */
#define CUT_COMM 0x4u /* "comm[pid]": the name, never the pid */
#define CUT_LIST 0x8u /* "a, b, c": items from the end, which then says how many */

#define TABLE_COLUMNS_MAX 24

/*
 * Prints titles and cnt rows; arg is handed to the print functions. Returns 0,
 * -EINVAL for too many columns, -ENOMEM, or the sink's -errno.
 */
int table_print(struct sink *out, const struct text_style *style, const struct column *cols,
		size_t col_cnt, const void *const *rows, size_t cnt, const void *arg);

/* Appends text that somebody else wrote, escaped for this output. */
void text_put(struct strbuf *sb, const struct text_style *style, const char *s);

/*
 * Appends s (len bytes, already escaped) in at most width columns, its middle left out when it is
 * longer. Returns the columns taken.
 */
size_t text_put_cut(struct strbuf *sb, const struct text_style *style, const char *s, size_t len,
		    size_t width);

/* Columns that a line may take. */
unsigned int text_width(const struct text_style *style);

/* Switches a style on and off again; nothing without colours. */
void text_on(struct strbuf *sb, const struct text_style *style, enum style how);
void text_off(struct strbuf *sb, const struct text_style *style, enum style how);

#endif
