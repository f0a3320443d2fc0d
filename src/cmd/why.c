// SPDX-License-Identifier: BSD-2-Clause
/* why - one look at the machine: who waits for whom, and who is at the end of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "analysis/analysis.h"
#include "analysis/doing.h"
#include "analysis/ways.h"
#include "cmd/cmd.h"
#include "cmd/look.h"
#include "cmd/output.h"
#include "cmd/signals.h"
#include "cmd/told.h"
#include "export/why_json.h"
#include "lib/human.h"
#include "lib/vec.h"
#include "probe/probe.h"
#include "probe/stacks.h"
#include "view/why.h"

#define NSEC_PER_SEC 1000000000ull
#define EVERY_NS     NSEC_PER_SEC /* between two looks of --watch */

#define CHAINS_WITH_STACKS 64 /* chains that are searched for those whose stacks are taken */

struct why {
	const struct opts *opts;
	struct output out;
	struct json json;
	struct probe *probe;
	struct look look;
	struct told told;          /* of --watch */
	bool looked;               /* at least once */
	size_t found;              /* of the processes that were asked for */
	const struct wait **shown; /* shown_cnt: whose chains are told, of this look */
	size_t shown_cnt, shown_cap;
	struct stacks stacks; /* of who is in those chains */
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

/*
 * Of --watch: has it lasted long enough, and was it not told yet? Each look finds a slightly
 * different time for the same sleep; another sleep began after the one that was seen.
 */
static bool is_due(const struct why *y, const struct wait *w)
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
	return !told_has(&y->told, w);
}

static int mark_told(struct why *y, const struct wait *w)
{
	bool at_least;
	uint64_t since = wait_since_ns(w, &at_least);

	return y->opts->watch ? told_add(&y->told, w, since, w->task ? w->task->seen_ns : now_ns())
			      : 0;
}

/* Its chain is one that was asked for. */
static int choose(struct why *y, const struct wait *w)
{
	y->found++;
	if (!is_due(y, w))
		return 0;
	if (vec_room((void **)&y->shown, &y->shown_cap, y->shown_cnt, sizeof(*y->shown)))
		return -ENOMEM;
	y->shown[y->shown_cnt++] = w;
	return mark_told(y, w);
}

static int choose_of_pid(struct why *y, uint32_t pid)
{
	const struct wait *w = graph_wait(&y->look.graph, pid), *threads;
	struct proc *p = model_proc_by_pid(y->look.model, pid);
	size_t cnt = 0;
	int err;

	if (!w) {
		if (!y->looked) /* else it has ended while it was watched */
			cmd_error("no process %u, or it ended just now", pid);
		return 0;
	}
	err = choose(y, w);
	threads = p && p->pid == pid ? graph_waits_of(&y->look.graph, p, &cnt) : NULL;
	for (size_t k = 0; !err && k < cnt; k++) {
		if (&threads[k] == w || graph_can_go_on(&y->look.graph, &threads[k]))
			continue;
		err = choose(y, &threads[k]);
		y->found--; /* it is one process */
	}
	return err;
}

static int choose_stuck(struct why *y)
{
	const struct graph *g = &y->look.graph;
	bool *begins = ways_begin(g);
	int err = begins ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < g->wait_cnt; i++)
		if (begins[i])
			err = choose(y, &g->waits[i]);
	free(begins);
	return err;
}

/* The tasks whose chains are to be told. */
static int choose_all(struct why *y)
{
	int err;

	y->found = y->shown_cnt = 0;
	err = y->opts->all ? choose_stuck(y) : 0;
	for (size_t i = 0; !err && i < y->opts->pid_cnt; i++)
		err = choose_of_pid(y, (uint32_t)y->opts->pids[i]);
	return err;
}

/* What those are doing that the chains end at. */
static int take_stacks(struct why *y)
{
	int err = 0;

	y->stacks.cnt = 0;
	for (size_t i = 0; !err && i < y->shown_cnt && i < CHAINS_WITH_STACKS; i++)
		err = doing_want(&y->stacks, &y->look.graph, y->shown[i]);
	if (!err && y->stacks.cnt)
		stacks_take(&y->stacks);
	y->look.graph.stacks = &y->stacks;
	return err;
}

static int each(struct why *y, int (*put)(struct why *y, const struct wait *w))
{
	int err = 0;

	for (size_t i = 0; !err && i < y->shown_cnt; i++)
		err = put(y, y->shown[i]);
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
	int err = choose_all(y);

	err = err ? err : take_stacks(y);
	if (!err)
		err = y->opts->format == FORMAT_JSON ? tell_json(y) : tell_text(y);
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
	int err;

	/* as a trace does: a look is to be short on a saturated machine, too */
	setpriority(PRIO_PROCESS, 0, -20);
	err = look(y);
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
	free(y.shown);
	output_close(&y.out);
	return status;
}
