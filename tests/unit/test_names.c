// SPDX-License-Identifier: BSD-2-Clause
/* Whether a pid is still that of the process that a record is about. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/internal.h"

#define SEC 1000000000ull

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SEC + (uint64_t)ts.tv_nsec;
}

static void a_later_process_is_another(void **state)
{
	uint64_t before = now_ns();
	pid_t child = fork();

	(void)state;
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* not left behind by a check that fails */
		prctl(PR_SET_NAME, ") 1 2) 3 (");
		for (;;)
			pause();
	}
	assert_true(child > 0);
	assert_true(names_same_process((uint32_t)child, now_ns()));
	assert_false(names_same_process((uint32_t)child, before - SEC));
	usleep(20000); /* the name is set by now */
	assert_true(names_same_process((uint32_t)child, now_ns()));
	assert_false(names_same_process((uint32_t)child, before - SEC));
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_false(names_same_process((uint32_t)child, now_ns()));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_later_process_is_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
