/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * told.h - which waits `why --watch` has told of, so that each is told once, and its end.
 *
 * A wait is the same as long as it began before it was told: when it began is an estimate
 * that differs a little from look to look. Owns its rows, which are as many as there are
 * waits that were told and still last.
 */
#ifndef IPCSPY_CMD_TOLD_H
#define IPCSPY_CMD_TOLD_H

#include "analysis/graph.h"
#include "lib/strbuf.h"
#include "view/table.h"

struct told_row {
	char comm[IPCSPY_COMM_LEN + 1];
	uint32_t pid, tid;
	uint64_t since_ns, seen_ns; /* when it was seen that was told: CLOCK_MONOTONIC */
};

struct told {
	struct told_row *rows;
	size_t cnt, cap;
};

void told_fini(struct told *t);

/* Was this wait told already? */
bool told_has(const struct told *t, const struct wait *w);

/* Returns 0 or -ENOMEM. */
int told_add(struct told *t, const struct wait *w, uint64_t since_ns, uint64_t seen_ns);

/* Appends a line for each that is over by now, and forgets it. */
void told_sweep(struct told *t, const struct graph *g, uint64_t now_ns,
		const struct text_style *style, struct strbuf *sb);

#endif
