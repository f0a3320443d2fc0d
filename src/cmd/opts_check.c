// SPDX-License-Identifier: BSD-2-Clause
/* What options cannot be together, and which must be there, for each verb. */
#include <errno.h>
#include <string.h>

#include "cmd/opts.h"
#include "export/format.h"
#include "lib/parse.h"

/* What is to be traced. */
static void check_filter(const struct opts *o, const char *verb, struct strbuf *why)
{
	bool filter = o->pid_cnt || o->comm || o->cgroup || o->all;

	if (*o->rest) {
		strbuf_puts(why, "'");
		strbuf_put_escaped(why, *o->rest, strlen(*o->rest));
		strbuf_printf(why, "' is no %s; to run it and trace it: ipcspy %s-- ",
			      *verb ? "option of record" : "command of ipcspy", verb);
		strbuf_put_escaped(why, *o->rest, strlen(*o->rest));
	} else if (o->command && !*o->command) {
		strbuf_puts(why, "no command after --");
	} else if (o->command && filter) {
		strbuf_puts(why, "a command after -- is the target: leave out -p, -n, -c and -a");
	} else if (!o->command && !filter) {
		strbuf_puts(why, "nothing to trace: give -p PID, -n NAME, -c CGROUP, -a for every "
				 "process, or -- COMMAND");
	} else if (o->all && (o->pid_cnt || o->comm || o->cgroup)) {
		strbuf_puts(why, "-a is every process: leave out -p, -n and -c, or -a");
	}
}

int opts_check_watch(struct opts *o, struct strbuf *why)
{
	check_filter(o, "", why);
	if (!why->len && o->interval_ns && (o->messages || o->format != FORMAT_TEXT))
		strbuf_puts(why, "-i repeats the text report: not with -t or --format json, jsonl");
	else if (!why->len && o->record && !strcmp(o->record, "-"))
		strbuf_puts(why, "--record takes a file; ipcspy record -o - writes to "
				 "standard output");
	else if (!why->len && o->record && o->output && !strcmp(o->record, o->output))
		strbuf_puts(why, "--record and -o name the same file");
	else if (!why->len && o->payload_bytes && !o->record && !o->messages &&
		 o->format != FORMAT_JSONL)
		strbuf_puts(why, "--payload is about messages: give -t, --format jsonl or "
				 "--record FILE, too");
	else if (!why->len && o->force && !o->record)
		strbuf_puts(why, "--force is about a recording: not without --record FILE");
	return why->len ? -EINVAL : why->err;
}

/* Samples of who is blocked, often enough to tell of a recorder that was killed. */
#define RECORD_INTERVAL_NS 5000000000ull
#define ALARM_INTERVAL_NS  1000000000ull

int opts_check_record(struct opts *o, struct strbuf *why)
{
	check_filter(o, "record -o FILE ", why);
	if (!why->len && !o->output)
		strbuf_puts(why, "record where to? give -o FILE, or -o - for standard output");
	else if (!why->len && !strcmp(o->output, "-") && o->command)
		strbuf_puts(why, "standard output is the command's: give -o FILE");
	else if (!why->len && !strcmp(o->output, "-") && (o->max_bytes || o->ring_ns))
		strbuf_puts(why, "--max-size and --ring write files: give -o FILE");
	else if (!why->len && o->max_files && !o->max_bytes && !o->ring_ns)
		strbuf_puts(why, "--max-files counts files of --max-size or of --ring");
	else if (!why->len && o->on_finding && !o->ring_ns)
		strbuf_puts(why, "--on-finding writes what --ring keeps");
	else if (!why->len && o->force && (o->max_bytes || o->ring_ns))
		strbuf_puts(why, "--force is not for --max-size and --ring: they replace no file");
	o->record = o->output;
	o->output = NULL;
	o->quiet = true;
	if (!o->interval_ns)
		o->interval_ns = o->on_finding ? ALARM_INTERVAL_NS : RECORD_INTERVAL_NS;
	return why->len ? -EINVAL : why->err;
}

/* One file, whose name may begin with a dash when it stands behind --. */
static void check_recording(struct opts *o, const char *verb, struct strbuf *why)
{
	if (o->command)
		o->rest = o->command;
	o->command = NULL;
	if (!o->rest[0])
		strbuf_printf(why,
			      "%s of what? give the file that ipcspy record wrote, "
			      "or - for standard input",
			      verb);
	else if (o->rest[1])
		strbuf_printf(why, "%s takes one file, and options before it", verb);
}

int opts_check_report(struct opts *o, struct strbuf *why)
{
	check_recording(o, "report", why);
	return why->len ? -EINVAL : why->err;
}

int opts_check_export(struct opts *o, struct strbuf *why)
{
	bool to_file = o->output && strcmp(o->output, "-") != 0;

	if (!o->to)
		o->to = formats[0];
	check_recording(o, "export", why);
	if (!why->len && o->force && !to_file)
		strbuf_puts(why, "--force is about a file: not without -o FILE");
	else if (!why->len && o->to->own_file && !to_file)
		strbuf_printf(why, "%s cannot be written to standard output: give -o FILE",
			      o->to->name);
	return why->len ? -EINVAL : why->err;
}

int opts_check_why(struct opts *o, struct strbuf *why)
{
	for (char *const *arg = o->command ? o->command : o->rest; *arg; arg++) {
		int err = parse_pids(*arg, &o->pids, &o->pid_cnt);

		if (err == -EINVAL || err == -ERANGE) {
			strbuf_puts(why, "why takes process ids, not '");
			strbuf_put_escaped(why, *arg, strlen(*arg));
			strbuf_puts(why, "'");
		}
		if (err)
			return why->len ? -EINVAL : err;
	}
	if (!o->pid_cnt && !o->all)
		strbuf_puts(why, "why who? give process ids, or -a for whoever is stuck");
	else if (o->pid_cnt && o->all)
		strbuf_puts(why, "-a is every process: leave out the process ids, or -a");
	else if (o->watch && o->format != FORMAT_TEXT)
		strbuf_puts(why, "--watch tells in text: not with --format json");
	return why->len ? -EINVAL : why->err;
}

int opts_check_doctor(struct opts *o, struct strbuf *why)
{
	if (*o->rest || o->command)
		strbuf_puts(why, "doctor takes no arguments");
	return why->len ? -EINVAL : why->err;
}
