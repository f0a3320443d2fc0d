// SPDX-License-Identifier: BSD-2-Clause
/* The hash map against an array that is searched from end to end. */
#include "feed.h"

#include <string.h>

#include "lib/hmap.h"

#define KEYS  700
#define STEPS 200000

static void test_like_an_array(void **state)
{
	struct rnd r = {.s = 42};
	void *truth[KEYS] = {NULL};
	size_t cnt = 0, seen = 0;
	struct hmap h;

	(void)state;
	hmap_init(&h);
	assert_null(hmap_get(&h, 1));
	assert_null(hmap_del(&h, 1));
	for (int i = 0; i < STEPS; i++) {
		/* Keys in runs and with equal low bits: the worst that callers give. */
		uint64_t slot = rnd_below(&r, KEYS), key = slot % 2 ? slot : slot << 32;
		void *val = &truth[rnd_below(&r, KEYS)];

		switch (rnd_below(&r, 3)) {
		case 0:
			assert_int_equal(hmap_put(&h, key, val), 0);
			cnt += !truth[slot];
			truth[slot] = val;
			break;
		case 1:
			assert_ptr_equal(hmap_del(&h, key), truth[slot]);
			cnt -= !!truth[slot];
			truth[slot] = NULL;
			break;
		default:
			assert_ptr_equal(hmap_get(&h, key), truth[slot]);
		}
		assert_int_equal(h.cnt, cnt);
	}
	hmap_for_each (s, &h) {
		uint64_t slot = s->key >> 32 ? s->key >> 32 : s->key;

		assert_ptr_equal(s->val, truth[slot]);
		seen++;
	}
	assert_int_equal(seen, cnt);
	hmap_fini(&h);
	assert_null(hmap_get(&h, 1));
}

static void test_no_tombstones(void **state)
{
	struct hmap h;
	int val;

	(void)state;
	hmap_init(&h);
	for (uint64_t i = 0; i < 100000; i++) {
		assert_int_equal(hmap_put(&h, i, &val), 0);
		if (i >= 5)
			assert_ptr_equal(hmap_del(&h, i - 5), &val);
	}
	/* Five live keys: the table must not have grown with those that passed through. */
	assert_true(h.mask < 64);
	hmap_fini(&h);
}

static void test_mix_spreads(void **state)
{
	struct hmap h;
	int val;

	(void)state;
	hmap_init(&h);
	for (uint64_t a = 0; a < 300; a++) {
		for (uint64_t b = 0; b < 300; b++) {
			uint64_t key = hmap_mix(a * 64, b * 64);

			assert_null(hmap_get(&h, key));
			assert_int_equal(hmap_put(&h, key, &val), 0);
		}
	}
	assert_true(hmap_mix(1, 2) != hmap_mix(2, 1));
	hmap_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_like_an_array),
		cmocka_unit_test(test_no_tombstones),
		cmocka_unit_test(test_mix_spreads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
