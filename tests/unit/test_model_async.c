// SPDX-License-Identifier: BSD-2-Clause
/* io_uring requests: their completions come in batches, later than what they did. */
#include "feed.h"

#include <string.h>

#define A 10
#define B 20

static int setup(void **state)
{
	static struct feed f;

	feed_init(&f);
	feed_proc(&f, A, "left");
	feed_proc(&f, B, "right");
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	feed_fini(*state);
	return 0;
}

static void async(struct feed *f, enum ipcspy_mech mech, enum ipcspy_op kind, uint64_t id,
		  uint32_t pid, uint64_t enter_ns, uint64_t exit_ns, int ret, uint32_t seq,
		  uint32_t flags)
{
	struct ev_op op = op_make(mech, kind, id, pid, enter_ns, exit_ns, ret);

	op.hdr.flags |= OPF_ASYNC | flags;
	op.seq = seq;
	op.backlog = 0;
	feed_op(f, &op);
}

/*
 * Messages that lay in the pipe for long are read by two requests at once: when the
 * first completion is told, the pipe is already empty. Nothing was lost by that.
 */
static void empty_says_nothing(void **state)
{
	struct feed *f = *state;
	const uint64_t late = T0 + SEC;
	struct flow *fl;

	feed_pipe(f, 1);
	feed_send(f, MECH_PIPE, 1, A, T0, T0 + 10, 100);
	feed_send(f, MECH_PIPE, 1, A, T0 + 20, T0 + 30, 100);
	for (uint64_t i = 0; i < 2; i++)
		async(f, MECH_PIPE, OP_RECV, 1, B, late, late + 50 + i, 100, 0,
		      OPF_EMPTY | OPF_BACKLOG);
	assert_int_equal(model_finish(f->m, T0 + 2 * SEC), 0);
	fl = feed_flow(f, NULL, A, B);
	assert_non_null(fl);
	assert_true(fl->messages == 2 && fl->bytes == 200);
	assert_int_equal(feed_chan(f, 0)->unpaired, 0);
	assert_int_equal(feed_ep(feed_chan(f, 0), B, EP_RECV)->blocked.count, 0);
}

static void connect_tcp(struct feed *f)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct ev_obj o = obj_make(MECH_TCP, 1 + i, T0);

		o.hdr.flags = OBJF_CONNECTED | OBJF_SEQ;
		o.laddr = addr4("127.0.0.1", i ? 80 : 50000);
		o.raddr = addr4("127.0.0.1", i ? 50000 : 80);
		o.snd_seq = i ? 5000 : 1000;
		o.rcv_seq = i ? 1000 : 5000;
		feed_obj(f, &o);
	}
}

/* Sends of one batch are told when the last has been made: all say the same position. */
static void a_batch_has_one_position(void **state)
{
	static const int len[] = {30, 10, 20, 10};
	struct feed *f = *state;
	struct flow *fl;

	connect_tcp(f);
	for (uint64_t i = 0; i < 4; i++)
		async(f, MECH_TCP, OP_SEND, 1, A, T0 + 10 + i, T0 + 100 + i, len[i], 1070, OPF_SEQ);
	for (uint64_t i = 0; i < 4; i++)
		async(f, MECH_TCP, OP_RECV, 2, B, T0 + 10, T0 + 200 + i, len[i], 1070, OPF_SEQ);
	assert_int_equal(model_finish(f->m, T0 + 2 * SEC), 0);
	fl = feed_flow(f, NULL, A, B);
	assert_non_null(fl);
	assert_true(fl->messages == 4 && fl->bytes == 70);
	assert_int_equal(feed_chan(f, 0)->unpaired, 0);
}

/* A request that completes says nothing about the call its submitter is inside of. */
static void the_submitter_still_waits(void **state)
{
	struct feed *f = *state;

	feed_pipe(f, 1);
	feed_snap(f, 0, T0 + 100);
	feed_inflight(f, MECH_NONE, OP_WAIT, 0, A, T0 + 50, T0 + 100, 40);
	feed_snap(f, SNAPF_END, T0 + 110);
	async(f, MECH_PIPE, OP_SEND, 1, A, T0 + 60, T0 + 120, 10, 0, 0);
	assert_false(list_empty(model_inflight(f->m)));
	feed_send(f, MECH_PIPE, 1, A, T0 + 130, T0 + 140, 10);
	assert_true(list_empty(model_inflight(f->m)));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(empty_says_nothing),
		T(a_batch_has_one_position),
		T(the_submitter_still_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
