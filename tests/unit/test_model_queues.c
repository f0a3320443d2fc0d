// SPDX-License-Identifier: BSD-2-Clause
/* Message queues: which message a receive took, what was there before, and the end. */
#include "feed.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "model/internal.h"
#include "model/pair_typed.h"

#define A 10 /* sender */
#define B 20 /* receiver */
#define C 30

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

struct rec {
	struct ev_op op;
	struct ev_vals vals;
};

static void feed_vals(struct feed *f, const struct ev_op *op, uint64_t v0, uint64_t v1)
{
	struct rec r = {*op, {{v0, v1}}};

	r.op.hdr.flags |= OPF_VALS;
	r.op.hdr.len = sizeof(r);
	feed_raw(f, &r);
}

static void mq_obj(struct feed *f, uint64_t id, uint32_t backlog)
{
	struct ev_obj o = obj_make(MECH_POSIX_MQ, id, T0);

	o.capacity = 10;
	o.backlog = backlog;
	o.hdr.flags = OBJF_BACKLOG;
	o.vals[0] = 64;
	feed_obj(f, &o);
}

static void mq_do(struct feed *f, enum ipcspy_op kind, uint32_t pid, uint64_t t, int ret,
		  uint64_t prio, bool known)
{
	struct ev_op op = op_make(MECH_POSIX_MQ, kind, 1, pid, t, t + 100, ret);

	feed_vals(f, &op, prio, known ? MQ_PRIO_KNOWN : 0);
}

static void msg_obj(struct feed *f, uint64_t id, uint32_t key, uint32_t ipc_id)
{
	struct ev_obj o = obj_make(MECH_SYSV_MSG, id, T0);

	o.capacity = 16384;
	o.hdr.flags = OBJF_BACKLOG;
	o.vals[0] = (uint64_t)key << 32 | ipc_id;
	o.vals[1] = 1000ull << 32 | 0600;
	o.netns = 4026531839u;
	feed_obj(f, &o);
}

static void msg_do(struct feed *f, enum ipcspy_op kind, uint64_t id, uint32_t pid, uint64_t t,
		   int ret, uint64_t type)
{
	struct ev_op op = op_make(MECH_SYSV_MSG, kind, id, pid, t, t + 100, ret);

	feed_vals(f, &op, type, 0);
}

static void found(struct feed *f, enum ipcspy_mech mech, uint64_t t, int len, uint64_t type)
{
	struct ev_op op = op_make(mech, OP_FOUND, 1, 0, t, t, len);

	op.hdr.flags |= OPF_TARGET;
	feed_vals(f, &op, type, MQ_PRIO_KNOWN);
}

static uint64_t latency_of(const struct flow *fl)
{
	return fl ? fl->latency.sum : 0;
}

/* The low one was sent first and is received last: each latency is its own. */
static void test_priorities(void **state)
{
	struct feed *f = *state;
	struct flow *fl;

	mq_obj(f, 1, 0);
	mq_do(f, OP_SEND, A, T0 + 1000, 8, 0, true);
	mq_do(f, OP_SEND, A, T0 + 2000, 8, 5, true);
	mq_do(f, OP_RECV, B, T0 + 3000, 8, 5, true);
	fl = feed_flow(f, NULL, A, B);
	assert_int_equal(latency_of(fl), 1100);
	mq_do(f, OP_RECV, B, T0 + 9000, 8, 0, true);
	model_finish(f->m, T0 + SEC);
	assert_int_equal(fl->messages, 2);
	assert_int_equal(fl->latency.sum, 1100 + 8100);
	assert_int_equal(fl->paired[PAIR_EXACT], 2);
	assert_int_equal(feed_chan(f, 0)->unpaired, 0);
}

/* A receiver that does not ask gets the highest, whatever came first. */
static void test_blind(void **state)
{
	struct feed *f = *state;
	struct flow *fl;

	mq_obj(f, 1, 0);
	mq_do(f, OP_SEND, A, T0 + 1000, 8, 1, true);
	mq_do(f, OP_SEND, A, T0 + 2000, 8, 7, true);
	mq_do(f, OP_SEND, A, T0 + 3000, 9, 9, true);
	mq_do(f, OP_RECV, B, T0 + 4000, 9, 0, false);
	mq_do(f, OP_RECV, B, T0 + 5000, 8, 0, false);
	fl = feed_flow(f, NULL, A, B);
	model_advance(f->m, T0 + 5200);
	assert_int_equal(latency_of(fl), 1100 + 3100);
	/* its record comes before that of its send */
	mq_do(f, OP_RECV, B, T0 + 6000, 8, 0, false);
	mq_do(f, OP_RECV, B, T0 + 7000, 33, 0, false);
	mq_do(f, OP_SEND, A, T0 + 6950, 33, 2, true);
	model_finish(f->m, T0 + SEC);
	assert_int_equal(fl->messages, 4);
	assert_int_equal(feed_chan(f, 0)->unpaired, 0);
}

/* What was inside goes to whoever takes it, and to no flow. */
static void test_found(void **state)
{
	struct feed *f = *state;
	struct flow *fl;

	mq_obj(f, 1, 3);
	found(f, MECH_POSIX_MQ, T0 + 10, 8, 5);
	found(f, MECH_POSIX_MQ, T0 + 10, 8, 5);
	found(f, MECH_POSIX_MQ, T0 + 10, 8, 0);
	found(f, MECH_POSIX_MQ, T0 + 20, 8, 0); /* a second list, by somebody else */
	mq_do(f, OP_SEND, A, T0 + 1000, 8, 5, true);
	mq_do(f, OP_RECV, B, T0 + 2000, 8, 5, true);
	mq_do(f, OP_RECV, B, T0 + 3000, 8, 5, true);
	assert_null(feed_flow(f, NULL, A, B));
	mq_do(f, OP_RECV, B, T0 + 4000, 8, 5, true);
	mq_do(f, OP_SEND, A, T0 + 5000, 8, 0, true);
	mq_do(f, OP_RECV, B, T0 + 6000, 8, 0, true);
	mq_do(f, OP_RECV, B, T0 + 7000, 8, 0, true);
	model_finish(f->m, T0 + SEC);
	fl = feed_flow(f, NULL, A, B);
	assert_int_equal(fl->messages, 2);
	assert_int_equal(fl->latency.sum, 3100 + 2100);
	assert_int_equal(feed_ep(feed_chan(f, 0), B, EP_RECV)->messages, 5);
	assert_int_equal(feed_chan(f, 0)->unpaired, 0);
	assert_null(model_proc_by_pid(f->m, 0));
	list_for_each (other, &feed_chan(f, 0)->flows, struct flow, in_chan)
		assert_ptr_equal(other, fl);
}

/* Taken by somebody who is not traced: no message of a sender here. */
static void test_found_and_gone(void **state)
{
	struct feed *f = *state;
	struct ev_op op = op_make(MECH_POSIX_MQ, OP_RECV, 1, B, T0 + 5 * SEC, T0 + 6 * SEC, 9);

	mq_obj(f, 1, 1);
	found(f, MECH_POSIX_MQ, T0 + 10, 8, 0);
	mq_do(f, OP_SEND, A, T0 + 6 * SEC - 200, 9, 0, true);
	op.blocked_ns = SEC - 300;
	op.hdr.flags |= OPF_BACKLOG;
	feed_vals(f, &op, 0, MQ_PRIO_KNOWN);
	model_finish(f->m, T0 + 7 * SEC);
	assert_int_equal(feed_chan(f, 0)->unpaired, 0);
	assert_int_equal(feed_flow(f, NULL, A, B)->messages, 1);
}

/* In the list and under way: one message, not two. */
static void test_found_under_way(void **state)
{
	struct feed *f = *state;
	struct flow *fl;

	mq_obj(f, 1, 1);
	found(f, MECH_POSIX_MQ, T0 + 1050, 8, 0);
	mq_do(f, OP_SEND, A, T0 + 1000, 8, 0, true);
	mq_do(f, OP_RECV, B, T0 + 2000, 8, 0, true);
	model_finish(f->m, T0 + SEC);
	fl = feed_flow(f, NULL, A, B);
	assert_true(fl && fl->messages == 1);
	assert_int_equal(feed_chan(f, 0)->unpaired, 0);
}

/* Types apart from each other; a cut message counts as what the receiver got. */
static void test_types(void **state)
{
	struct feed *f = *state;
	struct ev_op cut;
	struct flow *fl;

	msg_obj(f, 1, 0xbeef, 7);
	msg_do(f, OP_SEND, 1, A, T0 + 1000, 10, 1);
	msg_do(f, OP_SEND, 1, A, T0 + 2000, 20, 2);
	msg_do(f, OP_SEND, 1, A, T0 + 3000, 10, 1);
	msg_do(f, OP_RECV, 1, B, T0 + 4000, 20, 2);
	cut = op_make(MECH_SYSV_MSG, OP_RECV, 1, B, T0 + 5000, T0 + 5100, 4);
	cut.hdr.flags |= OPF_TRUNC;
	feed_vals(f, &cut, 1, 4 | 010000ull << 32);
	model_finish(f->m, T0 + SEC);
	fl = feed_flow(f, feed_chan_named(f, "msg:0xbeef/7"), A, B);
	assert_non_null(fl);
	assert_int_equal(fl->messages, 2);
	assert_int_equal(fl->bytes, 24);
	assert_int_equal(fl->latency.sum, 2100 + 4100);
}

/* IPC_RMID: who was blocked is told, what was inside is gone, nothing opens it again. */
static void test_removed(void **state)
{
	struct feed *f = *state;
	struct chan *c;
	struct ev_op op;

	msg_obj(f, 1, 0, 3);
	c = feed_chan(f, 0);
	msg_do(f, OP_SEND, 1, A, T0 + 1000, 10, 1);
	msg_do(f, OP_SEND, 1, A, T0 + 2000, 10, 1);
	op = op_make(MECH_SYSV_MSG, OP_SEND, 1, C, T0 + 2500, T0 + 5000, -EIDRM);
	op.blocked_ns = 2000;
	feed_vals(f, &op, 0, 0);
	model_advance(f->m, T0 + 5001);
	assert_false(c->open);
	assert_int_equal(feed_ep(c, C, EP_SEND)->errors, 1);
	assert_int_equal(feed_ep(c, C, EP_SEND)->blocked.total_ns, 2000);
	msg_do(f, OP_REMOVE, 1, A, T0 + 4000, 0, 0);
	/* took one just before, and was slow to say so */
	msg_do(f, OP_RECV, 1, B, T0 + 3000, 10, 1);
	model_advance(f->m, T0 + 10 * SEC);
	assert_false(c->open);
	assert_int_equal(c->dropped, 1);
	assert_int_equal(c->backlog.now, 0);
	assert_int_equal(feed_flow(f, c, A, B)->messages, 1);
	/* another snapshot knows no holder: no matter */
	msg_obj(f, 2, 0, 4);
	feed_snap(f, SNAPF_HOLDS, T0 + 20 * SEC);
	feed_snap(f, SNAPF_HOLDS | SNAPF_END, T0 + 20 * SEC + 1);
	assert_true(feed_chan_named(f, "msg:0x0/4")->open);
}

/* Two receivers empty a queue that was full for long: whose record comes first does not matter. */
static void test_late_record(void **state)
{
	struct feed *f = *state;
	struct ev_op op;

	feed_proc(f, C, "other");
	msg_obj(f, 1, 0, 3);
	msg_do(f, OP_SEND, 1, A, T0 + 1000, 10, 1);
	msg_do(f, OP_SEND, 1, A, T0 + 3 * SEC, 11, 1);
	op = op_make(MECH_SYSV_MSG, OP_RECV, 1, B, T0 + 5 * SEC, T0 + 5 * SEC + 10, 11);
	op.hdr.flags |= OPF_BACKLOG;
	feed_vals(f, &op, 1, 0);
	op = op_make(MECH_SYSV_MSG, OP_RECV, 1, B, T0 + 5 * SEC + 20, T0 + 5 * SEC + 90, -ENOMSG);
	op.hdr.flags |= OPF_BACKLOG;
	feed_vals(f, &op, 0, 0);
	model_advance(f->m, T0 + 5 * SEC + 30 * MS);
	op = op_make(MECH_SYSV_MSG, OP_RECV, 1, C, T0 + 5 * SEC, T0 + 5 * SEC + 31 * MS, 10);
	feed_vals(f, &op, 1, 0);
	model_finish(f->m, T0 + 9 * SEC);
	assert_int_equal(feed_flow(f, NULL, A, B)->messages, 1);
	assert_int_equal(feed_flow(f, NULL, A, C)->messages, 1);
	assert_int_equal(feed_chan(f, 0)->unpaired, 0);
}

/* ENOMSG is nothing to wait for, no error; a message nobody saw going is not waited for for ever.
 */
static void test_nothing_there(void **state)
{
	struct feed *f = *state;
	struct ev_op op;
	struct chan *c;

	msg_obj(f, 1, 0, 3);
	c = feed_chan(f, 0);
	msg_do(f, OP_SEND, 1, A, T0 + 1000, 10, 1);
	msg_do(f, OP_SEND, 1, A, T0 + 1500, 10, 2);
	op = op_make(MECH_SYSV_MSG, OP_RECV, 1, B, T0 + 5 * SEC, T0 + 5 * SEC + 100, -ENOMSG);
	feed_vals(f, &op, 0, 1); /* asked for type 1 only */
	model_advance(f->m, T0 + 5 * SEC + 200);
	assert_int_equal(c->unpaired, 0); /* somebody may have taken it and not said so yet */
	model_advance(f->m, T0 + 7 * SEC);
	assert_int_equal(feed_ep(c, B, EP_RECV)->would_block, 1);
	assert_int_equal(feed_ep(c, B, EP_RECV)->errors, 0);
	assert_int_equal(c->unpaired, 1);
}

struct told {
	unsigned int cnt;
	uint64_t types, sent, received;
	char key[16], by[16];
	uint64_t requests, signal;
};

static void take_fact(void *arg, const struct fact *fact)
{
	struct told *t = arg;

	if (fact->group && !strcmp(fact->name, "type") && ++t->cnt)
		t->types += fact->value;
	if (fact->group && !strcmp(fact->name, "sent"))
		t->sent += fact->value;
	if (fact->group && !strcmp(fact->name, "received"))
		t->received += fact->value;
	if (!fact->group && !strcmp(fact->name, "key"))
		strcpy(t->key, fact->text);
	if (!fact->group && !strcmp(fact->name, "notify_requests"))
		t->requests = fact->value;
	if (fact->group && !strcmp(fact->name, "by"))
		strcpy(t->by, fact->text);
	if (fact->group && !strcmp(fact->name, "signal"))
		t->signal = fact->value;
}

/* Any number of types, as where a server answers each client by its pid. */
static void test_many_types(void **state)
{
	struct feed *f = *state;
	struct told told = {0};
	struct flow *fl;

	msg_obj(f, 1, 0xabc, 1);
	for (unsigned int i = 1; i <= 5000; i++) {
		msg_do(f, OP_SEND, 1, A, T0 + i * 1000, 8, i);
		if (i % 2 == 0 || i < 4500)
			msg_do(f, OP_RECV, 1, B, T0 + i * 1000 + 500, 8, i);
	}
	for (unsigned int i = 0; i < 10; i++)
		msg_do(f, OP_SEND, 1, A, T0 + 6 * MS + i * 1000, 8, 77);
	model_advance(f->m, T0 + 7 * MS);
	fl = feed_flow(f, NULL, A, B);
	assert_int_equal(fl->messages, 4499 + 251);
	assert_int_equal(fl->latency.max, 600);
	model_facts(f->m, feed_chan(f, 0), take_fact, &told);
	assert_int_equal(told.cnt, TYPED_SHOWN);
	assert_string_equal(told.key, "0xabc");
	assert_true(told.sent >= 10 + TYPED_SHOWN - 1);
	/* what waits is kept, however many others come and go */
	msg_do(f, OP_SEND, 1, A, T0 + 7 * MS, 8, 9999);
	for (unsigned int i = 1; i <= 1000; i++) {
		msg_do(f, OP_SEND, 1, A, T0 + 8 * MS + i * 1000, 8, 20000 + i);
		msg_do(f, OP_RECV, 1, B, T0 + 8 * MS + i * 1000 + 500, 8, 20000 + i);
	}
	msg_do(f, OP_RECV, 1, B, T0 + 10 * MS, 8, 9999);
	model_advance(f->m, T0 + 11 * MS);
	assert_int_equal(fl->messages, 4499 + 251 + 1001);
	/* more classes at a time than are kept */
	for (unsigned int i = 1; i <= 1000; i++)
		msg_do(f, OP_SEND, 1, A, T0 + SEC + i * 1000, 8, 100000 + i);
	model_advance(f->m, T0 + 2 * SEC);
	assert_in_range(feed_chan(f, 0)->unpaired, 700, 1100);
}

static void test_notify(void **state)
{
	struct feed *f = *state;
	struct ev_op op = op_make(MECH_POSIX_MQ, OP_NOTIFY, 1, B, T0 + 10, T0 + 20, 0);
	struct told told = {0};

	mq_obj(f, 1, 0);
	feed_vals(f, &op, (uint64_t)SIGEV_SIGNAL << 32 | SIGUSR1, 0);
	op.ret = -EBUSY;
	feed_vals(f, &op, (uint64_t)SIGEV_THREAD << 32, 0);
	model_facts(f->m, feed_chan(f, 0), take_fact, &told);
	assert_int_equal(told.requests, 1);
	assert_string_equal(told.by, "signal");
	assert_int_equal(told.signal, SIGUSR1);
	assert_true(feed_chan(f, 0)->open);
}

/* An operation on a queue that was never described, and numbers without sense. */
static void test_undescribed(void **state)
{
	struct feed *f = *state;
	struct ev_op op = op_make(MECH_POSIX_MQ, OP_RECV, 9, B, T0, T0 + 100, 8);

	feed_op(f, &op); /* without numbers */
	found(f, MECH_SYSV_MSG, T0, -5, 3);
	found(f, MECH_PIPE, T0, 5, 3);
	op = op_make(MECH_SYSV_MSG, OP_FOUND, 1, 0, T0, T0, 5);
	feed_op(f, &op);
	msg_do(f, OP_SEND, 1, A, T0 + 10, 2147483647, UINT64_MAX);
	msg_do(f, OP_RECV, 1, B, T0 + 200, 2147483647, UINT64_MAX);
	model_finish(f->m, T0 + SEC);
	assert_int_equal(feed_flow(f, NULL, A, B)->messages, 1);
	feed_inflight(f, MECH_SYSV_MSG, OP_RECV, 77, B, T0 + 300, T0 + 400, 90);
	assert_non_null(list_first(model_inflight(f->m), struct inflight, in_model)->chan);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_priorities),      TEST(test_blind),          TEST(test_found),
		TEST(test_found_under_way), TEST(test_found_and_gone), TEST(test_types),
		TEST(test_removed),         TEST(test_nothing_there),  TEST(test_late_record),
		TEST(test_many_types),      TEST(test_notify),         TEST(test_undescribed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
