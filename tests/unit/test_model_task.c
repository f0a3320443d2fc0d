// SPDX-License-Identifier: BSD-2-Clause
/* What tasks do at a snapshot: what is kept, for how long, and how much. */
#include "feed.h"

#include <poll.h>

#define A 10
#define B 20

static int setup(void **state)
{
	static struct feed f;

	feed_init(&f);
	feed_proc(&f, A, "a");
	feed_proc(&f, B, "b");
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	feed_fini(*state);
	return 0;
}

static size_t count(const struct feed *f)
{
	size_t cnt = 0;

	list_for_each (t, model_tasks(f->m), struct task, in_model)
		cnt++;
	return cnt;
}

/* Very many descriptors of one end, and one of the other, which is not forgotten. */
static void test_many_descriptors(void **state)
{
	struct feed *f = *state;
	unsigned int can = 0;
	size_t cnt = 0;

	feed_pipe(f, 1);
	feed_snap(f, SNAPF_HOLDS, T0 + SEC);
	for (int i = 0; i < 1000; i++)
		feed_hold(f, 1, A, HOLDF_READ);
	feed_hold(f, 1, A, HOLDF_WRITE);
	feed_hold(f, 1, A, HOLDF_READ);
	feed_hold(f, 1, B, HOLDF_READ);
	feed_snap(f, SNAPF_HOLDS | SNAPF_END, T0 + 2 * SEC);
	list_for_each (h, model_holders(feed_chan(f, 0)), struct holder, in_chan) {
		cnt++;
		if (h->proc->pid == A)
			can |= h->can;
	}
	assert_int_equal(cnt, 65);
	assert_int_equal(can, HOLDF_READ | HOLDF_WRITE);
}

static void test_task(void **state)
{
	struct feed *f = *state;
	struct ev_task e = task_make(A, 11, 'S', WHY_SLEEP, 0, T0, T0 + SEC);
	const struct task *t;

	e.until_ns = T0 + 3 * SEC;
	e.nr = 230;
	feed_raw(f, &e);
	t = model_task(f->m, 11);
	assert_non_null(t);
	assert_int_equal(t->proc->pid, A);
	assert_int_equal(t->why, WHY_SLEEP);
	assert_int_equal(t->state, 'S');
	assert_int_equal(t->nr, 230);
	assert_int_equal(t->since_ns, T0);
	assert_int_equal(t->until_ns, T0 + 3 * SEC);
	assert_int_equal(t->seen_ns, T0 + SEC);
	assert_int_equal(count(f), 1);
	/* a snapshot begins anew */
	feed_snap(f, 0, T0 + 2 * SEC);
	assert_int_equal(count(f), 0);
	assert_null(model_task(f->m, 11));
}

/* Nonsense from a recording: a state that is no letter, a sleep that begins later. */
static void test_hostile_task(void **state)
{
	struct feed *f = *state;

	feed_task(f, A, '\033', WHY_NONE, 0, T0 + 5 * SEC, T0 + SEC);
	assert_int_equal(model_task(f->m, A)->state, '?');
	assert_int_equal(model_task(f->m, A)->since_ns, T0 + SEC);
}

/* Several records of one task, before or after what it does. */
static void test_set(void **state)
{
	struct feed *f = *state;
	const struct task *t;

	feed_pipe(f, 1);
	feed_poll(f, A, 1, POLLIN, SETF_MORE);
	feed_task(f, A, 'S', WHY_NONE, 0, T0, T0 + SEC);
	feed_poll(f, A, 2, POLLOUT, SETF_OTHERS);
	t = model_task(f->m, A);
	assert_true(t->polls);
	assert_true(t->polls_others);
	assert_int_equal(t->polled_cnt, 2);
	assert_ptr_equal(model_polled_chan(f->m, &t->polled[0]), feed_chan(f, 0));
	assert_int_equal(model_polled_side(f->m, &t->polled[0]), 0);
	assert_int_equal(t->polled[1].events, POLLOUT);
	assert_null(model_polled_chan(f->m, &t->polled[1]));
	assert_int_equal(model_polled_side(f->m, &t->polled[1]), -1);
}

/* What it opens, until that has succeeded. */
static void test_opens(void **state)
{
	struct ev_name n = {.hdr = {.kind = EV_NAME,
				    .len = sizeof(n),
				    .pid = A,
				    .tid = A,
				    .flags = NAMEF_OPEN,
				    .ts_ns = T0},
			    .chan = 7,
			    .text = "/run/fifo"};
	struct feed *f = *state;
	const struct task *t;

	feed_raw(f, &n);
	n.text[1] = 'R';
	feed_raw(f, &n);
	feed_task(f, A, 'S', WHY_OPEN, HOLDF_READ, T0, T0 + SEC);
	t = model_task(f->m, A);
	assert_string_equal(t->opens, "/Run/fifo");
	assert_int_equal(t->opens_obj, 7);
	assert_int_equal(t->who, HOLDF_READ);
	feed_snap(f, 0, T0 + 2 * SEC);
	feed_task(f, A, 'S', WHY_SLEEP, 0, T0, T0 + SEC);
	assert_null(model_task(f->m, A)->opens);
}

/* What is too much is left out, and said. */
static void test_too_many_polled(void **state)
{
	struct feed *f = *state;

	for (uint32_t i = 0; i < 4096; i++)
		feed_poll(f, A, 1, POLLIN, 0);
	assert_false(model_task(f->m, A)->polls_others);
	feed_poll(f, A, 1, POLLIN, 0);
	assert_true(model_task(f->m, A)->polls_others);
	assert_int_equal(model_task(f->m, A)->polled_cnt, 4096);
}

static void test_ends_with_its_process(void **state)
{
	struct ev_exit thread = {
		.hdr = {.kind = EV_EXIT, .len = sizeof(thread), .pid = A, .tid = 11}};
	struct ev_task second = task_make(A, 11, 'R', WHY_NONE, 0, 0, T0);
	struct feed *f = *state;

	feed_task(f, A, 'S', WHY_DISK, 0, T0, T0 + SEC);
	feed_task(f, B, 'S', WHY_DISK, 0, T0, T0 + SEC);
	feed_raw(f, &second);
	assert_int_equal(count(f), 3);
	feed_raw(f, &thread);
	assert_int_equal(count(f), 2);
	feed_exit(f, A, T0 + 2 * SEC);
	assert_int_equal(count(f), 1);
	assert_null(model_task(f->m, A));
	/* its number is another process's now */
	feed_task(f, A, 'R', WHY_NONE, 0, 0, T0 + 3 * SEC);
	second.hdr.tid = A;
	second.hdr.pid = B;
	feed_raw(f, &second);
	assert_int_equal(model_task(f->m, A)->proc->pid, B);
}

/* The call that it was in returned: it polls nothing any more. */
static void test_goes_on(void **state)
{
	struct ev_op wait = op_make(MECH_NONE, OP_WAIT, 0, A, T0, T0 + 2 * SEC, 1);
	struct feed *f = *state;
	const struct task *t;

	feed_inflight(f, MECH_NONE, OP_WAIT, 0, A, T0, T0 + SEC, SEC);
	feed_task(f, A, 'S', WHY_NONE, 0, T0, T0 + SEC);
	feed_poll(f, A, 1, POLLIN, SETF_OTHERS);
	feed_op(f, &wait);
	t = model_task(f->m, A);
	assert_int_equal(t->state, 'R');
	assert_false(t->polls);
	assert_false(t->polls_others);
	assert_int_equal(t->polled_cnt, 0);
	assert_int_equal(t->since_ns, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_many_descriptors),
		T(test_task),
		T(test_hostile_task),
		T(test_set),
		T(test_opens),
		T(test_too_many_polled),
		T(test_ends_with_its_process),
		T(test_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
