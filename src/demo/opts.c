/* SPDX-License-Identifier: BSD-2-Clause */
#include "opts.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "message.h"

/* Far above what a test needs, low enough that no product of two overflows or eats the machine. */
#define MAX_MESSAGES   ((uint64_t)1000000000)
#define MAX_SIZE       ((uint64_t)16 << 20)
#define MAX_PROCS      ((uint64_t)256)
#define MAX_PARTIES    ((uint64_t)4096)
#define MAX_RATE       ((uint64_t)10000000)
#define MAX_PRIORITIES ((uint64_t)32768) /* sysconf(_SC_MQ_PRIO_MAX) */
#define MAX_DURATION   (7 * 24 * 3600 * DEMO_NS_PER_S)

enum opt_kind { KIND_NUMBER, KIND_DURATION, KIND_FLAG, KIND_TEXT, KIND_HELP, KIND_VERSION };

struct opt_row {
	const char *name;
	char letter;      /* 0: long only */
	unsigned int bit; /* DEMO_OPT_*, 0: for every workload */
	enum opt_kind kind;
	size_t offset;     /* in struct demo_opts */
	uint64_t min, max; /* numbers and durations */
	const char *arg, *help;
};

#define AT(field) offsetof(struct demo_opts, field)

static const struct opt_row rows[] = {
	{"messages", 'n', DEMO_OPT_MESSAGES, KIND_NUMBER, AT(messages), 1, MAX_MESSAGES, "N",
	 "messages per sender"},
	{"size", 's', DEMO_OPT_SIZE, KIND_NUMBER, AT(size), MSG_HEADER_LEN, MAX_SIZE, "BYTES",
	 "bytes per message, at least 32"},
	{"senders", 'S', DEMO_OPT_SENDERS, KIND_NUMBER, AT(senders), 1, MAX_PROCS, "N",
	 "sending processes"},
	{"receivers", 'R', DEMO_OPT_RECEIVERS, KIND_NUMBER, AT(receivers), 1, MAX_PROCS, "N",
	 "receiving processes"},
	{"rate", 'r', DEMO_OPT_RATE, KIND_NUMBER, AT(rate), 0, MAX_RATE, "PER_S",
	 "messages per second and sender, 0: as fast as it goes"},
	{"receiver-delay", 'd', DEMO_OPT_RECEIVER_DELAY, KIND_DURATION, AT(receiver_delay_ns), 0,
	 MAX_DURATION, "DUR", "sleep after each message received"},
	{"sender-delay", 'D', DEMO_OPT_SENDER_DELAY, KIND_DURATION, AT(sender_delay_ns), 0,
	 MAX_DURATION, "DUR", "sleep before the first send: receivers block"},
	{"hold", 'H', DEMO_OPT_HOLD, KIND_DURATION, AT(hold_ns), 0, MAX_DURATION, "DUR",
	 "receive nothing for DUR, so that senders block; a stuck workload: end "
	 "after DUR, 0: never"},
	{"seed", 0, DEMO_OPT_SEED, KIND_NUMBER, AT(seed), 0, UINT64_MAX, "N",
	 "what payload and sizes are made from"},
	{"vary", 0, DEMO_OPT_VARY, KIND_FLAG, AT(vary), 0, 0, NULL,
	 "sizes from 32 to --size instead of all the same"},
	{"chunk", 0, DEMO_OPT_CHUNK, KIND_NUMBER, AT(chunk), 0, MAX_SIZE, "BYTES",
	 "bytes asked for per receive instead of one message"},
	{"abstract", 0, DEMO_OPT_ABSTRACT, KIND_FLAG, AT(abstract), 0, 0, NULL,
	 "bind abstract names instead of paths"},
	{"socketpair", 0, DEMO_OPT_SOCKETPAIR, KIND_FLAG, AT(socketpair), 0, 0, NULL,
	 "inherit both ends of a socketpair instead of connecting"},
	{"priorities", 0, DEMO_OPT_PRIORITIES, KIND_NUMBER, AT(priorities), 1, MAX_PRIORITIES, "N",
	 "messages take turns with priorities 0 to N-1"},
	{"types", 0, DEMO_OPT_TYPES, KIND_NUMBER, AT(types), 1, MAX_PRIORITIES, "N",
	 "messages take turns with types 1 to N"},
	{"select", 0, DEMO_OPT_SELECT, KIND_TEXT, AT(select), 0, 0, "HOW",
	 "receivers take any, exact (each its own type), lowest, except (one takes type 1, "
	 "the others all else)"},
	{"unsynchronised", 0, DEMO_OPT_UNSYNCHRONISED, KIND_FLAG, AT(unsynchronised), 0, 0, NULL,
	 "look again and again instead of waiting to be woken"},
	{"semaphore", 0, DEMO_OPT_SEMAPHORE, KIND_FLAG, AT(semaphore), 0, 0, NULL,
	 "all receivers share one eventfd and take from it one by one"},
	{"canonical", 0, DEMO_OPT_CANONICAL, KIND_FLAG, AT(canonical), 0, 0, NULL,
	 "messages are lines, which the terminal hands out whole"},
	{"output", 0, DEMO_OPT_OUTPUT, KIND_FLAG, AT(output), 0, 0, NULL,
	 "senders write the slave and receivers read the master"},
	{"pull", 0, DEMO_OPT_PULL, KIND_FLAG, AT(pull), 0, 0, NULL,
	 "receivers read out of the senders, which do nothing"},
	{"taker", 0, DEMO_OPT_TAKER, KIND_TEXT, AT(taker), 0, 0, "HOW",
	 "receivers take signals by handler, wait or fd"},
	{"standard", 0, DEMO_OPT_STANDARD, KIND_FLAG, AT(standard), 0, 0, NULL,
	 "a standard signal: what comes while one is pending is lost"},
	{"parties", 0, DEMO_OPT_PARTIES, KIND_NUMBER, AT(parties), 2, MAX_PARTIES, "N",
	 "processes that take part"},
	{"stages", 0, DEMO_OPT_STAGES, KIND_NUMBER, AT(stages), 3, 63, "N",
	 "processes of the pipeline"},
	{"mixed", 0, DEMO_OPT_MIXED, KIND_FLAG, AT(mixed), 0, 0, NULL,
	 "three parties over a pipe, a unix socket and a System V queue"},
	{"truth", 't', 0, KIND_TEXT, AT(truth), 0, 0, "FILE",
	 "write what really happened as JSON, \"-\": to stdout"},
	{"help", 'h', 0, KIND_HELP, 0, 0, 0, NULL, "print this and exit"},
	{"version", 'V', 0, KIND_VERSION, 0, 0, 0, NULL, "print the version and exit"},
};

#define ROW_CNT  (sizeof(rows) / sizeof(rows[0]))
#define LONG_KEY 256 /* getopt value of row i is LONG_KEY + i: above any letter */

#define WORKLOAD_ROW(id) &demo_##id,
static const struct demo_workload *const workloads[] = {DEMO_WORKLOADS(WORKLOAD_ROW)};

const struct demo_workload *opts_workload(size_t i)
{
	return i < sizeof(workloads) / sizeof(workloads[0]) ? workloads[i] : NULL;
}

static const struct demo_workload *workload_by_name(const char *name)
{
	const struct demo_workload *w;

	for (size_t i = 0; (w = opts_workload(i)); i++)
		if (!strcmp(w->name, name))
			return w;
	return NULL;
}

__attribute__((format(printf, 3, 4))) static int usage(char *why, size_t len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, len, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* Plain decimal digits; *end is what follows. -ERANGE when it does not fit. */
static int parse_u64(const char *s, uint64_t *out, const char **end)
{
	uint64_t v = 0;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -ERANGE;
	*out = v;
	*end = s;
	return 0;
}

static int parse_number(const char *s, uint64_t *out)
{
	const char *end;
	int err = parse_u64(s, out, &end);

	return err ? err : *end ? -EINVAL : 0;
}

/* "10us", "5ms", "2s", "1m", "0": a unit is required, since a bare number could mean any. */
static int parse_duration(const char *s, uint64_t *out)
{
	static const struct {
		const char *unit;
		uint64_t ns;
	} units[] = {{"ns", 1},
		     {"us", DEMO_NS_PER_US},
		     {"ms", DEMO_NS_PER_MS},
		     {"s", DEMO_NS_PER_S},
		     {"m", 60 * DEMO_NS_PER_S}};
	const char *end;
	uint64_t v;
	int err = parse_u64(s, &v, &end);

	if (err)
		return err;
	if (!*end && !v) {
		*out = 0;
		return 0;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit))
			continue;
		return __builtin_mul_overflow(v, units[i].ns, out) ? -ERANGE : 0;
	}
	return -EINVAL;
}

/* What the user typed goes back to a terminal: nothing but printable ASCII. */
static const char *shown(const char *s, char *buf, size_t len)
{
	size_t i;

	for (i = 0; s[i] && i + 1 < len; i++)
		buf[i] = s[i] >= ' ' && s[i] <= '~' ? s[i] : '?';
	buf[i] = '\0';
	return buf;
}

static int set_value(const struct opt_row *row, struct demo_opts *o, const char *arg, char *why,
		     size_t why_len)
{
	char *field = (char *)o + row->offset;
	bool dur = row->kind == KIND_DURATION;
	char text[48];
	uint64_t v;
	int err;

	switch (row->kind) {
	case KIND_FLAG:
		*(bool *)field = true;
		return 0;
	case KIND_TEXT:
		if (!*arg)
			return usage(why, why_len, "--%s: empty", row->name);
		*(const char **)field = arg;
		return 0;
	case KIND_NUMBER:
	case KIND_DURATION:
		err = dur ? parse_duration(arg, &v) : parse_number(arg, &v);
		if (err == -EINVAL)
			return usage(why, why_len, "--%s: \"%s\" is not a %s", row->name,
				     shown(arg, text, sizeof(text)),
				     dur ? "duration such as 10us, 5ms or 2s" : "whole number");
		if (err || v < row->min || v > row->max)
			return usage(why, why_len,
				     "--%s: \"%s\" is not between %" PRIu64 " and %" PRIu64 "%s",
				     row->name, shown(arg, text, sizeof(text)), row->min,
				     dur ? row->max / DEMO_NS_PER_S : row->max, dur ? "s" : "");
		*(uint64_t *)field = v;
		return 0;
	default:
		return -EINVAL;
	}
}

static const struct opt_row *row_by_key(int key)
{
	if (key >= LONG_KEY)
		return &rows[key - LONG_KEY];
	for (size_t i = 0; i < ROW_CNT; i++)
		if (rows[i].letter && rows[i].letter == key)
			return &rows[i];
	return NULL;
}

/* Rules between options. Those of one mechanism are in its own file. */
static int check(const struct demo_cmdline *cmd, unsigned int given, char *why, size_t why_len)
{
	unsigned int strange = given & ~cmd->workload->uses;

	for (size_t i = 0; i < ROW_CNT; i++)
		if (rows[i].bit & strange)
			return usage(why, why_len, "%s has no option --%s", cmd->workload->name,
				     rows[i].name);
	return 0;
}

static int find_workload(struct demo_cmdline *cmd, int argc, char **argv, char *why, size_t why_len)
{
	char text[48];

	if (optind >= argc)
		return cmd->action == DEMO_ACT_HELP ? 0 : usage(why, why_len, "no workload named");
	cmd->workload = workload_by_name(argv[optind]);
	if (!cmd->workload)
		return usage(why, why_len, "no workload \"%s\"",
			     shown(argv[optind], text, sizeof(text)));
	if (optind + 1 < argc)
		return usage(why, why_len, "unexpected argument \"%s\"",
			     shown(argv[optind + 1], text, sizeof(text)));
	return 0;
}

/*
 * Two passes over the options: the first finds the workload, whose defaults
 * the second overrides. getopt permutes argv in the first, so both see all.
 */
static int scan(struct demo_cmdline *cmd, int argc, char **argv, unsigned int *given, char *why,
		size_t why_len)
{
	struct option longs[ROW_CNT + 1] = {0};
	char shorts[2 * ROW_CNT + 2] = ":", text[48];
	const struct opt_row *row;
	int key, err, at = 1;

	for (size_t i = 0; i < ROW_CNT; i++) {
		longs[i].name = rows[i].name;
		longs[i].has_arg = rows[i].arg ? required_argument : no_argument;
		longs[i].val = LONG_KEY + (int)i;
		if (rows[i].letter) {
			shorts[at++] = rows[i].letter;
			if (rows[i].arg)
				shorts[at++] = ':';
		}
	}
	optind = 0;
	opterr = 0;
	while ((key = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		row = key == '?' || key == ':' ? NULL : row_by_key(key);
		if (!row)
			return usage(why, why_len, "%s \"%s\"",
				     key == ':' ? "a value is missing after" : "bad option",
				     shown(argv[optind - 1], text, sizeof(text)));
		if (row->kind == KIND_HELP || row->kind == KIND_VERSION) {
			cmd->action = row->kind == KIND_HELP ? DEMO_ACT_HELP : DEMO_ACT_VERSION;
			continue;
		}
		err = set_value(row, &cmd->opts, optarg, why, why_len);
		if (err)
			return err;
		*given |= row->bit;
	}
	return 0;
}

int opts_parse(struct demo_cmdline *cmd, int argc, char **argv, char *why, size_t why_len)
{
	unsigned int given = 0;
	int err;

	*cmd = (struct demo_cmdline){0};
	err = scan(cmd, argc, argv, &given, why, why_len);
	if (err || cmd->action == DEMO_ACT_VERSION)
		return err;
	err = find_workload(cmd, argc, argv, why, why_len);
	if (err || cmd->action == DEMO_ACT_HELP)
		return err;
	cmd->opts = cmd->workload->defaults;
	err = scan(cmd, argc, argv, &given, why, why_len);
	return err ? err : check(cmd, given, why, why_len);
}

static void print_default(FILE *to, const struct opt_row *row, const struct demo_opts *o)
{
	uint64_t v;

	if (row->kind != KIND_NUMBER && row->kind != KIND_DURATION)
		return;
	v = *(const uint64_t *)((const char *)o + row->offset);
	if (row->kind == KIND_NUMBER)
		fprintf(to, " (%" PRIu64 ")", v);
	else if (v % DEMO_NS_PER_MS)
		fprintf(to, " (%" PRIu64 "us)", v / DEMO_NS_PER_US);
	else if (v)
		fprintf(to, " (%" PRIu64 "ms)", v / DEMO_NS_PER_MS);
}

void opts_print_help(FILE *to, const struct demo_workload *w)
{
	char left[40];

	for (size_t i = 0; i < ROW_CNT; i++) {
		const struct opt_row *row = &rows[i];

		if (w && row->bit && !(row->bit & w->uses))
			continue;
		snprintf(left, sizeof(left), "%c%c%c --%s%s%s", row->letter ? '-' : ' ',
			 row->letter ? row->letter : ' ', row->letter ? ',' : ' ', row->name,
			 row->arg ? " " : "", row->arg ? row->arg : "");
		fprintf(to, "  %-28s %s", left, row->help);
		if (w)
			print_default(to, row, &w->defaults);
		fputc('\n', to);
	}
}
