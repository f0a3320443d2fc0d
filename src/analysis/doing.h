/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doing.h - whose stacks say more of a chain: those at its ends, that nobody keeps waiting.
 */
#ifndef IPCSPY_ANALYSIS_DOING_H
#define IPCSPY_ANALYSIS_DOING_H

#include "analysis/graph.h"
#include "lib/stack.h"
#include "lib/strbuf.h"

/* Names those of the chain from this wait, its root first. Returns 0 or -ENOMEM. */
int doing_want(struct stacks *s, const struct graph *g, const struct wait *from);

/* What is known of what w does; NULL: nothing. */
const struct stack *doing_stack(const struct graph *g, const struct wait *w);

/* Appends " in f()" to what w does, if it runs and that is known. */
void doing_put(struct strbuf *sb, const struct graph *g, const struct wait *w);

#endif
