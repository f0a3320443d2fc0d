// SPDX-License-Identifier: BSD-2-Clause
/* Signals: which was delivered, and what became of the others. */
#include "feed.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "model/internal.h"
#include "model/signal_names.h"

#define A    10 /* sender */
#define B    20 /* receiver */
#define CHAN 77
#define RT   36

static int setup(void **state)
{
	static struct feed f;

	feed_init(&f);
	feed_proc(&f, A, "sender");
	feed_proc(&f, B, "receiver");
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	feed_fini(*state);
	return 0;
}

static void signals_of(struct feed *f, uint64_t id, uint32_t pid, uint32_t flags, uint64_t pending,
		       uint32_t backlog, uint64_t t)
{
	struct ev_obj o = obj_make(MECH_SIGNAL, id, t);

	o.ino = pid;
	o.capacity = 0;
	o.hdr.flags = flags;
	o.backlog = backlog;
	o.vals[0] = pending;
	o.vals[1] = 1;
	feed_obj(f, &o);
}

static void feed_signal(struct feed *f, enum ipcspy_op kind, uint32_t pid, uint32_t tid,
			uint64_t begin, uint64_t t, unsigned int signo, int code, uint64_t v1)
{
	struct {
		struct ev_op op;
		struct ev_vals vals;
	} rec = {.op = op_make(MECH_SIGNAL, kind, CHAN, pid, begin, t, 0)};

	rec.op.hdr.len = sizeof(rec);
	rec.op.hdr.tid = tid;
	rec.op.hdr.flags |= OPF_VALS | OPF_TARGET;
	rec.vals.v[0] = signo | (uint64_t)(uint32_t)code << 32;
	rec.vals.v[1] = v1;
	feed_raw(f, &rec);
}

static void generate(struct feed *f, uint64_t t, unsigned int signo, uint64_t result,
		     uint64_t flags)
{
	feed_signal(f, OP_SEND, A, A, t, t, signo, SI_USER, B | result << 32 | flags);
}

static void deliver(struct feed *f, uint64_t t, uint32_t tid, unsigned int signo, uint64_t flags)
{
	feed_signal(f, OP_RECV, B, tid, t, t, signo, SI_USER, tid | flags);
}

struct wanted {
	const char *name;
	unsigned int row;
	uint64_t value;
	bool found;
};

static void look(void *arg, const struct fact *f)
{
	struct wanted *w = arg;

	if (f->row != w->row || strcmp(f->name, w->name))
		return;
	assert_string_equal(f->group, "signals");
	w->value = f->text == fact_zero ? 0 : f->value;
	w->found = true;
}

/* A number of the n-th row. */
static uint64_t fact(struct feed *f, unsigned int row, const char *name)
{
	struct wanted w = {.name = name, .row = row};

	model_facts(f->m, feed_chan_named(f, "signal:20"), look, &w);
	assert_true(w.found);
	return w.value;
}

static void test_handled(void **state)
{
	struct feed *f = *state;
	struct flow *fl;

	signals_of(f, CHAN, B, 0, 0, 0, T0);
	generate(f, T0 + US, SIGUSR1, SIGNAL_QUEUED, SIGV_GROUP);
	assert_int_equal(feed_chan(f, 0)->backlog.now, 1);
	deliver(f, T0 + 6 * US, B, SIGUSR1, SIGV_HANDLER);
	feed_signal(f, OP_HANDLED, B, B, T0 + 6 * US, T0 + 106 * US, SIGUSR1, 0, B);
	fl = feed_flow(f, NULL, A, B);
	assert_true(fl && fl->messages == 1 && fl->bytes == 0 && fl->paired[PAIR_EXACT] == 1);
	assert_int_equal(fl->latency.sum, 5 * US);
	assert_int_equal(fact(f, 0, "number"), SIGUSR1);
	assert_int_equal(fact(f, 0, "handled"), 1);
	assert_int_equal(fact(f, 0, "blocked_ns"), 0);
	assert_in_range(fact(f, 0, "handler_p50_ns"), 97 * US, 103 * US);
	assert_int_equal(feed_chan(f, 0)->backlog.now, 0);
	assert_int_equal(feed_chan(f, 0)->backlog.max, 1);
}

static void test_coalesced_is_counted(void **state)
{
	struct feed *f = *state;
	struct flow *fl;

	signals_of(f, CHAN, B, 0, 0, 0, T0);
	generate(f, T0 + US, SIGUSR1, SIGNAL_QUEUED, SIGV_GROUP | SIGV_MASKED);
	for (int i = 0; i < 1000; i++)
		generate(f, T0 + 2 * US, SIGUSR1, SIGNAL_ALREADY_PENDING, SIGV_GROUP | SIGV_MASKED);
	deliver(f, T0 + 301 * US, B, SIGUSR1, SIGV_HANDLER);
	fl = feed_flow(f, NULL, A, B);
	assert_true(fl && fl->messages == 1 && fl->latency.max == 300 * US);
	assert_int_equal(fact(f, 0, "generated"), 1001);
	assert_int_equal(fact(f, 0, "coalesced"), 1000);
	assert_int_equal(fact(f, 0, "blocked_ns"), 300 * US);
	assert_int_equal(feed_chan(f, 0)->backlog.max, 1);
}

/* First in, first out per number; a thread's own come before the process's. */
static void test_realtime_and_threads(void **state)
{
	struct feed *f = *state;
	struct flow *fl;

	signals_of(f, CHAN, B, 0, 0, 0, T0);
	for (int i = 0; i < 3; i++)
		generate(f, T0 + (1 + (uint64_t)i) * US, RT, SIGNAL_QUEUED, SIGV_GROUP);
	feed_signal(f, OP_SEND, A, A, T0 + 4 * US, T0 + 4 * US, RT, SI_TKILL, B + 1);
	deliver(f, T0 + 5 * US, B + 1, RT, SIGV_HANDLER); /* its own: 1 us old */
	fl = feed_flow(f, NULL, A, B);
	model_advance(f->m, T0 + SEC);
	assert_int_equal(fl->latency.max, US);
	for (int i = 0; i < 3; i++) /* 9 us each */
		deliver(f, T0 + (10 + (uint64_t)i) * US, B, RT, SIGV_TAKEN);
	model_advance(f->m, T0 + SEC);
	assert_int_equal(fl->messages, 4);
	assert_int_equal(fl->latency.sum, 28 * US);
	assert_int_equal(fact(f, 0, "taken"), 3);
	assert_int_equal(fact(f, 0, "handled"), 1);
}

static void test_ignored_and_overflow(void **state)
{
	struct feed *f = *state;
	struct ev_op failed = op_make(MECH_SIGNAL, OP_SEND, CHAN, A, T0, T0 + US, -EAGAIN);

	signals_of(f, CHAN, B, 0, 0, 0, T0);
	generate(f, T0 + US, SIGUSR1, SIGNAL_IGNORED, SIGV_GROUP);
	generate(f, T0 + 2 * US, SIGUSR1, SIGNAL_QUEUED, SIGV_GROUP);
	deliver(f, T0 + 3 * US, B, SIGUSR1, SIGV_IGNORED);
	feed_op(f, &failed);
	assert_null(feed_flow(f, NULL, A, B));
	assert_int_equal(fact(f, 0, "ignored"), 2);
	assert_int_equal(fact(f, 0, "generated"), 2);
	assert_int_equal(fact(f, 0, "pending"), 0);
	assert_int_equal(feed_ep(feed_chan(f, 0), A, EP_SEND)->would_block, 1);
}

/* Every thread tells the end of its process; what was pending goes with it. */
static void test_death(void **state)
{
	struct feed *f = *state;

	signals_of(f, CHAN, B, 0, 0, 0, T0);
	generate(f, T0 + US, SIGUSR1, SIGNAL_QUEUED, SIGV_GROUP | SIGV_MASKED);
	generate(f, T0 + 2 * US, SIGTERM, SIGNAL_QUEUED, SIGV_GROUP);
	for (uint32_t i = 0; i < 3; i++)
		deliver(f, T0 + 3 * US, B + i, SIGTERM, SIGV_DEATH);
	feed_exit(f, B, T0 + 4 * US);
	assert_int_equal(feed_flow(f, NULL, A, B)->messages, 1);
	assert_int_equal(fact(f, 0, "discarded"), 1);
	assert_int_equal(fact(f, 1, "default"), 1);
	assert_int_equal(feed_chan(f, 0)->backlog.now, 0);
	assert_false(feed_chan(f, 0)->open);
	/* a late record neither opens it again nor makes its receiver come back */
	generate(f, T0 + 5 * US, SIGUSR1, SIGNAL_IGNORED, SIGV_GROUP);
	assert_false(feed_chan(f, 0)->open);
}

static void test_stop_and_continue(void **state)
{
	struct feed *f = *state;

	signals_of(f, CHAN, B, 0, 0, 0, T0);
	generate(f, T0 + US, SIGTSTP, SIGNAL_QUEUED, SIGV_GROUP | SIGV_MASKED);
	generate(f, T0 + 2 * US, SIGCONT, SIGNAL_IGNORED, SIGV_GROUP);
	assert_int_equal(fact(f, 0, "number"), SIGCONT);
	assert_int_equal(fact(f, 0, "default"), 1);
	assert_int_equal(fact(f, 1, "discarded"), 1);
	assert_int_equal(feed_flow(f, NULL, A, B)->messages, 1);
	assert_int_equal(feed_chan(f, 0)->backlog.now, 0);
}

/* Who is no process has a name, once, whatever it sends. */
static void test_sources(void **state)
{
	struct feed *f = *state;
	struct flow *fl;

	signals_of(f, CHAN, B, 0, 0, 0, T0);
	for (uint64_t i = 0; i < 2; i++) {
		feed_signal(f, OP_SEND, B, 0, T0 + i, T0 + i, i ? SIGINT : SIGTSTP, 0x80,
			    B | SIGV_GROUP);
		deliver(f, T0 + US + i, B, i ? SIGINT : SIGTSTP, SIGV_HANDLER);
	}
	fl = feed_flow_from(f, "terminal", B);
	assert_true(fl && fl->messages == 2 && fl->src.here && fl->latency.count <= 2);
	assert_null(feed_ep(feed_chan(f, 0), B, EP_SEND));
	assert_string_equal(signal_source(SIGALRM, 0x80), "timer");
	assert_string_equal(signal_source(RT, SI_TIMER), "timer");
	assert_string_equal(signal_source(SIGCHLD, CLD_KILLED), "child exit");
	assert_string_equal(signal_source(SIGCHLD, CLD_STOPPED), "child stop");
	assert_string_equal(signal_source(SIGSEGV, SEGV_MAPERR), "fault");
	assert_string_equal(signal_source(SIGPIPE, SI_USER), "kernel");
}

static uint64_t messages_from_nobody(const struct chan *c)
{
	uint64_t cnt = 0;

	list_for_each (fl, &c->flows, struct flow, in_chan)
		cnt += fl->src.proc || fl->src.addr ? 0 : fl->messages;
	return cnt;
}

/* What was pending at attach comes first, from nobody known; a later snapshot says what is left. */
static void test_snapshots(void **state)
{
	struct feed *f = *state;

	feed_snap(f, SNAPF_FIRST | SNAPF_HOLDS, T0);
	signals_of(f, CHAN, B, OBJF_SNAPSHOT | OBJF_BACKLOG,
		   1ull << (SIGUSR1 - 1) | 1ull << (RT - 1), 3, T0);
	feed_snap(f, SNAPF_FIRST | SNAPF_HOLDS | SNAPF_END, T0);
	assert_int_equal(feed_chan(f, 0)->backlog.now, 3);
	assert_true(feed_chan(f, 0)->open);
	generate(f, T0 + US, RT, SIGNAL_QUEUED, SIGV_GROUP);
	for (uint64_t i = 0; i < 3; i++)
		deliver(f, T0 + (2 + i) * US, B, RT, SIGV_TAKEN);
	assert_int_equal(messages_from_nobody(feed_chan(f, 0)), 2);
	assert_int_equal(feed_flow(f, NULL, A, B)->messages, 1);
	assert_int_equal(feed_chan(f, 0)->backlog.now, 1);
	generate(f, T0 + 10 * US, SIGHUP, SIGNAL_QUEUED, SIGV_GROUP | SIGV_MASKED);
	generate(f, T0 + 10 * US, SIGINT, SIGNAL_QUEUED, SIGV_GROUP | SIGV_MASKED);
	feed_snap(f, SNAPF_HOLDS, T0 + 20 * US);
	signals_of(f, CHAN, B, OBJF_BACKLOG, 1ull << (SIGINT - 1), 1, T0 + 20 * US);
	feed_snap(f, SNAPF_HOLDS | SNAPF_END, T0 + 20 * US);
	assert_true(feed_chan(f, 0)->open);
	model_finish(f->m, T0 + SEC);
	assert_int_equal(fact(f, 0, "discarded"), 1);
	assert_int_equal(fact(f, 1, "pending"), 1);
	assert_int_equal(feed_chan(f, 0)->backlog.now, 1);
}

/* Only its delivery was seen: it was sent all the same, and its code may tell by what. */
static void test_unseen_source(void **state)
{
	struct feed *f = *state;
	struct flow *fl;

	signals_of(f, CHAN, B, 0, 0, 0, T0);
	feed_signal(f, OP_RECV, B, B, T0, T0 + US, RT, SI_TIMER, B | SIGV_HANDLER);
	feed_signal(f, OP_RECV, B, B, T0, T0 + US, RT, SI_QUEUE, B | SIGV_HANDLER);
	fl = feed_flow_from(f, "timer", B);
	assert_true(fl && fl->messages == 1 && fl->latency.count == 0 && fl->src.here);
	assert_int_equal(messages_from_nobody(feed_chan(f, 0)), 1);
	assert_int_equal(fact(f, 0, "generated"), 2);
	assert_int_equal(feed_chan(f, 0)->backlog.now, 0);
}

/* A recording may say anything. */
static void test_hostile(void **state)
{
	struct feed *f = *state;

	for (unsigned int signo = 0; signo < 200; signo += 13)
		generate(f, T0, signo, signo & 7, SIGV_GROUP);
	deliver(f, T0, B, 0xffffffff, SIGV_DEATH);
	deliver(f, T0, B, 65, 0);
	signals_of(f, CHAN, B, OBJF_SNAPSHOT | OBJF_BACKLOG, ~0ull, 0, T0);
	signals_of(f, CHAN, B, OBJF_SNAPSHOT | OBJF_BACKLOG, 0, 0xffffffff, T0);
	for (unsigned int i = 0; i < 70000; i++)
		generate(f, T0 + SEC + i, RT, SIGNAL_QUEUED, 0);
	assert_int_equal(feed_chan(f, 0)->unpaired, 70000 - 65536);
	feed_exit(f, B, T0 + 2 * SEC);
	assert_int_equal(feed_chan(f, 0)->backlog.now, 0);
}

static void test_names(void **state)
{
	char buf[SIGNAL_NAME_LEN];

	(void)state;
	assert_string_equal(signal_name(SIGKILL, buf), "SIGKILL");
	assert_string_equal(signal_name(33, buf), "SIG33");
	assert_string_equal(signal_name(34, buf), "SIGRTMIN");
	assert_string_equal(signal_name(64, buf), "SIGRTMIN+30");
	assert_string_equal(signal_name(0xffffffff, buf), "SIG4294967295");
	for (unsigned int i = 1; i < SIGNAL_RT_FIRST; i++)
		assert_memory_equal(signal_name(i, buf), "SIG", 3);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_handled),
		TEST(test_coalesced_is_counted),
		TEST(test_realtime_and_threads),
		TEST(test_ignored_and_overflow),
		TEST(test_death),
		TEST(test_stop_and_continue),
		TEST(test_sources),
		TEST(test_snapshots),
		TEST(test_unseen_source),
		TEST(test_hostile),
		TEST(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
