// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/doing.h"

#include "analysis/chain.h"

static void want(struct stacks *s, const struct wait *w)
{
	bool runs = w->kind == WAIT_RUNS;

	if (!w->tid || w->tid & PID_OUTSIDE)
		return;
	if (runs || w->kind == WAIT_DISK || w->kind == WAIT_OTHER)
		stacks_want(s, w->tid, runs);
}

int doing_want(struct stacks *s, const struct graph *g, const struct wait *from)
{
	struct chain c;
	int err = chain_build(&c, g, from);

	if (!err)
		want(s, c.root);
	for (size_t i = 0; !err && i < c.cnt; i++)
		want(s, c.rows[i].wait);
	chain_fini(&c);
	return err;
}

const struct stack *doing_stack(const struct graph *g, const struct wait *w)
{
	return stack_of(g->stacks, w->tid);
}

void doing_put(struct strbuf *sb, const struct graph *g, const struct wait *w)
{
	const struct stack *st = doing_stack(g, w);
	const struct stack_frame *f = stack_function(st);

	if (!f || !st->runs)
		return;
	strbuf_puts(sb, " in ");
	strbuf_puts(sb, f->symbol);
	strbuf_puts(sb, "()");
}
