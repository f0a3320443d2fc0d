// SPDX-License-Identifier: BSD-2-Clause
/* How far the waits of a trace's targets lead, in a look at the whole machine. */
#include "feed.h"

#include "analysis/analysis.h"
#include "analysis/reach.h"
#include "scene.h"

#define A 10
#define B 20
#define C 30
#define D 40

struct both {
	struct feed machine, trace;
	struct graph graph;
	struct reach reach;
};

static int setup(void **state)
{
	static struct both b;

	b = (struct both){0};
	feed_init(&b.machine);
	feed_init(&b.trace);
	feed_proc(&b.machine, A, "a");
	feed_proc(&b.machine, B, "b");
	feed_proc(&b.machine, C, "c");
	feed_proc(&b.machine, D, "d");
	feed_proc(&b.trace, A, "a");
	model_proc_by_pid(b.trace.m, A)->target = true;
	scene_begin(&b.machine);
	*state = &b;
	return 0;
}

static int teardown(void **state)
{
	struct both *b = *state;

	reach_fini(&b->reach);
	graph_fini(&b->graph);
	feed_fini(&b->machine);
	feed_fini(&b->trace);
	return 0;
}

static void find(struct both *b)
{
	scene_end(&b->machine);
	assert_int_equal(graph_build(&b->graph, b->machine.m), 0);
	assert_int_equal(reach_find(&b->reach, &b->graph, b->trace.m), 0);
}

static bool has_object(const struct both *b, uint64_t id)
{
	for (size_t i = 0; i < b->reach.object_cnt; i++)
		if (b->reach.objects[i] == id)
			return true;
	return false;
}

static bool has_pid(const struct both *b, uint32_t pid)
{
	for (size_t i = 0; i < b->reach.pid_cnt; i++)
		if (b->reach.pids[i] == pid)
			return true;
	return false;
}

/* a -> b -> c -> a; d waits for them, and is none of a's business. */
static void ring(struct both *b, enum ipcspy_why why)
{
	struct feed *f = &b->machine;

	scene_pipe(f, 1, A, B);
	scene_pair(f, 2, B, C);
	scene_pipe(f, 5, D, A);
	scene_blocked(f, MECH_PIPE, OP_SEND, 1, A);
	scene_blocked(f, MECH_UNIX_STREAM, OP_SEND, 2, B);
	if (why == WHY_NONE)
		feed_task(f, C, 'R', WHY_NONE, 0, 0, SEEN);
	else
		scene_waits(f, C, why, A);
	scene_blocked(f, MECH_PIPE, OP_SEND, 5, D);
	find(b);
}

static void test_ring(void **state)
{
	struct both *b = *state;

	ring(b, WHY_CHILD);
	assert_true(has_object(b, 1));
	assert_true(has_object(b, 2)); /* both ends */
	assert_true(has_object(b, 3));
	assert_false(has_object(b, 5));
	assert_true(has_pid(b, B));
	assert_true(has_pid(b, C));
	assert_true(has_pid(b, A));
	assert_false(has_pid(b, D));
}

/* Nobody is stuck: nothing to be told of beside what the trace has. */
static void test_nobody_is_stuck(void **state)
{
	struct both *b = *state;

	ring(b, WHY_NONE);
	assert_int_equal(b->reach.object_cnt, 0);
	assert_int_equal(b->reach.pid_cnt, 0);
}

/* Who ended meanwhile, and whose pid the trace does not know, leads nowhere. */
static void test_target_is_gone(void **state)
{
	struct both *b = *state;

	feed_exit(&b->trace, A, T0 + SEC);
	ring(b, WHY_CHILD);
	assert_int_equal(b->reach.object_cnt, 0);
}

/* A channel counts as long as snapshots say that it is on the way. */
static void test_reached_channel(void **state)
{
	struct both *b = *state;
	struct feed *f = &b->trace;
	struct ev_obj o = obj_make(MECH_PIPE, 7, SEEN);

	scene_begin(f);
	o.hdr.flags |= OBJF_REACHED;
	feed_obj(f, &o);
	scene_end(f);
	assert_true(chan_concerns_target(feed_chan(f, 0)));
	scene_begin(f);
	scene_end(f);
	assert_false(chan_concerns_target(feed_chan(f, 0)));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_ring),
		T(test_nobody_is_stuck),
		T(test_target_is_gone),
		T(test_reached_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
