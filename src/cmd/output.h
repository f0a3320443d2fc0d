/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * output.h - where a trace's output goes and what it looks like there.
 *
 * Chooses between stdout, stderr (while a command has stdout) and a file, and
 * between the formats. The file is opened before anything is traced and keeps
 * what is in it until output_begin(). Live reports are painted on the alternate
 * screen. Errors of writing stick in the sink; a reader that went away is -EPIPE.
 */
#ifndef IPCSPY_OUTPUT_H
#define IPCSPY_OUTPUT_H

#include "cmd/opts.h"
#include "export/report.h"
#include "export/sink.h"
#include "view/report_text.h"

struct output {
	struct sink sink;
	const char *name; /* for error messages */
	bool terminal, repaint, owns_fd;
	bool lines; /* one for each message */
	bool lines_json;
	enum format report;
	bool head_done; /* titles of the message lines are printed */
	struct text_opts text;
};

/* Returns 0 or -errno of opening the file. output_close() is due in each case. */
int output_open(struct output *out, const struct opts *o);
void output_close(struct output *out);

/* There will be output: empties the file that output_open() opened. Returns 0 or -errno. */
int output_begin(struct output *out);

/* A message line, buffered. */
void output_message(struct output *out, const struct message *msg, uint64_t start_ns);

/* Writes what is buffered. Returns 0 or the sink's -errno. */
int output_flush(struct output *out);

/* A report in between, in text: in place of the last one on a terminal, else below it. */
int output_interim(struct output *out, const struct report_info *info, const struct model *m);

/* The final report. Returns 0 or -errno; flushed. */
int output_report(struct output *out, const struct report_info *info, const struct model *m);

/* Whether to colour what goes to fd: a terminal, and NO_COLOR is not set. */
bool output_wants_colour(int fd);

#endif
