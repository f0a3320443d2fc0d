// SPDX-License-Identifier: BSD-2-Clause
/* What a look at the machine reads from /proc and from other processes' memory. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/calls.h"
#include "probe/epoll.h"
#include "probe/held.h"
#include "probe/locks.h"
#include "tmp.h"

#define SEC 1000000000ull

static struct lock_table locks_of(const char *const *lines)
{
	struct lock_table t;

	locks_init(&t);
	for (; *lines; lines++)
		assert_int_equal(locks_line(&t, *lines), 0);
	return t;
}

static void waiters_follow_the_lock(void **state)
{
	const char *const lines[] = {
		"1: FLOCK  ADVISORY  WRITE 100 fe:00:777 0 EOF",
		"1: -> FLOCK  ADVISORY  WRITE 101 fe:00:777 0 EOF",
		"1:  -> FLOCK  ADVISORY  READ 102 fe:00:777 0 EOF",
		"2: POSIX  ADVISORY  WRITE 200 00:1a:888 10 19",
		"2: -> POSIX  ADVISORY  WRITE 101 00:1a:888 0 EOF",
		"3: OFDLCK ADVISORY  WRITE -1 00:1a:999 0 EOF",
		"3: -> OFDLCK ADVISORY  WRITE -1 00:1a:999 0 EOF",
		"4: POSIX  ADVISORY  READ 300 00:1a:1000 0 0",
		"4: -> OFDLCK ADVISORY  WRITE -1 00:1a:1000 0 0",
		NULL,
	};
	struct lock_table t = locks_of(lines);

	(void)state;
	assert_int_equal(t.cnt, 5);
	assert_int_equal(locks_holder(&t, LOCK_FLOCK, 101, 777), 100);
	assert_int_equal(locks_holder(&t, LOCK_FLOCK, 102, 0), 100);
	assert_int_equal(locks_holder(&t, LOCK_POSIX, 101, 888), 200);
	assert_int_equal(locks_holder(&t, LOCK_POSIX, 101, 777), 0);
	assert_int_equal(locks_holder(&t, LOCK_OFD, 5, 999), 0);
	assert_int_equal(locks_holder(&t, LOCK_OFD, 5, 1000), 300);
	assert_int_equal(locks_holder(&t, LOCK_FLOCK, 103, 777), 0);
	locks_fini(&t);
}

static void other_text_is_no_lock(void **state)
{
	const char *const lines[] = {
		"",
		":",
		"->",
		"1:",
		"1: ->",
		"x: POSIX  ADVISORY  WRITE 1 00:1a:1 0 EOF",
		"1: -> POSIX  ADVISORY  WRITE 7 00:1a:1 0 EOF", /* behind no lock */
		"2: POSIX  ADVISORY  WRITE 8 00:1a:2 0 EOF",
		"2: -> POSIX  ADVISORY  WRITE 9 00:1a:3 0 EOF", /* of another file */
		"2: -> LEASE  ACTIVE  WRITE 9 00:1a:2 0 EOF",
		"2: -> POSIXPOSIXPOSIXPOSIXPOSIX ADVISORY WRITE 9 00:1a:2 0 EOF",
		"2: -> POSIX  ADVISORY  WRITE",
		"2: -> POSIX  ADVISORY  WRITE 9 00:1a",
		"2: -> POSIX  ADVISORY  WRITE nine 00:1a:2 0 EOF",
		NULL,
	};
	struct lock_table t = locks_of(lines);

	(void)state;
	assert_int_equal(t.cnt, 0);
	locks_fini(&t);
}

static void waiters_are_bounded(void **state)
{
	struct lock_table t;

	(void)state;
	locks_init(&t);
	assert_int_equal(locks_line(&t, "1: POSIX  ADVISORY  WRITE 8 00:1a:2 0 EOF"), 0);
	for (int i = 0; i < 70000; i++)
		assert_int_equal(locks_line(&t, "1: -> POSIX  ADVISORY  WRITE 9 00:1a:2 0 EOF"), 0);
	assert_int_equal(t.cnt, 65536);
	locks_fini(&t);
}

static void a_member_of_an_epoll(void **state)
{
	struct epoll_member m = {0};

	(void)state;
	assert_true(epoll_member_parse("tfd:        5 events:       19 data: ffffffffffffffff  "
				       "pos:0 ino:1bd3 sdev:9\n",
				       &m));
	assert_int_equal(m.fd, 5);
	assert_int_equal(m.events, 0x19);
	assert_int_equal(m.ino, 0x1bd3);
	assert_true(
		epoll_member_parse("tfd:        6 events: 80000001 data:                0", &m));
	assert_int_equal(m.fd, 6);
	assert_int_equal(m.events, 0x80000001);
	assert_int_equal(m.ino, 0);
}

static void other_text_is_no_member(void **state)
{
	static const char *const lines[] = {
		"",
		"pos:\t0",
		"tfd:",
		"tfd: 5",
		"tfd: x events: 1",
		"tfd: -1 events: 1",
		"tfd: 5 events: ",
		" tfd 5 events 1",
		"ino:1bd3",
	};
	struct epoll_member m;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_false(epoll_member_parse(lines[i], &m));
	assert_true(epoll_member_parse("tfd: 5 events: 1 ino:zz", &m));
	assert_int_equal(m.ino, 0);
}

static int sum_fds(void *arg, const struct epoll_member *m)
{
	*(int *)arg += m->fd;
	return 0;
}

static int stop_at_first(void *arg, const struct epoll_member *m)
{
	(void)m;
	return ++*(int *)arg;
}

static void members_of_a_real_one(void **state)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 0x20696e6f3a666666ull};
	int ep = epoll_create1(0), fds[2], sum = 0, calls = 0;
	uint32_t self = (uint32_t)getpid();

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &ev), 0);
	assert_int_equal(epoll_ctl(ep, EPOLL_CTL_ADD, fds[1], &ev), 0);
	assert_int_equal(epoll_members(self, ep, sum_fds, &sum), 0);
	assert_int_equal(sum, fds[0] + fds[1]);
	assert_int_equal(epoll_members(self, ep, stop_at_first, &calls), 1);
	assert_int_equal(calls, 1);
	assert_true(epoll_members(self, 9999, sum_fds, &sum) < 0);
	close(ep);
	close(fds[0]);
	close(fds[1]);
}

static struct look_task looked(unsigned int nr)
{
	struct look_task l = {.task = {.nr = (uint16_t)nr, .since_ns = 100 * SEC}};

	l.task.hdr.pid = l.task.hdr.tid = (uint32_t)getpid();
	l.task.hdr.ts_ns = 105 * SEC;
	return l;
}

static uint64_t until(const struct look_task *l)
{
	return wait_call_until(wait_call_find(l->task.nr), l);
}

static void when_a_call_ends(void **state)
{
	struct timespec ts = {.tv_sec = 7, .tv_nsec = 5};
	struct look_task l = looked(SYS_nanosleep);

	(void)state;
	l.args[0] = (uintptr_t)&ts;
	assert_int_equal(until(&l), 107 * SEC + 5);
	l = looked(SYS_ppoll);
	l.args[2] = (uintptr_t)&ts;
	assert_int_equal(until(&l), 107 * SEC + 5);
	l.args[2] = 0;
	assert_int_equal(until(&l), 0);
	l = looked(SYS_epoll_pwait);
	l.args[3] = 1500;
	assert_int_equal(until(&l), 101 * SEC + SEC / 2);
	l.args[3] = (uint32_t)-1;
	assert_int_equal(until(&l), 0);
	l.args[3] = 0xffffffff00000000ull; /* the upper half is not looked at by the kernel */
	assert_int_equal(until(&l), 100 * SEC);
	l = looked(SYS_wait4);
	assert_int_equal(until(&l), 0);
	assert_null(wait_call_find(SYS_getpid));
}

static void times_of_other_clocks(void **state)
{
	struct look_task l = looked(SYS_clock_nanosleep);
	struct timespec ts;

	(void)state;
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += 100;
	l.args[0] = CLOCK_REALTIME;
	l.args[1] = TIMER_ABSTIME;
	l.args[2] = (uintptr_t)&ts;
	assert_true(until(&l) > 200 * SEC && until(&l) <= 205 * SEC);
	ts.tv_sec -= 500; /* over, and about to be noticed */
	assert_int_equal(until(&l), 105 * SEC);
	l.args[0] = 12345; /* no such clock */
	assert_int_equal(until(&l), 0);
	l = looked(SYS_mq_timedsend);
	l.args[4] = (uintptr_t)&ts;
	assert_int_equal(until(&l), 105 * SEC);
}

static void hostile_times(void **state)
{
	static const struct timespec bad[] = {
		{-1, 0}, {0, -1}, {0, 1000000000}, {INT64_MAX, 0}, {INT64_MAX / 2, 999999999},
	};
	struct look_task l = looked(SYS_nanosleep);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		l.args[0] = (uintptr_t)&bad[i];
		assert_int_equal(until(&l), 0);
	}
	l.args[0] = 1;
	assert_int_equal(until(&l), 0);
	l.args[0] = UINT64_MAX - 3;
	assert_int_equal(until(&l), 0);
}

static void a_string_at_the_end_of_memory(void **state)
{
	const size_t page = 4096;
	char *two =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char got[64];

	(void)state;
	assert_ptr_not_equal(two, MAP_FAILED);
	assert_int_equal(munmap(two + page, page), 0);
	strcpy(two + page - 4, "end");
	assert_true(task_string(getpid(), (uintptr_t)two + page - 4, got, sizeof(got)));
	assert_string_equal(got, "end");
	memset(two, 'x', page);
	assert_true(task_string(getpid(), (uintptr_t)two, got, sizeof(got)));
	assert_int_equal(strlen(got), sizeof(got) - 1);
	assert_false(task_string(getpid(), (uintptr_t)two + page - 8, got, sizeof(got)));
	assert_false(task_string(getpid(), 0, got, sizeof(got)));
	munmap(two, page);
}

static void what_stands_behind_a_descriptor(void **state)
{
	struct ev_obj listener = {.hdr = {.kind = EV_OBJ, .flags = OBJF_LISTEN},
				  .chan = 11,
				  .ino = 5,
				  .mech = MECH_TCP};
	struct ev_obj event = {.hdr = {.kind = EV_OBJ}, .chan = 12, .ino = 6, .mech = MECH_EVENTFD};
	struct ev_hold hold = {.hdr = {.kind = EV_HOLD, .pid = 7}, .chan = 11, .fd = 3};
	struct held_table t;

	(void)state;
	held_init(&t);
	assert_null(held_find(&t, 7, 3));
	assert_int_equal(held_see(&t, &listener.hdr), 0);
	assert_int_equal(held_see(&t, &hold.hdr), 0);
	assert_int_equal(held_see(&t, &event.hdr), 0);
	for (hold.chan = 12, hold.fd = 4; hold.fd < 5000; hold.fd++)
		assert_int_equal(held_see(&t, &hold.hdr), 0);
	assert_int_equal(held_find(&t, 7, 3)->chan, 11);
	assert_int_equal(held_find(&t, 7, 3)->ino, 5);
	assert_true(held_find(&t, 7, 3)->listens);
	assert_int_equal(held_find(&t, 7, 4999)->chan, 12);
	assert_int_equal(held_find(&t, 7, 4999)->ino, 0);
	assert_null(held_find(&t, 8, 3));
	assert_null(held_find(&t, 7, -3));
	held_reset(&t);
	assert_null(held_find(&t, 7, 3));
	held_fini(&t);
}

static void what_is_too_much_is_no_channel(void **state)
{
	struct ev_hold hold = {.hdr = {.kind = EV_HOLD, .pid = 7}, .chan = 11};
	struct held_table t;

	(void)state;
	held_init(&t);
	assert_int_equal(t.max, 1 << 22);
	t.max = 300;
	for (; hold.fd < 1000; hold.fd++)
		assert_int_equal(held_see(&t, &hold.hdr), 0);
	assert_int_equal(t.cnt, 300);
	assert_non_null(held_find(&t, 7, 299));
	assert_null(held_find(&t, 7, 300));
	held_fini(&t);
}

static pid_t wait_for_flock(const char *path)
{
	pid_t child = fork();

	if (!child) {
		FILE *f = fopen(path, "r");

		prctl(PR_SET_PDEATHSIG, SIGKILL); /* not left behind by a check that fails */
		if (f)
			flock(fileno(f), LOCK_EX);
		_exit(0);
	}
	return child;
}

static void a_lock_of_this_process(void **state)
{
	char path[PATH_MAX];
	int fd, tries = 200;
	struct lock_table t;
	struct stat st;
	pid_t child;

	tmp_path(path, state, "lock");
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	child = wait_for_flock(path);
	assert_true(child > 0);
	locks_init(&t);
	do {
		locks_fini(&t);
		usleep(10000);
		assert_int_equal(locks_read(&t), 0);
	} while (!locks_holder(&t, LOCK_FLOCK, child, st.st_ino) && --tries);
	assert_int_equal(locks_holder(&t, LOCK_FLOCK, child, st.st_ino), getpid());
	locks_fini(&t);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waiters_follow_the_lock),
		cmocka_unit_test(other_text_is_no_lock),
		cmocka_unit_test(waiters_are_bounded),
		cmocka_unit_test(a_member_of_an_epoll),
		cmocka_unit_test(other_text_is_no_member),
		cmocka_unit_test(members_of_a_real_one),
		cmocka_unit_test(when_a_call_ends),
		cmocka_unit_test(times_of_other_clocks),
		cmocka_unit_test(hostile_times),
		cmocka_unit_test(a_string_at_the_end_of_memory),
		cmocka_unit_test(what_stands_behind_a_descriptor),
		cmocka_unit_test(what_is_too_much_is_no_channel),
		TMP_TEST(a_lock_of_this_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
