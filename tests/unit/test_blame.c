// SPDX-License-Identifier: BSD-2-Clause
/* Who caused the others' blocked time: exact shares of small scenes. */
#include "feed.h"

#include <string.h>

#include "analysis/blame.h"
#include "scene.h"

#define A 10
#define B 20
#define C 30
#define D 40

static struct blame_table table;

static int setup(void **state)
{
	static struct feed f;

	feed_init(&f);
	feed_proc(&f, A, "a");
	feed_proc(&f, B, "b");
	feed_proc(&f, C, "c");
	feed_proc(&f, D, "d");
	/* A -> B -> C -> D, and each end was used once */
	for (uint64_t id = 1; id <= 3; id++) {
		feed_pipe(&f, id);
		feed_send(&f, MECH_PIPE, id, (uint32_t)id * 10, T0, T0 + 10, 1);
		feed_recv(&f, MECH_PIPE, id, (uint32_t)id * 10 + 10, T0, T0 + 20, 1);
	}
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	blame_table_fini(&table);
	feed_fini(*state);
	return 0;
}

/* pid was asleep in a call on a pipe for from_ms ... to_ms, and was woken by somebody (0: unknown).
 */
static void slept(struct feed *f, enum ipcspy_op kind, uint64_t id, uint32_t pid, uint64_t from_ms,
		  uint64_t to_ms, uint32_t waker, int ret)
{
	struct ev_op op =
		op_make(MECH_PIPE, kind, id, pid, T0 + from_ms * MS, T0 + to_ms * MS, ret);

	op.blocked_ns = (to_ms - from_ms) * MS;
	op.waker_tid = waker;
	if (!model_proc_by_pid(f->m, pid)->target)
		op.hdr.flags &= ~(uint32_t)OPF_TARGET;
	feed_op(f, &op);
}

static void make(struct feed *f)
{
	uint64_t sum = 0;

	blame_table_fini(&table);
	assert_int_equal(blame_table_init(&table, f->blame, f->m), 0);
	for (size_t i = 0; i < table.cnt; i++)
		sum += table.rows[i].caused_ns;
	assert_int_equal(sum + table.unattributed_ns, table.total_ns);
	assert_true(sum <= table.total_ns);
}

static void expect(size_t at, uint32_t pid, uint64_t ms, unsigned int waiters)
{
	assert_true(at < table.cnt);
	assert_int_equal(table.rows[at].proc->pid, pid);
	assert_int_equal(table.rows[at].caused_ns, ms * MS);
	assert_int_equal(table.rows[at].waiters, waiters);
}

/* A waits for B to read, C for B to write; B is busy. */
static void test_slow_middle(void **state)
{
	struct feed *f = *state;

	for (uint64_t t = 10; t < 1010; t += 10) {
		slept(f, OP_SEND, 1, A, t, t + 9, B, 5);
		slept(f, OP_RECV, 2, C, t, t + 8, B, 5);
	}
	make(f);
	assert_int_equal(table.cnt, 1);
	expect(0, B, 1700, 2);
	assert_int_equal(table.total_ns, 1700 * MS);
	assert_non_null(blame_worst(&table, f->m));
}

/* A chain of four: each is asleep in front of the next one, the last is busy. */
static void test_chain_of_four(void **state)
{
	struct feed *f = *state;

	slept(f, OP_SEND, 3, C, 100, 200, D, 5);
	slept(f, OP_SEND, 2, B, 100, 200, C, 5);
	slept(f, OP_SEND, 1, A, 100, 200, B, 5);
	make(f);
	assert_int_equal(table.cnt, 1);
	expect(0, D, 300, 3);
}

/* Half of the time B was busy itself, the other half it waited for C. */
static void test_half_passed_on(void **state)
{
	struct feed *f = *state;

	slept(f, OP_SEND, 2, B, 100, 150, C, 5);
	slept(f, OP_SEND, 1, A, 100, 200, B, 5);
	make(f);
	assert_int_equal(table.cnt, 2);
	expect(0, C, 100, 2);
	expect(1, B, 50, 1);
}

/* Two write, one reads: who woke the reader is to blame, not who else could have. */
static void test_fan_in(void **state)
{
	struct feed *f = *state;

	feed_send(f, MECH_PIPE, 2, D, T0, T0 + 10, 1);
	slept(f, OP_RECV, 2, C, 100, 130, B, 5);
	slept(f, OP_RECV, 2, C, 200, 270, D, 5);
	make(f);
	assert_int_equal(table.cnt, 2);
	expect(0, D, 70, 1);
	expect(1, B, 30, 1);
}

/* A signal ended the call while B still waited for C: that is known only later. */
static void test_signal_ends_the_call(void **state)
{
	struct feed *f = *state;

	slept(f, OP_SEND, 1, A, 100, 200, 0, -4);
	slept(f, OP_SEND, 2, B, 50, 300, C, 5);
	make(f);
	assert_int_equal(table.cnt, 1);
	expect(0, C, 350, 2);
}

/* The peer ended, which closed the pipe; its exit may be told first. */
static void test_peer_exits(void **state)
{
	struct feed *f = *state;

	feed_exit(f, B, T0 + 199 * MS);
	slept(f, OP_RECV, 2, C, 100, 200, B, 0);
	slept(f, OP_SEND, 1, A, 100, 200, 0, -32);
	make(f);
	assert_int_equal(table.cnt, 1);
	expect(0, B, 200, 2);
}

/* D has a descriptor, too, and never did anything with it. */
static void test_mere_holder(void **state)
{
	struct feed *f = *state;

	feed_snap(f, SNAPF_HOLDS, T0 + MS);
	feed_hold(f, 2, B, HOLDF_WRITE);
	feed_hold(f, 2, C, HOLDF_READ);
	feed_hold(f, 2, D, HOLDF_WRITE);
	feed_snap(f, SNAPF_HOLDS | SNAPF_END, T0 + MS);
	slept(f, OP_RECV, 2, C, 100, 200, 0, 5);
	make(f);
	assert_int_equal(table.cnt, 1);
	expect(0, B, 100, 1);
}

static void a_peer(struct feed *f, uint32_t pid)
{
	model_proc_by_pid(f->m, pid)->target = false;
}

/* What a peer waits for another peer is measured, and nobody is named for it. */
static void test_peers_among_themselves(void **state)
{
	struct feed *f = *state;

	a_peer(f, B);
	a_peer(f, C);
	feed_snap(f, SNAPF_HOLDS, T0 + MS);
	feed_hold(f, 2, A, HOLDF_WRITE); /* a target, so it is the targets' channel */
	feed_snap(f, SNAPF_HOLDS | SNAPF_END, T0 + MS);
	slept(f, OP_RECV, 2, C, 100, 200, B, 5);
	make(f);
	assert_int_equal(table.cnt, 0);
	assert_int_equal(table.unattributed_ns, 100 * MS);
	/* for a target it is the targets' matter, and through one, too */
	feed_send(f, MECH_PIPE, 2, A, T0 + 210 * MS, T0 + 211 * MS, 5);
	slept(f, OP_SEND, 1, A, 300, 350, B, 5);
	slept(f, OP_RECV, 2, C, 300, 400, A, 5);
	make(f);
	assert_int_equal(table.cnt, 2);
	expect(0, B, 100, 2);
	expect(1, A, 50, 1);
	assert_int_equal(table.unattributed_ns, 100 * MS);
}

/*
 * The writer ended after a tenth of the time, and who reads waits on: for who still has the write
 * end, or nobody.
 */
static void test_who_is_gone_is_not_waited_for(void **state)
{
	struct feed *f = *state;

	feed_exit(f, B, T0 + 100 * MS);
	for (int held = 0; held < 2; held++) {
		feed_snap(f, SNAPF_HOLDS, T0 + SEC);
		feed_inflight(f, MECH_PIPE, OP_RECV, 2, C, T0, T0 + SEC, SEC);
		feed_hold(f, 2, C, HOLDF_READ);
		if (held)
			feed_hold(f, 2, D, HOLDF_WRITE);
		feed_snap(f, SNAPF_HOLDS | SNAPF_END, T0 + SEC);
		make(f);
		assert_int_equal(table.cnt, 1 + held);
		assert_int_equal(table.total_ns, SEC);
		assert_int_equal(table.unattributed_ns, held ? 0 : 900 * MS);
	}
	expect(0, D, 950, 1); /* from then on alone */
	expect(1, B, 50, 1);
}

/* B cannot send to C, and sleeps in poll until it can: that is one time, not two. */
static void test_stalled_in_poll(void **state)
{
	struct ev_op wait = op_make(MECH_NONE, OP_WAIT, 0, B, T0 + 100 * MS, T0 + 200 * MS, 1);
	struct feed *f = *state;

	slept(f, OP_RECV, 2, C, 10, 11, B, 5); /* its number is known */
	feed_send(f, MECH_PIPE, 2, B, T0 + 100 * MS, T0 + 100 * MS, -11);
	wait.blocked_ns = 100 * MS;
	wait.waker_tid = C;
	feed_op(f, &wait);
	feed_send(f, MECH_PIPE, 2, B, T0 + 200 * MS, T0 + 200 * MS, 5);
	slept(f, OP_SEND, 1, A, 100, 200, B, 5);
	make(f);
	assert_int_equal(table.total_ns, 201 * MS);
	assert_int_equal(table.unattributed_ns, 0);
	expect(0, C, 200, 2);
	expect(1, B, 1, 1);
}

/* More threads come and go than are remembered at a time: those of now are. */
static void test_many_threads(void **state)
{
	struct feed *f = *state;
	struct ev_op op = op_make(MECH_PIPE, OP_SEND, 1, A, T0, T0, 5);

	for (uint32_t i = 0; i < 40000; i++) {
		op.hdr.tid = 1000 + i;
		op.enter_ns = T0 + i * MS;
		op.hdr.ts_ns = op.enter_ns + 1000;
		op.blocked_ns = 1000;
		op.waker_tid = B;
		feed_op(f, &op);
	}
	slept(f, OP_SEND, 2, B, 50000, 50100, C, 5);
	slept(f, OP_SEND, 1, A, 50000, 50100, B, 5);
	make(f);
	expect(0, C, 200, 2);
	assert_int_equal(table.rows[1].caused_ns, 40 * MS);
}

/* Not over yet: A waits for B, which waits for C. */
static void test_still_blocked(void **state)
{
	struct feed *f = *state;

	feed_snap(f, 0, T0 + SEC);
	feed_inflight(f, MECH_PIPE, OP_SEND, 1, A, T0 + 200 * MS, T0 + SEC, 800 * MS);
	feed_inflight(f, MECH_PIPE, OP_SEND, 2, B, T0 + 600 * MS, T0 + SEC, 400 * MS);
	feed_snap(f, SNAPF_END, T0 + SEC);
	make(f);
	expect(0, C, 800, 2);
	expect(1, B, 400, 1);
	make(f); /* asked again: nothing is counted twice */
	expect(0, C, 800, 2);
	/* now they are over */
	slept(f, OP_SEND, 2, B, 600, 1100, C, 5);
	slept(f, OP_SEND, 1, A, 200, 1200, B, 5);
	make(f);
	expect(0, C, 1000, 2);
	expect(1, B, 500, 1);
}

/* In a deadlock each waits for the other: it is nobody's fault alone. */
static void test_deadlock(void **state)
{
	struct feed *f = *state;

	feed_pipe(f, 7);
	feed_send(f, MECH_PIPE, 7, B, T0, T0 + 10, 1);
	feed_recv(f, MECH_PIPE, 7, A, T0, T0 + 20, 1);
	feed_snap(f, 0, T0 + SEC);
	feed_inflight(f, MECH_PIPE, OP_SEND, 1, A, T0, T0 + SEC, SEC);
	feed_inflight(f, MECH_PIPE, OP_SEND, 7, B, T0, T0 + SEC, SEC);
	feed_snap(f, SNAPF_END, T0 + SEC);
	make(f);
	assert_int_equal(table.cnt, 0);
	assert_int_equal(table.unattributed_ns, 2 * SEC);
	assert_null(blame_worst(&table, f->m));
}

/* What B slept in poll is passed on to who woke it; a time-out is its own wish. */
static void test_poll_passes_on(void **state)
{
	struct ev_op wait = op_make(MECH_NONE, OP_WAIT, 0, B, T0 + 100 * MS, T0 + 190 * MS, 1);
	struct feed *f = *state;

	/* A has slept before, so its number is known */
	slept(f, OP_SEND, 1, A, 10, 11, B, 5);
	wait.blocked_ns = 90 * MS;
	wait.waker_tid = A;
	feed_op(f, &wait);
	slept(f, OP_RECV, 2, C, 100, 200, B, 5);
	wait.ret = 0;
	wait.waker_tid = 0;
	wait.enter_ns = T0 + 300 * MS;
	wait.hdr.ts_ns = T0 + 390 * MS;
	feed_op(f, &wait);
	slept(f, OP_RECV, 2, C, 300, 400, B, 5);
	make(f);
	expect(0, B, 111, 2);
	expect(1, A, 90, 1);
}

/* Many short sleeps of the cause within a long one: they are merged, their sum is not lost. */
static void test_many_short_ones(void **state)
{
	struct feed *f = *state;

	for (uint64_t t = 100; t < 1100; t += 2)
		slept(f, OP_SEND, 2, B, t, t + 1, C, 5);
	slept(f, OP_SEND, 1, A, 100, 1100, B, 5);
	make(f);
	assert_int_equal(table.total_ns, 1500 * MS);
	assert_int_equal(table.rows[0].proc->pid, C);
	assert_in_range(table.rows[0].caused_ns, 995 * MS, 1005 * MS);
	assert_int_equal(table.unattributed_ns / MS, 0);
}

/* Bits of time that cannot be divided, in random chains: nothing is lost, nothing made. */
static void test_sums(void **state)
{
	struct feed *f = *state;
	struct rnd r = {7};
	uint64_t now = T0 + MS, total = 0;

	for (int i = 0; i < 5000; i++) {
		uint64_t id = 1 + rnd_below(&r, 3), ns = 1 + rnd_below(&r, 5000);
		bool send = rnd_below(&r, 2);
		uint32_t pid = (uint32_t)(id * 10 + (send ? 0 : 10));
		struct ev_op op;

		now += 1 + rnd_below(&r, 2000);
		op = op_make(MECH_PIPE, send ? OP_SEND : OP_RECV, id, pid, now - ns, now,
			     rnd_below(&r, 9) ? 5 : -4);
		op.blocked_ns = ns;
		op.waker_tid = rnd_below(&r, 3) ? (uint32_t)(id * 10 + (send ? 10 : 0)) : 0;
		feed_op(f, &op);
		total += ns;
	}
	make(f);
	assert_int_equal(table.total_ns, total);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_slow_middle),
		T(test_chain_of_four),
		T(test_half_passed_on),
		T(test_fan_in),
		T(test_signal_ends_the_call),
		T(test_peer_exits),
		T(test_mere_holder),
		T(test_peers_among_themselves),
		T(test_who_is_gone_is_not_waited_for),
		T(test_stalled_in_poll),
		T(test_many_threads),
		T(test_still_blocked),
		T(test_deadlock),
		T(test_poll_passes_on),
		T(test_many_short_ones),
		T(test_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
