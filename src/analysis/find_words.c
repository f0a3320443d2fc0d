// SPDX-License-Identifier: BSD-2-Clause
/*
 * Tasks that sleep on a futex word which is no more what it was when they fell asleep.
 *
 * With most locks and semaphores that is never so for long: who changes the word wakes
 * one of those who sleep, and that one changes it again. There are condition variables
 * that only count, though: after a wake-up of one, the others sleep on with an earlier
 * number, rightly. They are mostly inside one process.
 */
#include <errno.h>

#include "analysis/analysis.h"
#include "analysis/find.h"
#include "lib/human.h"

static bool is_suspect(const struct wait *w)
{
	return w->kind == WAIT_CHAN && w->chan && w->task && w->task->word_changed && !w->timed;
}

/* Is it the first of those who sleep on this word, by which the finding is told? */
static bool is_first(const struct graph *g, const struct wait *w)
{
	const struct wait *other = graph_first_at(g, w->chan);

	while (!is_suspect(other))
		other = graph_next_at(g, other);
	return other == w;
}

/* Proves it with all who sleep so on the word. Returns how many, or -ENOMEM. */
static int prove(struct finding *f, const struct graph *g, const struct wait *w)
{
	int cnt = 0;

	for (const struct wait *other = w; other; other = graph_next_at(g, other)) {
		if (!is_suspect(other))
			continue;
		if (find_prove(f, other->proc, other->tid, other->chan, -1))
			return -ENOMEM;
		cnt++;
	}
	return cnt;
}

static int report(struct findings *f, const struct graph *g, const struct wait *w)
{
	bool private = w->chan->mech == MECH_FUTEX_PRIVATE;
	struct finding *new = find_add(f, "lost-wakeup-suspect",
				       private ? SEVERITY_INFO : SEVERITY_WARNING, w->chan);
	struct strbuf sb;
	int cnt = new ? prove(new, g, w) : -ENOMEM;

	if (cnt < 0)
		return cnt;
	strbuf_init(&sb);
	find_put_proc(&sb, w->proc, w->tid);
	if (cnt > 1)
		strbuf_printf(&sb, " and %d more sleep on ", cnt - 1);
	else
		strbuf_puts(&sb, " sleeps on ");
	strbuf_puts(&sb, w->chan->name);
	if (w->task->since_ns && w->task->seen_ns > w->task->since_ns) {
		strbuf_puts(&sb, ", for ");
		human_ns(&sb, w->task->seen_ns - w->task->since_ns);
	}
	strbuf_printf(&sb, ", since it was %u. It is %u by now, and no wake-up came: ",
		      w->task->expected, w->task->found);
	strbuf_puts(&sb,
		    private ? "all right where the word only counts, as in some condition "
			      "variables; else a wake-up was lost."
			    : "whoever changed it has to call futex(FUTEX_WAKE) afterwards, or "
			      "died before it could.");
	return find_say(new, &sb);
}

int find_lost_wakeups(struct findings *f, const struct graph *g)
{
	int err = 0;

	for (const struct wait *w = g->waits; !err && w < g->waits + g->wait_cnt; w++)
		if (is_suspect(w) && chan_concerns_target(w->chan) && is_first(g, w))
			err = report(f, g, w);
	return err;
}
