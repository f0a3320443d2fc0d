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

/* argv[0] is the program's name or the verb. Each returns an exit status. */
int cmd_watch(int argc, char **argv);
int cmd_why(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_help(int argc, char **argv);

struct verb {
	const char *name; /* NULL: what runs when no verb is named */
	const char *usage, *summary;
	unsigned int id; /* VERB_* in opts.h */
	int (*run)(int argc, char **argv);
};

/* The table of verbs; ends with a row whose run is NULL. */
extern const struct verb verbs[];

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
