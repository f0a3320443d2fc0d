// SPDX-License-Identifier: BSD-2-Clause
/* Futexes and semaphores: who woke whom, from the records of those who waited. */
#include "feed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "analysis/analysis.h"
#include "model/internal.h"
#include "model/pair_wake.h"

#define A    10 /* wakes */
#define B    20 /* waits */
#define C    30
#define WORD 1

static int setup(void **state)
{
	static struct feed f;

	feed_init(&f);
	feed_proc(&f, A, "waker");
	feed_proc(&f, B, "waiter");
	feed_proc(&f, C, "other");
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	feed_fini(*state);
	return 0;
}

static void word(struct feed *f, uint64_t id, uint64_t object, uint64_t offset)
{
	struct ev_obj o = obj_make(MECH_FUTEX, id, T0);

	o.ino = 77;
	o.capacity = 0;
	o.vals[0] = object;
	o.vals[1] = offset;
	feed_obj(f, &o);
}

/* One wait, as numbers: what is left out is 0. */
enum { PID, ENTER, EXIT, BLOCKED, RET, WAKER, WAKE, FLAGS, INDEX, FIELDS };

static void feed_vals(struct feed *f, const struct ev_op *op, uint64_t v0, uint64_t v1)
{
	struct {
		struct ev_op op;
		struct ev_vals vals;
	} rec = {*op, {{v0, v1}}};

	rec.op.hdr.len = sizeof(rec);
	rec.op.hdr.flags |= OPF_VALS;
	feed_raw(f, &rec);
}

static void waits(struct feed *f, enum ipcspy_mech mech, const int64_t w[FIELDS])
{
	struct ev_op op = op_make(mech, OP_RECV, WORD, (uint32_t)w[PID], (uint64_t)w[ENTER],
				  (uint64_t)w[EXIT], (int)w[RET]);

	op.blocked_ns = (uint64_t)w[BLOCKED];
	op.waker_tid = (uint32_t)w[WAKER];
	if (w[WAKER] || w[WAKE] || w[INDEX])
		feed_vals(f, &op, (uint64_t)w[WAKE],
			  (uint64_t)(w[WAKER] | w[FLAGS] << 32 | w[INDEX] << 48));
	else
		feed_op(f, &op);
}

#define WAITS(f, ...) waits(f, MECH_FUTEX, (const int64_t[FIELDS]){__VA_ARGS__})
#define KNOWN         (WAKEF_CALL | WAKEF_COUNTED)

static struct chan *finish(struct feed *f)
{
	assert_int_equal(model_finish(f->m, T0 + 60 * SEC), 0);
	return feed_chan(f, 0);
}

/* Whichever record comes first: counted once, timed from the wake's begin. */
static void test_exact_both_orders(void **state)
{
	struct feed *f = *state;
	struct flow *fl;
	struct chan *c;

	word(f, WORD, 5, 0x40);
	feed_send(f, MECH_FUTEX, WORD, A, T0 + 100, T0 + 300, 1);
	WAITS(f, B, T0, T0 + 400, 150, 0, A, T0 + 100, KNOWN);
	WAITS(f, B, T0 + 500, T0 + 650, 100, 0, A, T0 + 600, KNOWN);
	feed_send(f, MECH_FUTEX, WORD, A, T0 + 600, T0 + 700, 1);
	c = finish(f);
	assert_string_equal(c->name, "futex:[77]+0x40");
	assert_string_equal(c->unit, "waiters");
	fl = feed_flow(f, c, A, B);
	assert_non_null(fl);
	assert_int_equal(fl->messages, 2);
	assert_int_equal(fl->bytes, 0);
	assert_int_equal(fl->paired[PAIR_EXACT], 2);
	assert_int_equal(fl->latency.min, 50);
	assert_int_equal(fl->latency.max, 300);
	assert_int_equal(feed_ep(c, A, EP_SEND)->messages, 2);
	assert_int_equal(feed_ep(c, A, EP_SEND)->bytes, 0);
	assert_int_equal(feed_ep(c, B, EP_RECV)->messages, 2);
	assert_int_equal(feed_ep(c, B, EP_RECV)->blocked.total_ns, 250);
	assert_int_equal(c->unpaired, 0);
}

/* Calls, but no messages: nobody woke; no wait at all, or one that ended otherwise. */
static void test_no_messages(void **state)
{
	struct feed *f = *state;
	struct endpoint *ep;
	struct chan *c;

	word(f, WORD, 5, 0);
	feed_send(f, MECH_FUTEX, WORD, A, T0, T0 + 10, 0);
	feed_send(f, MECH_FUTEX, WORD, A, T0 + 20, T0 + 30, -EAGAIN); /* requeue: changed */
	feed_send(f, MECH_FUTEX, WORD, A, T0 + 40, T0 + 50, -EFAULT);
	WAITS(f, B, T0, T0 + 10, 0, -EAGAIN);
	WAITS(f, B, T0 + 20, T0 + 90, 60, -ETIMEDOUT, A, T0 + 30, KNOWN);
	WAITS(f, B, T0 + 100, T0 + 190, 60, -EINTR, A, T0 + 130, WAKEF_CALL);
	WAITS(f, B, T0 + 200, T0 + 210, 0, 0); /* a lock that was free */
	c = finish(f);
	assert_true(list_empty(&c->flows));
	ep = feed_ep(c, A, EP_SEND);
	assert_int_equal(ep->calls, 3);
	assert_int_equal(ep->messages, 0);
	assert_int_equal(ep->errors, 1);
	assert_int_equal(ep->stalled.count, 0);
	ep = feed_ep(c, B, EP_RECV);
	assert_int_equal(ep->calls, 4);
	assert_int_equal(ep->messages, 0);
	assert_int_equal(ep->would_block, 1);
	assert_int_equal(ep->errors, 1);
	assert_int_equal(ep->blocked.count, 2);
}

/* One wake releases three, who come back in any order; so many waited at once. */
static void test_one_wakes_many(void **state)
{
	struct feed *f = *state;
	struct chan *c;

	word(f, WORD, 5, 0);
	feed_proc(f, 40, "fourth");
	WAITS(f, 40, T0 + 30, T0 + 200, 100, 0, A, T0 + 100, KNOWN);
	feed_send(f, MECH_FUTEX, WORD, A, T0 + 100, T0 + 210, 3);
	WAITS(f, C, T0 + 20, T0 + 220, 100, 0, A, T0 + 100, KNOWN);
	WAITS(f, B, T0 + 10, T0 + 230, 100, 0, A, T0 + 100, KNOWN);
	WAITS(f, B, T0 + 300, T0 + 400, 100, -ETIMEDOUT);
	c = finish(f);
	assert_int_equal(feed_ep(c, A, EP_SEND)->messages, 3);
	assert_int_equal(feed_flow(f, c, A, 40)->messages, 1);
	assert_int_equal(feed_flow(f, c, A, B)->latency.sum, 130);
	assert_int_equal(c->backlog.max, 3);
	assert_int_equal(c->unpaired, 0);
}

/* The waiter died on its way back, or its record was lost. */
static void test_woken_and_never_seen(void **state)
{
	struct feed *f = *state;
	struct chan *c;

	word(f, WORD, 5, 0);
	feed_send(f, MECH_FUTEX, WORD, A, T0 + 100, T0 + 200, 2);
	WAITS(f, B, T0, T0 + 220, 100, 0, A, T0 + 100, KNOWN);
	c = finish(f);
	assert_int_equal(feed_ep(c, A, EP_SEND)->messages, 2);
	assert_int_equal(feed_flow(f, c, A, B)->messages, 1);
	assert_int_equal(c->unpaired, 1);
}

/* A requeued waiter is woken through another word: counted where it waited. */
static void test_woken_elsewhere(void **state)
{
	struct feed *f = *state;
	struct chan *c;

	word(f, WORD, 5, 0);
	WAITS(f, B, T0, T0 + 220, 100, 0, A, T0 + 100, WAKEF_CALL);
	c = finish(f);
	assert_int_equal(feed_ep(c, A, EP_SEND)->messages, 1);
	assert_int_equal(feed_ep(c, A, EP_SEND)->calls, 0);
	assert_int_equal(feed_flow(f, c, A, B)->paired[PAIR_EXACT], 1);
}

/*
 * The kernel side did not see the waker at work: a wake at that time is assumed to
 * be it, and may come later; else the process that woke; else nobody known.
 */
static void test_assumed(void **state)
{
	struct feed *f = *state;
	struct flow *fl;
	struct chan *c;

	word(f, WORD, 5, 0);
	/* a signal from C came just before A's wake */
	WAITS(f, B, T0, T0 + 220, 100, 0, C, T0 + 110, 0);
	assert_int_equal(model_advance(f->m, T0 + 10 * MS), 0);
	feed_send(f, MECH_FUTEX, WORD, A, T0 + 100, T0 + 240, 1);
	model_now_ns(f->m);
	assert_true(list_empty(&feed_chan(f, 0)->flows));
	/* of two wakes, that of the task that woke it */
	feed_send(f, MECH_FUTEX, WORD, 50, T0 + SEC / 2 + 100, T0 + SEC / 2 + 230, 1);
	feed_send(f, MECH_FUTEX, WORD, 40, T0 + SEC / 2 + 110, T0 + SEC / 2 + 240, 0);
	feed_send(f, MECH_FUTEX, WORD, 60, T0 + SEC / 2 + 110, T0 + SEC / 2 + 240, 1);
	WAITS(f, B, T0 + SEC / 2, T0 + SEC / 2 + 220, 100, 0, 50, T0 + SEC / 2 + 110, 0);
	/* woken by C, whose call began before the trace */
	WAITS(f, B, T0 + 1 * SEC, T0 + 1 * SEC + 500, 100, 0, C, T0 + 1 * SEC + 200, 0);
	/* by whom, nobody saw */
	WAITS(f, B, T0 + 2 * SEC, T0 + 2 * SEC + 500, 100, 0);
	assert_int_equal(model_advance(f->m, T0 + 3 * SEC), 0);
	c = feed_chan(f, 0);
	fl = feed_flow(f, c, A, B);
	assert_non_null(fl);
	assert_int_equal(fl->paired[PAIR_ASSUMED], 1);
	assert_int_equal(fl->latency.sum, 120);
	assert_int_equal(feed_ep(c, A, EP_SEND)->messages, 1);
	assert_non_null(feed_flow(f, c, 50, B));
	fl = feed_flow(f, c, C, B);
	assert_non_null(fl);
	assert_int_equal(fl->paired[PAIR_ASSUMED], 1);
	assert_int_equal(fl->latency.sum, 300);
	assert_int_equal(feed_ep(c, C, EP_SEND)->messages, 1);
	fl = list_last(&c->flows, struct flow, in_chan);
	assert_null(fl->src.proc);
	assert_int_equal(fl->messages, 1);
	assert_int_equal(fl->latency.count, 0);
	assert_int_equal(finish(f)->unpaired, 1); /* 60's */
}

/* Taken off the queue before it slept, by nobody that was seen: by the one wake of that time. */
static void test_woken_before_sleep(void **state)
{
	struct feed *f = *state;
	struct flow *fl;

	word(f, WORD, 5, 0);
	feed_send(f, MECH_FUTEX, WORD, A, T0 + 100, T0 + 120, 1); /* before it */
	WAITS(f, B, T0 + 200, T0 + 320, 0, 0, 0, T0 + 320);
	feed_send(f, MECH_FUTEX, WORD, A, T0 + 300, T0 + 330, 1);
	/* so many more that the first ones are forgotten, before any time has passed */
	for (unsigned int i = 0; i < WAKE_CALLS; i++)
		feed_send(f, MECH_FUTEX, WORD, C, T0 + 400 + i, T0 + 401 + i, 1);
	fl = feed_flow(f, finish(f), A, B);
	assert_non_null(fl);
	assert_int_equal(fl->paired[PAIR_EXACT], 1);
	assert_int_equal(fl->latency.sum, 20);
}

/* A record may say that the wake began after the wait was over. */
static void test_no_negative_latency(void **state)
{
	struct feed *f = *state;

	word(f, WORD, 5, 0);
	WAITS(f, B, T0, T0 + 100, 50, 0, A, T0 + 5 * SEC, KNOWN);
	assert_int_equal(feed_flow(f, finish(f), A, B)->latency.max, 0);
}

/* Without peers a stranger that wakes has no endpoint. */
static void test_no_peers(void **state)
{
	const struct model_opts opts = {.start_ns = T0, .no_peers = true};
	struct feed f;
	struct ev_proc p = {.hdr = {.kind = EV_PROC, .len = sizeof(p), .pid = A}, .start_ns = 1};
	struct chan *c;

	(void)state;
	feed_init_opts(&f, &opts);
	feed_proc(&f, B, "waiter");
	feed_raw(&f, &p);
	word(&f, WORD, 5, 0);
	WAITS(&f, B, T0, T0 + 100, 50, 0, A, T0 + 40, KNOWN);
	c = finish(&f);
	assert_null(feed_ep(c, A, EP_SEND));
	assert_int_equal(list_first(&c->flows, struct flow, in_chan)->messages, 1);
	feed_fini(&f);
}

/* Waiters now are those of the latest snapshot that have not come back since. */
static void test_waiters(void **state)
{
	struct feed *f = *state;

	word(f, WORD, 5, 0);
	feed_snap(f, 0, T0 + SEC);
	feed_inflight(f, MECH_FUTEX, OP_RECV, WORD, B, T0, T0 + SEC, 90);
	feed_inflight(f, MECH_FUTEX, OP_RECV, WORD, C, T0, T0 + SEC, 90);
	feed_snap(f, SNAPF_END, T0 + SEC);
	assert_int_equal(feed_chan(f, 0)->backlog.now, 2);
	WAITS(f, C, T0, T0 + 2 * SEC, 50, 0, A, T0 + SEC + 5, KNOWN);
	model_now_ns(f->m);
	assert_int_equal(feed_chan(f, 0)->backlog.now, 1);
	/* one that began later was not among them */
	WAITS(f, C, T0 + 2 * SEC, T0 + 3 * SEC, 50, -ETIMEDOUT);
	model_now_ns(f->m);
	assert_int_equal(feed_chan(f, 0)->backlog.now, 1);
	feed_snap(f, 0, T0 + 4 * SEC);
	feed_inflight(f, MECH_FUTEX, OP_RECV, WORD, B, T0, T0 + 4 * SEC, 90);
	feed_snap(f, SNAPF_END, T0 + 4 * SEC);
	assert_int_equal(feed_chan(f, 0)->backlog.now, 1);
}

/* The kernel knows who has a priority-inheriting lock: nobody else can end the wait. */
static void test_lock_owner(void **state)
{
	struct feed *f = *state;
	struct ev_inflight i = {.hdr = {.kind = EV_INFLIGHT,
					.len = sizeof(i),
					.pid = B,
					.tid = B,
					.flags = OPF_TARGET | OPF_ASLEEP,
					.ts_ns = T0 + SEC},
				.chan = WORD,
				.enter_ns = T0,
				.op = OP_RECV,
				.mech = MECH_FUTEX,
				.owner_pid = C};
	struct proc *who[2] = {NULL, NULL};

	word(f, WORD, 5, 0);
	feed_send(f, MECH_FUTEX, WORD, A, T0, T0 + 10, 1);
	feed_snap(f, 0, T0 + SEC);
	feed_raw(f, &i);
	feed_snap(f, SNAPF_END, T0 + SEC);
	assert_int_equal(
		waits_for(list_first(model_inflight(f->m), struct inflight, in_model), who, 2), 1);
	assert_int_equal(who[0]->pid, C);
}

/* The word is named after what it lies in, whenever that gets its name. */
static void test_names(void **state)
{
	struct feed *f = *state;
	struct ev_obj o = obj_make(MECH_FUTEX_PRIVATE, 9, T0);
	struct chan *c;

	word(f, WORD, 5, 0x40);
	assert_string_equal(feed_chan(f, 0)->name, "futex:[77]+0x40");
	feed_pipe(f, 5); /* any channel does */
	c = feed_chan(f, 1);
	assert_int_equal(chan_set_name(c, "/dev/shm/ring", 13), 0);
	feed_send(f, MECH_FUTEX, WORD, A, T0 + 100, T0 + 300, 1);
	model_now_ns(f->m);
	assert_string_equal(feed_chan(f, 0)->name, "futex:/dev/shm/ring+0x40");
	o.vals[0] = B;
	o.vals[1] = 0x7f0000001000;
	feed_obj(f, &o);
	assert_non_null(feed_chan_named(f, "futex:20+0x7f0000001000"));
	/* never described: its record was lost */
	feed_send(f, MECH_FUTEX, 1234, A, T0 + 100, T0 + 300, 1);
	model_now_ns(f->m);
	assert_non_null(feed_chan_named(f, "futex:?"));
}

static void sem_set(struct feed *f)
{
	struct ev_obj o = obj_make(MECH_SYSV_SEM, WORD, T0);

	o.capacity = 0;
	o.peer = 3;
	o.vals[0] = 0x4d2ull << 32 | 65538;
	feed_obj(f, &o);
}

static void sem_release(struct feed *f, uint32_t pid, uint64_t t, uint32_t index, uint32_t value)
{
	struct ev_op op = op_make(MECH_SYSV_SEM, OP_SEND, WORD, pid, t, t + 50, 0);

	op.hdr.flags |= OPF_SEQ;
	op.seq = value;
	feed_vals(f, &op, 0, (uint64_t)index << 48);
}

#define SEM_WAITS(f, ...) waits(f, MECH_SYSV_SEM, (const int64_t[FIELDS]){__VA_ARGS__})

struct seen {
	char text[1024];
};

static void put_fact(void *arg, const struct fact *fact)
{
	struct seen *s = arg;
	size_t at = strlen(s->text);

	snprintf(s->text + at, sizeof(s->text) - at, "%s%u.%s=%llu ",
		 fact->group ? fact->group : "", fact->row, fact->name,
		 (unsigned long long)fact->value);
}

/* A release says nothing about whom it let go on; what was taken at once, nobody handed over. */
static void test_semaphore(void **state)
{
	struct feed *f = *state;
	struct seen seen = {""};
	struct chan *c;

	sem_set(f);
	sem_release(f, A, T0 + 100, 2, 1);
	SEM_WAITS(f, B, T0 + 200, T0 + 210, 0, 0, [INDEX] = 2);
	SEM_WAITS(f, B, T0 + 300, T0 + 460, 90, 0, A, T0 + 400, WAKEF_CALL, 2);
	sem_release(f, A, T0 + 400, 2, 0);
	c = finish(f);
	assert_string_equal(c->name, "sem:0x4d2/65538");
	assert_int_equal(feed_ep(c, A, EP_SEND)->calls, 2);
	assert_int_equal(feed_ep(c, A, EP_SEND)->messages, 1);
	assert_int_equal(feed_ep(c, B, EP_RECV)->calls, 2);
	assert_int_equal(feed_ep(c, B, EP_RECV)->messages, 1);
	assert_int_equal(feed_flow(f, c, A, B)->latency.sum, 60);
	assert_int_equal(feed_flow(f, c, A, B)->paired[PAIR_EXACT], 1);
	model_facts(f->m, c, put_fact, &seen);
	assert_string_equal(
		seen.text, "0.ipc_ns=1 0.semaphore_count=3 semaphores0.index=2 semaphores0.value=0 "
			   "semaphores0.operations=4 semaphores0.waits=1 semaphores0.wait_ns=90 "
			   "semaphores0.last_pid=10 ");
}

/* A process that died gave back what it held: it is the sender, without a call. */
static void test_semaphore_undo(void **state)
{
	struct feed *f = *state;
	struct chan *c;

	sem_set(f);
	feed_exit(f, A, T0 + 390);
	SEM_WAITS(f, B, T0 + 300, T0 + 460, 90, 0, A, T0 + 400, WAKEF_CALL);
	c = finish(f);
	assert_int_equal(feed_ep(c, A, EP_SEND)->messages, 1);
	assert_int_equal(feed_ep(c, A, EP_SEND)->calls, 0);
	assert_int_equal(feed_flow(f, c, A, B)->messages, 1);
}

/* IPC_RMID: those who wait are told so, and nothing opens it again. */
static void test_semaphore_removed(void **state)
{
	struct feed *f = *state;
	struct ev_op rm = op_make(MECH_SYSV_SEM, OP_REMOVE, WORD, A, T0 + 400, T0 + 450, 0);
	struct chan *c;

	sem_set(f);
	sem_release(f, A, T0 + 100, 0, 1);
	feed_op(f, &rm);
	SEM_WAITS(f, B, T0 + 300, T0 + 460, 90, -EIDRM, A, T0 + 400, WAKEF_CALL);
	c = finish(f);
	assert_false(c->open);
	assert_int_equal(feed_ep(c, B, EP_RECV)->errors, 1);
	assert_true(list_empty(&c->flows));
}

/* Numbers that no set has are not told of, and take no memory. */
static void test_semaphore_numbers(void **state)
{
	struct feed *f = *state;
	struct seen seen = {""};

	sem_set(f);
	sem_release(f, A, T0 + 100, 0xffff, 1);
	sem_release(f, A, T0 + 200, 1023, 1);
	model_facts(f->m, finish(f), put_fact, &seen);
	assert_null(strstr(seen.text, "index=65535"));
	assert_non_null(strstr(seen.text, "index=1023"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_exact_both_orders),  TEST(test_no_messages),
		TEST(test_one_wakes_many),     TEST(test_woken_and_never_seen),
		TEST(test_woken_elsewhere),    TEST(test_assumed),
		TEST(test_woken_before_sleep), TEST(test_no_negative_latency),
		TEST(test_no_peers),           TEST(test_waiters),
		TEST(test_lock_owner),         TEST(test_names),
		TEST(test_semaphore),          TEST(test_semaphore_undo),
		TEST(test_semaphore_removed),  TEST(test_semaphore_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
