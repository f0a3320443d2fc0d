// SPDX-License-Identifier: BSD-2-Clause
/* trace - processes or a command traced from end to end: what no verb, or record, asks for. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/privileges.h"
#include "cmd/recorder.h"
#include "cmd/session.h"
#include "cmd/signals.h"
#include "export/walk.h"

#define NSEC_PER_MSEC 1000000ull
#define SHORT_MS      100 /* too short for anything to be seen */

/* What -v adds, on stderr: what the tracing itself took. */
static void print_stats(const struct session *s)
{
	struct probe_stats st;

	probe_stats(s->probe, &st);
	fprintf(stderr,
		"ipcspy: %llu records, %llu bytes, %llu lost, %llu malformed, ring %zu bytes, "
		"%llu ms\n",
		(unsigned long long)st.records, (unsigned long long)st.bytes,
		(unsigned long long)st.lost, (unsigned long long)s->malformed, st.ring_bytes,
		(unsigned long long)(s->cpu_ns / NSEC_PER_MSEC));
}

/* name: the user's, and so perhaps somebody else's: any bytes. */
static void error_about(const char *what, const char *name, const char *why)
{
	struct strbuf sb;

	strbuf_init(&sb);
	strbuf_put_escaped(&sb, name, strlen(name));
	cmd_error("%s %s: %s", what, sb.err ? "?" : sb.s, why);
	strbuf_fini(&sb);
}

static void say_unseen(const struct opts *o)
{
	struct strbuf sb;

	strbuf_init(&sb);
	strbuf_puts(&sb, "no process");
	if (o->comm) {
		strbuf_puts(&sb, " named '");
		strbuf_put_escaped(&sb, o->comm, strlen(o->comm));
	}
	if (o->cgroup) {
		strbuf_puts(&sb, o->comm ? "' or in cgroup '" : " in cgroup '");
		strbuf_put_escaped(&sb, o->cgroup, strlen(o->cgroup));
	}
	cmd_error("%s' was seen", sb.err ? "'" : sb.s);
	strbuf_fini(&sb);
}

/* A command has the terminal for itself, and its own first output. */
static void on_attached(const struct session *s)
{
	if (!s->command->argv && isatty(STDERR_FILENO))
		fputs("ipcspy: tracing, Ctrl-C ends\n", stderr);
}

static bool has_flows(const struct model *m)
{
	struct walk w = WALK_INIT;
	bool any = walk_flows(&w, m, FLOWS_BY_CHAN) || w.cnt;

	walk_fini(&w);
	return any;
}

/* An empty report that the user may not expect is explained. */
static void explain_nothing(const struct session *s)
{
	unsigned long long ms = (s->stopped_ns - s->attached_ns) / NSEC_PER_MSEC;

	if ((s->opts->comm || s->opts->cgroup) && !target_cnt(s->model))
		say_unseen(s->opts);
	if (signals_stop() && ms < SHORT_MS && !has_flows(s->model))
		cmd_error("ended by a signal %llu ms after tracing began: nothing was seen", ms);
}

static int report(struct session *s, int run_err)
{
	int err = run_err == -EPIPE || !s->out ? run_err : session_report(s);

	if (!err && !run_err)
		explain_nothing(s);
	if (s->opts->verbose)
		print_stats(s);
	if (err && err != -EPIPE && err != run_err) {
		error_about("cannot write the report to", s->out->name, strerror(-err));
		return EXIT_ERROR;
	}
	if (run_err && run_err != -EPIPE) {
		cmd_error("the trace broke off: %s", s->why.len ? s->why.s : strerror(-run_err));
		return EXIT_ERROR;
	}
	/* A reader that went away (`| head`) had what it wanted: no error. */
	return report_has_loss(s->model) || s->malformed ? EXIT_LOST : EXIT_WHOLE;
}

static int trace(struct session *s)
{
	int err = session_run(s), exec_err = command_exec_error(s->command);

	if (exec_err) {
		error_about("cannot run", s->command->argv[0], strerror(exec_err));
		return EXIT_ERROR;
	}
	if (!session_has_data(s)) {
		cmd_error("%s", s->why.len ? s->why.s : strerror(-err));
		return EXIT_ERROR;
	}
	return report(s, err);
}

/* What the recording took, and what is missing in it. Returns the exit status. */
static int say_recorded(const struct recorder *rec, const struct opts *o, int status)
{
	struct rec_stats st;

	if (!rec->writer)
		return status;
	rec_writer_stats(rec->writer, &st);
	if (o->verbose)
		fprintf(stderr,
			"ipcspy: recording: %llu bytes, %llu items, %llu left out, thread %llu "
			"ms\n",
			(unsigned long long)st.bytes, (unsigned long long)st.items,
			(unsigned long long)st.lost,
			(unsigned long long)(st.cpu_ns / NSEC_PER_MSEC));
	if (o->ring_ns && !st.files && status != EXIT_ERROR)
		cmd_error("no recording was written: there was no SIGUSR1%s",
			  o->on_finding ? ", and no such finding" : "");
	if (!st.lost)
		return status;
	cmd_error("the recording lacks %llu events: it could not be written fast enough",
		  (unsigned long long)st.lost);
	return status == EXIT_WHOLE ? EXIT_LOST : status;
}

static int traced(const struct opts *o, struct output *out, struct recorder *rec)
{
	struct command command = {0};
	struct session s;
	int status = EXIT_ERROR, err;

	err = session_init(&s, o, out, &command);
	s.on_attached = on_attached;
	s.observer = rec ? &rec->observer : NULL;
	if (err) {
		cmd_error("%s", s.why.len ? s.why.s : strerror(-err));
		goto fini_session;
	}
	if (o->command) {
		err = command_start(&command, o->command);
		if (err) {
			cmd_error("cannot start a process: %s", strerror(-err));
			goto fini_command;
		}
	}
	/* Ctrl-C on the terminal is for the command first; a second one is for us. */
	err = signals_init(o->command ? 1 : 0);
	if (!err && o->ring_ns)
		err = signals_catch_dump();
	if (err)
		cmd_error("cannot catch signals: %s", strerror(-err));
	else
		status = trace(&s);
	if (rec) {
		status = say_recorded(rec, o, status);
		recorder_stop(rec);
	}
fini_command:
	command_fini(&command);
fini_session:
	session_fini(&s);
	return status;
}

static const char *why_not(int err)
{
	if (err == -ELOOP)
		return "it is a symbolic link";
	if (err == -EEXIST)
		return "it exists; --force replaces it";
	return strerror(-err);
}

static int open_recorder(struct recorder *rec, const struct opts *o)
{
	int err = recorder_open(rec, o);

	if (err)
		error_about("cannot write to", o->record, why_not(err));
	return err;
}

static int open_output(struct output *out, const struct opts *o)
{
	int err = output_open(out, o);

	if (err)
		error_about("cannot write to", out->name, why_not(err));
	return err;
}

/* Everything that can fail cheaply comes first: files, targets, then the fork, then the load. */
int cmd_trace(const struct opts *o)
{
	struct recorder rec = {0};
	struct output out;
	int status = EXIT_ERROR, end;

	if (o->payload_bytes && privileges_are_borrowed()) {
		cmd_error("--payload shows what others say to each other: it needs privileges of "
			  "your own, run as root");
		return EXIT_ERROR;
	}
	if (o->record && open_recorder(&rec, o))
		goto close_recorder;
	if (o->quiet) {
		status = traced(o, NULL, &rec);
		goto close_recorder;
	}
	if (!open_output(&out, o))
		status = traced(o, &out, o->record ? &rec : NULL);
	output_close(&out);
close_recorder:
	if (o->record) {
		end = recorder_close(&rec);
		if (end) {
			error_about("cannot write to", o->record, strerror(-end));
			status = EXIT_ERROR;
		}
	}
	return status;
}
