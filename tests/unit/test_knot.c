// SPDX-License-Identifier: BSD-2-Clause
/* Who can go on, and who is tied up: by hand, and against a slow and simple oracle. */
#include "feed.h"

#include <string.h>

#include "analysis/knot.h"

#define MAX 12

static void nodes(struct knots *k, uint32_t cnt, uint32_t free_mask)
{
	uint32_t n;

	memset(k, 0, sizeof(*k));
	for (uint32_t i = 0; i < cnt; i++) {
		assert_int_equal(knot_add(k, i < 32 && free_mask >> i & 1, &n), 0);
		assert_int_equal(n, i);
	}
}

static void edge(struct knots *k, uint32_t from, uint32_t to)
{
	assert_int_equal(knot_edge(k, from, to), 0);
}

static void test_empty(void **state)
{
	struct knots k = {0};

	(void)state;
	assert_int_equal(knot_solve(&k), 0);
	assert_int_equal(k.knot_cnt, 0);
	knot_fini(&k);
}

/* 0 <-> 1, and 2 -> 0 or 3, which is free: 1 and 2 are late. */
static void test_late(void **state)
{
	struct knots k;

	(void)state;
	nodes(&k, 4, 1 << 3);
	edge(&k, 0, 1);
	edge(&k, 1, 0);
	edge(&k, 2, 0);
	edge(&k, 2, 3);
	k.nodes[1].late = k.nodes[2].late = true;
	assert_int_equal(knot_solve(&k), 0);
	assert_int_equal(k.knot_cnt, 0);
	assert_true(k.nodes[0].can);
	assert_int_equal(k.nodes[0].next, 1);
	assert_true(k.nodes[1].can);
	assert_int_equal(k.nodes[1].next, KNOT_NONE);
	assert_int_equal(k.nodes[2].next, 3);
	knot_fini(&k);
}

/* 0 -> 1 -> 2 -> 1, and 3 -> 2 or 4, which is free. */
static void test_cycle_and_way_out(void **state)
{
	struct knots k;

	(void)state;
	nodes(&k, 5, 1 << 4);
	edge(&k, 0, 1);
	edge(&k, 1, 2);
	edge(&k, 2, 1);
	edge(&k, 3, 2);
	edge(&k, 3, 4);
	assert_int_equal(knot_solve(&k), 0);
	assert_int_equal(k.knot_cnt, 1);
	assert_false(k.nodes[0].can);
	assert_int_equal(k.nodes[0].knot, KNOT_NONE);
	assert_int_equal(k.nodes[0].next, 1);
	assert_int_equal(k.nodes[1].knot, 0);
	assert_int_equal(k.nodes[2].knot, 0);
	assert_int_equal(k.nodes[2].next, 1);
	assert_true(k.nodes[3].can);
	assert_int_equal(k.nodes[3].next, 4);
	assert_int_equal(k.nodes[4].next, KNOT_NONE);
	/* one helper more, and nobody is stuck */
	edge(&k, 1, 4);
	assert_int_equal(knot_solve(&k), 0);
	assert_int_equal(k.knot_cnt, 0);
	for (uint32_t n = 0; n < 5; n++)
		assert_true(k.nodes[n].can);
	knot_fini(&k);
}

/* Waits for itself; waits for nobody at all; a cycle that leads out of itself. */
static void test_alone(void **state)
{
	struct knots k;

	(void)state;
	nodes(&k, 4, 0);
	edge(&k, 0, 0);
	edge(&k, 2, 3);
	edge(&k, 3, 2);
	edge(&k, 3, 1);
	assert_int_equal(knot_solve(&k), 0);
	assert_int_equal(k.knot_cnt, 2);
	assert_int_not_equal(k.nodes[0].knot, KNOT_NONE);
	assert_int_equal(k.nodes[0].next, 0);
	assert_int_not_equal(k.nodes[1].knot, KNOT_NONE);
	assert_int_equal(k.nodes[1].next, KNOT_NONE);
	assert_int_equal(k.nodes[2].knot, KNOT_NONE);
	assert_int_equal(k.nodes[3].next, 1);
	assert_int_equal(k.nodes[2].next, 3);
	knot_fini(&k);
}

/* A chain too long for recursion. */
static void test_long_chain(void **state)
{
	const uint32_t cnt = 200000;
	struct knots k;

	(void)state;
	nodes(&k, cnt, 0);
	for (uint32_t n = 0; n < cnt; n++)
		edge(&k, n, (n + 1) % cnt);
	assert_int_equal(knot_solve(&k), 0);
	assert_int_equal(k.knot_cnt, 1);
	assert_int_equal(k.nodes[cnt / 2].knot, 0);
	knot_fini(&k);
}

struct oracle {
	bool edge[MAX][MAX], reach[MAX][MAX], can[MAX], knot[MAX];
};

static void solve_slowly(struct oracle *o, uint32_t cnt, uint32_t free_mask)
{
	memcpy(o->reach, o->edge, sizeof(o->reach));
	for (uint32_t via = 0; via < cnt; via++)
		for (uint32_t a = 0; a < cnt; a++)
			for (uint32_t b = 0; b < cnt; b++)
				if (o->reach[a][via] && o->reach[via][b])
					o->reach[a][b] = true;
	for (uint32_t a = 0; a < cnt; a++) {
		o->can[a] = free_mask >> a & 1;
		for (uint32_t b = 0; b < cnt; b++)
			o->can[a] = o->can[a] || (o->reach[a][b] && free_mask >> b & 1);
	}
	for (uint32_t a = 0; a < cnt; a++) {
		o->knot[a] = !o->can[a];
		for (uint32_t b = 0; b < cnt; b++)
			if (o->reach[a][b] && b != a && !o->reach[b][a])
				o->knot[a] = false;
	}
}

/* Following next from a node ends where it should, and only along edges. */
static void check_way(const struct knots *k, const struct oracle *o, uint32_t from)
{
	uint32_t n = from, steps = 0;

	while (k->nodes[n].next != KNOT_NONE && k->nodes[n].knot == KNOT_NONE) {
		assert_true(o->edge[n][k->nodes[n].next]);
		n = k->nodes[n].next;
		assert_true(steps++ <= k->node_cnt);
	}
	assert_true(o->can[from] ? k->nodes[n].free : o->knot[n]);
}

static void check_against(const struct knots *k, const struct oracle *o)
{
	for (uint32_t a = 0; a < k->node_cnt; a++) {
		assert_int_equal(k->nodes[a].can, o->can[a]);
		assert_int_equal(k->nodes[a].knot != KNOT_NONE, o->knot[a]);
		for (uint32_t b = 0; b < a; b++)
			if (o->knot[a] && o->knot[b])
				assert_int_equal(k->nodes[a].knot == k->nodes[b].knot,
						 o->reach[a][b]);
		check_way(k, o, a);
	}
}

static void test_random_graphs(void **state)
{
	struct rnd r = {1};

	(void)state;
	for (int run = 0; run < 10000; run++) {
		uint32_t cnt = 1 + (uint32_t)rnd_below(&r, MAX), free_mask = 0;
		uint32_t edges = (uint32_t)rnd_below(&r, 2 * cnt + 1);
		struct oracle o = {0};
		struct knots k;

		for (uint32_t i = 0; i < cnt; i++)
			free_mask |= (rnd_below(&r, 6) == 0 ? 1u : 0u) << i;
		nodes(&k, cnt, free_mask);
		for (uint32_t i = 0; i < edges; i++) {
			uint32_t a = (uint32_t)rnd_below(&r, cnt), b = (uint32_t)rnd_below(&r, cnt);

			o.edge[a][b] = true;
			edge(&k, a, b);
		}
		solve_slowly(&o, cnt, free_mask);
		assert_int_equal(knot_solve(&k), 0);
		check_against(&k, &o);
		knot_fini(&k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_cycle_and_way_out),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_long_chain),
		cmocka_unit_test(test_random_graphs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
