/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd.h - the verbs, and how all of them talk to the user.
 *
 * The only module that prints errors and picks exit statuses. An error is one
 * line on stderr: what failed, why, what to do.
 */
#ifndef IPCSPY_CMD_H
#define IPCSPY_CMD_H

enum exit_status {
	EXIT_WHOLE = 0,
	EXIT_ERROR = 1,
	EXIT_USAGE = 2,
	EXIT_LOST = 3, /* the report is printed, but events were lost or not decoded */
};

struct opts;
struct strbuf;

/*
 * What the verbs do, with options that were checked. Each returns an exit status; what went
 * wrong is said.
 */
int cmd_trace(const struct opts *o); /* shows it, records it, as the options say */
int cmd_why(const struct opts *o);
int cmd_report(const struct opts *o);
int cmd_export(const struct opts *o);
int cmd_doctor(const struct opts *o);
int cmd_help(const struct opts *o);

struct verb {
	const char *name; /* NULL: what runs when no verb is named */
	const char *usage, *summary;
	unsigned int id; /* VERB_* in opts.h */
	/* What cannot be together, and what must be there. Returns as opts_parse(). */
	int (*check)(struct opts *o, struct strbuf *why);
	int (*run)(const struct opts *o);
};

/* The table of verbs; ends with a row whose run is NULL. */
extern const struct verb verbs[];

/*
 * The verb that argv asks for, with its options; argv[0] is the program's name. Returns an
 * exit status.
 */
int cmd_main(int argc, char **argv);

/* Prints "ipcspy: ..." on stderr. */
void cmd_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints "ipcspy: NAME: what"; the name may have any bytes. */
void cmd_error_of(const char *name, const char *what);

/* The same with "try --help" behind it; returns EXIT_USAGE. */
int cmd_usage(const char *why);

/* --help and --version, which every verb has. Returns an exit status. */
int cmd_print_help(unsigned int verb);
int cmd_print_version(void);

#endif
