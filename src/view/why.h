/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * why.h - the chain from one who waits to the root cause, for people.
 */
#ifndef IPCSPY_VIEW_WHY_H
#define IPCSPY_VIEW_WHY_H

#include "analysis/chain.h"
#include "view/report_text.h"

/* The tree and the verdict. Returns 0, -ENOMEM, or the sink's -errno. */
int why_text(struct sink *out, const struct text_opts *opts, const struct graph *g,
	     const struct wait *from);

/* What is found on the whole machine. */
int why_findings_text(struct sink *out, const struct text_opts *opts, const struct model *m);

/* Of which mechanisms there may be more that nobody uses. */
int why_unseen_text(struct sink *out, const struct model *m);

#endif
