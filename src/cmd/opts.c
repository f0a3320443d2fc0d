// SPDX-License-Identifier: BSD-2-Clause
#include "cmd/opts.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "export/format.h"
#include "ipcspy/config.h"
#include "ipcspy/event.h"
#include "lib/parse.h"
#include "model/mech.h"

#define LONG_ONLY    256 /* getopt's value for row i without a letter: LONG_ONLY + i */
#define HELP_COLUMNS 34
#define HELP_WIDTH   80
#define COMM_MAX     (IPCSPY_COMM_LEN - 1)

static unsigned int mech_number(const char *name, unsigned int len)
{
	return mech_by_name(name, len);
}

static void put_mechs(struct strbuf *sb, uint32_t mask, const char *sep)
{
	bool first = true;
	enum ipcspy_mech mech;

	for (unsigned int i = 0; (mech = mech_at(i)) != MECH_NONE; i++) {
		if (!(mask & 1u << mech))
			continue;
		if (!first)
			strbuf_puts(sb, sep);
		first = false;
		strbuf_puts(sb, mech_name(mech));
	}
}

/* All of them, indented and broken for --help. */
static void put_mech_lines(struct strbuf *sb)
{
	size_t used = HELP_WIDTH;
	enum ipcspy_mech mech;

	for (unsigned int i = 0; (mech = mech_at(i)) != MECH_NONE; i++) {
		size_t len = strlen(mech_name(mech));

		if (used + 1 + len > HELP_WIDTH) {
			if (i)
				strbuf_putc(sb, '\n');
			strbuf_fill(sb, ' ', HELP_COLUMNS);
			used = HELP_COLUMNS;
		} else {
			strbuf_putc(sb, ' ');
			used++;
		}
		strbuf_puts(sb, mech_name(mech));
		used += len;
	}
	strbuf_putc(sb, '\n');
}

static void put_format_lines(struct strbuf *sb)
{
	for (const struct export_format *const *f = formats; *f; f++) {
		strbuf_fill(sb, ' ', HELP_COLUMNS);
		strbuf_printf(sb, "%-9s %s\n", (*f)->name, (*f)->summary);
	}
}

static int set_pids(struct opts *o, const char *arg, struct strbuf *why)
{
	int err = parse_pids(arg, &o->pids, &o->pid_cnt);

	if (err != -EINVAL && err != -ERANGE)
		return err;
	strbuf_puts(why, "-p takes process ids separated by commas, not '");
	strbuf_put_escaped(why, arg, strlen(arg));
	strbuf_puts(why, "'");
	return -EINVAL;
}

static int set_cgroup(struct opts *o, const char *arg, struct strbuf *why)
{
	if (o->cgroup || !*arg) {
		strbuf_puts(why, "-c takes one control group, such as system.slice/nginx.service");
		return -EINVAL;
	}
	o->cgroup = arg;
	return 0;
}

/* The kernel keeps COMM_MAX bytes of a name: a longer one without * or ? never matches. */
static int set_comm(struct opts *o, const char *arg, struct strbuf *why)
{
	size_t len = strlen(arg);

	if (o->comm || !len || len > IPCSPY_GLOB_MAX) {
		strbuf_printf(why,
			      "-n takes one name of 1 to %d bytes, or a pattern such as 'php*' "
			      "of at most %d",
			      COMM_MAX, IPCSPY_GLOB_MAX);
		return -EINVAL;
	}
	if (len > COMM_MAX && !strpbrk(arg, "*?")) {
		strbuf_printf(why, "names have at most %d bytes; -n '", COMM_MAX);
		strbuf_put_escaped(why, arg, COMM_MAX);
		strbuf_puts(why, "' is what would match");
		return -EINVAL;
	}
	o->comm = arg;
	return 0;
}

static int set_all(struct opts *o, const char *arg, struct strbuf *why)
{
	(void)arg, (void)why;
	o->all = true;
	return 0;
}

static int set_follow(struct opts *o, const char *arg, struct strbuf *why)
{
	(void)arg, (void)why;
	o->follow = true;
	return 0;
}

static int set_mechs(struct opts *o, const char *arg, struct strbuf *why)
{
	const char *bad;
	size_t bad_len;
	int err = parse_name_mask(arg, mech_number, &o->mech_mask, &bad, &bad_len);

	if (err != -EINVAL)
		return err;
	strbuf_puts(why, "unknown mechanism '");
	strbuf_put_escaped(why, bad, bad_len);
	strbuf_puts(why, "'; known are ");
	put_mechs(why, UINT32_MAX, ", ");
	return -EINVAL;
}

static int set_no_peers(struct opts *o, const char *arg, struct strbuf *why)
{
	(void)arg, (void)why;
	o->no_peers = true;
	return 0;
}

static int set_seconds(uint64_t *out, char letter, const char *arg, struct strbuf *why)
{
	int err = parse_duration(arg, out);

	if (err != -EINVAL && err != -ERANGE)
		return err;
	strbuf_printf(why, "-%c takes seconds, such as 5, 0.5 or 500ms, not '", letter);
	strbuf_put_escaped(why, arg, strlen(arg));
	strbuf_puts(why, "'");
	return -EINVAL;
}

static int set_duration(struct opts *o, const char *arg, struct strbuf *why)
{
	return set_seconds(&o->duration_ns, 'd', arg, why);
}

static int set_interval(struct opts *o, const char *arg, struct strbuf *why)
{
	return set_seconds(&o->interval_ns, 'i', arg, why);
}

/* A chain that lasts longer than this is worth telling, where nothing else is said. */
#define WATCH_DEFAULT_NS 5000000000ull

static int set_watch(struct opts *o, const char *arg, struct strbuf *why)
{
	int err = 0;

	o->watch = true;
	o->watch_ns = WATCH_DEFAULT_NS;
	if (arg)
		err = parse_duration(arg, &o->watch_ns);
	if (err != -EINVAL && err != -ERANGE)
		return err;
	strbuf_puts(why, "--watch takes seconds, such as 5 or 500ms, not '");
	strbuf_put_escaped(why, arg, strlen(arg));
	strbuf_puts(why, "'");
	return -EINVAL;
}

static int set_messages(struct opts *o, const char *arg, struct strbuf *why)
{
	(void)arg, (void)why;
	o->messages = true;
	return 0;
}

static int set_format_of(struct opts *o, const char *arg, enum format last, const char *known,
			 struct strbuf *why)
{
	static const char *const names[] = {
		[FORMAT_TEXT] = "text", [FORMAT_JSON] = "json", [FORMAT_JSONL] = "jsonl"};

	for (size_t i = 0; i <= (size_t)last; i++) {
		if (!strcmp(arg, names[i])) {
			o->format = (enum format)i;
			return 0;
		}
	}
	strbuf_printf(why, "--format takes %s, not '", known);
	strbuf_put_escaped(why, arg, strlen(arg));
	strbuf_puts(why, "'");
	return -EINVAL;
}

static int set_format(struct opts *o, const char *arg, struct strbuf *why)
{
	return set_format_of(o, arg, FORMAT_JSONL, "text, json or jsonl", why);
}

/* Of a verb that prints no messages. */
static int set_plain_format(struct opts *o, const char *arg, struct strbuf *why)
{
	return set_format_of(o, arg, FORMAT_JSON, "text or json", why);
}

static int set_output(struct opts *o, const char *arg, struct strbuf *why)
{
	(void)why;
	o->output = arg;
	return 0;
}

static int set_record(struct opts *o, const char *arg, struct strbuf *why)
{
	(void)why;
	o->record = arg;
	return 0;
}

static int set_to(struct opts *o, const char *arg, struct strbuf *why)
{
	const char *sep = "";

	o->to = format_by_name(arg);
	if (o->to)
		return 0;
	strbuf_puts(why, "--to takes ");
	for (const struct export_format *const *f = formats; *f; f++, sep = ", ")
		strbuf_printf(why, "%s%s", sep, (*f)->name);
	strbuf_puts(why, ", not '");
	strbuf_put_escaped(why, arg, strlen(arg));
	strbuf_puts(why, "'");
	return -EINVAL;
}

static int set_force(struct opts *o, const char *arg, struct strbuf *why)
{
	(void)arg, (void)why;
	o->force = true;
	return 0;
}

static int bad_value(struct strbuf *why, const char *takes, const char *arg)
{
	strbuf_puts(why, takes);
	strbuf_puts(why, ", not '");
	strbuf_put_escaped(why, arg, strlen(arg));
	strbuf_puts(why, "'");
	return -EINVAL;
}

#define SIZE_MIN (1u << 20) /* a block fits in, and what comes before it */

static int set_max_size(struct opts *o, const char *arg, struct strbuf *why)
{
	int err = parse_bytes(arg, &o->max_bytes);

	return err || o->max_bytes < SIZE_MIN
		       ? bad_value(why, "--max-size takes bytes such as 500M, 1M or more", arg)
		       : 0;
}

static int set_max_files(struct opts *o, const char *arg, struct strbuf *why)
{
	int err = parse_u64(arg, 1, 999999, &o->max_files);

	return err ? bad_value(why, "--max-files takes a number from 1 to 999999", arg) : 0;
}

static int set_ring(struct opts *o, const char *arg, struct strbuf *why)
{
	int err = parse_duration(arg, &o->ring_ns);

	return err ? bad_value(why, "--ring takes seconds, such as 60 or 5m", arg) : 0;
}

static int set_on_finding(struct opts *o, const char *arg, struct strbuf *why)
{
	o->on_finding = true;
	for (unsigned int i = SEVERITY_INFO; i <= SEVERITY_CRITICAL; i++) {
		o->finding_severity = (enum severity)i;
		if (!strcmp(arg, severity_name(o->finding_severity)))
			return 0;
	}
	return bad_value(why, "--on-finding takes info, warning or critical", arg);
}

static int set_payload(struct opts *o, const char *arg, struct strbuf *why)
{
	int err = parse_bytes(arg, &o->payload_bytes);

	return err || !o->payload_bytes || o->payload_bytes > PAYLOAD_MAX
		       ? bad_value(why, "--payload takes bytes of each message, 1 to 4096", arg)
		       : 0;
}

_Static_assert(PAYLOAD_MAX == 4096, "is in the text of set_payload() and of --payload");

static int set_verbose(struct opts *o, const char *arg, struct strbuf *why)
{
	(void)arg, (void)why;
	o->verbose = true;
	return 0;
}

static int set_help(struct opts *o, const char *arg, struct strbuf *why)
{
	(void)arg, (void)why;
	o->help = true;
	return 0;
}

static int set_version(struct opts *o, const char *arg, struct strbuf *why)
{
	(void)arg, (void)why;
	o->version = true;
	return 0;
}

#define VERB_ALL (VERBS_TRACE | VERB_REPORT | VERB_EXPORT | VERB_DOCTOR | VERB_HELP | VERB_WHY)

const struct opt opt_table[] = {
	{'p', "pid", "PID[,PID]...", VERBS_TRACE, "trace these processes, all their threads",
	 set_pids},
	{'f', "follow", NULL, VERBS_TRACE, "with -p and -n: also the children they start",
	 set_follow},
	{'n', "name", "COMM", VERBS_TRACE, "trace processes of this name; * and ? match", set_comm},
	{'c', "cgroup", "CGROUP", VERBS_TRACE, "trace processes of this control group (v2)",
	 set_cgroup},
	{'a', "all", NULL, VERBS_TRACE, "trace every process", set_all},
	{'a', "all", NULL, VERB_WHY, "look for whoever is stuck on this machine", set_all},
	{'m', "mechanism", "MECH[,MECH]...", VERBS_TRACE, "only these mechanisms", set_mechs},
	{0, "no-peers", NULL, VERBS_TRACE, "leave out what other processes do", set_no_peers},
	{'d', "duration", "SECONDS", VERBS_TRACE, "end after this time", set_duration},
	{'i', "interval", "SECONDS", VERB_WATCH, "report every so often, too", set_interval},
	{'t', "messages", NULL, VERBS_SHOW, "one line for each message received", set_messages},
	{0, "payload", "BYTES", VERB_WATCH, "with -t, --record: bytes of each, up to 4096",
	 set_payload},
	{0, "payload", "BYTES", VERB_RECORD, "keep the first of each message, up to 4096",
	 set_payload},
	{0, "format", "FORMAT", VERBS_SHOW, "text, json, or jsonl (message lines as JSON)",
	 set_format},
	{0, "format", "FORMAT", VERB_DOCTOR | VERB_WHY, "text or json", set_plain_format},
	{0, "watch", "[SECONDS]", VERB_WHY, "look on, tell of what lasts longer than this",
	 set_watch},
	{'i', "interval", "SECONDS", VERB_RECORD, "note who is blocked every so often, default 5",
	 set_interval},
	{'o', "output", "FILE", VERBS_SHOW, "write to FILE, which is replaced", set_output},
	{'o', "output", "FILE", VERB_RECORD, "the recording; '-' is standard output", set_output},
	{0, "to", "FORMAT", VERB_EXPORT, "one of these, by default the first:", set_to},
	{'o', "output", "FILE", VERB_EXPORT, "write to FILE, which must not exist", set_output},
	{0, "force", NULL, VERB_EXPORT, "it may exist, and is replaced", set_force},
	{0, "record", "FILE", VERB_WATCH, "record it, too", set_record},
	{0, "force", NULL, VERBS_TRACE, "the recording may replace a file", set_force},
	{0, "max-size", "SIZE", VERB_RECORD, "go on in another file at this size (500M), or memory",
	 set_max_size},
	{0, "max-files", "NUMBER", VERB_RECORD, "keep only the latest files", set_max_files},
	{0, "ring", "SECONDS", VERB_RECORD, "keep the last seconds in memory, until SIGUSR1",
	 set_ring},
	{0, "on-finding", "SEVERITY", VERB_RECORD, "... or such a finding: info, warning, critical",
	 set_on_finding},
	{'v', "verbose", NULL, VERB_WATCH, "every row, and what the tracing took", set_verbose},
	{'v', "verbose", NULL, VERB_RECORD, "say what the tracing took", set_verbose},
	{'v', "verbose", NULL, VERB_REPORT, "every row", set_verbose},
	{'h', "help", NULL, VERB_ALL, "this text", set_help},
	{'V', "version", NULL, VERB_ALL, "the version", set_version},
	{0, NULL, NULL, 0, NULL, NULL},
};

#define OPT_CNT (sizeof(opt_table) / sizeof(opt_table[0]) - 1)

struct getopt_tables {
	char letters[2 * OPT_CNT + 3];
	struct option longs[OPT_CNT + 1];
};

/* Its argument may be left out; it is then part of the same word: --watch=5. */
static bool is_optional(const struct opt *opt)
{
	return opt->arg && opt->arg[0] == '[';
}

/*
 * t is zeroed. '+': options end at the first word that is none, which may be a command with
 * options of its own; only pids have none. ':' tells a missing argument apart.
 */
static void make_tables(struct getopt_tables *t, unsigned int verb)
{
	char *letter = t->letters;
	struct option *lo = t->longs;

	if (verb != VERB_WHY)
		*letter++ = '+';
	*letter++ = ':';
	for (size_t i = 0; i < OPT_CNT; i++) {
		const struct opt *opt = &opt_table[i];

		if (!(opt->verbs & verb))
			continue;
		*lo++ = (struct option){.name = opt->name,
					.has_arg = !opt->arg          ? no_argument
						   : is_optional(opt) ? optional_argument
								      : required_argument,
					.val = LONG_ONLY + (int)i};
		if (!opt->letter)
			continue;
		*letter++ = opt->letter;
		if (opt->arg)
			*letter++ = ':';
	}
}

static const struct opt *opt_of(int val)
{
	if (val >= LONG_ONLY)
		return &opt_table[val - LONG_ONLY];
	for (const struct opt *opt = opt_table; opt->name; opt++) {
		if (opt->letter == val)
			return opt;
	}
	return NULL;
}

/* getopt does not tell a long option that nobody knows from one that could be several. */
static bool is_ambiguous(const struct getopt_tables *t, const char *word)
{
	size_t cnt = 0, len = strcspn(word, "=");

	if (optopt || strncmp(word, "--", 2))
		return false;
	for (const struct option *lo = t->longs; lo->name; lo++)
		cnt += !strncmp(lo->name, word + 2, len - 2);
	return cnt > 1;
}

static void put_candidates(struct strbuf *why, const struct getopt_tables *t, const char *word)
{
	const char *sep = ": ";

	for (const struct option *lo = t->longs; lo->name; lo++) {
		if (strncmp(lo->name, word + 2, strcspn(word, "=") - 2))
			continue;
		strbuf_printf(why, "%s--%s", sep, lo->name);
		sep = " or ";
	}
}

/* What getopt did not like: word is the argument it stands in. */
static int bad_option(struct strbuf *why, const struct getopt_tables *t, int val, const char *word)
{
	const struct opt *opt = optopt ? opt_of(optopt) : NULL;
	bool ambiguous = is_ambiguous(t, word);

	if (val == ':')
		strbuf_puts(why, "option needs an argument: ");
	else if (opt && optopt >= LONG_ONLY)
		strbuf_puts(why, "option takes no argument: ");
	else
		strbuf_puts(why, ambiguous ? "ambiguous option " : "unknown option: ");
	if (optopt && optopt < LONG_ONLY) {
		char letter = (char)optopt;

		strbuf_putc(why, '-');
		strbuf_put_escaped(why, &letter, 1);
	} else {
		strbuf_put_escaped(why, word, strlen(word));
	}
	if (ambiguous)
		put_candidates(why, t, word);
	return -EINVAL;
}

int opts_parse(struct opts *o, unsigned int verb, int argc, char **argv, struct strbuf *why)
{
	struct getopt_tables tables = {0};
	const char *last_arg = NULL;
	int val, err;

	*o = (struct opts){0};
	make_tables(&tables, verb);
	opterr = 0;
	optind = 0; /* glibc: start afresh */
	for (;;) {
		int at = optind ? optind : 1;

		val = getopt_long(argc, argv, tables.letters, tables.longs, NULL);
		if (val == -1)
			break;
		if (val == '?' || val == ':')
			return bad_option(why, &tables, val, at < argc ? argv[at] : "");
		err = opt_of(val)->set(o, optarg, why);
		if (err)
			return err;
		last_arg = optarg;
	}
	o->rest = argv + optind;
	/* "--" was the separator unless it was the argument of the last option. */
	if (optind > 1 && !strcmp(argv[optind - 1], "--") && argv[optind - 1] != last_arg) {
		o->command = o->rest;
		o->rest = argv + argc;
	}
	return 0;
}

void opts_fini(struct opts *o)
{
	free(o->pids);
	*o = (struct opts){0};
}

void opts_put_help(struct strbuf *sb, unsigned int verb)
{
	for (const struct opt *opt = opt_table; opt->name; opt++) {
		size_t begin = sb->len;

		if (!(opt->verbs & verb))
			continue;
		if (opt->letter)
			strbuf_printf(sb, "  -%c, ", opt->letter);
		else
			strbuf_puts(sb, "      ");
		if (is_optional(opt))
			strbuf_printf(sb, "--%s[=%s", opt->name, opt->arg + 1);
		else
			strbuf_printf(sb, "--%s%s%s", opt->name, opt->arg ? " " : "",
				      opt->arg ? opt->arg : "");
		if (sb->len - begin < HELP_COLUMNS)
			strbuf_fill(sb, ' ', HELP_COLUMNS - (sb->len - begin));
		strbuf_puts(sb, opt->help);
		strbuf_putc(sb, '\n');
		if (opt->set == set_mechs)
			put_mech_lines(sb);
		if (opt->set == set_to)
			put_format_lines(sb);
	}
}

void opts_put_filter(struct strbuf *sb, const struct opts *o)
{
	size_t begin = sb->len;

	for (size_t i = 0; i < o->pid_cnt; i++)
		strbuf_printf(sb, "%s%d", i ? "," : " -p ", o->pids[i]);
	if (o->comm) {
		strbuf_puts(sb, " -n ");
		strbuf_puts(sb, o->comm);
	}
	if (o->cgroup) {
		strbuf_puts(sb, " -c ");
		strbuf_puts(sb, o->cgroup);
	}
	if (o->all)
		strbuf_puts(sb, " -a");
	if (o->follow)
		strbuf_puts(sb, " -f");
	if (o->mech_mask) {
		strbuf_puts(sb, " -m ");
		put_mechs(sb, o->mech_mask, ",");
	}
	if (o->no_peers)
		strbuf_puts(sb, " --no-peers");
	/* Each part began with a blank; the first one needs none. */
	if (sb->len > begin && !sb->err) {
		memmove(sb->s + begin, sb->s + begin + 1, sb->len - begin);
		sb->len--;
	}
}
