/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_rows.h - the flows as the text report lists them: many alike as one row.
 *
 * A server's clients leave a closed connection each. Where more than a handful
 * of closed channels of one mechanism and place carried flows between processes
 * of the same names, one row tells of all of them. Rows borrow from the model;
 * flow_rows_fini() frees what they own.
 */
#ifndef IPCSPY_VIEW_FLOW_ROWS_H
#define IPCSPY_VIEW_FLOW_ROWS_H

#include "export/walk.h"

struct flow_row {
	const struct flow *f; /* the only one, or the busiest of those merged */
	size_t merged;        /* flows, 0: f alone, whose numbers count and not those below */
	char *place;          /* NULL, or what those merged have in common */
	uint64_t chan_cnt;
	size_t src_cnt, dst_cnt; /* processes, or addresses */
	uint64_t messages, bytes;
	uint64_t send_blocked_ns, recv_blocked_ns, stalled_ns;
	uint64_t backlog_max, capacity, dropped;
	struct hist latency;
};

struct flow_rows {
	struct flow_row *v;
	struct walk w; /* pointers to the rows, busiest first */
	const struct model *m;
};

/* merge: false for a row each. Returns 0 or -ENOMEM; flow_rows_fini() is due in each case. */
int flow_rows_init(struct flow_rows *r, const struct model *m, bool merge);
void flow_rows_fini(struct flow_rows *r);

/* How long the sender or receiver was blocked, and the sender stalled, on the flow's channel. */
uint64_t flow_blocked_ns(const struct flow *f, enum ep_role role);
uint64_t flow_stalled_ns(const struct model *m, const struct flow *f);

#endif
