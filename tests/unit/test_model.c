// SPDX-License-Identifier: BSD-2-Clause
/* What all channel classes share: processes, snapshots, loss, folding, memory. */
#include "feed.h"

#include <malloc.h>
#include <string.h>

#define A 10
#define B 20

static int setup(void **state)
{
	static struct feed f;

	feed_init(&f);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	feed_fini(*state);
	return 0;
}

static void message(struct feed *f, uint64_t id, uint32_t from, uint32_t to, uint64_t t, int len)
{
	feed_send(f, MECH_PIPE, id, from, t, t + 10, len);
	feed_recv(f, MECH_PIPE, id, to, t + 20, t + 30, len);
}

static void test_pid_reuse(void **state)
{
	struct feed *f = *state;
	struct proc *first;
	unsigned int cnt = 0;

	feed_pipe(f, 1);
	feed_proc_start(f, A, "one", 100);
	first = model_proc_by_pid(f->m, A);
	message(f, 1, A, B, T0, 10);
	/* The exit record was lost; the same pid with another start is another process. */
	feed_proc_start(f, A, "two", 200);
	message(f, 1, A, B, T0 + 100, 20);
	assert_true(first->exited && strcmp(first->comm, "one") == 0);
	assert_string_equal(model_proc_by_pid(f->m, A)->comm, "two");
	list_for_each (fl, &feed_chan(f, 0)->flows, struct flow, in_chan) {
		assert_int_equal(fl->messages, 1);
		assert_int_equal(fl->bytes, fl->src.proc == first ? 10 : 20);
		cnt++;
	}
	assert_int_equal(cnt, 2);
}

static void test_unknown_process(void **state)
{
	struct feed *f = *state;

	message(f, 1, A, B, T0, 10);
	assert_string_equal(model_proc_by_pid(f->m, A)->comm, "?");
	/* Its description came late: the same process. */
	feed_proc(f, A, "known\xff\n");
	assert_string_equal(model_proc_by_pid(f->m, A)->comm, "known\xff\n");
	assert_ptr_equal(feed_flow(f, NULL, A, B)->src.proc, model_proc_by_pid(f->m, A));
}

static void test_exit_and_exe(void **state)
{
	struct feed *f = *state;
	struct ev_name n = {
		.hdr = {.kind = EV_NAME, .len = sizeof(n), .pid = A, .flags = NAMEF_EXE},
		.text = "/bin/a",
	};
	struct ev_exit thread = {
		.hdr = {.kind = EV_EXIT, .len = sizeof(thread), .pid = A, .tid = 11}};
	struct proc *p;

	feed_proc(f, A, "a");
	feed_raw(f, &n);
	p = model_proc_by_pid(f->m, A);
	assert_string_equal(p->exe, "/bin/a");
	feed_raw(f, &thread);
	assert_false(p->exited);
	feed_exit(f, A, T0);
	assert_true(p->exited);
}

static void test_waits(void **state)
{
	struct feed *f = *state;
	struct ev_op op = op_make(MECH_NONE, OP_WAIT, 0, A, T0, T0 + 100, 1);
	struct proc *p;

	op.blocked_ns = 80;
	feed_op(f, &op);
	feed_snap(f, 0, T0 + 500);
	feed_inflight(f, MECH_NONE, OP_WAIT, 0, A, T0 + 200, T0 + 500, 290);
	feed_snap(f, SNAPF_END, T0 + 500);
	p = model_proc_by_pid(f->m, A);
	assert_true(p->waits.count == 1 && p->waits.total_ns == 80 && p->waits.now_ns == 290);
	/* It returns: no longer now, but in the total. */
	op = op_make(MECH_NONE, OP_WAIT, 0, A, T0 + 200, T0 + 700, 1);
	op.blocked_ns = 490;
	feed_op(f, &op);
	assert_true(p->waits.count == 2 && p->waits.total_ns == 570 && p->waits.now_ns == 0);
	assert_true(list_empty(model_inflight(f->m)));
}

/* A writer blocked since before the trace has an endpoint although it never returned. */
static void test_inflight(void **state)
{
	struct feed *f = *state;
	struct ev_op w;
	struct chan *c;
	struct endpoint *ep;
	struct inflight *i;

	feed_pipe(f, 1);
	feed_snap(f, SNAPF_FIRST, T0 + 1000);
	feed_inflight(f, MECH_PIPE, OP_SEND, 1, A, T0, T0 + 1000, 900);
	feed_snap(f, SNAPF_END | SNAPF_FIRST, T0 + 1000);
	c = feed_chan(f, 0);
	ep = feed_ep(c, A, EP_SEND);
	assert_true(ep && ep->blocked.now_ns == 900 && ep->calls == 0);
	assert_true(c->backlog.full_since_ns == T0);
	i = list_first(model_inflight(f->m), struct inflight, in_model);
	assert_true(i && i->chan == c && i->op == OP_SEND && i->asleep);
	/* The next snapshot replaces what the last one saw. */
	feed_snap(f, 0, T0 + 2000);
	feed_inflight(f, MECH_PIPE, OP_SEND, 1, A, T0, T0 + 2000, 1900);
	feed_snap(f, SNAPF_END, T0 + 2000);
	assert_true(ep->blocked.now_ns == 1900);
	i = list_first(model_inflight(f->m), struct inflight, in_model);
	assert_ptr_equal(i, list_last(model_inflight(f->m), struct inflight, in_model));
	/* A record from before the snapshot that arrives after it ends nothing. */
	feed_recv(f, MECH_PIPE, 1, A, T0 - 500, T0 - 400, 5);
	assert_true(ep->blocked.now_ns == 1900);
	w = op_make(MECH_PIPE, OP_SEND, 1, A, T0, T0 + 3000, 70000);
	w.blocked_ns = 2800;
	feed_op(f, &w);
	assert_true(ep->blocked.now_ns == 0 && ep->blocked.total_ns == 2800);
	assert_true(list_empty(model_inflight(f->m)));
}

static void test_holders_and_closing(void **state)
{
	struct feed *f = *state;
	struct chan *one, *two;

	feed_pipe(f, 1);
	feed_pipe(f, 2);
	one = feed_chan(f, 0);
	two = feed_chan(f, 1);
	message(f, 1, A, B, T0, 10);
	feed_snap(f, SNAPF_HOLDS, T0 + SEC);
	feed_hold(f, 1, A, HOLDF_WRITE);
	feed_hold(f, 1, B, HOLDF_READ);
	feed_hold(f, 1, 30, HOLDF_READ | HOLDF_WRITE);
	feed_snap(f, SNAPF_HOLDS | SNAPF_END, T0 + SEC);
	assert_true(one->open && !two->open);
	assert_non_null(feed_ep(one, 30, EP_ATTACH));
	assert_null(feed_ep(one, A, EP_ATTACH));
	/* Once it does something it is no longer only attached. */
	feed_recv(f, MECH_PIPE, 1, 30, T0 + 2 * SEC, T0 + 2 * SEC + 1, 0);
	assert_null(feed_ep(one, 30, EP_ATTACH));
	/* A snapshot without holders says nothing about who holds what. */
	feed_snap(f, 0, T0 + 3 * SEC);
	feed_snap(f, SNAPF_END, T0 + 3 * SEC);
	assert_true(one->open && !list_empty(model_holders(one)));
	feed_snap(f, SNAPF_HOLDS, T0 + 4 * SEC);
	feed_snap(f, SNAPF_HOLDS | SNAPF_END, T0 + 4 * SEC);
	assert_true(!one->open && list_empty(model_holders(one)));
	/* An operation shows that it is open after all. */
	message(f, 1, A, B, T0 + 5 * SEC, 10);
	assert_true(one->open);
	/* When the last process that used it is gone, it is closed without a snapshot. */
	feed_exit(f, A, T0 + 6 * SEC);
	assert_true(one->open);
	feed_exit(f, B, T0 + 6 * SEC);
	feed_exit(f, 30, T0 + 6 * SEC);
	assert_false(one->open);
}

static void test_no_peers(void **state)
{
	const struct model_opts opts = {.start_ns = T0, .no_peers = true};
	struct ev_op op;
	struct feed f;

	(void)state;
	feed_init_opts(&f, &opts);
	feed_pipe(&f, 1);
	op = op_make(MECH_PIPE, OP_RECV, 1, B, T0, T0 + 10, 10);
	op.hdr.flags &= ~(uint32_t)OPF_TARGET;
	feed_op(&f, &op);
	feed_send(&f, MECH_PIPE, 1, A, T0, T0 + 10, 10);
	assert_null(feed_ep(feed_chan(&f, 0), B, EP_RECV));
	assert_non_null(feed_ep(feed_chan(&f, 0), A, EP_SEND));
	assert_null(feed_flow(&f, NULL, A, B));
	feed_fini(&f);
}

static void test_loss_totals(void **state)
{
	struct feed *f = *state;
	const struct loss *loss = model_loss(f->m);

	feed_pipe(f, 1);
	feed_loss(f, LOSSF_EVENTS, MECH_PIPE, 0, 5);
	feed_loss(f, LOSSF_EVENTS, MECH_TCP, 0, 2);
	feed_loss(f, LOSSF_EVENTS, MECH_PIPE, 0, 9); /* totals, not differences */
	feed_loss(f, LOSSF_CHAN, MECH_PIPE, 1, 3);
	feed_loss(f, LOSSF_CHAN, MECH_PIPE, 1, 4);
	feed_loss(f, LOSSF_COMPAT, 0, 0, 6);
	feed_loss(f, LOSSF_TABLE, 0, 0, 7);
	feed_loss(f, LOSSF_URING, 0, 0, 8);
	assert_true(loss->events == 11 && loss->by_mech[MECH_PIPE] == 9);
	assert_true(loss->channels_incomplete == 1 && feed_chan(f, 0)->lost == 4);
	assert_true(loss->compat_syscalls == 6 && loss->table == 7 && loss->io_uring == 8);
}

struct totals {
	uint64_t messages, bytes, latency_cnt, latency_sum, calls, sent, turnarounds, folded;
	unsigned int rows;
};

static struct totals totals_of(const struct feed *f)
{
	struct totals t = {0};

	list_for_each (c, model_chans(f->m), struct chan, in_model) {
		t.rows++;
		t.folded += c->folded;
		list_for_each (fl, &c->flows, struct flow, in_chan) {
			t.messages += fl->messages;
			t.bytes += fl->bytes;
			t.latency_cnt += fl->latency.count;
			t.latency_sum += fl->latency.sum;
		}
		list_for_each (ep, &c->endpoints, struct endpoint, in_chan) {
			t.calls += ep->calls;
			t.sent += ep->role == EP_SEND ? ep->bytes : 0;
		}
	}
	list_for_each (v, model_conversations(f->m), struct conversation, in_model)
		t.turnarounds += v->turnaround_a.count + v->turnaround_b.count;
	return t;
}

static void count_forgotten(void *arg, uint64_t id)
{
	unsigned int *cnt = arg;

	assert_true(id >= 1000 && id < 1400); /* those of the test below */
	++*cnt;
}

/* The same events into a model that folds and one that keeps every row: equal sums. */
static void test_folding_preserves_totals(void **state)
{
	unsigned int forgotten = 0;
	const struct model_opts keep_few = {.start_ns = T0,
					    .keep_closed = 5,
					    .on_forget = count_forgotten,
					    .on_forget_arg = &forgotten};
	const struct model_opts keep_all = {.start_ns = T0, .keep_closed = 100000};
	struct totals few_t, all_t;
	struct feed few, all, *both[2] = {&few, &all};

	(void)state;
	feed_init_opts(&few, &keep_few);
	feed_init_opts(&all, &keep_all);
	for (int k = 0; k < 2; k++) {
		struct feed *f = both[k];

		for (uint64_t i = 0; i < 200; i++) {
			uint64_t t = T0 + i * SEC, there = 1000 + 2 * i, back = there + 1;
			uint32_t child = 100 + (uint32_t)i;

			feed_pipe(f, there);
			feed_pipe(f, back);
			feed_proc_start(f, child, "child", t);
			for (uint64_t j = 0; j < 3; j++) {
				message(f, there, A, child, t + j * 1000, 100 + (int)i);
				message(f, back, child, A, t + j * 1000 + 500, 7);
			}
			feed_exit(f, child, t + MS);
			feed_snap(f, SNAPF_HOLDS, t + 2 * MS);
			feed_snap(f, SNAPF_HOLDS | SNAPF_END, t + 2 * MS);
		}
		assert_int_equal(model_finish(f->m, T0 + 300 * SEC), 0);
	}
	few_t = totals_of(&few);
	all_t = totals_of(&all);
	assert_int_equal(all_t.rows, 400);
	assert_in_range(few_t.rows, 6, 7);
	assert_int_equal(few_t.folded, 395);
	assert_string_equal(feed_chan_named(&few, "pipe:[closed]")->name, "pipe:[closed]");
	assert_true(few_t.messages == all_t.messages && few_t.bytes == all_t.bytes);
	assert_true(few_t.latency_cnt == all_t.latency_cnt &&
		    few_t.latency_sum == all_t.latency_sum);
	assert_true(few_t.calls == all_t.calls && few_t.sent == all_t.sent);
	assert_true(few_t.turnarounds == all_t.turnarounds && all_t.turnarounds == 200 * 5);
	assert_int_equal(forgotten, 395);
	feed_fini(&few);
	feed_fini(&all);
	assert_int_equal(forgotten, 395);
}

static size_t heap_bytes(void)
{
	return mallinfo2().uordblks;
}

/* Time and messages cost no memory. */
static void test_memory_follows_channels(void **state)
{
	struct feed *f = *state;
	size_t before, early;

	feed_pipe(f, 1);
	before = heap_bytes();
	for (uint64_t i = 0; i < 1000; i++)
		message(f, 1, A, B, T0 + i * 1000, 1 + (int)(i % 5000));
	early = heap_bytes() - before;
	for (uint64_t i = 1000; i < 200000; i++)
		message(f, 1, A, B, T0 + i * 1000, 1 + (int)(i % 5000));
	assert_true(heap_bytes() - before <= early + 1024);
}

/* Short-lived processes, each with a pipe of its own: what is over is given back. */
static void test_memory_of_the_gone(void **state)
{
	struct feed *f = *state;
	size_t half = 0, first = 0;
	unsigned int procs = 0;

	for (uint64_t i = 0; i < 40000; i++) {
		uint64_t t = T0 + i * MS;
		uint32_t child = 100 + (uint32_t)i;

		feed_pipe(f, 1000 + i);
		feed_proc_start(f, child, i % 2 ? "cc1" : "as", t);
		message(f, 1000 + i, child, A, t, 100);
		feed_exit(f, child, t + 100);
		if (i % 100 == 0) {
			feed_snap(f, SNAPF_HOLDS, t + 200);
			feed_snap(f, SNAPF_HOLDS | SNAPF_END, t + 200);
		}
		if (i == 10000)
			first = heap_bytes();
		if (i == 20000)
			half = heap_bytes();
	}
	/* Twice as many again cost nothing more, once the first thousands had their room. */
	assert_true(heap_bytes() < half + (half - first) / 4 + (1u << 20));
	list_for_each (p, model_procs(f->m), struct proc, in_model)
		procs++;
	assert_true(procs < 10000);
	assert_int_equal(totals_of(f).messages, 40000);
}

/* Ten thousand channels in use, with both ends, flows and latencies. */
static void test_memory_of_many(void **state)
{
	struct feed *f = *state;
	size_t before = heap_bytes();

	for (uint64_t i = 0; i < 10000; i++)
		feed_pipe(f, 1 + i);
	for (uint64_t round = 0; round < 10; round++)
		for (uint64_t i = 0; i < 10000; i++)
			message(f, 1 + i, 100 + (uint32_t)i, 100000 + (uint32_t)i,
				T0 + (round * 10000 + i) * US + i * round, 512);
	assert_int_equal(totals_of(f).messages, 100000);
	assert_true(heap_bytes() - before < 64u << 20);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_pid_reuse),
		T(test_unknown_process),
		T(test_exit_and_exe),
		T(test_waits),
		T(test_inflight),
		T(test_holders_and_closing),
		cmocka_unit_test(test_no_peers),
		T(test_loss_totals),
		cmocka_unit_test(test_folding_preserves_totals),
		T(test_memory_follows_channels),
		T(test_memory_of_the_gone),
		T(test_memory_of_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
