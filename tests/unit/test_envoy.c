// SPDX-License-Identifier: BSD-2-Clause
/* What is read by a process that may not come back: a FIFO nobody writes to is such a place. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/envoy.h"
#include "tmp.h"

#define NOBODY 4000000 /* the pid of no task */

static __u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000 + (__u64)ts.tv_nsec / 1000000;
}

/* No child is left, and none is a zombie. */
static void assert_alone(void)
{
	__u64 until_ms = now_ms() + 5000;

	do
		envoy_end();
	while (!waitpid(-1, NULL, WNOHANG) && now_ms() < until_ms);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void memory_is_read(void **state)
{
	char here[] = "what is here", got[sizeof(here)] = "";

	(void)state;
	envoy_begin(NULL, NULL, NULL);
	assert_true(envoy_memory(getpid(), (uintptr_t)here, got, sizeof(got)));
	assert_string_equal(got, here);
	assert_false(envoy_memory(getpid(), 8, got, sizeof(got)));
	assert_false(envoy_memory(NOBODY, (uintptr_t)here, got, sizeof(got)));
	assert_true(envoy_memory(getpid(), (uintptr_t)here, got, sizeof(got)));
	assert_alone();
}

/* Longer than any part in which it comes. */
static void files_are_read(void **state)
{
	char path[PATH_MAX], line[16];
	unsigned int i = 0;
	FILE *f;
	int fd;

	tmp_path(path, state, "lines");
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	for (i = 0; i < 30000; i++)
		assert_int_equal(dprintf(fd, "%u\n", i), snprintf(line, sizeof(line), "%u\n", i));
	close(fd);
	envoy_begin(NULL, NULL, NULL);
	f = envoy_open(getpid(), path);
	assert_non_null(f);
	for (i = 0; fgets(line, sizeof(line), f); i++)
		assert_int_equal(strtoul(line, NULL, 10), i);
	assert_int_equal(i, 30000);
	assert_false(ferror(f));
	fclose(f);
	assert_null(envoy_open(getpid(), "/nonexistent"));
	assert_int_equal(errno, ENOENT);
	assert_alone();
}

/* A file that is half read when its reader is gone has an error, and not an end. */
static void half_a_file(void **state)
{
	char path[PATH_MAX], buf[4096];
	FILE *f;
	int fd;

	tmp_path(path, state, "long");
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	close(fd);
	envoy_begin(NULL, NULL, NULL);
	f = envoy_open(getpid(), path);
	assert_non_null(f);
	setvbuf(f, NULL, _IONBF, 0);
	assert_int_equal(fread(buf, 1, sizeof(buf), f), sizeof(buf));
	envoy_end();
	while (fread(buf, 1, sizeof(buf), f) == sizeof(buf))
		;
	assert_true(ferror(f));
	fclose(f);
	assert_alone();
}

static void who_does_not_come_back_is_given_up(void **state)
{
	char path[PATH_MAX], here[] = "here", got[sizeof(here)];
	__u64 begin_ms;
	struct statx st;

	tmp_path(path, state, "fifo");
	assert_int_equal(mkfifo(path, 0600), 0);
	envoy_begin(NULL, NULL, NULL);
	assert_null(envoy_open(NOBODY, path));
	assert_int_equal(errno, EIO);
	/* others can be asked of, that task cannot for a while */
	assert_true(envoy_memory(getpid(), (uintptr_t)here, got, sizeof(got)));
	assert_int_equal(envoy_statx(getpid(), path, STATX_TYPE, &st), 0);
	assert_true(S_ISFIFO(st.stx_mode));
	begin_ms = now_ms();
	assert_int_equal(envoy_statx(NOBODY, path, STATX_TYPE, &st), -EIO);
	assert_true(now_ms() - begin_ms < 100);
	/* and not for ever: then nobody can */
	for (pid_t tid = NOBODY + 1; tid < NOBODY + 40; tid++)
		assert_null(envoy_open(tid, path));
	assert_true(now_ms() - begin_ms < 10000);
	assert_false(envoy_memory(getpid(), (uintptr_t)here, got, sizeof(got)));
	/* until the next time */
	envoy_begin(NULL, NULL, NULL);
	assert_true(envoy_memory(getpid(), (uintptr_t)here, got, sizeof(got)));
	assert_alone();
}

static void note(void *arg, __u32 pid)
{
	pid_t *noted = arg;

	if (pid)
		*noted = (pid_t)pid;
}

static void stop(void *arg, __u32 pid)
{
	(void)arg;
	if (pid)
		kill((pid_t)pid, SIGSTOP);
}

static void who_is_stopped_is_not_waited_for(void **state)
{
	char here[] = "here", got[sizeof(here)];
	__u64 begin_ms = now_ms();
	pid_t noted = 0;

	(void)state;
	envoy_begin(NULL, note, &noted);
	assert_true(envoy_memory(getpid(), (uintptr_t)here, got, sizeof(got)));
	assert_true(noted > 0);
	assert_int_equal(kill(noted, SIGSTOP), 0);
	envoy_end();
	envoy_begin(NULL, stop, NULL);
	assert_false(envoy_memory(getpid(), (uintptr_t)here, got, sizeof(got)));
	envoy_end();
	assert_true(now_ms() - begin_ms < 10000);
	assert_alone();
}

static __u32 told[2], times;

static void on_sent(void *arg, __u32 pid)
{
	assert_ptr_equal(arg, told);
	if (pid)
		told[0] = pid;
	else
		told[1]++;
	times++;
}

static int number(void)
{
	return 4711;
}

static void it_is_told_of(void **state)
{
	char here[] = "here", got[sizeof(here)];

	(void)state;
	envoy_begin(NULL, on_sent, told);
	envoy_end();
	assert_int_equal(times, 1); /* nobody was sent */
	envoy_begin(number, on_sent, told);
	assert_true(envoy_memory(getpid(), (uintptr_t)here, got, sizeof(got)));
	assert_int_equal(told[0], 4711);
	envoy_end();
	assert_int_equal(told[1], 2);
	envoy_begin(NULL, on_sent, told);
	assert_true(envoy_memory(getpid(), (uintptr_t)here, got, sizeof(got)));
	assert_int_not_equal(told[0], 4711);
	assert_true(told[0] > 1);
	assert_alone();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_read),
		TMP_TEST(files_are_read),
		TMP_TEST(half_a_file),
		TMP_TEST(who_does_not_come_back_is_given_up),
		cmocka_unit_test(it_is_told_of),
		/* the last: this process is shunned then */
		cmocka_unit_test(who_is_stopped_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
