// SPDX-License-Identifier: BSD-2-Clause
/* export - the messages of a recording, in the formats of other programs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/opts.h"
#include "cmd/replay.h"
#include "cmd/signals.h"
#include "export/format.h"
#include "export/gzip.h"
#include "lib/human.h"
#include "lib/newfile.h"

#define NSEC_PER_SEC   1000000000ull
#define PROGRESS_AFTER NSEC_PER_SEC /* what is done sooner needs no progress */
#define PROGRESS_EVERY (NSEC_PER_SEC / 5)

struct export
{
	const struct opts *opts;
	const char *in, *out; /* names for people */
	struct replay replay;
	struct newfile file; /* fd -1: standard output */
	struct sink sink;
	struct gzip gzip;
	struct exporter exporter;
	bool writing;  /* nothing is left to be read */
	bool terminal; /* stderr is one: progress is shown */
	uint64_t begun_ns, told_ns;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* One line that is written over, in place of many. */
static void show_progress(struct export *x)
{
	const struct replay *r = &x->replay;
	uint64_t now = now_ns();
	struct strbuf sb;

	if (!x->terminal || now - x->begun_ns < PROGRESS_AFTER || now - x->told_ns < PROGRESS_EVERY)
		return;
	x->told_ns = now;
	strbuf_init(&sb);
	human_bytes(&sb, r->read_bytes);
	if (r->total_bytes) {
		strbuf_puts(&sb, " of ");
		human_bytes(&sb, r->total_bytes);
		strbuf_printf(&sb, ", %u %%",
			      (unsigned int)((double)r->read_bytes * 100 / (double)r->total_bytes));
	}
	fprintf(stderr, "\ripcspy: %s\033[K", sb.s);
	strbuf_fini(&sb);
}

static void end_progress(const struct export *x)
{
	if (x->told_ns)
		fputs("\r\033[K", stderr);
}

static int on_block(void *arg)
{
	struct export *x = arg;

	show_progress(x);
	if (signals_stop())
		return -EINTR;
	return x->exporter.err;
}

static void on_message(void *arg, const struct message *msg)
{
	struct export *x = arg;

	exporter_on_message(&x->exporter, msg);
}

static void on_op(void *arg, const struct operation *op)
{
	struct export *x = arg;

	exporter_on_op(&x->exporter, op);
}

static const char *reason(const struct export *x, int err)
{
	if (x->exporter.err == err && x->exporter.why.len)
		return x->exporter.why.s;
	if (err == -ELOOP)
		return "it is a symbolic link";
	if (err == -EEXIST)
		return "it exists; --force replaces it";
	return strerror(-err);
}

static bool ends_in(const char *s, const char *end)
{
	size_t len = strlen(s), end_len = strlen(end);

	return len > end_len && !strcmp(s + len - end_len, end);
}

/* The file, or standard output. */
static int open_output(struct export *x)
{
	const struct opts *o = x->opts;
	int err = 0;

	if (strcmp(x->out, "-") != 0)
		err = newfile_open(&x->file, x->out, o->force);
	else
		x->out = "stdout";
	if (err)
		return err;
	x->sink.fd = x->file.fd >= 0 ? x->file.fd : STDOUT_FILENO;
	x->exporter.escape = isatty(x->sink.fd);
	if (x->exporter.escape && o->to->binary) {
		strbuf_puts(&x->exporter.why, "nothing for a terminal: give -o FILE");
		return x->exporter.err = -EINVAL;
	}
	if (o->to->own_file && !x->file.made) {
		strbuf_puts(&x->exporter.why, "it must be a file");
		return x->exporter.err = -EINVAL;
	}
	x->exporter.path = x->file.temp ? x->file.temp : x->out;
	return !o->to->own_file && ends_in(x->out, ".gz") ? gzip_open(&x->gzip, &x->sink) : 0;
}

static int write_all(struct export *x)
{
	int err = exporter_begin(&x->exporter), e;

	err = err ? err : replay_run(&x->replay);
	if (err)
		return err;
	x->writing = true;
	err = exporter_end(&x->exporter, x->replay.model);
	e = gzip_close(&x->gzip);
	return err ? err : e;
}

static int failed(struct export *x, int err)
{
	if (err == -EPIPE) /* who read it has seen enough */
		return EXIT_WHOLE;
	if (err == -EINTR)
		return EXIT_ERROR;
	cmd_error_of(x->writing || x->exporter.err ? x->out : x->in, reason(x, err));
	return EXIT_ERROR;
}

static int convert(struct export *x)
{
	int err = open_output(x), status;

	if (err && err != -EPIPE) {
		cmd_error_of(x->out, reason(x, err));
		return EXIT_ERROR;
	}
	x->begun_ns = now_ns();
	err = write_all(x);
	end_progress(x);
	if (err)
		return failed(x, err);
	err = newfile_commit(&x->file);
	if (err) {
		cmd_error_of(x->out, strerror(-err));
		return EXIT_ERROR;
	}
	status = cmd_replayed(&x->replay, x->in, "exported");
	if (x->exporter.note)
		cmd_error_of(x->in, x->exporter.note);
	/* what is exported does not say so itself, as a report does */
	if (status == EXIT_LOST && !x->replay.truncated)
		cmd_error_of(x->in, "events were lost or not understood: what is exported is not "
				    "whole, see ipcspy report");
	return status;
}

int cmd_export(const struct opts *o)
{
	struct export x = {
		.opts = o,
		.in = *o->rest,
		.out = o->output ? o->output : "-",
		.file.fd = -1,
		.terminal = isatty(STDERR_FILENO),
	};
	const struct replay_hooks hooks = {
		.message = o->to->message ? on_message : NULL,
		.op = o->to->op ? on_op : NULL,
		.block = on_block,
		.arg = &x,
	};
	struct strbuf why;
	int status = EXIT_ERROR, err;

	strbuf_init(&why);
	sink_init_fd(&x.sink, -1);
	exporter_init(&x.exporter, o->to, &x.sink);
	/* Ctrl-C is for who writes into our standard input; what comes then is still wanted. */
	err = signals_init(!strcmp(x.in, "-"));
	err = err ? err : replay_open(&x.replay, x.in, &hooks, &why);
	if (err) {
		cmd_error_of(x.in, why.len ? why.s : strerror(-err));
	} else {
		x.exporter.info = &x.replay.info;
		x.exporter.start_ns = x.replay.start_ns;
		status = convert(&x);
	}
	exporter_fini(&x.exporter);
	gzip_close(&x.gzip);
	sink_fini(&x.sink);
	newfile_close(&x.file);
	replay_close(&x.replay);
	strbuf_fini(&why);
	return status;
}
