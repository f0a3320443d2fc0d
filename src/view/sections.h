/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sections.h - the parts of the text report, one file each. For report_text.c only.
 *
 * Each part prints its own title and nothing but it, and returns 0, -ENOMEM or
 * the sink's -errno.
 */
#ifndef IPCSPY_VIEW_SECTIONS_H
#define IPCSPY_VIEW_SECTIONS_H

#include "export/walk.h"
#include "view/report_text.h"

/* What every print function gets as its arg. */
struct view {
	struct sink *out;
	const struct text_opts *opts;
	const struct report_info *info;
	const struct model *m;
	struct states states;
	bool moment; /* one look, no trace */
};

int view_blocked(const struct view *v);     /* who is stuck, on what, because of whom */
int view_flows(const struct view *v);       /* who talks to whom */
int view_quiet_chans(const struct view *v); /* channels on which nothing was paired */
int view_shared(const struct view *v);      /* who maps what memory */
int view_findings(const struct view *v);    /* what deserves a look */
int view_details(const struct view *v);     /* -v: what only one kind of channel has */

/* "comm[pid]", with "/tid" inside where that is another number and not 0. */
void view_put_proc(struct strbuf *sb, const struct view *v, const struct proc *p, uint32_t tid);

/* The name, "!" behind it when events of the channel were lost. */
enum style view_put_chan(struct strbuf *sb, const struct view *v, const struct chan *c);

/* Cells of tables whose rows are channels. */
enum style view_cell_mech(struct strbuf *cell, const void *row, const void *arg);
enum style view_cell_chan(struct strbuf *cell, const void *row, const void *arg);

/* A quantity in the channel's unit: "12 KiB", "3 msg". */
void view_put_quantity(struct strbuf *sb, const struct chan *c, uint64_t value);

/*
 * Prints a title line and a table of the first rows of w, as many as the options allow,
 * and says how many more there are. Nothing at all when w is empty.
 */
int view_table(const struct view *v, const char *title, const char *what, const struct column *cols,
	       size_t col_cnt, const struct walk *w);

#endif
