// SPDX-License-Identifier: BSD-2-Clause
/* help - and what every verb has: --help, --version, error lines. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/opts.h"
#include "export/sink.h"

void cmd_error(const char *fmt, ...)
{
	va_list ap;

	fputs("ipcspy: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void cmd_error_of(const char *name, const char *what)
{
	struct strbuf sb;

	strbuf_init(&sb);
	strbuf_put_escaped(&sb, name, strlen(name));
	cmd_error("%s: %s", sb.err ? "?" : sb.s, what);
	strbuf_fini(&sb);
}

int cmd_usage(const char *why)
{
	cmd_error("%s (see ipcspy --help)", why);
	return EXIT_USAGE;
}

static int print(struct sink *out)
{
	int err = sink_flush(out);

	sink_fini(out);
	if (err && err != -EPIPE)
		cmd_error("cannot write to stdout: %s", strerror(-err));
	return err && err != -EPIPE ? EXIT_ERROR : EXIT_WHOLE;
}

int cmd_print_version(void)
{
	struct sink out;

	sink_init_fd(&out, STDOUT_FILENO);
	strbuf_puts(sink_buf(&out), "ipcspy " IPCSPY_VERSION "\n");
	return print(&out);
}

int cmd_print_help(unsigned int verb)
{
	struct sink out;
	struct strbuf *sb = sink_buf(&out);
	bool watch = verb == VERB_WATCH;

	sink_init_fd(&out, STDOUT_FILENO);
	if (watch)
		strbuf_puts(sb,
			    "ipcspy shows who talks to whom between processes, through what, how "
			    "fast,\nhow much is waiting, and who is stuck because of whom.\n\n");
	strbuf_puts(sb, "Usage:\n");
	for (const struct verb *v = verbs; v->run; v++) {
		if (watch || v->id == verb)
			strbuf_printf(sb, "  ipcspy %-34s %s\n", v->usage, v->summary);
	}
	strbuf_puts(sb, "\nOptions:\n");
	opts_put_help(sb, verb);
	if (watch)
		strbuf_puts(sb, "\nExit status: 0 whole; 1 error; 2 usage; 3 the report is "
				"printed, but not whole:\n"
				"events were lost, or calls not understood. More in ipcspy(8).\n");
	return print(&out);
}

/* Of which verb; without one, of all. NULL: there is no such verb. */
static const struct verb *asked_about(const struct opts *o)
{
	for (const struct verb *v = verbs; v->run; v++)
		if (!*o->rest || (v->name && !strcmp(v->name, *o->rest)))
			return v;
	return NULL;
}

int opts_check_help(struct opts *o, struct strbuf *why)
{
	if (asked_about(o))
		return 0;
	strbuf_puts(why, "no such verb: ");
	strbuf_put_escaped(why, *o->rest, strlen(*o->rest));
	return -EINVAL;
}

int cmd_help(const struct opts *o)
{
	return cmd_print_help(asked_about(o)->id);
}
