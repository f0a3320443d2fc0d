// SPDX-License-Identifier: BSD-2-Clause
/* Connected sockets: which objects make one channel, and what goes through it. */
#include "feed.h"

#include <string.h>

#define A 10
#define B 20

static int setup(void **state)
{
	static struct feed f;

	feed_init(&f);
	feed_proc(&f, A, "client");
	feed_proc(&f, B, "server");
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	feed_fini(*state);
	return 0;
}

static void unix_obj(struct feed *f, enum ipcspy_mech mech, uint64_t id, uint64_t self,
		     uint64_t peer, const char *name)
{
	struct ev_obj o = obj_make(mech, id, T0);

	o.hdr.flags = OBJF_BACKLOG | (peer ? OBJF_CONNECTED : 0);
	o.self = self;
	o.peer = peer;
	o.name.len = (uint16_t)strlen(name);
	memcpy(o.name.name, name, strlen(name));
	feed_obj(f, &o);
}

static void tcp_obj(struct feed *f, uint64_t id, const char *lhost, unsigned int lport,
		    const char *rhost, unsigned int rport, uint32_t netns)
{
	struct ev_obj o = obj_make(MECH_TCP, id, T0);

	o.hdr.flags = OBJF_CONNECTED;
	o.laddr = addr4(lhost, lport);
	o.raddr = addr4(rhost, rport);
	o.netns = netns;
	feed_obj(f, &o);
}

static void tcp_op(struct feed *f, enum ipcspy_op kind, uint64_t id, uint32_t pid,
		   uint64_t enter_ns, uint64_t exit_ns, int ret, uint32_t seq)
{
	struct ev_op op = op_make(MECH_TCP, kind, id, pid, enter_ns, exit_ns, ret);

	op.hdr.flags |= OPF_SEQ;
	op.seq = seq;
	feed_op(f, &op);
}

static void test_unix_both_ways(void **state)
{
	struct feed *f = *state;
	struct chan *c;

	unix_obj(f, MECH_UNIX_STREAM, 1, 0xa, 0xb, "");
	feed_send(f, MECH_UNIX_STREAM, 1, A, T0, T0 + 10, 100);
	/* The other end turns up after the first send. */
	unix_obj(f, MECH_UNIX_STREAM, 2, 0xb, 0xa, "");
	feed_recv(f, MECH_UNIX_STREAM, 2, B, T0, T0 + 50, 100);
	feed_send(f, MECH_UNIX_STREAM, 2, B, T0 + 60, T0 + 70, 7);
	feed_recv(f, MECH_UNIX_STREAM, 1, A, T0 + 60, T0 + 90, 7);
	assert_int_equal(feed_chan_cnt(f), 1);
	c = feed_chan(f, 0);
	assert_string_equal(c->name, "unix:[1]");
	assert_true(feed_flow(f, c, A, B)->messages == 1 && feed_flow(f, c, A, B)->bytes == 100);
	assert_true(feed_flow(f, c, B, A)->messages == 1 && feed_flow(f, c, B, A)->bytes == 7);
	assert_true(feed_ep(c, A, EP_SEND)->side != feed_ep(c, B, EP_SEND)->side);
	assert_non_null(list_first(model_conversations(f->m), struct conversation, in_model));
}

static void test_unix_names(void **state)
{
	struct feed *f = *state;
	struct ev_obj o = obj_make(MECH_UNIX_STREAM, 5, T0);

	unix_obj(f, MECH_UNIX_STREAM, 1, 0xa, 0xb, "/run/s");
	assert_string_equal(feed_chan(f, 0)->name, "unix:/run/s");
	o.peer = 0xc;
	o.name.len = 4;
	memcpy(o.name.name, "\0abc", 4);
	feed_obj(f, &o);
	assert_string_equal(feed_chan(f, 1)->name, "unix:@abc");
}

/* The kernel uses addresses again: the newest object at an address counts. */
static void test_unix_address_reuse(void **state)
{
	struct feed *f = *state;
	struct chan *first, *second;

	unix_obj(f, MECH_UNIX_STREAM, 1, 0xa, 0xb, "");
	unix_obj(f, MECH_UNIX_STREAM, 2, 0xb, 0xa, "");
	feed_send(f, MECH_UNIX_STREAM, 1, A, T0, T0 + 10, 100);
	feed_recv(f, MECH_UNIX_STREAM, 2, B, T0, T0 + 20, 100);
	unix_obj(f, MECH_UNIX_STREAM, 3, 0xa, 0xb, "");
	unix_obj(f, MECH_UNIX_STREAM, 4, 0xb, 0xa, "");
	feed_send(f, MECH_UNIX_STREAM, 3, A, T0 + 30, T0 + 40, 5);
	feed_recv(f, MECH_UNIX_STREAM, 4, B, T0 + 30, T0 + 50, 5);
	assert_int_equal(feed_chan_cnt(f), 2);
	first = feed_chan(f, 0);
	second = feed_chan(f, 1);
	assert_false(first->open);
	assert_true(second->open);
	assert_true(feed_flow(f, first, A, B)->bytes == 100);
	assert_true(feed_flow(f, second, A, B)->bytes == 5);
}

static void test_unix_listener_counts_connections(void **state)
{
	struct feed *f = *state;
	struct ev_obj o = obj_make(MECH_UNIX_SEQPACKET, 1, T0);

	o.hdr.flags = OBJF_LISTEN | OBJF_BACKLOG;
	o.self = 0xa;
	o.capacity = 128;
	o.backlog = 3;
	feed_obj(f, &o);
	assert_string_equal(feed_chan(f, 0)->unit, "connections");
	assert_int_equal(feed_chan(f, 0)->capacity, 128);
	assert_int_equal(feed_chan(f, 0)->backlog.now, 3);
	unix_obj(f, MECH_UNIX_SEQPACKET, 2, 0xb, 0xc, "");
	assert_string_equal(feed_chan(f, 1)->unit, "messages");
}

static void test_listener_stands_alone(void **state)
{
	struct feed *f = *state;
	struct ev_obj o = obj_make(MECH_TCP, 1, T0);
	struct ev_op acc = op_make(MECH_TCP, OP_ACCEPT, 2, B, T0, T0 + 10, 5);

	o.hdr.flags = OBJF_LISTEN;
	o.laddr = addr4("127.0.0.1", 80);
	feed_obj(f, &o);
	tcp_obj(f, 2, "127.0.0.1", 80, "127.0.0.1", 50000, 1);
	feed_op(f, &acc);
	tcp_obj(f, 3, "127.0.0.1", 50000, "127.0.0.1", 80, 1);
	tcp_op(f, OP_SEND, 3, A, T0 + 20, T0 + 30, 10, 1010);
	tcp_op(f, OP_RECV, 2, B, T0 + 20, T0 + 40, 10, 1010);
	assert_int_equal(feed_chan_cnt(f), 2);
	assert_string_equal(feed_chan(f, 0)->name, "tcp:127.0.0.1:80");
	assert_string_equal(feed_chan(f, 0)->unit, "connections");
	assert_true(list_empty(&feed_chan(f, 0)->flows));
	assert_string_equal(feed_chan(f, 1)->name, "tcp:127.0.0.1:50000<->127.0.0.1:80");
	assert_true(feed_flow(f, NULL, A, B)->latency.sum == 20);
}

/* The name does not depend on which end was seen first. */
static void test_tcp_name(void **state)
{
	struct feed *f = *state;

	tcp_obj(f, 1, "10.0.0.1", 443, "10.0.0.2", 40000, 1);
	tcp_obj(f, 2, "10.0.0.3", 40001, "10.0.0.1", 443, 1);
	assert_string_equal(feed_chan(f, 0)->name, "tcp:10.0.0.2:40000<->10.0.0.1:443");
	assert_string_equal(feed_chan(f, 1)->name, "tcp:10.0.0.3:40001<->10.0.0.1:443");
}

/* Sequence numbers wrap in the middle of a message; reads cut where they like. */
static void test_tcp_wrap(void **state)
{
	struct feed *f = *state;
	uint32_t w = 0u - 2530, r = w;
	struct flow *fl;
	uint64_t t = T0;

	tcp_obj(f, 1, "127.0.0.1", 50000, "127.0.0.1", 80, 1);
	tcp_obj(f, 2, "127.0.0.1", 80, "127.0.0.1", 50000, 1);
	for (int i = 0; i < 50; i++, t += 1000) {
		w += 100;
		tcp_op(f, OP_SEND, 1, A, t, t + 10, 100, w);
		r += 60;
		tcp_op(f, OP_RECV, 2, B, t, t + 20, 60, r);
		r += 40;
		tcp_op(f, OP_RECV, 2, B, t + 30, t + 40, 40, r);
	}
	fl = feed_flow(f, NULL, A, B);
	assert_true(fl->messages == 50 && fl->bytes == 5000);
	assert_true(fl->latency.min == 40 && fl->latency.max == 40);
	assert_true(fl->paired[PAIR_EXACT] == 50);
	assert_true(feed_chan(f, 0)->backlog.now == 0 && feed_chan(f, 0)->backlog.max == 100);
}

/* Millions of bytes: the 64-bit position goes round the 32 bits several times. */
static void test_tcp_long(void **state)
{
	struct feed *f = *state;
	uint32_t seq = 5;
	struct flow *fl;

	tcp_obj(f, 1, "127.0.0.1", 50000, "127.0.0.1", 80, 1);
	tcp_obj(f, 2, "127.0.0.1", 80, "127.0.0.1", 50000, 1);
	for (uint64_t i = 0; i < 20000; i++) {
		uint64_t t = T0 + i * 1000;

		seq += 1 << 20;
		tcp_op(f, OP_SEND, 1, A, t, t + 400, 1 << 20, seq);
		tcp_op(f, OP_RECV, 2, B, t, t + 500, 1 << 20, seq);
	}
	fl = feed_flow(f, NULL, A, B);
	assert_true(fl->messages == 20000 && fl->latency.max == 500);
	assert_int_equal(fl->paired[PAIR_EXACT], 20000);
}

/* Two sends overlap and both read the number after both: one takes the gap. */
static void test_tcp_overlap(void **state)
{
	struct feed *f = *state;
	struct ev_op op;
	struct flow *fl;

	feed_proc(f, 11, "sibling");
	tcp_obj(f, 1, "127.0.0.1", 50000, "127.0.0.1", 80, 1);
	tcp_obj(f, 2, "127.0.0.1", 80, "127.0.0.1", 50000, 1);
	tcp_op(f, OP_SEND, 1, A, T0, T0 + 10, 100, 1100);
	/* A sent [1100, 1200), then its sibling [1200, 1300); A returned last. */
	op = op_make(MECH_TCP, OP_SEND, 1, 11, T0 + 25, T0 + 30, 100);
	op.hdr.flags |= OPF_SEQ | OPF_FP;
	op.seq = 1300;
	op.fp = 11;
	feed_op(f, &op);
	op = op_make(MECH_TCP, OP_SEND, 1, A, T0 + 20, T0 + 35, 100);
	op.hdr.flags |= OPF_SEQ | OPF_FP;
	op.seq = 1300;
	op.fp = 10;
	feed_op(f, &op);
	tcp_op(f, OP_RECV, 2, B, T0, T0 + 40, 100, 1100);
	op = op_make(MECH_TCP, OP_RECV, 2, B, T0 + 41, T0 + 50, 100);
	op.hdr.flags |= OPF_SEQ | OPF_FP;
	op.seq = 1200;
	op.fp = 10;
	feed_op(f, &op);
	fl = feed_flow(f, NULL, A, B);
	assert_true(fl->messages == 2 && fl->latency.max == 40 && fl->latency.min == 30);
	assert_true(fl->paired[PAIR_SETTLED] == 1);
	tcp_op(f, OP_RECV, 2, B, T0 + 51, T0 + 60, 100, 1300);
	assert_true(feed_flow(f, NULL, 11, B)->messages == 1);
}

/* A lost send: its bytes are passed over, and nothing behind them moves. */
static void test_tcp_loss(void **state)
{
	struct feed *f = *state;
	struct flow *fl;

	tcp_obj(f, 1, "127.0.0.1", 50000, "127.0.0.1", 80, 1);
	tcp_obj(f, 2, "127.0.0.1", 80, "127.0.0.1", 50000, 1);
	feed_loss(f, LOSSF_CHAN, MECH_TCP, 1, 1);
	tcp_op(f, OP_SEND, 1, A, T0, T0 + 10, 100, 1100);
	/* [1100, 1200) lost */
	tcp_op(f, OP_SEND, 1, A, T0 + 20, T0 + 30, 100, 1300);
	tcp_op(f, OP_RECV, 2, B, T0, T0 + 100, 300, 1300);
	assert_int_equal(model_advance(f->m, T0 + SEC), 0);
	fl = feed_flow(f, NULL, A, B);
	assert_true(fl->messages == 2 && fl->bytes == 200);
	tcp_op(f, OP_SEND, 1, A, T0 + 2 * SEC, T0 + 2 * SEC + 10, 10, 1310);
	tcp_op(f, OP_RECV, 2, B, T0 + 2 * SEC, T0 + 2 * SEC + 20, 10, 1310);
	assert_true(fl->messages == 3 && fl->latency.min == 20);
}

static void test_tcp_remote(void **state)
{
	struct feed *f = *state;
	struct flow *out, *in;
	struct ev_op op;

	tcp_obj(f, 1, "10.0.0.1", 50000, "10.0.0.5", 443, 1);
	for (uint64_t i = 0; i < 5; i++) {
		tcp_op(f, OP_SEND, 1, A, T0 + i * 100, T0 + i * 100 + 10, 100,
		       1000 + 100 * (uint32_t)i);
		tcp_op(f, OP_RECV, 1, A, T0 + i * 100 + 20, T0 + i * 100 + 50, 30,
		       7000 + 30 * (uint32_t)i);
	}
	assert_null(feed_flow_to(f, A, "10.0.0.5:443"));
	assert_int_equal(model_advance(f->m, T0 + 2 * SEC), 0);
	op = op_make(MECH_TCP, OP_SEND, 1, A, T0 + 2 * SEC, T0 + 2 * SEC + 10, 100);
	op.hdr.flags |= OPF_SEQ | OPF_BACKLOG;
	op.seq = 1500;
	op.backlog = 777;
	feed_op(f, &op);
	out = feed_flow_to(f, A, "10.0.0.5:443");
	in = feed_flow_from(f, "10.0.0.5:443", A);
	assert_true(out->messages == 6 && out->bytes == 600 && out->latency.count == 0);
	assert_true(in->messages == 5 && in->bytes == 150 && in->latency.count == 0);
	assert_int_equal(feed_chan(f, 0)->backlog.now, 777);
}

/* The same addresses again are another connection. */
static void test_tcp_tuple_reuse(void **state)
{
	struct feed *f = *state;

	for (uint64_t i = 0; i < 3; i++) {
		uint64_t t = T0 + i * SEC;

		tcp_obj(f, 10 + i, "127.0.0.1", 50000, "127.0.0.1", 80, 1);
		tcp_obj(f, 20 + i, "127.0.0.1", 80, "127.0.0.1", 50000, 1);
		tcp_op(f, OP_SEND, 10 + i, A, t, t + 10, 5, 100 * (uint32_t)i + 5);
		tcp_op(f, OP_RECV, 20 + i, B, t, t + 20, 5, 100 * (uint32_t)i + 5);
	}
	assert_int_equal(feed_chan_cnt(f), 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_true(feed_flow(f, feed_chan(f, i), A, B)->messages == 1);
		assert_int_equal(feed_chan(f, i)->open, i == 2);
	}
}

/* Each direction has room of its own: what is in both is not added up. */
static void test_tcp_both_ways(void **state)
{
	struct feed *f = *state;

	tcp_obj(f, 1, "127.0.0.1", 50000, "127.0.0.1", 80, 1);
	tcp_obj(f, 2, "127.0.0.1", 80, "127.0.0.1", 50000, 1);
	for (uint64_t id = 1; id <= 2; id++) {
		tcp_op(f, OP_SEND, id, id == 1 ? A : B, T0, T0 + 10 * id, 5, 1000);
		tcp_op(f, OP_RECV, 3 - id, id == 1 ? B : A, T0, T0 + 10 * id + 5, 5, 1000);
	}
	tcp_op(f, OP_SEND, 1, A, T0 + 100, T0 + 110, 100, 1100);
	tcp_op(f, OP_SEND, 2, B, T0 + 100, T0 + 120, 60, 1060);
	assert_int_equal(feed_chan(f, 0)->backlog.now, 100);
	assert_int_equal(feed_chan(f, 0)->dir_now[0], 100);
	assert_int_equal(feed_chan(f, 0)->dir_now[1], 60);
}

/* Loopback means something only inside one namespace; other addresses do not ask. */
static void test_tcp_namespaces(void **state)
{
	struct feed *f = *state;

	tcp_obj(f, 1, "127.0.0.1", 50000, "127.0.0.1", 80, 1);
	tcp_obj(f, 2, "127.0.0.1", 80, "127.0.0.1", 50000, 2);
	assert_int_equal(feed_chan_cnt(f), 2);
	tcp_obj(f, 3, "10.0.0.1", 50000, "10.0.0.2", 80, 1);
	tcp_obj(f, 4, "10.0.0.2", 80, "10.0.0.1", 50000, 2);
	assert_int_equal(feed_chan_cnt(f), 3);
}

static void test_seqpacket(void **state)
{
	struct feed *f = *state;
	struct ev_op r;
	struct flow *fl;

	unix_obj(f, MECH_UNIX_SEQPACKET, 1, 0xa, 0xb, "/run/p");
	unix_obj(f, MECH_UNIX_SEQPACKET, 2, 0xb, 0xa, "/run/p");
	feed_send(f, MECH_UNIX_SEQPACKET, 1, A, T0, T0 + 10, 100);
	feed_send(f, MECH_UNIX_SEQPACKET, 1, A, T0 + 11, T0 + 20, 50);
	/* Cut to 40: still the whole first message. */
	r = op_make(MECH_UNIX_SEQPACKET, OP_RECV, 2, B, T0 + 21, T0 + 30, 40);
	r.hdr.flags |= OPF_TRUNC;
	feed_op(f, &r);
	feed_recv(f, MECH_UNIX_SEQPACKET, 2, B, T0 + 31, T0 + 40, 50);
	fl = feed_flow(f, NULL, A, B);
	assert_true(fl->messages == 2 && fl->latency.max == 30 && fl->latency.min == 29);
	feed_recv(f, MECH_UNIX_SEQPACKET, 2, B, T0 + 41, T0 + 50, 0);
	assert_true(feed_ep(feed_chan(f, 0), B, EP_RECV)->messages == 2);
	assert_string_equal(feed_chan(f, 0)->unit, "messages");
}

/* A client and, later, the server's end of its connection. */
static struct ev_obj end_make(enum ipcspy_mech mech, bool server, uint64_t ts_ns)
{
	struct ev_obj o = obj_make(mech, server ? 2 : 1, ts_ns);

	o.hdr.flags = OBJF_CONNECTED | OBJF_BACKLOG | (mech == MECH_TCP ? OBJF_SEQ : 0);
	o.self = server ? 0xb : 0xa;
	o.peer = server ? 0xa : 0xb;
	o.laddr = addr4("127.0.0.1", server ? 80 : 50000);
	o.raddr = addr4("127.0.0.1", server ? 50000 : 80);
	o.snd_seq = server ? 5000 : 1000;
	o.rcv_seq = server ? 1000 : 5000;
	return o;
}

static void end_op(struct feed *f, enum ipcspy_mech mech, enum ipcspy_op kind, uint64_t id,
		   uint32_t pid, uint64_t enter_ns, uint64_t exit_ns, uint32_t seq)
{
	struct ev_op op = op_make(mech, kind, id, pid, enter_ns, exit_ns, 5);

	op.hdr.flags |= mech == MECH_TCP ? OPF_SEQ : 0;
	op.seq = seq;
	feed_op(f, &op);
}

/* Ten messages each way, the first sent before the server's end is described. */
static void talk(struct feed *f, enum ipcspy_mech mech, uint64_t t)
{
	struct ev_obj server = end_make(mech, true, t + 20);
	struct flow *there, *back;

	server.backlog = mech == MECH_UNIX_SEQPACKET ? 1 : 5;
	for (uint32_t i = 0; i < 10; i++, t += 1000) {
		end_op(f, mech, OP_SEND, 1, A, t, t + 10, 1005 + 5 * i);
		if (i == 0)
			feed_obj(f, &server);
		end_op(f, mech, OP_RECV, 2, B, t, t + 30, 1005 + 5 * i);
		end_op(f, mech, OP_SEND, 2, B, t + 40, t + 50, 5005 + 5 * i);
		end_op(f, mech, OP_RECV, 1, A, t + 40, t + 70, 5005 + 5 * i);
	}
	assert_int_equal(feed_chan_cnt(f), 1);
	there = feed_flow(f, NULL, A, B);
	back = feed_flow(f, NULL, B, A);
	assert_non_null(there);
	assert_non_null(back);
	assert_true(there->messages == 10 && there->latency.max == 30);
	assert_true(back->messages == 10 && back->latency.max == 30);
	assert_int_equal(feed_chan(f, 0)->unpaired, 0);
}

/*
 * A snapshot overtakes what is still in the ring: it finds everything closed, and then the records
 * of how it was opened and used arrive.
 */
static void overtaken(struct feed *f, enum ipcspy_mech mech, bool describes)
{
	struct ev_obj client = end_make(mech, false, T0), server = end_make(mech, true, T0 + SEC);

	server.snd_seq += 50;
	server.rcv_seq += 50;
	feed_obj(f, &client);
	feed_snap(f, SNAPF_HOLDS | SNAPF_LAST, T0 + SEC);
	if (describes)
		feed_obj(f, &server);
	feed_snap(f, SNAPF_HOLDS | SNAPF_LAST | SNAPF_END, T0 + SEC + 10);
	talk(f, mech, T0 + 100);
}

static void test_snapshot_ahead(void **state)
{
	static const enum ipcspy_mech mechs[] = {MECH_UNIX_STREAM, MECH_UNIX_SEQPACKET, MECH_TCP};

	for (unsigned int i = 0; i < 6; i++) {
		overtaken(*state, mechs[i / 2], i % 2);
		teardown(state);
		setup(state);
	}
}

/* The client sent all it had and was gone before the server accepted: by its first byte. */
static void test_tcp_accepted_late(void **state)
{
	struct feed *f = *state;
	struct ev_obj client = end_make(MECH_TCP, false, T0), server = end_make(MECH_TCP, true, 0);
	struct ev_obj stranger;
	struct flow *there;

	feed_proc(f, A, "client");
	feed_proc(f, B, "server");
	feed_obj(f, &client);
	end_op(f, MECH_TCP, OP_SEND, 1, A, T0 + 10, T0 + 20, 1005);
	feed_exit(f, A, T0 + 30);
	/* the same addresses again, of a connection whose client was not seen */
	stranger = server;
	stranger.chan = 3;
	stranger.rcv_seq = 77000;
	stranger.hdr.ts_ns = server.hdr.ts_ns = T0 + 40;
	feed_obj(f, &stranger);
	assert_int_equal(feed_chan_cnt(f), 2);
	feed_obj(f, &server);
	assert_int_equal(feed_chan_cnt(f), 2);
	end_op(f, MECH_TCP, OP_RECV, 2, B, T0 + 50, T0 + 60, 1005);
	there = feed_flow(f, NULL, A, B);
	assert_non_null(there);
	assert_true(there->messages == 1 && there->bytes == 5);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_unix_both_ways),
		T(test_unix_names),
		T(test_unix_address_reuse),
		T(test_listener_stands_alone),
		T(test_unix_listener_counts_connections),
		T(test_tcp_name),
		T(test_tcp_wrap),
		T(test_tcp_long),
		T(test_tcp_overlap),
		T(test_tcp_loss),
		T(test_tcp_remote),
		T(test_tcp_tuple_reuse),
		T(test_tcp_both_ways),
		T(test_tcp_namespaces),
		T(test_seqpacket),
		T(test_snapshot_ahead),
		T(test_tcp_accepted_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
