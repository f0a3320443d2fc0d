/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ipcspy/config.h"
#include "lib/glob.h"

static void random_text(char *s, size_t max, const char *alphabet)
{
	size_t len = (size_t)rand() % max;

	for (size_t i = 0; i < len; i++)
		s[i] = alphabet[(size_t)rand() % strlen(alphabet)];
	s[len] = '\0';
}

/* fnmatch(3) is the oracle; names and patterns are short and alike, so that many match. */
static void agrees_with_fnmatch(void **state)
{
	char pattern[8], name[10];
	unsigned int matches = 0;
	struct glob g;

	(void)state;
	srand(1);
	for (int i = 0; i < 200000; i++) {
		bool expect;

		random_text(pattern, sizeof(pattern), "ab*?");
		random_text(name, sizeof(name), "ab");
		assert_int_equal(glob_compile(&g, pattern), 0);
		expect = fnmatch(pattern, name, FNM_NOESCAPE) == 0;
		matches += expect;
		if (glob_match(&g, name) != expect)
			fail_msg("'%s' against '%s': fnmatch says %d", pattern, name, expect);
	}
	assert_in_range(matches, 10000, 190000);
}

static void longest_pattern(void **state)
{
	char pattern[IPCSPY_GLOB_MAX + 2];
	struct glob g;

	(void)state;
	memset(pattern, 'x', sizeof(pattern));
	pattern[IPCSPY_GLOB_MAX] = '\0';
	assert_int_equal(glob_compile(&g, pattern), 0);
	assert_true(glob_match(&g, pattern));
	assert_false(glob_match(&g, pattern + 1));
	pattern[IPCSPY_GLOB_MAX] = 'x';
	pattern[IPCSPY_GLOB_MAX + 1] = '\0';
	assert_int_equal(glob_compile(&g, pattern), -EINVAL);
}

static void any_byte(void **state)
{
	struct glob g;

	(void)state;
	assert_int_equal(glob_compile(&g, "\xff?"), 0);
	assert_true(glob_match(&g, "\xff\x80"));
	assert_false(glob_match(&g, "\xfe\x80"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_fnmatch),
		cmocka_unit_test(longest_pattern),
		cmocka_unit_test(any_byte),
	};

	return cmocka_run_group_tests_name("glob", tests, NULL, NULL);
}
