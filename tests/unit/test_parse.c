// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/parse.h"

static void numbers(void **state)
{
	static const struct {
		const char *s;
		int err;
		uint64_t v;
	} cases[] = {
		{"7", 0, 7},         {"007", 0, 7},
		{"10", 0, 10},       {"1", 0, 1},
		{"0", -ERANGE, 0},   {"11", -ERANGE, 0},
		{"", -EINVAL, 0},    {"-1", -EINVAL, 0},
		{"+1", -EINVAL, 0},  {" 1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},  {"0x1", -EINVAL, 0},
		{"1.0", -EINVAL, 0}, {"18446744073709551616", -ERANGE, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t v = 99;

		assert_int_equal(parse_u64(cases[i].s, 1, 10, &v), cases[i].err);
		assert_int_equal(v, cases[i].err ? 99 : cases[i].v);
	}
}

static void bytes(void **state)
{
	static const struct {
		const char *s;
		int err;
		uint64_t v;
	} cases[] = {
		{"1", 0, 1},
		{"4096", 0, 4096},
		{"1K", 0, 1024},
		{"500M", 0, 500 << 20},
		{"3G", 0, 3ull << 30},
		{"2T", 0, 2ull << 40},
		{"", -EINVAL, 0},
		{"M", -EINVAL, 0},
		{"1MB", -EINVAL, 0},
		{"1.5M", -EINVAL, 0},
		{"0K", -ERANGE, 0},
		{"1k", -EINVAL, 0},
		{"-1M", -EINVAL, 0},
		{"2000000T", -ERANGE, 0},
		{"1152921504606846976", -ERANGE, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t v = 99;

		assert_int_equal(parse_bytes(cases[i].s, &v), cases[i].err);
		assert_int_equal(v, cases[i].err ? 99 : cases[i].v);
	}
}

static void seconds(void **state)
{
	static const struct {
		const char *s;
		int err;
		uint64_t ns;
	} cases[] = {
		{"5", 0, 5000000000},
		{"0.5", 0, 500000000},
		{"1.000000001", 0, 1000000001},
		{"0.0000000019", 0, 1},
		{"999999999.999999999", 0, 999999999999999999},
		{"0", -ERANGE, 0},
		{"0.0", -ERANGE, 0},
		{"0.0000000001", -ERANGE, 0},
		{"1000000000", -ERANGE, 0},
		{"99999999999999999999", -ERANGE, 0},
		{"5.", -EINVAL, 0},
		{".5", 0, 500000000},
		{"5s", 0, 5000000000},
		{"500ms", 0, 500000000},
		{".5ms", 0, 500000},
		{"10us", 0, 10000},
		{"7ns", 0, 7},
		{"1.5m", 0, 90000000000},
		{"0.9ns", -ERANGE, 0},
		{"16666666.7m", -ERANGE, 0},
		{"99999999999999999m", -ERANGE, 0},
		{".", -EINVAL, 0},
		{".ms", -EINVAL, 0},
		{"ms", -EINVAL, 0},
		{"5 ms", -EINVAL, 0},
		{"5msx", -EINVAL, 0},
		{"1e3", -EINVAL, 0},
		{"1,5", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"1.-5", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"inf", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t ns = 99;

		assert_int_equal(parse_duration(cases[i].s, &ns), cases[i].err);
		assert_true(ns == (cases[i].err ? 99 : cases[i].ns));
	}
}

static void pid_lists(void **state)
{
	static const struct {
		const char *s;
		int err;
	} bad[] = {
		{"", -EINVAL},     {",", -EINVAL},   {"1,", -EINVAL}, {",1", -EINVAL},
		{"1,,2", -EINVAL}, {"1;2", -EINVAL}, {"0", -ERANGE},  {"2147483648", -ERANGE},
		{"1,x", -EINVAL},  {"-5", -EINVAL},
	};
	pid_t *pids = NULL;
	size_t cnt = 0;

	(void)state;
	assert_int_equal(parse_pids("12", &pids, &cnt), 0);
	assert_int_equal(parse_pids("13,12,2147483647,13", &pids, &cnt), 0);
	assert_int_equal(cnt, 3);
	assert_int_equal(pids[0], 12);
	assert_int_equal(pids[1], 13);
	assert_int_equal(pids[2], 2147483647);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(parse_pids(bad[i].s, &pids, &cnt), bad[i].err);
		assert_int_equal(cnt, 3);
	}
	free(pids);
}

static unsigned int number(const char *name, unsigned int len)
{
	return len == 1 && *name >= 'a' && *name <= 'z' ? (unsigned int)(*name - 'a' + 1) : 0;
}

static void name_masks(void **state)
{
	uint32_t mask = 0;
	const char *bad = NULL;
	size_t bad_len = 0;

	(void)state;
	assert_int_equal(parse_name_mask("a,c", number, &mask, &bad, &bad_len), 0);
	assert_int_equal(mask, 1u << 1 | 1u << 3);
	assert_int_equal(parse_name_mask("b", number, &mask, &bad, &bad_len), 0);
	assert_int_equal(mask, 1u << 1 | 1u << 2 | 1u << 3);
	assert_int_equal(parse_name_mask("d,nope,e", number, &mask, &bad, &bad_len), -EINVAL);
	assert_int_equal(bad_len, 4);
	assert_memory_equal(bad, "nope", 4);
	assert_int_equal(parse_name_mask("", number, &mask, &bad, &bad_len), -EINVAL);
	assert_int_equal(parse_name_mask("a,", number, &mask, &bad, &bad_len), -EINVAL);
	assert_int_equal(mask, 1u << 1 | 1u << 2 | 1u << 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),    cmocka_unit_test(bytes),
		cmocka_unit_test(seconds),    cmocka_unit_test(pid_lists),
		cmocka_unit_test(name_masks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
