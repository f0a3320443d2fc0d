// SPDX-License-Identifier: BSD-2-Clause
#include "cmd/output.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd/screen.h"
#include "export/messages.h"
#include "lib/parse.h"

#define ROWS_MAX      100 /* of a table in the final report, without -v */
#define ROWS_TERMINAL 24  /* of a terminal that does not tell its size */
#define ROWS_AROUND   14  /* of a screen, for what is not in a table */
#define REPORT_PRETTY 2
#define CLEAR_SCREEN  "\033[H\033[2J"

/* A terminal that takes orders. */
static bool is_screen(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

bool output_wants_colour(int fd)
{
	const char *no_color = getenv("NO_COLOR");

	/* https://no-color.org: set and not empty */
	return is_screen(fd) && !(no_color && *no_color);
}

/* COLUMNS, 0 when it is not set to a number. */
static unsigned int columns_wanted(void)
{
	const char *s = getenv("COLUMNS");
	uint64_t v;

	return s && !parse_u64(s, 1, TEXT_WIDTH_ENDLESS, &v) ? (unsigned int)v : 0;
}

static bool terminal_size(int fd, unsigned int *cols, unsigned int *rows)
{
	struct winsize ws;

	if (ioctl(fd, TIOCGWINSZ, &ws) || !ws.ws_col)
		return false;
	*cols = ws.ws_col;
	*rows = ws.ws_row ? ws.ws_row : ROWS_TERMINAL;
	return true;
}

static void set_width(struct output *out, unsigned int *rows)
{
	unsigned int *width = &out->text.style.width;

	*rows = ROWS_TERMINAL;
	if (out->terminal && terminal_size(out->sink.fd, width, rows))
		return;
	*width = columns_wanted();
	if (!*width)
		*width = out->terminal ? TEXT_WIDTH_DEFAULT : TEXT_WIDTH_ENDLESS;
}

static int open_file(const char *name)
{
	/*
	 * O_NONBLOCK: a FIFO nobody reads shall be an error, not a wait without end. No O_TRUNC:
	 * what was in the file stays until there is something to put in its place.
	 */
	int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

	return open(name, flags, 0600);
}

int output_open(struct output *out, const struct opts *o)
{
	unsigned int rows;
	int fd = o->command ? STDERR_FILENO : STDOUT_FILENO;

	*out = (struct output){.name = o->command ? "stderr" : "stdout"};
	sink_init_fd(&out->sink, fd);
	out->lines = o->messages || o->format == FORMAT_JSONL;
	out->lines_json = out->lines && o->format != FORMAT_TEXT;
	out->report = out->lines_json ? FORMAT_JSONL : o->format;
	if (o->output) {
		out->name = o->output;
		out->sink.fd = open_file(o->output);
		if (out->sink.fd < 0)
			return -errno;
		out->owns_fd = true;
	}
	out->terminal = isatty(out->sink.fd);
	/* Beside a command that writes to the same terminal, a report is not painted over. */
	out->repaint =
		is_screen(out->sink.fd) && !o->command && !out->lines && out->report == FORMAT_TEXT;
	out->text.style.colour = output_wants_colour(out->sink.fd);
	out->text.style.ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	out->text.max_rows = o->verbose ? 0 : ROWS_MAX;
	set_width(out, &rows);
	return 0;
}

void output_close(struct output *out)
{
	screen_leave();
	if (out->owns_fd)
		close(out->sink.fd);
	sink_fini(&out->sink);
}

/* Of a message line, 0: as wide as it is. */
static unsigned int line_width(const struct output *out)
{
	return out->terminal ? out->text.style.width : 0;
}

void output_message(struct output *out, const struct message *msg, uint64_t start_ns)
{
	if (out->lines_json) {
		message_jsonl(&out->sink, msg, start_ns);
		return;
	}
	if (!out->head_done)
		message_text_head(&out->sink, line_width(out), out->text.style.ascii);
	out->head_done = true;
	message_text(&out->sink, msg, start_ns, line_width(out), out->text.style.ascii);
}

int output_begin(struct output *out)
{
	/* A device or a pipe cannot be truncated and need not be. */
	if (out->owns_fd && ftruncate(out->sink.fd, 0) && errno != EINVAL)
		return -errno;
	return 0;
}

int output_flush(struct output *out)
{
	unsigned int rows;

	if (out->lines)
		set_width(out, &rows); /* the terminal may have been resized */
	return sink_flush(&out->sink);
}

/* As many lines of s as the terminal has, less one for the cursor. */
static size_t screenful(const char *s, unsigned int rows)
{
	const char *p = s;

	for (unsigned int i = 1; i < rows && *p; i++) {
		const char *nl = strchr(p, '\n');

		if (!nl)
			break;
		p = nl + 1;
	}
	return (size_t)(p - s);
}

/* Rows of each table so that all of them, two lines a row, fit on a screen. */
static size_t rows_that_fit(unsigned int rows)
{
	return rows > ROWS_AROUND + 10 ? (rows - ROWS_AROUND) / 5 : 2;
}

static int repaint(struct output *out, const struct report_info *info, const struct model *m)
{
	struct text_opts opts;
	struct sink page;
	unsigned int rows;
	int err;

	set_width(out, &rows);
	opts = out->text;
	opts.max_rows = rows_that_fit(rows);
	sink_init_mem(&page);
	err = report_text(&page, &opts, info, m);
	if (!err)
		err = screen_enter(out->sink.fd);
	if (!err) {
		strbuf_puts(sink_buf(&out->sink), CLEAR_SCREEN);
		strbuf_put(sink_buf(&out->sink), page.buf.s, screenful(page.buf.s, rows));
		err = sink_flush(&out->sink);
	}
	sink_fini(&page);
	return err;
}

int output_interim(struct output *out, const struct report_info *info, const struct model *m)
{
	int err;

	if (out->repaint)
		return repaint(out, info, m);
	err = report_text(&out->sink, &out->text, info, m);
	strbuf_puts(sink_buf(&out->sink), "\n");
	return err ? err : sink_flush(&out->sink);
}

static int report_as_json(struct output *out, const struct report_info *info, const struct model *m)
{
	bool last_line = out->report == FORMAT_JSONL;
	struct json j;
	int err;

	json_init(&j, &out->sink, last_line ? 0 : REPORT_PRETTY);
	if (last_line)
		json_object(&j, NULL);
	err = report_json(&j, last_line ? "report" : NULL, info, m);
	if (last_line)
		json_end(&j);
	return err ? err : json_finish(&j);
}

int output_report(struct output *out, const struct report_info *info, const struct model *m)
{
	unsigned int rows;
	int err;

	if (out->report != FORMAT_TEXT) {
		err = report_as_json(out, info, m);
	} else {
		set_width(out, &rows);
		screen_leave();
		if (out->head_done)
			strbuf_putc(sink_buf(&out->sink), '\n');
		err = report_text(&out->sink, &out->text, info, m);
	}
	return err ? err : sink_flush(&out->sink);
}
