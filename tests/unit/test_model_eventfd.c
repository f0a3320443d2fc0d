// SPDX-License-Identifier: BSD-2-Clause
/* Eventfds: which write a read answers, in units; the limit; what nobody wrote. */
#include "feed.h"

#include <sys/eventfd.h>

#define A  10
#define B  20
#define ID 7

static int setup(void **state)
{
	static struct feed f;

	feed_init(&f);
	feed_proc(&f, A, "writer");
	feed_proc(&f, B, "reader");
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	feed_fini(*state);
	return 0;
}

static void eventfd_obj(struct feed *f, uint64_t count, uint32_t flags, uint32_t obj_flags)
{
	struct ev_obj o = obj_make(MECH_EVENTFD, ID, T0);

	o.hdr.flags = obj_flags | OBJF_BACKLOG;
	o.capacity = 0;
	o.vals[0] = count;
	o.vals[1] = flags;
	feed_obj(f, &o);
}

static void efd_op(struct feed *f, enum ipcspy_op kind, uint32_t pid, uint64_t enter_ns,
		   uint64_t exit_ns, uint64_t value, uint64_t count)
{
	struct ev_op op = op_make(MECH_EVENTFD, kind, ID, pid, enter_ns, exit_ns, 8);

	op.hdr.flags |=
		OPF_BACKLOG | (count ? 0 : OPF_EMPTY) | (count >= UINT64_MAX - 1 ? OPF_FULL : 0);
	feed_op_vals(f, &op, value, count);
}

static void sent(struct feed *f, uint32_t pid, uint64_t at_ns, uint64_t value, uint64_t count)
{
	efd_op(f, OP_SEND, pid, at_ns, at_ns + 10, value, count);
}

static void got(struct feed *f, uint32_t pid, uint64_t at_ns, uint64_t value, uint64_t count)
{
	efd_op(f, OP_RECV, pid, at_ns, at_ns + 10, value, count);
}

static uint64_t messages(const struct feed *f, uint32_t src, uint32_t dst)
{
	const struct flow *fl = feed_flow(f, NULL, src, dst);

	return fl ? fl->messages : 0;
}

static void test_read_takes_all(void **state)
{
	struct feed *f = *state;
	struct flow *fl;

	eventfd_obj(f, 0, 0, OBJF_CREATED);
	sent(f, A, T0 + 100, 3, 3);
	sent(f, A, T0 + 200, 4, 7);
	got(f, B, T0 + 300, 7, 0);
	fl = feed_flow(f, NULL, A, B);
	assert_true(fl->messages == 2 && fl->bytes == 16);
	assert_true(fl->paired[PAIR_EXACT] == 2);
	assert_true(fl->latency.max == 210 && fl->latency.min == 110);
	assert_string_equal(feed_chan(f, 0)->name, "eventfd:[7]");
	assert_string_equal(feed_chan(f, 0)->unit, "count");
	assert_true(feed_chan(f, 0)->capacity == UINT64_MAX - 1);
	assert_true(feed_chan(f, 0)->backlog.max == 7 && feed_chan(f, 0)->backlog.now == 0);
}

/* The value that was read says that a write is missing whose record comes later. */
static void test_read_first(void **state)
{
	struct feed *f = *state;

	eventfd_obj(f, 0, 0, OBJF_CREATED);
	sent(f, A, T0 + 100, 1, 1);
	got(f, B, T0 + 200, 3, 0);
	assert_int_equal(messages(f, A, B), 1);
	efd_op(f, OP_SEND, A, T0 + 150, T0 + 400, 2, 0);
	assert_int_equal(messages(f, A, B), 2);
	/* called after the read returned: not what it waits for */
	got(f, B, T0 + 500, 5, 0);
	sent(f, A, T0 + 600, 5, 5);
	assert_int_equal(messages(f, A, B), 2);
	assert_int_equal(model_finish(f->m, T0 + SEC), 0);
	assert_int_equal(feed_flow_from(f, NULL, B) ? 1 : 0, 0);
}

static void test_semaphore(void **state)
{
	struct feed *f = *state;

	eventfd_obj(f, 0, EFD_SEMAPHORE, OBJF_CREATED);
	sent(f, A, T0 + 100, 2, 2);
	sent(f, B, T0 + 200, 1, 3);
	got(f, B, T0 + 300, 1, 2);
	assert_int_equal(messages(f, A, B), 0); /* half of it */
	got(f, B, T0 + 400, 1, 1);
	assert_int_equal(messages(f, A, B), 1);
	got(f, A, T0 + 500, 1, 0);
	assert_int_equal(messages(f, B, A), 1);
}

/* Of very many pending writes each one is still a message of whoever took its units. */
static void test_merged(void **state)
{
	struct feed *f = *state;

	eventfd_obj(f, 0, EFD_SEMAPHORE, OBJF_CREATED);
	for (uint64_t i = 0; i < 5000; i++)
		sent(f, A, T0 + 100 * i, 2, 2 * i + 2);
	for (uint64_t i = 0; i < 6000; i++)
		got(f, i < 2000 ? B : A, T0 + MS + 100 * i, 1, 10000 - i - 1);
	assert_int_equal(messages(f, A, B), 1000);
	assert_int_equal(messages(f, A, A), 2000);
	got(f, B, T0 + 2 * MS, 4000, 0);
	assert_int_equal(messages(f, A, B), 3000);
	assert_int_equal(feed_chan(f, 0)->unpaired, 0);
}

/* What was in it before the trace is nobody's message; what comes from nowhere is the kernel's. */
static void test_unknown_units(void **state)
{
	struct feed *f = *state;
	const struct flow *fl = NULL;

	eventfd_obj(f, 5, 0, OBJF_SNAPSHOT);
	got(f, B, T0 + 50, 5, 0);
	assert_int_equal(model_advance(f->m, T0 + SEC), 0);
	assert_true(list_empty(&feed_chan(f, 0)->flows));
	sent(f, A, T0 + 100, 1, 1);
	got(f, B, T0 + 200, 1, 0);
	assert_int_equal(messages(f, A, B), 1);
	got(f, B, T0 + 300, 9, 0);
	assert_int_equal(model_advance(f->m, T0 + 2 * SEC), 0);
	list_for_each (x, &feed_chan(f, 0)->flows, struct flow, in_chan)
		if (!x->src.proc)
			fl = x;
	assert_non_null(fl);
	assert_true(fl->messages == 1 && fl->bytes == 8 && fl->dst.proc->pid == B);
	assert_true(fl->paired[PAIR_ASSUMED] == 1);
}

/* What was written before, and is neither what was found nor left, was read unseen. */
static void test_resync(void **state)
{
	struct feed *f = *state;

	eventfd_obj(f, 2, 0, OBJF_SNAPSHOT);
	sent(f, A, T0 + 100, 1, 3);
	sent(f, A, T0 + 200, 4, 4);
	got(f, B, T0 + 300, 4, 0);
	assert_int_equal(messages(f, A, B), 1);
	assert_int_equal(feed_chan(f, 0)->unpaired, 1);
	assert_true(feed_flow(f, NULL, A, B)->latency.max == 110);
	sent(f, A, T0 + 400, 9, 9);
	got(f, B, T0 + 500, 9, 0);
	assert_int_equal(messages(f, A, B), 2);
	assert_int_equal(feed_chan(f, 0)->unpaired, 1);
}

static void test_limit(void **state)
{
	struct feed *f = *state;
	struct ev_op op = op_make(MECH_EVENTFD, OP_SEND, ID, A, T0 + MS, T0 + 3 * MS, 8);
	const struct chan *c;

	eventfd_obj(f, 0, 0, OBJF_CREATED);
	sent(f, A, T0 + 100, UINT64_MAX - 1, UINT64_MAX - 1);
	op.blocked_ns = 2 * MS;
	got(f, B, T0 + 3 * MS - 10, UINT64_MAX - 1, 0);
	feed_op_vals(f, &op, 1, 1);
	sent(f, A, T0 + 4 * MS, UINT64_MAX - 2, UINT64_MAX - 1);
	got(f, B, T0 + 5 * MS, UINT64_MAX - 1, 5); /* somebody added to it since */
	assert_int_equal(messages(f, A, B), 3);
	c = feed_chan(f, 0);
	assert_true(c->backlog.max == UINT64_MAX - 1 && c->backlog.now == 5);
	assert_true(feed_ep(c, A, EP_SEND)->blocked.total_ns == 2 * MS);
	assert_true(c->backlog.full_ns >= 3 * MS);
	assert_int_equal(c->unpaired, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read_takes_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_semaphore, setup, teardown),
		cmocka_unit_test_setup_teardown(test_merged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_units, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resync, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
	};

	return cmocka_run_group_tests_name("model: eventfd", tests, NULL, NULL);
}
