// SPDX-License-Identifier: BSD-2-Clause
/* Ends of channels that somebody has without a descriptor, or beyond those that are listed. */
#include "feed.h"

#include <poll.h>

#include "analysis/findings.h"
#include "analysis/graph.h"
#include "scene.h"

#define A 10
#define B 20

static struct graph graph;

static int teardown(void **state)
{
	graph_fini(&graph);
	return scene_teardown(state);
}

static bool is_stuck(struct feed *f, uint32_t tid)
{
	scene_end(f);
	assert_int_equal(graph_build(&graph, f->m), 0);
	return !graph_can_go_on(&graph, graph_wait(&graph, tid));
}

/* A descriptor of an open file that has so many references. */
static void hold(struct feed *f, uint64_t id, uint32_t pid, uint32_t can, unsigned int refs)
{
	struct ev_hold h = {
		.hdr = {.kind = EV_HOLD, .len = sizeof(h), .pid = pid, .tid = pid, .flags = can},
		.chan = id,
		.fd = 3,
		.refs = (uint16_t)refs,
		.file = (uint16_t)(100 + can),
	};

	feed_raw(f, &h);
}

/* Each reads what the other would write; of a's pipe the write end has so many references. */
static void two(struct feed *f, unsigned int refs)
{
	feed_pipe(f, 1);
	hold(f, 1, A, HOLDF_READ, 1);
	hold(f, 1, B, HOLDF_WRITE, refs);
	feed_pipe(f, 2);
	hold(f, 2, B, HOLDF_READ, 1);
	hold(f, 2, A, HOLDF_WRITE, 1);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, A);
	scene_blocked(f, MECH_PIPE, OP_RECV, 2, B);
}

static void test_all_are_seen(void **state)
{
	two(*state, 1);
	assert_true(is_stuck(*state, A));
}

static void test_one_is_not(void **state)
{
	two(*state, 2);
	assert_false(is_stuck(*state, A));
	assert_true(graph_wait(&graph, A)->hidden);
	assert_false(graph_wait(&graph, B)->hidden);
}

/* Not known, as in files of before. */
static void test_not_counted(void **state)
{
	two(*state, 0);
	assert_true(is_stuck(*state, A));
}

/* Two descriptors of one open file, as after fork(2): both references are theirs. */
static void test_shared_file(void **state)
{
	struct feed *f = *state;

	two(f, 2);
	hold(f, 1, A, HOLDF_WRITE, 2);
	assert_true(is_stuck(f, A));
}

/* A thread inside a call has one more; of a process that has no others, none. */
static void call(struct feed *f, bool threads)
{
	struct ev_task t = task_make(B, B + 1, 'S', WHY_CHILD, A, T0, SEEN);

	feed_pipe(f, 1);
	hold(f, 1, A, HOLDF_READ, 1);
	hold(f, 1, B, HOLDF_WRITE, 2);
	scene_waits(f, A, WHY_CHILD, B);
	scene_blocked(f, MECH_PIPE, OP_SEND, 1, B);
	if (threads)
		feed_raw(f, &t);
	feed_pipe(f, 2);
	hold(f, 2, A, HOLDF_WRITE, 1);
}

static void reads(struct feed *f)
{
	feed_proc(f, 30, "reader");
	hold(f, 1, 30, HOLDF_READ, 1);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, 30);
}

static void test_call_of_a_thread(void **state)
{
	call(*state, true);
	reads(*state);
	is_stuck(*state, 30);
	assert_false(graph_wait(&graph, 30)->hidden);
}

static void test_call_of_a_process(void **state)
{
	call(*state, false);
	reads(*state);
	is_stuck(*state, 30);
	assert_true(graph_wait(&graph, 30)->hidden);
}

static void test_poll_has_references(void **state)
{
	struct feed *f = *state;

	two(f, 3);
	feed_proc(f, 30, "poller");
	hold(f, 1, 30, HOLDF_READ, 1);
	scene_polls(f, 30, 1, 0);
	assert_true(is_stuck(f, A));
}

/* More than there is room for: they are counted, and may help. */
static void test_very_many_holders(void **state)
{
	struct feed *f = *state;
	const struct chan *c;
	size_t cnt = 0;

	feed_pipe(f, 1);
	feed_hold(f, 1, A, HOLDF_READ);
	for (uint32_t i = 0; i < 20000; i++)
		feed_hold(f, 1, 1000 + i, HOLDF_WRITE);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, A);
	assert_false(is_stuck(f, A));
	c = feed_chan(f, 0);
	list_for_each (h, model_holders(c), struct holder, in_chan)
		cnt += h->nth;
	assert_int_equal(cnt, 1 << 14);
	assert_int_equal(c->holders_left, 20001 - (1 << 14));
	scene_begin(f);
	feed_hold(f, 1, A, HOLDF_READ);
	scene_end(f);
	assert_int_equal(c->holders_left, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, scene_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_all_are_seen),        T(test_one_is_not),        T(test_not_counted),
		T(test_shared_file),         T(test_call_of_a_thread),  T(test_call_of_a_process),
		T(test_poll_has_references), T(test_very_many_holders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
