/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "lib/syscalls.h"

/* sys_arg() of the kernel side knows these. */
static bool is_arg(unsigned int arg)
{
	return arg < 6 || arg == ARG_NONE;
}

/* A row that says nonsense would make the kernel side read the wrong argument. */
static void rows_are_sane(void **state)
{
	const struct syscall_row *rows;
	size_t cnt;

	(void)state;
	rows = syscall_rows(&cnt);
	assert_true(cnt > 20);
	for (size_t i = 0; i < cnt; i++) {
		const struct ipcspy_sys *s = &rows[i].sys;

		assert_in_range(rows[i].nr, 0, IPCSPY_NR_SYSCALLS - 1);
		assert_in_range(s->fam, FAM_NONE + 1, FAM_MAX - 1);
		assert_in_range(s->op, OP_NONE, OP_MAX - 1);
		assert_true(is_arg(s->flags_arg));
		assert_true(s->addr_arg == 4 || s->addr_arg == ARG_NONE); /* sendto, recvfrom */
		assert_true(is_arg(s->in_arg) && is_arg(s->out_arg));
		if (s->fam == FAM_SPLICE)
			assert_true(s->in_arg != ARG_NONE);
		if (s->op == OP_NONE && s->fam != FAM_SHM) /* whose calls are no operations */
			assert_true(s->sys_flags & SYSF_RENUMBER);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(rows[i].nr, rows[k].nr);
	}
}

static void names(void **state)
{
	char buf[32];

	(void)state;
	assert_string_equal(syscall_name(__NR_sendmsg, buf, sizeof(buf)), "sendmsg");
	assert_string_equal(syscall_name(499, buf, sizeof(buf)), "syscall_499");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_sane),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests_name("syscalls", tests, NULL, NULL);
}
