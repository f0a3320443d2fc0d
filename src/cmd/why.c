// SPDX-License-Identifier: BSD-2-Clause
/* why - one look at the machine: who waits for whom, and who is at the end of it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "analysis/analysis.h"
#include "cmd/cmd.h"
#include "cmd/look.h"
#include "cmd/output.h"
#include "cmd/signals.h"
#include "cmd/told.h"
#include "export/why_json.h"
#include "lib/human.h"
#include "probe/probe.h"
#include "view/why.h"

#define NSEC_PER_SEC 1000000000ull
#define EVERY_NS     NSEC_PER_SEC /* between two looks of --watch */

struct why {
	const struct opts *opts;
	struct output out;
	struct json json;
	struct probe *probe;
	struct look look;
	struct told told; /* of --watch */
	bool looked;      /* at least once */
	size_t found;     /* of the processes that were asked for */
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static int look(struct why *y)
{
	int err = look_begin(&y->look);

	if (err)
		return err;
	if (y->probe) {
		err = probe_snapshot(y->probe, SNAPF_HOLDS | SNAPF_FIRST);
	} else {
		err = probe_new(&y->probe, &(struct probe_opts){.look = true,
								.objects = y->opts->all,
								.mech_mask = y->opts->mech_mask,
								.on_record = look_record,
								.on_record_arg = &y->look});
		err = err ? err : probe_attach(y->probe);
	}
	return err ? err : look_end(&y->look);
}

/* Somebody else waits for it, so it is in that one's chain. */
static bool is_waited_for(const struct graph *g, const struct wait *w)
{
	for (size_t i = 0; i < g->wait_cnt; i++)
		if (&g->waits[i] != w && !graph_can_go_on(g, &g->waits[i]) &&
		    graph_next(g, &g->waits[i]) == w)
			return true;
	return false;
}

/* The first of its knot stands for it. */
static bool is_first_of_knot(const struct graph *g, const struct wait *w)
{
	uint32_t knot = graph_knot(g, w);

	for (const struct wait *other = g->waits; other < w; other++)
		if (graph_knot(g, other) == knot)
			return false;
	return true;
}

/* Where a chain of the stuck begins. One that is stopped or a zombie, alone, is no chain. */
static bool begins_chain(const struct graph *g, const struct wait *w)
{
	if (graph_can_go_on(g, w) || !graph_next(g, w))
		return false;
	if (graph_knot(g, w) == KNOT_NONE)
		return !is_waited_for(g, w);
	if (!is_first_of_knot(g, w))
		return false;
	/* unless a chain from outside leads into it */
	for (size_t i = 0; i < g->wait_cnt; i++) {
		const struct wait *from = &g->waits[i], *next = graph_next(g, from);

		if (next && graph_knot(g, from) == KNOT_NONE &&
		    graph_knot(g, next) == graph_knot(g, w))
			return false;
	}
	return true;
}

/*
 * Of --watch: has it lasted long enough, and was it not told yet? Each look finds a slightly
 * different time for the same sleep; another sleep began after the one that was seen.
 */
static bool is_due(struct why *y, const struct wait *w)
{
	bool at_least;
	uint64_t since = wait_since_ns(w, &at_least), now = now_ns();

	if (!y->opts->watch)
		return true;
	if (!since || w->timed || now < since || now - since < y->opts->watch_ns)
		return false;
	/* idle; a FIFO or a lock is another matter: open(2) and flock(2) are no calls to wait in */
	if (w->outside && w->kind != WAIT_OPEN && w->kind != WAIT_LOCK)
		return false;
	return !told_has(&y->told, w) &&
	       !told_add(&y->told, w, since, w->task ? w->task->seen_ns : now);
}

/* Calls put for each task whose chain is to be told. Returns the first error. */
static int each(struct why *y, int (*put)(struct why *y, const struct wait *w))
{
	const struct graph *g = &y->look.graph;
	int err = 0;

	y->found = 0;
	for (size_t i = 0; y->opts->all && !err && i < g->wait_cnt; i++) {
		if (!begins_chain(g, &g->waits[i]))
			continue;
		y->found++;
		err = put(y, &g->waits[i]);
	}
	for (size_t i = 0; !err && i < y->opts->pid_cnt; i++) {
		uint32_t pid = (uint32_t)y->opts->pids[i];
		struct proc *p = model_proc_by_pid(y->look.model, pid);
		const struct wait *w = graph_wait(g, pid), *threads;
		size_t cnt = 0;

		if (!w) {
			if (!y->looked) /* else it has ended while it was watched */
				cmd_error("no process %u, or it ended just now", pid);
			continue;
		}
		y->found++;
		err = put(y, w);
		threads = p && p->pid == pid ? graph_waits_of(g, p, &cnt) : NULL;
		for (size_t k = 0; !err && k < cnt; k++)
			if (&threads[k] != w && !graph_can_go_on(g, &threads[k]))
				err = put(y, &threads[k]);
	}
	return err;
}

/* What is left to read in the morning says when it was. */
static void put_time(struct strbuf *sb)
{
	time_t now = time(NULL);
	char buf[32];
	struct tm tm;

	if (localtime_r(&now, &tm) && strftime(buf, sizeof(buf), "%F %T", &tm))
		strbuf_printf(sb, "%s\n", buf);
}

/* Of --watch: what was told and is over. */
static int put_over(struct why *y)
{
	struct strbuf over;
	int err;

	strbuf_init(&over);
	told_sweep(&y->told, &y->look.graph, now_ns(), &y->out.text.style, &over);
	err = over.err;
	if (!err && over.len) {
		strbuf_putc(sink_buf(&y->out.sink), '\n');
		put_time(sink_buf(&y->out.sink));
		strbuf_puts(sink_buf(&y->out.sink), over.s);
	}
	strbuf_fini(&over);
	return err;
}

static int put_text(struct why *y, const struct wait *w)
{
	struct strbuf *sb = sink_buf(&y->out.sink);
	int err;

	if (!is_due(y, w))
		return 0;
	if (y->out.head_done)
		strbuf_putc(sb, '\n');
	y->out.head_done = true;
	if (y->opts->watch)
		put_time(sb);
	err = why_text(&y->out.sink, &y->out.text, &y->look.graph, w);
	return err ? err : output_flush(&y->out);
}

static int put_json(struct why *y, const struct wait *w)
{
	return why_json(&y->json, &y->look.graph, w);
}

static int tell_json(struct why *y)
{
	struct json *j = &y->json;
	int err;

	json_init(j, &y->out.sink, 3);
	json_object(j, NULL);
	json_u64(j, "schema", 1);
	json_str(j, "ipcspy", IPCSPY_VERSION);
	json_u64(j, "tasks", y->look.graph.wait_cnt);
	json_array(j, "why");
	err = each(y, put_json);
	json_end(j);
	err = err ? err : findings_moment_json(j, y->look.model);
	unseen_json(j, y->look.model);
	json_end(j);
	return err ? err : json_finish(j);
}

static int tell_text(struct why *y)
{
	struct strbuf *sb = sink_buf(&y->out.sink);
	int err = y->opts->watch ? put_over(y) : 0;

	err = err ? err : each(y, put_text);
	if (err || !y->opts->all || y->opts->watch)
		return err;
	if (!y->found)
		strbuf_printf(sb, "Nothing is stuck: each of %zu tasks can go on.\n",
			      y->look.graph.wait_cnt);
	err = why_findings_text(&y->out.sink, &y->out.text, y->look.model);
	return err ? err : why_unseen_text(&y->out.sink, y->look.model);
}

static int tell(struct why *y)
{
	int err = y->opts->format == FORMAT_JSON ? tell_json(y) : tell_text(y);

	return err ? err : sink_flush(&y->out.sink);
}

/* Until a signal comes, or everybody who was asked about has ended. */
static int watch(struct why *y)
{
	const struct timespec every = {.tv_sec = EVERY_NS / NSEC_PER_SEC};
	int err = 0;

	while (!err && !signals_stop() && (y->found || y->opts->all)) {
		nanosleep(&every, NULL);
		if (signals_stop())
			break;
		y->looked = true;
		err = look(y);
		err = err ? err : tell(y);
	}
	return err;
}

/* It may say nothing for long. */
static void put_intent(struct why *y)
{
	struct strbuf *sb = sink_buf(&y->out.sink);

	strbuf_puts(sb, "Looking every second for who waits longer than ");
	human_ns(sb, y->opts->watch_ns);
	strbuf_puts(sb, "; Ctrl-C ends it.\n");
}

static int run(struct why *y)
{
	int err = look(y);

	if (err) {
		cmd_error("%s", y->probe ? probe_error(y->probe) : strerror(-err));
		return EXIT_ERROR;
	}
	if (y->opts->watch && y->out.terminal)
		put_intent(y);
	err = tell(y);
	if (!err && y->opts->watch)
		err = watch(y);
	if (err && err != -EPIPE) {
		cmd_error("cannot tell: %s", strerror(-err));
		return EXIT_ERROR;
	}
	return y->opts->pid_cnt && !y->found && !y->looked ? EXIT_ERROR : EXIT_WHOLE;
}

int cmd_why(const struct opts *o)
{
	struct why y = {.opts = o};
	int err, status = EXIT_ERROR;

	err = output_open(&y.out, o);
	if (!err)
		err = signals_init(0);
	if (err)
		cmd_error("%s", strerror(-err));
	else
		status = run(&y);
	look_fini(&y.look);
	probe_free(y.probe);
	told_fini(&y.told);
	output_close(&y.out);
	return status;
}
