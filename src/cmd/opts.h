/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * opts.h - the command line.
 *
 * One table of options serves parsing, --help, the check of the manual page and
 * of the shell completion: an option is added by adding a row in opts.c. Strings
 * in struct opts point into argv; the rest is freed by opts_fini().
 */
#ifndef IPCSPY_OPTS_H
#define IPCSPY_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "analysis/findings.h"
#include "lib/strbuf.h"

#define VERB_WATCH  0x1u
#define VERB_DOCTOR 0x2u
#define VERB_HELP   0x4u
#define VERB_WHY    0x8u
#define VERB_RECORD 0x10u
#define VERB_REPORT 0x20u
#define VERB_EXPORT 0x40u

#define VERBS_TRACE (VERB_WATCH | VERB_RECORD)
#define VERBS_SHOW  (VERB_WATCH | VERB_REPORT)
#define VERBS_FILES (VERB_REPORT | VERB_EXPORT | VERB_HELP) /* they look at no process */

struct export_format;

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_JSONL };

struct opts {
	pid_t *pids;
	size_t pid_cnt;
	const char *comm;
	const char *cgroup;
	bool all, follow, no_peers;
	uint32_t mech_mask;                /* 0: every mechanism */
	uint64_t duration_ns, interval_ns; /* 0: not given */
	bool messages;
	uint64_t payload_bytes; /* of each message, up to PAYLOAD_MAX; 0: none */
	bool watch;             /* why: look again and again ... */
	uint64_t watch_ns;      /* ... and tell of what lasts longer */
	enum format format;
	const char *output;
	const char *record; /* where the recording goes, "-": standard output; NULL: none is made */
	const struct export_format *to; /* export: NULL the default */
	bool force;                     /* it may replace a file */
	bool quiet;                     /* record: no report */
	uint64_t max_bytes;             /* of a file, or a ring's memory; 0: not given */
	uint64_t max_files;             /* 0: not given */
	uint64_t ring_ns;               /* 0: not given */
	bool on_finding;                /* the ring is written when one appears ... */
	enum severity finding_severity; /* ... that is as bad as this */
	bool verbose, help, version;
	char *const *command; /* NULL: none */
	char *const *rest;    /* what is left of argv, NULL-terminated */
};

struct opt {
	char letter;      /* 0: only the long form */
	const char *name; /* long form, without the dashes */
	const char *arg;  /* name of its argument, NULL: takes none; "[...]": may be left out */
	unsigned int verbs;
	const char *help;
	/* Takes the argument. Returns 0, -ENOMEM, or -EINVAL with the reason in why. */
	int (*set)(struct opts *o, const char *arg, struct strbuf *why);
};

/* The table; ends with a row whose name is NULL. */
extern const struct opt opt_table[];

/*
 * Parses argv for a verb. Returns 0, -EINVAL with the reason in words in why,
 * or -ENOMEM. opts_fini() is due in each case.
 */
int opts_parse(struct opts *o, unsigned int verb, int argc, char **argv, struct strbuf *why);
void opts_fini(struct opts *o);

/* What cannot be together, and what must be there, for VERB_WATCH. Returns as opts_parse(). */
int opts_check_watch(struct opts *o, struct strbuf *why);

/* The same for VERB_RECORD; -o becomes o->record. */
int opts_check_record(struct opts *o, struct strbuf *why);

/* The same for VERB_REPORT: *o->rest is the file. */
int opts_check_report(struct opts *o, struct strbuf *why);

/* The same for VERB_EXPORT: *o->rest is the file, o->to is set. */
int opts_check_export(struct opts *o, struct strbuf *why);

/* The same for VERB_WHY; its process ids become o->pids. */
int opts_check_why(struct opts *o, struct strbuf *why);

/* The same for VERB_DOCTOR and VERB_HELP. */
int opts_check_doctor(struct opts *o, struct strbuf *why);
int opts_check_help(struct opts *o, struct strbuf *why);

/* The options of a verb as a list for --help. */
void opts_put_help(struct strbuf *sb, unsigned int verb);

/* The options that chose what is traced, as they would be typed: "-p 12,13 -f -m pipe". */
void opts_put_filter(struct strbuf *sb, const struct opts *o);

#endif
