// SPDX-License-Identifier: BSD-2-Clause
/* report - what a live trace would have shown, from its recording. */
#include <errno.h>
#include <string.h>

#include "analysis/analysis.h"
#include "cmd/cmd.h"
#include "cmd/opts.h"
#include "cmd/output.h"
#include "cmd/replay.h"

struct shown {
	struct output out;
	struct replay replay;
};

static void on_message(void *arg, const struct message *msg)
{
	struct shown *sh = arg;

	if (chan_concerns_target(msg->chan))
		output_message(&sh->out, msg, sh->replay.start_ns);
}

static int on_block(void *arg)
{
	struct shown *sh = arg;

	return output_flush(&sh->out);
}

static int show(struct shown *sh, const char *name)
{
	struct replay *r = &sh->replay;
	int err = output_begin(&sh->out), run_err = err ? err : replay_run(r);

	/* Also of what was read until it failed. */
	if (!err && run_err != -EPIPE)
		err = output_report(&sh->out, &r->info, r->model);
	if (err && err != -EPIPE) {
		cmd_error_of(sh->out.name, strerror(-err));
		return EXIT_ERROR;
	}
	if (run_err && run_err != -EPIPE) {
		cmd_error_of(name, strerror(-run_err));
		return EXIT_ERROR;
	}
	return cmd_replayed(r, name, "reported");
}

int cmd_report(const struct opts *o)
{
	const char *name = *o->rest;
	struct shown sh;
	const struct replay_hooks hooks = {
		.message = o->messages || o->format == FORMAT_JSONL ? on_message : NULL,
		.block = on_block,
		.arg = &sh,
	};
	struct strbuf why;
	int status = EXIT_ERROR, err;

	strbuf_init(&why);
	err = replay_open(&sh.replay, name, &hooks, &why);
	if (err) {
		strbuf_puts(&why, why.len ? "" : strerror(-err));
		cmd_error_of(name, why.s);
		goto close_replay;
	}
	err = output_open(&sh.out, o);
	if (err)
		cmd_error_of(sh.out.name, err == -ELOOP ? "it is a symbolic link" : strerror(-err));
	else
		status = show(&sh, name);
	output_close(&sh.out);
close_replay:
	replay_close(&sh.replay);
	strbuf_fini(&why);
	return status;
}
