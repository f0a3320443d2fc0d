/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reach.h - how far the waits of a trace's targets lead, of those who are stuck.
 *
 * A trace knows its targets and whom they talk to; they may wait for others behind those.
 * Found in the graph of a look at the whole machine. A struct reach is the caller's and
 * freed with reach_fini().
 */
#ifndef IPCSPY_ANALYSIS_REACH_H
#define IPCSPY_ANALYSIS_REACH_H

#include "analysis/graph.h"

struct reach {
	uint64_t *objects; /* ids; of channels that somebody waits for on the way */
	size_t object_cnt, object_cap;
	uint32_t *pids; /* who waits, or ends the way */
	size_t pid_cnt, pid_cap;
};

/* From the targets of traced on, in g. Returns 0 or -ENOMEM; reach_fini() is due in both cases. */
int reach_find(struct reach *r, const struct graph *g, const struct model *traced);
void reach_fini(struct reach *r);

#endif
