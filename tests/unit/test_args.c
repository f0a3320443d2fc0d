// SPDX-License-Identifier: BSD-2-Clause
/* The command line, and that manual page, completion and option table agree. */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cmd/opts.h"
#include "export/format.h"
#include "ipcspy/types.h"
#include "model/mech.h"

#define ARGV_MAX 16

/* Parses a line of words (no quoting) as the arguments of a verb. */
struct parsed {
	struct opts o;
	struct strbuf why;
	char line[256];
	char *argv[ARGV_MAX];
	int argc, err;
};

static void parse(struct parsed *p, unsigned int verb, const char *line)
{
	char *save = NULL;

	*p = (struct parsed){0};
	strbuf_init(&p->why);
	p->argv[p->argc++] = (char *)"ipcspy";
	assert_true(strlen(line) < sizeof(p->line));
	snprintf(p->line, sizeof(p->line), "%s", line);
	for (char *w = strtok_r(p->line, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		assert_true(p->argc < ARGV_MAX - 1);
		p->argv[p->argc++] = w;
	}
	p->err = opts_parse(&p->o, verb, p->argc, p->argv, &p->why);
	if (!p->err && verb == VERB_WATCH)
		p->err = opts_check_watch(&p->o, &p->why);
}

static void done(struct parsed *p)
{
	opts_fini(&p->o);
	strbuf_fini(&p->why);
}

static void every_option_is_taken(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, VERB_WATCH, "-p 1,2 -p3 -f -m pipe,tcp --no-peers -d 2.5 -i 0.25 -o out -v");
	assert_int_equal(p.err, 0);
	assert_int_equal(p.o.pid_cnt, 3);
	assert_int_equal(p.o.pids[2], 3);
	assert_true(p.o.follow && p.o.no_peers && p.o.verbose);
	assert_false(p.o.all || p.o.messages);
	assert_int_equal(p.o.mech_mask, 1u << MECH_PIPE | 1u << MECH_TCP);
	assert_int_equal(p.o.duration_ns, 2500000000);
	assert_int_equal(p.o.interval_ns, 250000000);
	assert_string_equal(p.o.output, "out");
	assert_null(p.o.command);
	done(&p);

	parse(&p, VERB_WATCH, "--name=php* --messages --format jsonl --duration 1");
	assert_int_equal(p.err, 0);
	assert_string_equal(p.o.comm, "php*");
	assert_true(p.o.messages);
	assert_int_equal(p.o.format, FORMAT_JSONL);
	assert_int_equal(p.o.duration_ns, 1000000000);
	done(&p);

	parse(&p, VERB_WATCH, "-n systemd-journal* -d 500ms -i .5");
	assert_int_equal(p.err, 0);
	assert_int_equal(p.o.duration_ns, 500000000);
	assert_int_equal(p.o.interval_ns, 500000000);
	done(&p);

	parse(&p, VERB_WATCH, "-a --format json");
	assert_int_equal(p.err, 0);
	assert_true(p.o.all);
	assert_int_equal(p.o.format, FORMAT_JSON);
	done(&p);
}

static void a_command_keeps_its_own_options(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, VERB_WATCH, "-t -- sort -r -o x -- y");
	assert_int_equal(p.err, 0);
	assert_true(p.o.messages);
	assert_null(p.o.output);
	assert_non_null(p.o.command);
	assert_string_equal(p.o.command[0], "sort");
	assert_string_equal(p.o.command[4], "--");
	assert_string_equal(p.o.command[5], "y");
	assert_null(p.o.command[6]);
	done(&p);

	/* "--" as an argument separates nothing */
	parse(&p, VERB_WATCH, "-a -o -- ls");
	assert_int_equal(p.err, -EINVAL);
	assert_null(p.o.command);
	assert_string_equal(p.o.output, "--");
	done(&p);
}

static void bad_lines_are_explained(void **state)
{
	static const struct {
		const char *line, *why;
	} cases[] = {
		{"", "nothing to trace"},
		{"-f", "nothing to trace"},
		{"--", "no command"},
		{"ls -l", "'ls' is no command of ipcspy"},
		{"-p 1 ls", "'ls' is no command of ipcspy"},
		{"-p 1 -- ls", "leave out -p"},
		{"-a -- ls", "leave out -p"},
		{"-a -p 1", "-a is every process"},
		{"-a -n x", "-a is every process"},
		{"-a -c x", "-a is every process"},
		{"-c x -- ls", "leave out -p"},
		{"-c x -c y", "-c takes one control group"},
		{"-p 12x", "-p takes process ids"},
		{"-p 0", "not '0'"},
		{"-p -1", "not '-1'"},
		{"-p", "needs an argument: -p"},
		{"--pid", "needs an argument: --pid"},
		{"--no-peers=x -a", "takes no argument: --no-peers=x"},
		{"-x", "unknown option: -x"},
		{"-a -fx", "unknown option: -x"},
		{"--nope", "unknown option: --nope"},
		{"--formatted", "unknown option: --formatted"},
		{"-a --nope=\033[1m", "--nope=\\x1b[1m"},
		{"--f -a", "ambiguous option --f: --follow or --format"},
		{"--fo=x -a", "ambiguous option --fo=x: --follow or --format"},
		{"-m pipe,smoke", "unknown mechanism 'smoke'; known are pipe, fifo,"},
		{"-m ,", "unknown mechanism ''"},
		{"-d 0 -a", "-d takes seconds"},
		{"-d 1x -a", "not '1x'"},
		{"-i x -a", "-i takes seconds"},
		{"--format xml -a", "--format takes text, json or jsonl"},
		{"-n a -n b", "-n takes one name"},
		{"-a --payload 0 -t", "1 to 4096, not '0'"},
		{"-a --payload 4097 -t", "1 to 4096, not '4097'"},
		{"-a --payload 8K -t", "1 to 4096, not '8K'"},
		{"-a --payload x -t", "1 to 4096, not 'x'"},
		{"-a --payload 64", "give -t, --format jsonl or --record FILE"},
		{"-a --payload 64 --format json", "give -t, --format jsonl or --record FILE"},
		{"-a -i 1 -t", "not with -t"},
		{"-a -i 1 --format json", "not with -t"},
		{"-n 0123456789012345678901234567890123456789012345678901234567890123",
		 "of 1 to 15 bytes, or a pattern such as 'php*' of at most 63"},
		{"-n systemd-journald", "-n 'systemd-journal' is what would match"},
	};
	struct parsed p;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		parse(&p, VERB_WATCH, cases[i].line);
		if (p.err != -EINVAL || !strstr(p.why.s, cases[i].why))
			fail_msg("'%s': %d, '%s'", cases[i].line, p.err, p.why.s);
		done(&p);
	}
}

static void verbs_have_their_own_options(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, VERB_DOCTOR, "--format json --version");
	assert_int_equal(p.err, 0);
	assert_true(p.o.version);
	done(&p);
	parse(&p, VERB_DOCTOR, "--format jsonl");
	assert_int_equal(p.err, -EINVAL);
	assert_string_equal(p.why.s, "--format takes text or json, not 'jsonl'");
	done(&p);
	parse(&p, VERB_DOCTOR, "--f json"); /* the one there is */
	assert_int_equal(p.err, 0);
	assert_int_equal(p.o.format, FORMAT_JSON);
	done(&p);
	parse(&p, VERB_DOCTOR, "-p 1");
	assert_int_equal(p.err, -EINVAL);
	assert_non_null(strstr(p.why.s, "-p"));
	done(&p);
	parse(&p, VERB_WHY, "12 --format json 13");
	assert_int_equal(p.err, 0);
	assert_int_equal(p.o.format, FORMAT_JSON);
	assert_string_equal(p.o.rest[0], "12");
	assert_string_equal(p.o.rest[1], "13");
	done(&p);
	parse(&p, VERB_HELP, "doctor");
	assert_int_equal(p.err, 0);
	assert_string_equal(p.o.rest[0], "doctor");
	done(&p);
}

static void payload_goes_with_messages(void **state)
{
	static const char *const lines[] = {
		"-a -t --payload 4096", "-a --format jsonl --payload 4K",
		"--record x --payload 4096 -- ls", "-t --record x --payload 4096 -- ls"};
	struct parsed p;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		parse(&p, VERB_WATCH, lines[i]);
		assert_int_equal(p.err, 0);
		assert_int_equal(p.o.payload_bytes, PAYLOAD_MAX);
		done(&p);
	}
	parse(&p, VERB_RECORD, "-a -o x --payload 1");
	assert_int_equal(opts_check_record(&p.o, &p.why), 0);
	assert_int_equal(p.o.payload_bytes, 1);
	done(&p);
	parse(&p, VERB_REPORT, "--payload 1 x");
	assert_int_equal(p.err, -EINVAL);
	done(&p);
}

static void filter_is_told_as_typed(void **state)
{
	static const char *const lines[][2] = {
		{"-f -p 12 -p 13 -t -d 1", "-p 12,13 -f"},
		{"--no-peers --mechanism tcp,pipe --name a*", "-n a* -m pipe,tcp --no-peers"},
		{"-c a.slice/b -f", "-c a.slice/b -f"},
		{"-a", "-a"},
		{"-- ls", ""},
	};
	struct parsed p;
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		parse(&p, VERB_WATCH, lines[i][0]);
		strbuf_reset(&sb);
		opts_put_filter(&sb, &p.o);
		assert_string_equal(sb.s, lines[i][1]);
		assert_int_equal(sb.len, strlen(lines[i][1]));
		done(&p);
	}
	strbuf_fini(&sb);
}

/* A file of the source tree; IPCSPY_TOP where the test does not run in its root. */
static char *slurp(const char *path)
{
	const char *top = getenv("IPCSPY_TOP");
	char full[512];
	char *text;
	FILE *f;
	size_t n;

	snprintf(full, sizeof(full), "%s/%s", top ? top : ".", path);
	f = fopen(full, "re");
	if (!f)
		fail_msg("cannot open %s", full);
	text = calloc(1, 256 << 10);
	assert_non_null(text);
	n = fread(text, 1, (256 << 10) - 1, f);
	assert_true(n > 0 && feof(f));
	fclose(f);
	return text;
}

/* Whether the word stands in text with nothing that could be part of an option around it. */
static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = text; (p = strstr(p, word)); p += len) {
		char after = p[len];

		if (!isalnum((unsigned char)after) && after != '-' &&
		    (p == text || !isalnum((unsigned char)p[-1])))
			return true;
	}
	return false;
}

static void assert_has(const char *text, const char *word, const char *where)
{
	if (!has_word(text, word))
		fail_msg("'%s' is not in %s", word, where);
}

static void documents_know_every_option(void **state)
{
	char *man = slurp("src/ipcspy.8"), *words = slurp("src/completion/ipcspy.bash");
	char *readme = slurp("README.md");
	struct strbuf help;
	char word[64];

	(void)state;
	strbuf_init(&help);
	opts_put_help(&help, VERB_WATCH | VERB_WHY | VERB_EXPORT | VERB_RECORD);
	for (const struct opt *opt = opt_table; opt->name; opt++) {
		snprintf(word, sizeof(word), "--%s", opt->name);
		assert_has(words, word, "the completion");
		assert_has(help.s, word, "the help");
		/* the README names what is particular to this program */
		if (strcmp(opt->name, "help") != 0 && strcmp(opt->name, "version") != 0)
			assert_has(readme, word, "the README");
		/* mdoc: ".It Fl p , -pid Ar PID"; only the OPTIONS, so look for the item */
		if (opt->letter)
			snprintf(word, sizeof(word), ".It Fl %c , -%s", opt->letter, opt->name);
		else
			snprintf(word, sizeof(word), ".It Fl -%s", opt->name);
		assert_has(man, word, "the manual page");
	}
	strbuf_fini(&help);
	free(readme);
	free(words);
	free(man);
}

/* An option that two verbs have has two rows, and one item. */
static bool is_first_row(const struct opt *opt)
{
	for (const struct opt *other = opt_table; other < opt; other++)
		if (!strcmp(other->name, opt->name))
			return false;
	return true;
}

/* The other way: nothing is documented that does not exist. */
static void documents_know_no_other_option(void **state)
{
	char *man = slurp("src/ipcspy.8");
	size_t items = 0, rows = 0;

	(void)state;
	for (const char *p = man; (p = strstr(p, "\n.It Fl ")); p++)
		items++;
	for (const struct opt *opt = opt_table; opt->name; opt++)
		rows += is_first_row(opt);
	assert_int_equal(items, rows);
	free(man);
}

/* Every word from behind `from` up to `to` names a mechanism, and every mechanism is there. */
static void assert_mechs(char *text, const char *from, const char *to, const char *where)
{
	uint32_t seen = 0, all = 0;
	enum ipcspy_mech mech;
	char *save = NULL, *begin = strstr(text, from), *end;

	end = begin ? strstr(begin + strlen(from), to) : NULL;
	if (!end)
		fail_msg("no list of mechanisms in %s", where);
	*end = '\0';
	for (char *w = strtok_r(begin + strlen(from), " ,|\\\n", &save); w;
	     w = strtok_r(NULL, " ,|\\\n", &save)) {
		if (!strcmp(w, ".Cm") || !strcmp(w, "."))
			continue;
		mech = mech_by_name(w, (unsigned int)strlen(w));
		if (mech == MECH_NONE)
			fail_msg("'%s', which %s has, is no mechanism", w, where);
		seen |= 1u << mech;
	}
	for (unsigned int i = 0; (mech = mech_at(i)) != MECH_NONE; i++) {
		if (!(seen & 1u << mech))
			fail_msg("'%s' is not in %s", mech_name(mech), where);
		all |= 1u << mech;
	}
	assert_int_equal(seen, all);
}

static void documents_know_the_mechanisms(void **state)
{
	static const struct {
		const char *path, *from, *to;
	} docs[] = {
		{"README.md", "--mechanism MECH[,MECH]...` | only `", "` |"},
		{"src/ipcspy.8", "Only these mechanisms:", "\nAll but"},
		{"src/completion/ipcspy.bash", "local mechanisms=\"", "\""},
	};
	struct strbuf help;

	(void)state;
	assert_int_not_equal(mech_at(0), MECH_NONE);
	for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++) {
		char *text = slurp(docs[i].path);

		assert_mechs(text, docs[i].from, docs[i].to, docs[i].path);
		free(text);
	}
	strbuf_init(&help);
	opts_put_help(&help, VERB_WATCH);
	assert_mechs(help.s, "only these mechanisms\n", "--no-peers", "the help");
	strbuf_fini(&help);
}

static void documents_know_the_formats(void **state)
{
	char *man = slurp("src/ipcspy.8"), *words = slurp("src/completion/ipcspy.bash");
	char *readme = slurp("README.md");
	char text[64];

	(void)state;
	for (const struct export_format *const *f = formats; *f; f++) {
		snprintf(text, sizeof(text), "\n.It Cm %s\n", (*f)->name);
		if (!strstr(man, text))
			fail_msg("%s is not in the manual page", (*f)->name);
		assert_has(words, (*f)->name, "the completion");
		snprintf(text, sizeof(text), "`%s`", (*f)->name);
		if (!strstr(readme, text))
			fail_msg("%s is not in the README", (*f)->name);
	}
	free(readme);
	free(words);
	free(man);
}

static void export_takes_a_format_and_a_file(void **state)
{
	static const struct {
		const char *line, *why;
	} bad[] = {
		{"--to jpeg x", "not 'jpeg'"},
		{"", "export of what?"},
		{"x y", "one file"},
		{"--force x", "not without -o FILE"},
		{"--force -o - x", "not without -o FILE"},
	};
	struct parsed p;
	int err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		parse(&p, VERB_EXPORT, bad[i].line);
		err = p.err ? p.err : opts_check_export(&p.o, &p.why);
		if (err != -EINVAL || !strstr(p.why.s, bad[i].why))
			fail_msg("'%s': %d, '%s'", bad[i].line, err, p.why.s);
		done(&p);
	}
	parse(&p, VERB_EXPORT, "--to csv --force -o out -");
	assert_int_equal(p.err, 0);
	assert_int_equal(opts_check_export(&p.o, &p.why), 0);
	assert_ptr_equal(p.o.to, format_by_name("csv"));
	assert_true(p.o.force);
	assert_string_equal(p.o.rest[0], "-");
	done(&p);
	parse(&p, VERB_EXPORT, "-- -x");
	assert_int_equal(opts_check_export(&p.o, &p.why), 0);
	assert_ptr_equal(p.o.to, formats[0]);
	assert_string_equal(p.o.rest[0], "-x");
	done(&p);
}

static void help_fits_a_terminal(void **state)
{
	struct strbuf help;

	(void)state;
	strbuf_init(&help);
	opts_put_help(&help, VERB_WATCH);
	opts_put_help(&help, VERB_DOCTOR);
	opts_put_help(&help, VERB_EXPORT);
	for (const char *p = help.s; *p; p = strchr(p, '\n') + 1)
		assert_true(strchr(p, '\n') - p <= 80);
	assert_non_null(strstr(help.s, "text or json\n"));
	strbuf_fini(&help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_option_is_taken),
		cmocka_unit_test(a_command_keeps_its_own_options),
		cmocka_unit_test(bad_lines_are_explained),
		cmocka_unit_test(verbs_have_their_own_options),
		cmocka_unit_test(payload_goes_with_messages),
		cmocka_unit_test(filter_is_told_as_typed),
		cmocka_unit_test(documents_know_every_option),
		cmocka_unit_test(documents_know_no_other_option),
		cmocka_unit_test(documents_know_the_mechanisms),
		cmocka_unit_test(documents_know_the_formats),
		cmocka_unit_test(export_takes_a_format_and_a_file),
		cmocka_unit_test(help_fits_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
