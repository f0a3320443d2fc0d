// SPDX-License-Identifier: BSD-2-Clause
#include "cmd/told.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/human.h"
#include "lib/vec.h"

void told_fini(struct told *t)
{
	free(t->rows);
	*t = (struct told){0};
}

static bool is_same(const struct told_row *row, const struct wait *w)
{
	bool at_least;
	uint64_t since = wait_since_ns(w, &at_least);

	return row->tid == w->tid && row->pid == w->proc->pid && since && since <= row->seen_ns;
}

bool told_has(const struct told *t, const struct wait *w)
{
	for (size_t i = 0; i < t->cnt; i++)
		if (is_same(&t->rows[i], w))
			return true;
	return false;
}

int told_add(struct told *t, const struct wait *w, uint64_t since_ns, uint64_t seen_ns)
{
	struct told_row *row;

	if (vec_room((void **)&t->rows, &t->cap, t->cnt, sizeof(*t->rows)))
		return -ENOMEM;
	row = &t->rows[t->cnt++];
	*row = (struct told_row){
		.pid = w->proc->pid, .tid = w->tid, .since_ns = since_ns, .seen_ns = seen_ns};
	snprintf(row->comm, sizeof(row->comm), "%s", w->proc->comm);
	return 0;
}

void told_sweep(struct told *t, const struct graph *g, uint64_t now_ns,
		const struct text_style *style, struct strbuf *sb)
{
	size_t left = 0;

	for (size_t i = 0; i < t->cnt; i++) {
		const struct told_row *row = &t->rows[i];
		const struct wait *w = graph_wait(g, row->tid);

		if (w && is_same(row, w)) {
			t->rows[left++] = *row;
			continue;
		}
		text_put(sb, style, row->comm);
		human_task(sb, row->pid, row->tid);
		strbuf_puts(sb, w && w->proc->pid == row->pid ? " goes on" : " has ended");
		strbuf_puts(sb, ", after at least ");
		human_ns(sb, now_ns - row->since_ns);
		strbuf_puts(sb, ".\n");
	}
	t->cnt = left;
}
