// SPDX-License-Identifier: BSD-2-Clause
/* Verdicts, and who waits for whom. */
#include "feed.h"

#include <string.h>

#include "analysis/analysis.h"

#define A 10
#define B 20
#define C 30
#define D 40

static int setup(void **state)
{
	static struct feed f;

	feed_init(&f);
	feed_proc(&f, A, "tar");
	feed_proc(&f, B, "gzip");
	feed_proc(&f, C, "cat");
	feed_proc(&f, D, "wc");
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	feed_fini(*state);
	return 0;
}

/* One message per millisecond from `from` to `to`; each side sleeps so long in every call. */
static void traffic(struct feed *f, uint64_t id, uint32_t from, uint32_t to, uint64_t send_ns,
		    uint64_t recv_ns, uint32_t recv_flags)
{
	for (uint64_t i = 0; i < 1000; i++) {
		uint64_t t = T0 + i * MS;
		struct ev_op w = op_make(MECH_PIPE, OP_SEND, id, from, t, t + 980 * US, 512);
		struct ev_op r = op_make(MECH_PIPE, OP_RECV, id, to, t + 5 * US, t + 990 * US, 512);

		w.blocked_ns = send_ns;
		r.blocked_ns = recv_ns;
		w.hdr.flags |= recv_flags;
		r.hdr.flags |= recv_flags;
		feed_op(f, &w);
		feed_op(f, &r);
	}
}

static struct verdict verdict(struct feed *f, uint32_t from, uint32_t to)
{
	struct flow *fl = feed_flow(f, NULL, from, to);

	assert_non_null(fl);
	return verdict_of_flow(f->m, fl);
}

static void test_producer_bound(void **state)
{
	struct feed *f = *state;
	struct verdict v;

	feed_pipe(f, 1);
	traffic(f, 1, A, B, 0, 900 * US, 0);
	v = verdict(f, A, B);
	assert_int_equal(v.kind, VERDICT_PRODUCER_BOUND);
	assert_in_range(v.recv_blocked, 895, 905);
	assert_int_equal(v.send_blocked, 0);
	assert_string_equal(verdict_name(v.kind), "producer-bound");
}

static void test_consumer_bound(void **state)
{
	struct feed *f = *state;
	struct verdict v;

	feed_pipe(f, 1);
	traffic(f, 1, A, B, 800 * US, 20 * US, 0);
	v = verdict(f, A, B);
	assert_int_equal(v.kind, VERDICT_CONSUMER_BOUND);
	assert_in_range(v.send_blocked, 795, 805);
}

/* Nobody sleeps in the calls, but the channel never has room. */
static void test_full_is_consumer_bound(void **state)
{
	struct feed *f = *state;
	struct verdict v;

	feed_pipe(f, 1);
	traffic(f, 1, A, B, 0, 0, OPF_FULL);
	v = verdict(f, A, B);
	assert_int_equal(v.kind, VERDICT_CONSUMER_BOUND);
	assert_in_range(v.full, 990, 1000);
}

static void test_stalls_are_consumer_bound(void **state)
{
	struct feed *f = *state;

	feed_pipe(f, 1);
	for (uint64_t i = 0; i < 100; i++) {
		uint64_t t = T0 + i * MS;

		feed_send(f, MECH_PIPE, 1, A, t, t + 10, -11);
		feed_send(f, MECH_PIPE, 1, A, t + 800 * US, t + 801 * US, 512);
		feed_recv(f, MECH_PIPE, 1, B, t + 810 * US, t + 820 * US, 512);
	}
	assert_int_equal(verdict(f, A, B).kind, VERDICT_CONSUMER_BOUND);
	assert_in_range(verdict(f, A, B).send_blocked, 790, 820);
}

/* A server that sleeps in epoll and reads what is there. */
static void test_poll_counts_for_the_receiver(void **state)
{
	struct feed *f = *state;
	struct ev_op wait;

	feed_pipe(f, 1);
	for (uint64_t i = 0; i < 100; i++) {
		uint64_t t = T0 + i * MS;

		feed_send(f, MECH_PIPE, 1, A, t + 950 * US, t + 951 * US, 512);
		wait = op_make(MECH_NONE, OP_WAIT, 0, B, t, t + 960 * US, 1);
		wait.blocked_ns = 950 * US;
		feed_op(f, &wait);
		feed_recv(f, MECH_PIPE, 1, B, t + 961 * US, t + 962 * US, 512);
	}
	assert_int_equal(verdict(f, A, B).kind, VERDICT_PRODUCER_BOUND);
}

static void test_balanced_and_idle(void **state)
{
	struct feed *f = *state;

	feed_pipe(f, 1);
	feed_pipe(f, 2);
	feed_pipe(f, 3);
	traffic(f, 1, A, B, 10 * US, 20 * US, 0);
	assert_int_equal(verdict(f, A, B).kind, VERDICT_BALANCED);
	traffic(f, 2, B, C, 400 * US, 450 * US, 0);
	assert_int_equal(verdict(f, B, C).kind, VERDICT_BALANCED);
	traffic(f, 3, C, D, 0, 900 * US, 0);
	assert_int_equal(verdict(f, C, D).kind, VERDICT_PRODUCER_BOUND);
	/* Long silence: nothing limits what does not flow. */
	assert_int_equal(model_advance(f->m, T0 + 60 * SEC), 0);
	assert_int_equal(verdict(f, C, D).kind, VERDICT_IDLE);
}

static size_t ask(struct feed *f, uint32_t pid, struct proc **out)
{
	list_for_each (i, model_inflight(f->m), struct inflight, in_model)
		if (i->proc->pid == pid)
			return waits_for(i, out, 4);
	fail();
	return 0;
}

/* Two processes, two full pipes: each waits for the other. */
static void test_deadlock(void **state)
{
	struct feed *f = *state;
	struct proc *who[4];

	feed_pipe(f, 1);
	feed_pipe(f, 2);
	feed_snap(f, SNAPF_HOLDS, T0 + SEC);
	feed_inflight(f, MECH_PIPE, OP_SEND, 1, A, T0, T0 + SEC, SEC);
	feed_inflight(f, MECH_PIPE, OP_SEND, 2, B, T0, T0 + SEC, SEC);
	feed_hold(f, 1, A, HOLDF_WRITE);
	feed_hold(f, 1, B, HOLDF_READ);
	feed_hold(f, 1, B, HOLDF_READ); /* a second descriptor: still one process */
	feed_hold(f, 2, B, HOLDF_WRITE);
	feed_hold(f, 2, A, HOLDF_READ);
	feed_snap(f, SNAPF_HOLDS | SNAPF_END, T0 + SEC);
	assert_int_equal(ask(f, A, who), 1);
	assert_int_equal(who[0]->pid, B);
	assert_int_equal(ask(f, B, who), 1);
	assert_int_equal(who[0]->pid, A);
	list_for_each (i, model_inflight(f->m), struct inflight, in_model)
		assert_true(inflight_is_blocked(i));
}

/* A reader that holds the write end itself waits for itself, and for nobody else. */
static void test_leak(void **state)
{
	struct feed *f = *state;
	struct proc *who[4];

	feed_pipe(f, 1);
	feed_snap(f, SNAPF_HOLDS, T0 + SEC);
	feed_inflight(f, MECH_PIPE, OP_RECV, 1, A, T0, T0 + SEC, SEC);
	feed_hold(f, 1, A, HOLDF_READ);
	feed_hold(f, 1, A, HOLDF_WRITE);
	feed_snap(f, SNAPF_HOLDS | SNAPF_END, T0 + SEC);
	assert_int_equal(ask(f, A, who), 1);
	assert_int_equal(who[0]->pid, A);
	/* As soon as another process could write, it is that one. */
	feed_snap(f, SNAPF_HOLDS, T0 + 2 * SEC);
	feed_inflight(f, MECH_PIPE, OP_RECV, 1, A, T0, T0 + 2 * SEC, 2 * SEC);
	feed_hold(f, 1, A, HOLDF_READ | HOLDF_WRITE);
	feed_hold(f, 1, C, HOLDF_WRITE);
	feed_hold(f, 1, D, HOLDF_READ);
	feed_snap(f, SNAPF_HOLDS | SNAPF_END, T0 + 2 * SEC);
	assert_int_equal(ask(f, A, who), 1);
	assert_int_equal(who[0]->pid, C);
}

static void test_socket_waits_for_the_other_side(void **state)
{
	struct feed *f = *state;
	struct ev_obj o = obj_make(MECH_UNIX_STREAM, 1, T0);
	struct proc *who[4];

	o.self = 1;
	o.peer = 2;
	feed_obj(f, &o);
	o.chan = 2;
	o.self = 2;
	o.peer = 1;
	feed_obj(f, &o);
	feed_snap(f, SNAPF_HOLDS, T0 + SEC);
	feed_inflight(f, MECH_UNIX_STREAM, OP_RECV, 1, A, T0, T0 + SEC, SEC);
	feed_hold(f, 1, A, HOLDF_READ | HOLDF_WRITE);
	feed_hold(f, 1, C, HOLDF_READ | HOLDF_WRITE); /* shares A's end: no help */
	feed_hold(f, 2, B, HOLDF_READ | HOLDF_WRITE);
	feed_hold(f, 2, D, HOLDF_READ | HOLDF_WRITE);
	feed_snap(f, SNAPF_HOLDS | SNAPF_END, T0 + SEC);
	assert_int_equal(ask(f, A, who), 2);
	assert_int_equal(who[0]->pid, B);
	assert_int_equal(who[1]->pid, D);
	/* More than fit: told, not written. */
	list_for_each (i, model_inflight(f->m), struct inflight, in_model)
		assert_int_equal(waits_for(i, who, 1), 2);
}

/* What is on its way to B is nothing that A, which reads, could have. */
static void test_backlog_of_a_direction(void **state)
{
	struct feed *f = *state;
	struct ev_obj o = obj_make(MECH_UNIX_STREAM, 1, T0);

	o.hdr.flags = OBJF_CREATED;
	o.self = 1;
	o.peer = 2;
	feed_obj(f, &o);
	o.chan = o.self = 2;
	o.peer = 1;
	feed_obj(f, &o);
	feed_send(f, MECH_UNIX_STREAM, 1, A, T0, T0 + 10, 3000);
	feed_recv(f, MECH_UNIX_STREAM, 1, A, T0 + 20, T0 + 30, -11);
	feed_snap(f, 0, T0 + SEC);
	feed_inflight(f, MECH_UNIX_STREAM, OP_RECV, 1, A, T0, T0 + SEC, SEC);
	feed_inflight(f, MECH_UNIX_STREAM, OP_RECV, 2, B, T0, T0 + SEC, SEC);
	feed_inflight(f, MECH_UNIX_STREAM, OP_SEND, 2, C, T0, T0 + SEC, SEC);
	feed_snap(f, SNAPF_END, T0 + SEC);
	assert_int_equal(feed_chan(f, 0)->backlog.now, 3000);
	list_for_each (i, model_inflight(f->m), struct inflight, in_model)
		assert_int_equal(inflight_backlog(i), i->proc->pid == B ? 3000 : 0);
	feed_send(f, MECH_UNIX_STREAM, 2, B, T0 + SEC + 10, T0 + SEC + 20, 100);
	feed_recv(f, MECH_UNIX_STREAM, 1, A, T0 + SEC + 10, T0 + SEC + 30, 100);
	assert_int_equal(feed_chan(f, 0)->backlog.now, 3000);
	assert_int_equal(flow_backlog(feed_flow(f, NULL, B, A)), 0);
	feed_recv(f, MECH_UNIX_STREAM, 2, B, T0 + SEC + 10, T0 + SEC + 40, 3000);
	feed_send(f, MECH_UNIX_STREAM, 1, A, T0 + SEC + 50, T0 + SEC + 60, 8);
	assert_int_equal(flow_backlog(feed_flow(f, NULL, A, B)), 8);
}

/* Any of them may have several descriptors of it. */
static void test_many_are_counted_once_each(void **state)
{
	struct feed *f = *state;
	struct proc *who[2];

	feed_pipe(f, 1);
	feed_snap(f, SNAPF_HOLDS, T0 + SEC);
	feed_inflight(f, MECH_PIPE, OP_RECV, 1, A, T0, T0 + SEC, SEC);
	feed_hold(f, 1, A, HOLDF_READ);
	for (uint32_t pid = B; pid <= D; pid += 10)
		for (int i = 0; i < 3; i++)
			feed_hold(f, 1, pid, HOLDF_WRITE);
	feed_snap(f, SNAPF_HOLDS | SNAPF_END, T0 + SEC);
	list_for_each (i, model_inflight(f->m), struct inflight, in_model)
		assert_int_equal(waits_for(i, who, 2), 3);
}

/* Without a snapshot of holders: those that used the channel. */
static void test_waits_by_use(void **state)
{
	struct feed *f = *state;
	struct proc *who[4];

	feed_pipe(f, 1);
	feed_send(f, MECH_PIPE, 1, A, T0, T0 + 10, 5);
	feed_recv(f, MECH_PIPE, 1, B, T0, T0 + 20, 5);
	feed_snap(f, 0, T0 + SEC);
	feed_inflight(f, MECH_PIPE, OP_RECV, 1, B, T0 + 30, T0 + SEC, SEC);
	feed_inflight(f, MECH_NONE, OP_WAIT, 0, C, T0 + 30, T0 + SEC, SEC);
	feed_snap(f, SNAPF_END, T0 + SEC);
	assert_int_equal(ask(f, B, who), 1);
	assert_int_equal(who[0]->pid, A);
	assert_int_equal(ask(f, C, who), 0);
	list_for_each (i, model_inflight(f->m), struct inflight, in_model)
		assert_int_equal(inflight_is_blocked(i), i->op != OP_WAIT);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_producer_bound),
		T(test_consumer_bound),
		T(test_full_is_consumer_bound),
		T(test_stalls_are_consumer_bound),
		T(test_poll_counts_for_the_receiver),
		T(test_balanced_and_idle),
		T(test_deadlock),
		T(test_leak),
		T(test_socket_waits_for_the_other_side),
		T(test_backlog_of_a_direction),
		T(test_many_are_counted_once_each),
		T(test_waits_by_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
