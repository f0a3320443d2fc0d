// SPDX-License-Identifier: BSD-2-Clause
/* Quantiles of the histogram against the sorted values themselves. */
#include "feed.h"

#include <stdlib.h>

#include "metrics/hist.h"

#define N 20000

static const unsigned int permilles[] = {1, 10, 250, 500, 900, 990, 999, 1000};
#define PERMILLES (sizeof(permilles) / sizeof(permilles[0]))

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The value of rank ceil(permille/1000 * n). */
static uint64_t nearest_rank(const uint64_t *sorted, unsigned int permille)
{
	size_t rank = ((size_t)N * permille + 999) / 1000;

	return sorted[rank ? rank - 1 : 0];
}

static void check(uint64_t (*next)(struct rnd *r), uint64_t seed)
{
	static uint64_t v[N];
	struct rnd r = {.s = seed};
	uint64_t sum = 0;
	struct hist h;

	hist_init(&h);
	for (int i = 0; i < N; i++) {
		v[i] = next(&r);
		sum += v[i];
		assert_int_equal(hist_add(&h, v[i]), 0);
	}
	qsort(v, N, sizeof(v[0]), ascending);
	assert_true(h.count == N && h.sum == sum && h.min == v[0] && h.max == v[N - 1]);
	assert_true(hist_mean(&h) == sum / N);
	for (unsigned int i = 0; i < PERMILLES; i++) {
		double truth = (double)nearest_rank(v, permilles[i]);
		double got = (double)hist_quantile(&h, permilles[i]);

		assert_true(got >= truth * 0.97 && got <= truth * 1.03);
	}
	hist_fini(&h);
}

static uint64_t small(struct rnd *r)
{
	return rnd_below(r, 100);
}

static uint64_t uniform(struct rnd *r)
{
	return 1000 + rnd_below(r, 10 * MS);
}

/* Every magnitude equally often. */
static uint64_t logarithmic(struct rnd *r)
{
	return rnd_next(r) >> rnd_below(r, 60);
}

/* A tight group and far outliers. */
static uint64_t two_humps(struct rnd *r)
{
	return rnd_below(r, 100) ? 5000 + rnd_below(r, 300) : SEC + rnd_below(r, SEC);
}

static void test_quantiles(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		check(small, seed);
		check(uniform, seed);
		check(logarithmic, seed);
		check(two_humps, seed);
	}
}

static void test_edges(void **state)
{
	struct hist h;

	(void)state;
	hist_init(&h);
	assert_true(hist_quantile(&h, 500) == 0 && hist_mean(&h) == 0);
	assert_null(h.buckets);
	assert_int_equal(hist_add(&h, 0), 0);
	assert_true(hist_quantile(&h, 0) == 0 && hist_quantile(&h, 1000) == 0);
	assert_int_equal(hist_add(&h, UINT64_MAX), 0);
	assert_true(h.max == UINT64_MAX && hist_quantile(&h, 1000) >= UINT64_MAX / 100 * 98);
	hist_fini(&h);
	/* One value: every quantile is it. */
	hist_init(&h);
	assert_int_equal(hist_add(&h, 123456), 0);
	assert_true(hist_quantile(&h, 1) == 123456 && hist_quantile(&h, 999) == 123456);
	hist_fini(&h);
}

static void test_merge(void **state)
{
	struct rnd r = {.s = 7};
	struct hist all, parts[3];

	(void)state;
	hist_init(&all);
	for (int p = 0; p < 3; p++) {
		hist_init(&parts[p]);
		for (int i = 0; i < 1000; i++) {
			uint64_t v = logarithmic(&r);

			assert_int_equal(hist_add(&all, v), 0);
			assert_int_equal(hist_add(&parts[p], v), 0);
		}
	}
	assert_int_equal(hist_merge(&parts[0], &parts[1]), 0);
	assert_int_equal(hist_merge(&parts[0], &parts[2]), 0);
	assert_true(parts[0].count == all.count && parts[0].sum == all.sum &&
		    parts[0].min == all.min && parts[0].max == all.max);
	for (unsigned int i = 0; i < PERMILLES; i++)
		assert_true(hist_quantile(&parts[0], permilles[i]) ==
			    hist_quantile(&all, permilles[i]));
	hist_fini(&all);
	for (int p = 0; p < 3; p++)
		hist_fini(&parts[p]);
}

/* Counters are 32 bits wide; what would overflow keeps its shape. */
static void test_overflow(void **state)
{
	struct hist h;

	(void)state;
	hist_init(&h);
	for (int i = 0; i < 500; i++)
		assert_int_equal(hist_add(&h, i < 200 ? 10 : 1000), 0);
	for (int i = 0; i < 25; i++)
		assert_int_equal(hist_merge(&h, &h), 0);
	assert_true(h.count == 500ull << 25);
	assert_true(hist_quantile(&h, 399) == 10);
	assert_true(hist_quantile(&h, 402) >= 970);
	hist_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
