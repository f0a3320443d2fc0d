// SPDX-License-Identifier: BSD-2-Clause
/* "Blocked now": operations entered and not returned, the worst first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analysis.h"
#include "lib/human.h"
#include "lib/syscalls.h"
#include "model/mech.h"
#include "view/sections.h"

#define NAMED_MAX 3 /* processes named in one cell */
#define IDLE_MAX  5 /* idle receivers below those that need a look */

static enum style cell_proc(struct strbuf *cell, const void *row, const void *arg)
{
	const struct inflight *i = row;

	view_put_proc(cell, arg, i->proc, i->tid);
	return STYLE_NONE;
}

static enum style cell_for(struct strbuf *cell, const void *row, const void *arg)
{
	const struct inflight *i = row;

	(void)arg;
	human_ns(cell, blocked_for_ns(i));
	if (i->before_attach)
		strbuf_putc(cell, '+');
	return STYLE_BAD;
}

static enum style cell_syscall(struct strbuf *cell, const void *row, const void *arg)
{
	const struct inflight *i = row;
	char buf[32];

	(void)arg;
	strbuf_puts(cell, syscall_name(i->nr, buf, sizeof(buf)));
	return STYLE_NONE;
}

static enum style cell_mech(struct strbuf *cell, const void *row, const void *arg)
{
	const struct inflight *i = row;

	(void)arg;
	strbuf_puts(cell, mech_name(i->mech));
	return STYLE_NONE;
}

static enum style cell_chan(struct strbuf *cell, const void *row, const void *arg)
{
	const struct inflight *i = row;

	if (i->chan)
		return view_put_chan(cell, arg, i->chan);
	strbuf_putc(cell, '-');
	return STYLE_NONE;
}

static enum style cell_fill(struct strbuf *cell, const void *row, const void *arg)
{
	const struct inflight *i = row;

	(void)arg;
	if (!i->chan || !i->chan->capacity) {
		strbuf_putc(cell, '-');
		return STYLE_NONE;
	}
	view_put_quantity(cell, i->chan, inflight_backlog(i));
	strbuf_puts(cell, " of ");
	view_put_quantity(cell, i->chan, i->chan->capacity);
	return STYLE_NONE;
}

static enum style cell_waits_for(struct strbuf *cell, const void *row, const void *arg)
{
	const struct inflight *i = row;
	const struct view *v = arg;
	struct proc *on[NAMED_MAX];
	size_t cnt = waits_for(i, on, NAMED_MAX);

	for (size_t k = 0; k < cnt && k < NAMED_MAX; k++) {
		if (k)
			strbuf_puts(cell, ", ");
		view_put_proc(cell, v, on[k], 0);
		strbuf_printf(cell, " (%s)",
			      on[k] == i->proc ? "itself" : proc_state(&v->states, on[k]));
	}
	if (cnt > NAMED_MAX)
		strbuf_printf(cell, ", %zu more", cnt - NAMED_MAX);
	if (!cnt)
		strbuf_putc(cell, '?');
	return STYLE_NONE;
}

enum rank {
	RANK_SENDER, /* has something to say, and cannot */
	RANK_CHAIN,  /* waits for one that is blocked, or for itself, or for a lock */
	RANK_IDLE,   /* waits for data, or for somebody to connect, as servers do */
};

static enum rank rank_of(const struct view *v, const struct inflight *i)
{
	struct proc *on[NAMED_MAX];
	size_t cnt;

	if (i->op == OP_SEND || i->op == OP_CONNECT)
		return RANK_SENDER;
	if (i->owner)
		return RANK_CHAIN;
	cnt = waits_for(i, on, NAMED_MAX);
	for (size_t k = 0; k < cnt && k < NAMED_MAX; k++)
		if (on[k] == i->proc || strcmp(proc_state(&v->states, on[k]), "blocked") == 0)
			return RANK_CHAIN;
	return RANK_IDLE;
}

/* Sorts w by rank, what is alike as it was; the counts of each rank in cnt. */
static int sort_by_rank(const struct view *v, struct walk *w, size_t cnt[RANK_IDLE + 1])
{
	const void **sorted = calloc(w->cnt + 1, sizeof(*sorted));
	enum rank *ranks = calloc(w->cnt + 1, sizeof(*ranks));
	size_t at = 0;

	for (size_t k = 0; sorted && ranks && k < w->cnt; k++) {
		ranks[k] = rank_of(v, w->v[k]);
		cnt[ranks[k]]++;
	}
	for (enum rank rank = RANK_SENDER; sorted && ranks && rank <= RANK_IDLE; rank++)
		for (size_t k = 0; k < w->cnt; k++)
			if (ranks[k] == rank)
				sorted[at++] = w->v[k];
	free(ranks);
	if (at < w->cnt) {
		free(sorted);
		return -ENOMEM;
	}
	free(w->v);
	w->v = sorted;
	return 0;
}

int view_blocked(const struct view *v)
{
	static const struct column cols[] = {
		{"PROCESS", ALIGN_LEFT, 20, CUT_COMM, cell_proc},
		{"FOR", ALIGN_RIGHT, 0, 0, cell_for},
		{"SYSCALL", ALIGN_LEFT, 0, 0, cell_syscall},
		{"MECHANISM", ALIGN_LEFT, 0, 0, cell_mech},
		{"CHANNEL", ALIGN_LEFT, 24, CUT_ADDR, cell_chan},
		{"FILLED", ALIGN_LEFT, 0, 0, cell_fill},
		{"WAITS FOR", ALIGN_LEFT, 30, CUT_LIST, cell_waits_for},
	};
	size_t cnt[RANK_IDLE + 1] = {0}, idle = 0;
	struct walk w = WALK_INIT;
	int err;

	err = walk_blocked(&w, v->m);
	if (!err)
		err = sort_by_rank(v, &w, cnt);
	/* Many that wait as ever would bury the few that matter. */
	if (v->opts->max_rows && cnt[RANK_IDLE] > IDLE_MAX && cnt[RANK_IDLE] < w.cnt) {
		idle = cnt[RANK_IDLE];
		w.cnt -= idle;
	}
	if (!err)
		err = view_table(v, "BLOCKED NOW, worst first", "blocked calls", cols,
				 sizeof(cols) / sizeof(cols[0]), &w);
	if (!err && idle)
		strbuf_printf(sink_buf(v->out), "And %zu that wait for data (-v shows them).\n",
			      idle);
	if (!err && !w.cnt)
		strbuf_puts(sink_buf(v->out), "\nBlocked now: nobody.\n");
	walk_fini(&w);
	return err;
}
