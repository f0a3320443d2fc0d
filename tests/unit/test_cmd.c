// SPDX-License-Identifier: BSD-2-Clause
/* Commands held back and let go, targets that end, signals, where output goes. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cmd/cmd.h"
#include "cmd/command.h"
#include "cmd/output.h"
#include "cmd/signals.h"
#include "cmd/targets.h"
#include "export/report.h"
#include "tmp.h"

#define TRIES 500 /* of 10 ms each: far more than anything here takes */

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

static void wait_for_end(struct command *c)
{
	for (int i = 0; i < TRIES && !c->ended; i++) {
		nap();
		command_poll(c);
	}
	assert_true(c->ended);
}

static void command_runs_when_let_go(void **state)
{
	char file[PATH_MAX], script[PATH_MAX + 32];
	char *argv[] = {(char *)"sh", (char *)"-c", script, NULL};
	struct command c;

	tmp_path(file, state, "ran");
	snprintf(script, sizeof(script), "echo >'%s'; exit 7", file);
	assert_int_equal(command_start(&c, argv), 0);
	for (int i = 0; i < 5; i++)
		nap();
	command_poll(&c);
	assert_false(c.ended);
	assert_int_not_equal(access(file, F_OK), 0); /* held back */
	assert_int_equal(command_go(&c), 0);
	wait_for_end(&c);
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(status_as_shell(c.status), 7);
	assert_int_equal(command_exec_error(&c), 0);
	command_fini(&c);
}

static void command_that_is_not_let_go_never_runs(void **state)
{
	char file[PATH_MAX], script[PATH_MAX + 32];
	char *argv[] = {(char *)"sh", (char *)"-c", script, NULL};
	struct command c;
	pid_t pid;

	tmp_path(file, state, "ran");
	snprintf(script, sizeof(script), "echo >'%s'", file);
	assert_int_equal(command_start(&c, argv), 0);
	pid = c.pid;
	command_fini(&c);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_not_equal(access(file, F_OK), 0);
}

/* The lock is free then, too: the child must not take that for leave to run. */
static void command_of_a_dead_parent_never_runs(void **state)
{
	char file[PATH_MAX], script[PATH_MAX + 32];
	char *argv[] = {(char *)"sh", (char *)"-c", script, NULL};
	int alive[2];
	pid_t pid;
	char c;

	tmp_path(file, state, "ran");
	snprintf(script, sizeof(script), "echo >'%s'", file);
	assert_int_equal(pipe(alive), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct command command;

		_exit(command_start(&command, argv) != 0);
	}
	close(alive[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	/* End of file: the waiting child is gone as well. */
	assert_int_equal(read(alive[0], &c, 1), 0);
	assert_int_not_equal(access(file, F_OK), 0);
	close(alive[0]);
}

static void missing_command_says_why(void **state)
{
	char *argv[] = {(char *)"/nonexistent/program", NULL};
	struct command c;

	(void)state;
	assert_int_equal(command_start(&c, argv), 0);
	assert_int_equal(command_exec_error(&c), 0);
	assert_int_equal(command_go(&c), 0);
	wait_for_end(&c);
	assert_int_equal(command_exec_error(&c), ENOENT);
	assert_false(command_runs(&c)); /* it never did */
	command_fini(&c);
}

/* Not before it was let go, and for certain by the time it has ended. */
static void command_runs_from_its_exec_on(void **state)
{
	char *argv[] = {(char *)"sleep", (char *)"60", NULL};
	struct command none = {0}, c;

	(void)state;
	assert_true(command_runs(&none));
	assert_int_equal(command_start(&c, argv), 0);
	nap();
	assert_false(command_runs(&c));
	assert_int_equal(command_go(&c), 0);
	for (int i = 0; i < 500 && !command_runs(&c); i++)
		nap();
	assert_true(command_runs(&c));
	command_poll(&c);
	assert_false(c.ended);
	command_signal(&c, SIGKILL);
	wait_for_end(&c);
	assert_true(command_runs(&c));
	command_fini(&c);
}

static void command_gets_signals(void **state)
{
	char *argv[] = {(char *)"sleep", (char *)"100", NULL};
	struct command c;

	(void)state;
	assert_int_equal(command_start(&c, argv), 0);
	assert_int_equal(command_go(&c), 0);
	command_signal(&c, SIGTERM);
	wait_for_end(&c);
	assert_int_equal(status_as_shell(c.status), 128 + SIGTERM);
	command_fini(&c);
}

static pid_t spawn_sleeper(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void targets_are_watched_until_the_last_ends(void **state)
{
	pid_t pids[2] = {spawn_sleeper(), spawn_sleeper()};
	struct targets t;
	struct strbuf why;

	(void)state;
	strbuf_init(&why);
	assert_int_equal(targets_open(&t, pids, 2, &why), 0);
	assert_false(targets_gone(&t));
	end(pids[0]);
	assert_false(targets_gone(&t));
	assert_false(targets_gone(&t));
	end(pids[1]);
	assert_true(targets_gone(&t));
	assert_true(targets_gone(&t));
	targets_close(&t);

	/* No pids: -n or -a, which never run out of targets. */
	assert_int_equal(targets_open(&t, NULL, 0, &why), 0);
	assert_false(targets_gone(&t));
	targets_close(&t);
	assert_int_equal(why.len, 0);
	strbuf_fini(&why);
}

static void targets_must_be_there(void **state)
{
	pid_t gone = spawn_sleeper(), self = getpid();
	struct targets t;
	struct strbuf why;

	(void)state;
	strbuf_init(&why);
	end(gone);
	assert_int_equal(targets_open(&t, &gone, 1, &why), -ESRCH);
	assert_non_null(strstr(why.s, "no process with pid"));
	targets_close(&t);
	strbuf_reset(&why);
	assert_int_equal(targets_open(&t, &self, 1, &why), -EINVAL);
	assert_non_null(strstr(why.s, "itself"));
	targets_close(&t);
	strbuf_fini(&why);
}

static void signals_ask_for_an_end(void **state)
{
	(void)state;
	assert_int_equal(signals_init(0), 0);
	assert_false(signals_stop());
	raise(SIGINT);
	assert_true(signals_stop());
	assert_false(signals_terminated());

	assert_int_equal(signals_init(1), 0);
	raise(SIGINT); /* the command's */
	assert_false(signals_stop());
	raise(SIGINT);
	assert_true(signals_stop());

	assert_int_equal(signals_init(1), 0);
	raise(SIGTERM);
	assert_true(signals_stop());
	assert_true(signals_terminated());
}

/* The report itself may hang: one more Ctrl-C gets out. */
static void one_more_sigint_kills(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (!pid) {
		signals_init(0);
		raise(SIGINT);
		raise(SIGINT);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
}

static void output_goes_where_it_should(void **state)
{
	char *command[] = {(char *)"ls", NULL};
	char file[PATH_MAX], link_name[PATH_MAX];
	struct opts o = {0};
	struct output out;
	struct stat st;

	assert_int_equal(output_open(&out, &o), 0);
	assert_int_equal(out.sink.fd, STDOUT_FILENO);
	output_close(&out);
	o.command = command;
	assert_int_equal(output_open(&out, &o), 0);
	assert_int_equal(out.sink.fd, STDERR_FILENO);
	output_close(&out);

	tmp_path(file, state, "report");
	o.output = file;
	assert_int_equal(output_open(&out, &o), 0);
	assert_true(out.sink.fd > STDERR_FILENO);
	assert_int_equal(fstat(out.sink.fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	output_close(&out);
	tmp_path(link_name, state, "link");
	assert_int_equal(symlink(file, link_name), 0);
	o.output = link_name;
	assert_int_equal(output_open(&out, &o), -ELOOP);
	output_close(&out);
	o.output = "/nonexistent/report";
	assert_int_equal(output_open(&out, &o), -ENOENT);
	output_close(&out);
}

static void output_is_as_wide_as_asked(void **state)
{
	const struct opts o = {.output = "/dev/null"};
	static const struct {
		const char *columns;
		unsigned int width;
	} cases[] = {
		{NULL, TEXT_WIDTH_ENDLESS},   {"", TEXT_WIDTH_ENDLESS},  {"132", 132},
		{"wide", TEXT_WIDTH_ENDLESS}, {"0", TEXT_WIDTH_ENDLESS},
	};
	struct output out;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].columns)
			setenv("COLUMNS", cases[i].columns, 1);
		else
			unsetenv("COLUMNS");
		assert_int_equal(output_open(&out, &o), 0);
		assert_int_equal(out.text.style.width, cases[i].width);
		output_close(&out);
	}
	unsetenv("COLUMNS");
}

static void formats_choose_lines_and_report(void **state)
{
	static const struct {
		bool messages;
		enum format format;
		bool lines, lines_json;
		enum format report;
	} cases[] = {
		{false, FORMAT_TEXT, false, false, FORMAT_TEXT},
		{true, FORMAT_TEXT, true, false, FORMAT_TEXT},
		{false, FORMAT_JSON, false, false, FORMAT_JSON},
		{true, FORMAT_JSON, true, true, FORMAT_JSONL},
		{false, FORMAT_JSONL, true, true, FORMAT_JSONL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct opts o = {.messages = cases[i].messages, .format = cases[i].format};
		struct output out;

		assert_int_equal(output_open(&out, &o), 0);
		assert_int_equal(out.lines, cases[i].lines);
		assert_int_equal(out.lines_json, cases[i].lines_json);
		assert_int_equal(out.report, cases[i].report);
		output_close(&out);
	}
}

static void verbs_are_complete(void **state)
{
	(void)state;
	for (const struct verb *v = verbs; v->run; v++) {
		assert_non_null(v->usage);
		assert_non_null(v->summary);
		assert_int_not_equal(v->id, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TMP_TEST(command_runs_when_let_go),
		TMP_TEST(command_that_is_not_let_go_never_runs),
		TMP_TEST(command_of_a_dead_parent_never_runs),
		cmocka_unit_test(missing_command_says_why),
		cmocka_unit_test(command_runs_from_its_exec_on),
		cmocka_unit_test(command_gets_signals),
		cmocka_unit_test(targets_are_watched_until_the_last_ends),
		cmocka_unit_test(targets_must_be_there),
		cmocka_unit_test(signals_ask_for_an_end),
		cmocka_unit_test(one_more_sigint_kills),
		TMP_TEST(output_goes_where_it_should),
		cmocka_unit_test(output_is_as_wide_as_asked),
		cmocka_unit_test(formats_choose_lines_and_report),
		cmocka_unit_test(verbs_are_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
