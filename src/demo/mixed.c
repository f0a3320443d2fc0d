// SPDX-License-Identifier: BSD-2-Clause
/*
 * mixed.c - every mechanism at once: each workload that is no scenario runs as
 * a process of its own, and its truth is a part of this one's.
 *
 * A part is this program, executed again: it cannot know that it is one, so
 * what it says is what it says alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "opts.h"
#include "run.h"
#include "truth.h"

#define MAX_ARGS   16
#define GRACE_MS   2000 /* for a part to remove what it made when it is told to end */
#define POLL_MS    50
#define NUMBER_LEN 24

static const struct demo_workload *part(unsigned int idx)
{
	const struct demo_workload *w;

	for (size_t i = 0; (w = opts_workload(i)); i++)
		if (!w->scenario && !idx--)
			return w;
	return NULL;
}

static void part_truth(const struct demo_run *run, unsigned int idx, char *path, size_t len)
{
	snprintf(path, len, "%s/%u", run->dir, idx);
}

struct part_args {
	const char *argv[MAX_ARGS];
	char numbers[MAX_ARGS][NUMBER_LEN];
	unsigned int cnt;
};

static void add_number(struct part_args *a, const char *option, uint64_t value, const char *unit)
{
	char *text = a->numbers[a->cnt];

	snprintf(text, NUMBER_LEN, "%llu%s", (unsigned long long)value, unit);
	a->argv[a->cnt++] = option;
	a->argv[a->cnt++] = text;
}

/* The options of this run that the part heeds. */
static void part_args(struct part_args *a, const struct demo_workload *w, const struct demo_opts *o,
		      const char *truth)
{
	a->argv[a->cnt++] = "ipcspy-demo";
	a->argv[a->cnt++] = w->name;
	if (w->uses & DEMO_OPT_MESSAGES)
		add_number(a, "--messages", o->messages, "");
	if (w->uses & DEMO_OPT_SIZE)
		add_number(a, "--size", o->size, "");
	if (w->uses & DEMO_OPT_RATE)
		add_number(a, "--rate", o->rate, "");
	if (w->uses & DEMO_OPT_SEED)
		add_number(a, "--seed", o->seed, "");
	a->argv[a->cnt++] = "--truth";
	a->argv[a->cnt++] = truth;
}

static int part_main(struct demo_run *run, unsigned int idx, void *arg)
{
	struct part_args a = {.cnt = 0};
	char truth[RUN_DIR_LEN + 8], self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	part_truth(run, idx, truth, sizeof(truth));
	part_args(&a, arg, &run->opts, truth);
	/* what it has to say about a failure is said by its exit status */
	if (null >= 0)
		dup2(null, STDOUT_FILENO);
	/* not by that link itself: its name would be the process's */
	if (n > 0) {
		self[n] = '\0';
		execv(self, (char **)a.argv);
	}
	return run_fail_errno(run, -errno, "cannot execute this program again");
}

/* Parts clean up when they are asked to end, not when they are killed. */
static void end_parts(struct demo_run *run)
{
	for (unsigned int i = 0; i < run->proc_cnt; i++)
		if (run->procs[i].running)
			kill(run->procs[i].pid, SIGTERM);
	for (int waited = 0; run_alive(run) && waited < GRACE_MS; waited += POLL_MS)
		run_poll(run, POLL_MS);
}

static int mixed_start(struct demo_run *run)
{
	struct run_shape shape = {.chans = 1, .flows = 1, .lanes = 1};
	int err;

	while (part(shape.procs))
		shape.procs++;
	err = run_board(run, &shape);
	if (!err)
		err = run_make_dir(run);
	for (unsigned int i = 0; !err && i < shape.procs; i++)
		err = run_spawn(run, i, part(i)->name, part_main, (void *)part(i));
	return err;
}

static int mixed_run(struct demo_run *run)
{
	int err = mixed_start(run);

	if (!err)
		err = run_join(run, NULL, NULL);
	if (!err)
		return truth_write_parts(run, run->proc_cnt, part_truth);
	end_parts(run);
	return err;
}

const struct demo_workload demo_mixed = {
	.name = "mixed",
	.help = "every mechanism at once, each as its own workload does it",
	.scenario = true,
	.uses = DEMO_OPT_MESSAGES | DEMO_OPT_SIZE | DEMO_OPT_RATE | DEMO_OPT_SEED,
	.defaults = {.messages = 500,
		     .size = 256,
		     .rate = 500,
		     .senders = 1,
		     .receivers = 1,
		     .seed = 1},
	.run = mixed_run,
};
