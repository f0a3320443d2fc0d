// SPDX-License-Identifier: BSD-2-Clause
/* Pipes and FIFOs: single situations, each small enough to follow by hand. */
#include "feed.h"

#include <errno.h>
#include <string.h>

#define A 10 /* writer */
#define B 20 /* reader */

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

static void finish(struct feed *f)
{
	assert_int_equal(model_finish(f->m, T0 + 100 * SEC), 0);
}

/* The figures of a single message: what went in when the sender had slept, until all was out. */
static void test_single(void **state)
{
	struct feed *f = *state;
	struct ev_op w = op_make(MECH_PIPE, OP_SEND, 1, A, T0 + 100, T0 + 900, 512), r;
	struct chan *c;
	struct flow *fl;

	feed_pipe(f, 1);
	w.blocked_ns = 300;
	feed_op(f, &w);
	r = op_make(MECH_PIPE, OP_RECV, 1, B, T0 + 50, T0 + 1400, 4096);
	r.ret = 512;
	r.blocked_ns = 250;
	feed_op(f, &r);
	c = feed_chan(f, 0);
	assert_string_equal(c->name, "pipe:[1]");
	assert_string_equal(c->unit, "bytes");
	fl = feed_flow(f, c, A, B);
	assert_non_null(fl);
	assert_true(fl->messages == 1 && fl->bytes == 512 && fl->paired[PAIR_EXACT] == 1);
	assert_true(fl->latency.count == 1 && fl->latency.sum == 1000);
	assert_true(fl->first_ns == T0 + 100 && fl->last_ns == T0 + 1400);
	assert_true(feed_ep(c, A, EP_SEND)->blocked.total_ns == 300);
	assert_true(feed_ep(c, B, EP_RECV)->blocked.max_ns == 250);
}

/* A receiver can return before the sender's own call does; latency is never negative. */
static void test_read_first(void **state)
{
	struct feed *f = *state;
	struct flow *fl;

	feed_pipe(f, 1);
	feed_recv(f, MECH_PIPE, 1, B, T0, T0 + 500, 100);
	assert_null(feed_flow(f, NULL, A, B));
	feed_send(f, MECH_PIPE, 1, A, T0 + 100, T0 + 2000, 100);
	fl = feed_flow(f, NULL, A, B);
	assert_true(fl->messages == 1 && fl->latency.sum == 400);
}

static void test_split_and_joined(void **state)
{
	struct feed *f = *state;
	struct flow *fl;

	feed_pipe(f, 1);
	feed_send(f, MECH_PIPE, 1, A, T0, T0 + 10, 100);
	feed_recv(f, MECH_PIPE, 1, B, T0 + 20, T0 + 30, 60);
	fl = feed_flow(f, NULL, A, B);
	assert_true(fl->messages == 0 && fl->bytes == 60);
	feed_send(f, MECH_PIPE, 1, A, T0 + 40, T0 + 50, 30);
	/* Ends the first and takes all of the second. */
	feed_recv(f, MECH_PIPE, 1, B, T0 + 60, T0 + 70, 70);
	assert_true(fl->messages == 2 && fl->bytes == 130);
	assert_true(fl->latency.min == 30 && fl->latency.max == 70);
}

static void test_attach_with_bytes_inside(void **state)
{
	struct feed *f = *state;
	struct ev_obj o = obj_make(MECH_PIPE, 1, T0 + 100);
	struct flow *fl;

	o.hdr.flags = OBJF_SNAPSHOT | OBJF_BACKLOG;
	o.backlog = 1000;
	feed_obj(f, &o);
	/* Over before the snapshot looked: no part of the trace; its bytes are among the 1000. */
	feed_send(f, MECH_PIPE, 1, A, T0 + 10, T0 + 20, 400);
	feed_recv(f, MECH_PIPE, 1, B, T0 + 110, T0 + 120, 600);
	feed_send(f, MECH_PIPE, 1, A, T0 + 130, T0 + 140, 50);
	feed_recv(f, MECH_PIPE, 1, B, T0 + 150, T0 + 160, 450);
	fl = feed_flow(f, NULL, A, B);
	assert_true(fl && fl->messages == 1 && fl->bytes == 50 && fl->latency.sum == 30);
	assert_true(feed_ep(feed_chan(f, 0), A, EP_SEND)->bytes == 50);
}

/* Not described, found in the middle: the first count says how much was inside. */
static void test_found_in_the_middle(void **state)
{
	struct feed *f = *state;
	struct ev_op w = op_make(MECH_PIPE, OP_SEND, 1, A, T0 + 10, T0 + 20, 100);
	struct flow *fl;

	w.hdr.flags |= OPF_BACKLOG;
	w.backlog = 350;
	feed_op(f, &w);
	feed_recv(f, MECH_PIPE, 1, B, T0 + 30, T0 + 40, 250);
	assert_null(feed_flow(f, NULL, A, B));
	feed_recv(f, MECH_PIPE, 1, B, T0 + 50, T0 + 60, 100);
	fl = feed_flow(f, NULL, A, B);
	assert_true(fl->messages == 1 && fl->latency.sum == 50);
	assert_string_equal(feed_chan(f, 0)->name, "pipe:[?]");
}

/* A large write under way at attach returns bytes that were read before we came. */
static void test_write_from_before(void **state)
{
	struct feed *f = *state;
	struct ev_obj o = obj_make(MECH_PIPE, 1, T0);
	struct ev_op w = op_make(MECH_PIPE, OP_SEND, 1, A, T0, T0 + 500, 1 << 20);
	struct flow *fl;

	o.hdr.flags = OBJF_SNAPSHOT | OBJF_BACKLOG | OBJF_FULL;
	o.backlog = 65536;
	feed_obj(f, &o);
	feed_recv(f, MECH_PIPE, 1, B, T0 + 100, T0 + 200, 65536);
	feed_recv(f, MECH_PIPE, 1, B, T0 + 210, T0 + 300, 65536);
	w.hdr.flags |= OPF_BEFORE_ATTACH | OPF_BACKLOG;
	w.backlog = 30000;
	w.blocked_ns = 400;
	feed_op(f, &w);
	/* Since attach it put in what was read beyond the first 65536, and what is there now. */
	feed_recv(f, MECH_PIPE, 1, B, T0 + 600, T0 + 700, 30000);
	fl = feed_flow(f, NULL, A, B);
	assert_true(fl->messages == 1 && fl->bytes == 65536 + 30000);
	feed_send(f, MECH_PIPE, 1, A, T0 + 800, T0 + 810, 10);
	feed_recv(f, MECH_PIPE, 1, B, T0 + 820, T0 + 830, 10);
	assert_true(fl->messages == 2 && fl->latency.min == 30);
	assert_int_equal(feed_chan(f, 0)->unpaired, 0);
}

static void test_results_that_move_nothing(void **state)
{
	struct feed *f = *state;
	struct ev_op op;
	struct endpoint *ep;

	feed_pipe(f, 1);
	feed_recv(f, MECH_PIPE, 1, B, T0, T0 + 10, -EAGAIN);
	feed_recv(f, MECH_PIPE, 1, B, T0 + 20, T0 + 30, -EBADF);
	op = op_make(MECH_PIPE, OP_RECV, 1, B, T0 + 40, T0 + 50, -512);
	op.blocked_ns = 7;
	feed_op(f, &op);
	feed_recv(f, MECH_PIPE, 1, B, T0 + 60, T0 + 70, 0);
	op = op_make(MECH_PIPE, OP_RECV, 1, B, T0 + 80, T0 + 90, 100);
	op.hdr.flags |= OPF_PEEK;
	feed_op(f, &op);
	feed_recv(f, MECH_PIPE, 1, B, T0 + 90, T0 + 95, INT32_MIN); /* a damaged recording */
	ep = feed_ep(feed_chan(f, 0), B, EP_RECV);
	assert_true(ep->calls == 6 && ep->would_block == 1 && ep->errors == 2);
	assert_true(ep->messages == 0 && ep->bytes == 0);
	assert_true(ep->blocked.count == 1 && ep->blocked.total_ns == 7);
}

static void test_stall(void **state)
{
	struct feed *f = *state;
	struct endpoint *ep;

	feed_pipe(f, 1);
	feed_send(f, MECH_PIPE, 1, A, T0, T0 + 10, -EAGAIN);
	feed_send(f, MECH_PIPE, 1, A, T0 + 100, T0 + 110, -EAGAIN);
	ep = feed_ep(feed_chan(f, 0), A, EP_SEND);
	assert_true(ep->stall_since_ns == T0 + 10 && ep->stalled.count == 0);
	feed_send(f, MECH_PIPE, 1, A, T0 + 500, T0 + 510, 1);
	assert_true(ep->stalled.count == 1 && ep->stalled.total_ns == 500 && !ep->stall_since_ns);
	assert_true(ep->would_block == 2);
	/* One that does not end, ends with the trace. */
	feed_send(f, MECH_PIPE, 1, A, T0 + 600, T0 + 610, -EAGAIN);
	assert_int_equal(model_finish(f->m, T0 + 1610), 0);
	assert_true(ep->stalled.count == 2 && ep->stalled.max_ns == 1000);
	assert_int_equal(model_finish(f->m, T0 + 5000), 0);
	assert_true(ep->stalled.count == 2);
}

/* Time without room: by the flags, and by the sleep of a call that filled every gap at once. */
static void test_full_time(void **state)
{
	struct feed *f = *state;
	struct ev_op w = op_make(MECH_PIPE, OP_SEND, 1, A, T0, T0 + 100, 65536), r;
	struct chan *c;

	feed_pipe(f, 1);
	c = feed_chan(f, 0);
	w.hdr.flags |= OPF_FULL | OPF_BACKLOG;
	w.backlog = 65536;
	feed_op(f, &w);
	assert_true(c->backlog.now == 65536 && c->backlog.full_since_ns == T0 + 100);
	r = op_make(MECH_PIPE, OP_RECV, 1, B, T0 + 1000, T0 + 1100, 4096);
	feed_op(f, &r);
	assert_true(c->backlog.full_ns == 1000 && !c->backlog.full_since_ns);
	/* Slept 5000 in this call; the reads in between said each time that there was room. */
	w = op_make(MECH_PIPE, OP_SEND, 1, A, T0 + 1100, T0 + 7000, 20000);
	for (int i = 0; i < 4; i++)
		feed_recv(f, MECH_PIPE, 1, B, T0 + 2000 + (uint64_t)i, T0 + 2010, 4096);
	w.blocked_ns = 5000;
	feed_op(f, &w);
	assert_true(c->backlog.full_ns == 1000 + 5000);
	assert_true(c->backlog.max == 65536);
	/* Full from a call's end to the end of the trace, and a blocked call adds nothing twice. */
	w = op_make(MECH_PIPE, OP_SEND, 1, A, T0 + 7000, T0 + 8000, 100);
	w.hdr.flags |= OPF_FULL;
	feed_op(f, &w);
	w = op_make(MECH_PIPE, OP_SEND, 1, A, T0 + 8000, T0 + 9000, 100);
	w.hdr.flags |= OPF_FULL;
	w.blocked_ns = 900;
	feed_op(f, &w);
	assert_int_equal(model_finish(f->m, T0 + 10000), 0);
	assert_true(c->backlog.full_ns == 1000 + 5000 + 2000);
	assert_int_equal(model_finish(f->m, T0 + 10000), 0);
	assert_true(c->backlog.full_ns == 8000);
}

/* A FIFO that everybody closed forgets what was in it. */
static void test_fifo_made_again(void **state)
{
	struct feed *f = *state;
	struct ev_obj o = obj_make(MECH_FIFO, 1, T0);
	struct ev_name n = {
		.hdr = {.kind = EV_NAME, .len = sizeof(n), .flags = NAMEF_CHAN},
		.chan = 1,
		.text = "/tmp/fifo",
	};
	struct flow *fl;

	o.hdr.flags = OBJF_BACKLOG;
	o.ino = 77;
	feed_obj(f, &o);
	assert_string_equal(feed_chan(f, 0)->name, "fifo:[77]");
	feed_raw(f, &n);
	assert_string_equal(feed_chan(f, 0)->name, "/tmp/fifo");
	feed_send(f, MECH_FIFO, 1, A, T0 + 10, T0 + 20, 100);
	/* Never read. Again, seconds later, with other bytes; the kernel's count tells. */
	feed_send(f, MECH_FIFO, 1, A, T0 + 5 * SEC, T0 + 5 * SEC + 10, 100);
	struct ev_op r = op_make(MECH_FIFO, OP_RECV, 1, B, T0 + 5 * SEC, T0 + 5 * SEC + 50, 100);

	r.hdr.flags |= OPF_EMPTY;
	feed_op(f, &r);
	fl = feed_flow(f, NULL, A, B);
	assert_true(fl->messages == 1 && fl->latency.sum == 50);
	assert_int_equal(feed_chan(f, 0)->unpaired, 1);
	/* Described anew as just made. */
	feed_send(f, MECH_FIFO, 1, A, T0 + 6 * SEC, T0 + 6 * SEC + 10, 100);
	o.hdr.flags = OBJF_CREATED;
	o.hdr.ts_ns = T0 + 7 * SEC;
	feed_obj(f, &o);
	feed_send(f, MECH_FIFO, 1, A, T0 + 7 * SEC, T0 + 7 * SEC + 10, 100);
	feed_recv(f, MECH_FIFO, 1, B, T0 + 7 * SEC, T0 + 7 * SEC + 20, 100);
	assert_true(fl->messages == 2 && fl->latency.min == 20);
	assert_int_equal(feed_chan_cnt(f), 1);
}

/* Records of reads were lost: the kernel has less than our count, and that is the truth. */
static void test_lost_reads(void **state)
{
	struct feed *f = *state;
	struct ev_op r;
	struct flow *fl;

	feed_pipe(f, 1);
	feed_send(f, MECH_PIPE, 1, A, T0, T0 + 10, 100);
	feed_send(f, MECH_PIPE, 1, A, T0 + 20, T0 + 30, 100);
	feed_loss(f, LOSSF_CHAN, MECH_PIPE, 1, 3);
	assert_true(feed_chan(f, 0)->incomplete && feed_chan(f, 0)->lost == 3);
	feed_send(f, MECH_PIPE, 1, A, T0 + 100, T0 + 110, 100);
	r = op_make(MECH_PIPE, OP_RECV, 1, B, T0 + 120, T0 + 130, 100);
	r.hdr.flags |= OPF_BACKLOG | OPF_EMPTY;
	feed_op(f, &r);
	fl = feed_flow(f, NULL, A, B);
	assert_true(fl->messages == 1 && fl->latency.sum == 30);
	assert_int_equal(feed_chan(f, 0)->unpaired, 2);
	assert_int_equal(model_loss(f->m)->channels_incomplete, 1);
}

/* Records of writes were lost: a read that nothing can have fed does not shift the others. */
static void test_lost_writes(void **state)
{
	struct feed *f = *state;
	struct flow *fl;

	feed_pipe(f, 1);
	feed_loss(f, LOSSF_CHAN, MECH_PIPE, 1, 1);
	feed_recv(f, MECH_PIPE, 1, B, T0, T0 + 50, 100); /* its write is lost */
	for (uint64_t t = T0 + 1000; t < T0 + 11000; t += 1000) {
		feed_send(f, MECH_PIPE, 1, A, t, t + 10, 100);
		feed_recv(f, MECH_PIPE, 1, B, t, t + 40, 100);
	}
	fl = feed_flow(f, NULL, A, B);
	assert_true(fl->messages == 10 && fl->latency.min == 40 && fl->latency.max == 40);
	finish(f);
	assert_true(fl->messages == 10);
}

/* A writer killed inside a write leaves bytes without a record. */
static void test_killed_writer(void **state)
{
	struct feed *f = *state;
	struct flow *fl;

	feed_proc(f, 11, "victim");
	feed_pipe(f, 1);
	feed_send(f, MECH_PIPE, 1, 11, T0, T0 + 10, 100);
	feed_recv(f, MECH_PIPE, 1, B, T0 + 15, T0 + 20, 100);
	feed_recv(f, MECH_PIPE, 1, B, T0 + 25, T0 + 30, 4096); /* of the write it died in */
	feed_exit(f, 11, T0 + 40);
	for (uint64_t t = T0 + MS; t < T0 + 500 * MS; t += MS) {
		feed_send(f, MECH_PIPE, 1, A, t, t + 10, 100);
		feed_recv(f, MECH_PIPE, 1, B, t, t + 40, 100);
	}
	fl = feed_flow(f, NULL, A, B);
	/* What waited behind the hole comes late but with its own times. */
	assert_true(fl->messages == 499 && fl->latency.max == 40);
}

/* Pending sends are bounded although nobody is seen reading. */
static void test_unread_is_bounded(void **state)
{
	struct feed *f = *state;
	struct ev_obj o = obj_make(MECH_PIPE, 1, T0);

	o.hdr.flags = OBJF_CREATED;
	feed_obj(f, &o);
	for (uint64_t i = 0; i < 100000; i++)
		feed_send(f, MECH_PIPE, 1, A, T0 + i * 10, T0 + i * 10 + 5, 512);
	/* 65536 bytes fit; twice that may be doubted. */
	assert_in_range(feed_chan(f, 0)->unpaired, 100000 - 2 * 128 - 1, 100000 - 128);
}

/* Splice and its like carry no fingerprint; several writers and no overlap: order decides. */
static void test_without_fingerprints(void **state)
{
	struct feed *f = *state;
	struct chan *c;

	feed_proc(f, 11, "other");
	feed_pipe(f, 1);
	c = feed_chan(f, 0);
	for (uint64_t t = T0; t < T0 + 10000; t += 1000) {
		struct ev_op r = op_make(MECH_PIPE, OP_RECV, 1, B, t + 200, t + 300, 100);

		feed_send(f, MECH_PIPE, 1, t / 1000 % 2 ? A : 11, t, t + 100, 100);
		r.hdr.flags |= OPF_BACKLOG | OPF_EMPTY; /* proves that nothing else was inside */
		feed_op(f, &r);
	}
	assert_true(feed_flow(f, c, A, B)->paired[PAIR_EXACT] == 5);
	assert_true(feed_flow(f, c, 11, B)->paired[PAIR_EXACT] == 5);
}

/* Two pipes in opposite directions are a conversation; turnaround is who thinks how long. */
static void test_conversation(void **state)
{
	struct feed *f = *state;
	struct conversation *v;

	feed_pipe(f, 1);
	feed_pipe(f, 2);
	for (uint64_t t = T0; t < T0 + 10000; t += 1000) {
		feed_send(f, MECH_PIPE, 1, A, t, t + 10, 8);
		feed_recv(f, MECH_PIPE, 1, B, t, t + 100, 8);
		feed_send(f, MECH_PIPE, 2, B, t + 400, t + 410,
			  8); /* 300 after it had the request */
		feed_recv(f, MECH_PIPE, 2, A, t + 400, t + 450, 8);
	}
	v = list_first(model_conversations(f->m), struct conversation, in_model);
	assert_non_null(v);
	assert_ptr_equal(v, list_last(model_conversations(f->m), struct conversation, in_model));
	assert_true(v->a->pid == A && v->b->pid == B);
	assert_true(v->chan_ab == feed_chan(f, 0) && v->chan_ba == feed_chan(f, 1));
	assert_true(v->turnaround_b.count == 10 && v->turnaround_a.count == 9);
	assert_true(v->turnaround_b.min == 300 && v->turnaround_b.max == 300);
	assert_true(v->turnaround_a.min == 550 && v->turnaround_a.max == 550);
}

static struct message last_message;
static struct party last_src, last_dst;
static unsigned int message_cnt;

static void keep_message(void *arg, const struct message *msg)
{
	assert_ptr_equal(arg, &message_cnt);
	last_message = *msg;
	last_src = *msg->src;
	last_dst = *msg->dst;
	message_cnt++;
}

static void test_messages_are_told(void **state)
{
	const struct model_opts opts = {
		.start_ns = T0,
		.on_message = keep_message,
		.on_message_arg = &message_cnt,
	};
	struct ev_op r;
	struct feed f;

	(void)state;
	message_cnt = 0;
	feed_init_opts(&f, &opts);
	feed_pipe(&f, 1);
	feed_send(&f, MECH_PIPE, 1, A, T0, T0 + 10, 100);
	r = op_make(MECH_PIPE, OP_RECV, 1, B, T0, T0 + 40, 100);
	r.hdr.tid = 21;
	r.hdr.flags |= OPF_BACKLOG;
	r.blocked_ns = 30;
	feed_op(&f, &r);
	assert_int_equal(message_cnt, 1);
	assert_true(last_message.recv_ns == T0 + 40 && last_message.bytes == 100 &&
		    last_message.latency_ns == 40 && last_message.recv_blocked_ns == 30);
	assert_true(last_message.src_tid == A && last_message.dst_tid == 21);
	assert_true(last_src.proc->pid == A && last_dst.proc->pid == B);
	feed_fini(&f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_single),
		T(test_read_first),
		T(test_split_and_joined),
		T(test_attach_with_bytes_inside),
		T(test_found_in_the_middle),
		T(test_write_from_before),
		T(test_results_that_move_nothing),
		T(test_stall),
		T(test_full_time),
		T(test_fifo_made_again),
		T(test_lost_reads),
		T(test_lost_writes),
		T(test_killed_writer),
		T(test_unread_is_bounded),
		T(test_without_fingerprints),
		T(test_conversation),
		cmocka_unit_test(test_messages_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
