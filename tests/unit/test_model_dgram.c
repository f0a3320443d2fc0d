// SPDX-License-Identifier: BSD-2-Clause
/* Datagrams: whose queue a message is in, and which message a receive took. */
#include "feed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/internal.h"

#define A 10 /* sender */
#define B 20 /* receiver */

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

static void udp_obj(struct feed *f, uint64_t id, const char *host, unsigned int port,
		    const char *rhost, unsigned int rport, uint32_t netns)
{
	struct ev_obj o = obj_make(MECH_UDP, id, T0);

	o.laddr = addr4(host, port);
	o.raddr = addr4(rhost, rport);
	o.hdr.flags = rport ? OBJF_CONNECTED : 0;
	o.netns = netns;
	o.capacity = 212992;
	feed_obj(f, &o);
}

static void udp_send(struct feed *f, uint64_t id, uint32_t pid, uint64_t t, int len, uint32_t fp,
		     const char *host, unsigned int port)
{
	struct ev_op op = op_make(MECH_UDP, OP_SEND, id, pid, t, t + 100, len);
	struct ev_addr_in to;

	op.hdr.flags |= OPF_FP;
	op.fp = fp;
	if (!host) {
		feed_op(f, &op);
		return;
	}
	to = addr4(host, port);
	feed_op_in(f, &op, &to);
}

static void udp_recv(struct feed *f, uint64_t id, uint32_t pid, uint64_t t, int len, uint32_t fp,
		     const char *host, unsigned int port)
{
	struct ev_op op = op_make(MECH_UDP, OP_RECV, id, pid, t, t + 100, len);
	struct ev_addr_in from;

	op.hdr.flags |= OPF_FP;
	op.fp = fp;
	if (!host) {
		feed_op(f, &op);
		return;
	}
	from = addr4(host, port);
	feed_op_in(f, &op, &from);
}

static void test_udp_by_address(void **state)
{
	struct feed *f = *state;
	struct flow *fl;

	udp_obj(f, 1, "0.0.0.0", 40000, "0.0.0.0", 0, 1);
	udp_obj(f, 2, "127.0.0.1", 53, "0.0.0.0", 0, 1);
	udp_send(f, 1, A, T0, 30, 1, "127.0.0.1", 53);
	udp_recv(f, 2, B, T0 + 200, 30, 1, "127.0.0.1", 40000);
	/* And back: to the socket that is bound to any address. */
	udp_send(f, 2, B, T0 + 400, 90, 2, "127.0.0.1", 40000);
	udp_recv(f, 1, A, T0 + 600, 90, 2, "127.0.0.1", 53);
	assert_int_equal(feed_chan_cnt(f), 2);
	fl = feed_flow(f, feed_chan_named(f, "udp:127.0.0.1:53"), A, B);
	assert_true(fl && fl->messages == 1 && fl->bytes == 30 && fl->latency.sum == 300);
	fl = feed_flow(f, feed_chan_named(f, "udp:0.0.0.0:40000"), B, A);
	assert_true(fl && fl->messages == 1 && fl->bytes == 90);
}

/* Sent before its receiver was described: the queue finds its receiver, pending messages too. */
static void test_udp_receiver_comes_late(void **state)
{
	struct feed *f = *state;
	struct flow *fl;

	udp_obj(f, 1, "127.0.0.1", 40000, "0.0.0.0", 0, 1);
	udp_send(f, 1, A, T0, 30, 1, "127.0.0.1", 53);
	assert_non_null(feed_chan_named(f, "udp:127.0.0.1:53"));
	udp_obj(f, 2, "0.0.0.0", 53, "0.0.0.0", 0, 1);
	udp_recv(f, 2, B, T0 + 200, 30, 1, "127.0.0.1", 40000);
	assert_int_equal(feed_chan_cnt(f), 1);
	fl = feed_flow(f, feed_chan_named(f, "udp:0.0.0.0:53"), A, B);
	assert_true(fl && fl->messages == 1);
}

/* A socket connected to the sender takes its datagrams from the one that is merely bound. */
static void test_udp_connected_wins(void **state)
{
	struct feed *f = *state;

	feed_proc(f, 30, "worker");
	udp_obj(f, 1, "127.0.0.1", 40000, "127.0.0.1", 53, 1);
	udp_obj(f, 3, "127.0.0.1", 53, "127.0.0.1", 40000, 1);
	udp_obj(f, 2, "127.0.0.1", 53, "0.0.0.0", 0, 1);
	udp_send(f, 1, A, T0, 30, 1, NULL, 0);
	udp_recv(f, 3, 30, T0 + 200, 30, 1, NULL, 0);
	assert_non_null(feed_flow(f, NULL, A, 30));
	/* Loopback in another namespace is another place. */
	udp_obj(f, 4, "127.0.0.1", 40000, "127.0.0.1", 53, 2);
	udp_send(f, 4, A, T0 + 500, 30, 2, NULL, 0);
	udp_recv(f, 3, 30, T0 + 800, 30, 2, NULL, 0);
	assert_int_equal(feed_flow(f, NULL, A, 30)->messages, 1);
}

/* Datagrams that the receiver's full buffer swallowed. */
static void test_udp_drops(void **state)
{
	struct feed *f = *state;
	struct chan *c;
	struct flow *fl;
	uint64_t t;

	udp_obj(f, 1, "127.0.0.1", 40000, "127.0.0.1", 53, 1);
	udp_obj(f, 2, "127.0.0.1", 53, "0.0.0.0", 0, 1);
	for (uint32_t i = 0; i < 100; i++)
		udp_send(f, 1, A, T0 + i * MS, 512, 1000 + i, NULL, 0);
	/* Every third is missing. */
	for (uint32_t i = 0; i < 100; i++) {
		t = T0 + SEC + i * MS;
		if (i % 3)
			udp_recv(f, 2, B, t, 512, 1000 + i, "127.0.0.1", 40000);
	}
	/* The queue is empty: what was sent long before and not received is gone. */
	feed_recv(f, MECH_UDP, 2, B, T0 + 3 * SEC, T0 + 3 * SEC + 10, -EAGAIN);
	c = feed_chan_named(f, "udp:127.0.0.1:53");
	fl = feed_flow(f, c, A, B);
	assert_true(fl->messages == 66 && fl->bytes == 66 * 512);
	assert_true(c->dropped == 34 && c->unpaired == 0);
	/* Latency is that of the message itself, not of its neighbour. */
	assert_in_range(fl->latency.min, SEC - MS, SEC + MS);
	assert_in_range(fl->latency.max, SEC - MS, SEC + MS);
}

/* Empty error queues, and looks beyond what was looked at, say nothing about the queue. */
static void test_udp_error_queue(void **state)
{
	struct ev_op poll = op_make(MECH_UDP, OP_RECV, 2, B, T0 + SEC, T0 + SEC + 10, -EAGAIN);
	struct feed *f = *state;
	struct endpoint *ep;
	struct chan *c;

	udp_obj(f, 1, "127.0.0.1", 40000, "127.0.0.1", 53, 1);
	udp_obj(f, 2, "127.0.0.1", 53, "0.0.0.0", 0, 1);
	for (uint32_t i = 0; i < 11; i++)
		udp_send(f, 1, A, T0 + i * MS, 512, 1000 + i, NULL, 0);
	udp_recv(f, 2, B, T0 + 100 * MS, 512, 1000, "127.0.0.1", 40000);
	poll.hdr.flags |= OPF_ERRQUEUE | OPF_FULL;
	feed_op(f, &poll);
	poll.ret = 100;
	feed_op(f, &poll);
	poll.hdr.flags = OPF_PEEK;
	poll.ret = -EAGAIN;
	feed_op(f, &poll);
	for (uint32_t i = 1; i < 11; i++)
		udp_recv(f, 2, B, T0 + 2 * SEC + i * MS, 512, 1000 + i, "127.0.0.1", 40000);
	c = feed_chan_named(f, "udp:127.0.0.1:53");
	ep = feed_ep(c, B, EP_RECV);
	assert_true(feed_flow(f, c, A, B)->messages == 11);
	assert_true(c->dropped == 0 && c->unpaired == 0);
	assert_true(ep->calls == 14 && ep->messages == 11 && ep->would_block == 1);
	assert_true(ep->errors == 0 && c->backlog.full_ns == 0);
}

static void test_udp_remote(void **state)
{
	struct feed *f = *state;
	struct flow *fl;

	udp_obj(f, 1, "10.0.0.1", 40000, "0.0.0.0", 0, 1);
	/* A local server on the same port, bound to any address, is not 8.8.8.8. */
	udp_obj(f, 2, "0.0.0.0", 53, "0.0.0.0", 0, 1);
	udp_send(f, 1, A, T0, 30, 1, "8.8.8.8", 53);
	udp_recv(f, 1, A, T0 + 5 * MS, 90, 2, "8.8.8.8", 53);
	assert_int_equal(model_advance(f->m, T0 + 2 * SEC), 0);
	udp_send(f, 1, A, T0 + 3 * SEC, 40, 3, "8.8.8.8", 53);
	fl = feed_flow_to(f, A, "8.8.8.8:53");
	assert_true(fl && fl->messages == 2 && fl->bytes == 70 && fl->latency.count == 0);
	assert_string_equal(fl->chan->name, "udp:8.8.8.8:53");
	fl = feed_flow_from(f, "8.8.8.8:53", A);
	assert_true(fl && fl->messages == 1 && fl->bytes == 90 && fl->latency.count == 0);
	assert_string_equal(fl->chan->name, "udp:10.0.0.1:40000");
}

/* A server that hears from the whole world remembers some of it by name. */
static void test_udp_many_remotes(void **state)
{
	struct feed *f = *state;
	unsigned int flows = 0;
	uint64_t messages = 0;
	char host[32];

	udp_obj(f, 1, "10.0.0.1", 53, "0.0.0.0", 0, 1);
	for (unsigned int i = 0; i < 5000; i++) {
		snprintf(host, sizeof(host), "20.1.%u.%u", i / 250, i % 250);
		udp_recv(f, 1, B, T0 + i * MS, 40, i, host, 1234);
	}
	assert_int_equal(model_finish(f->m, T0 + 20 * SEC), 0);
	list_for_each (fl, &feed_chan(f, 0)->flows, struct flow, in_chan) {
		flows++;
		messages += fl->messages;
	}
	assert_int_equal(messages, 5000);
	assert_in_range(flows, 100, 1000);
	assert_true(feed_flow_from(f, "*", B)->messages > 4000);
}

static void un_obj(struct feed *f, uint64_t id, uint64_t self, uint64_t peer, const char *name,
		   size_t len)
{
	struct ev_obj o = obj_make(MECH_UNIX_DGRAM, id, T0);

	o.self = self;
	o.peer = peer;
	o.hdr.flags = OBJF_BACKLOG;
	o.capacity = 10;
	o.name.len = (uint16_t)len;
	memcpy(o.name.name, name, len);
	feed_obj(f, &o);
}

static void un_send(struct feed *f, uint64_t id, uint32_t pid, uint64_t t, int len,
		    const char *name, size_t name_len)
{
	struct ev_op op = op_make(MECH_UNIX_DGRAM, OP_SEND, id, pid, t, t + 100, len);

	if (name)
		feed_op_un(f, &op, name, name_len);
	else
		feed_op(f, &op);
}

static void test_unix_names_and_peers(void **state)
{
	struct feed *f = *state;
	struct chan *c;

	un_obj(f, 1, 0xa, 0, "", 0);
	un_obj(f, 2, 0xb, 0, "/run/log", 8);
	un_obj(f, 3, 0xc, 0xb, "", 0);
	un_send(f, 1, A, T0, 10, "/run/log", 8);
	un_send(f, 3, A, T0 + 200, 20, NULL, 0);
	un_send(f, 1, A, T0 + 400, 0, "/run/log", 8); /* an empty message is one */
	for (uint64_t i = 0; i < 3; i++) {
		const int len[] = {10, 20, 0};

		feed_recv(f, MECH_UNIX_DGRAM, 2, B, T0 + 600 + i * 200, T0 + 700 + i * 200, len[i]);
	}
	c = feed_chan_named(f, "unix:/run/log");
	assert_non_null(c);
	assert_true(feed_flow(f, c, A, B)->messages == 3 && feed_flow(f, c, A, B)->bytes == 30);
	assert_string_equal(c->unit, "messages");
	assert_int_equal(c->capacity, 10);
}

static void test_unix_late_receivers(void **state)
{
	struct feed *f = *state;

	un_obj(f, 1, 0xa, 0xb, "", 0);
	un_send(f, 1, A, T0, 10, NULL, 0);
	un_send(f, 1, A, T0 + 200, 20, "\0abs", 4);
	un_obj(f, 2, 0xb, 0, "", 0);
	un_obj(f, 3, 0xc, 0, "\0abs", 4);
	feed_recv(f, MECH_UNIX_DGRAM, 2, B, T0 + 300, T0 + 400, 10);
	feed_recv(f, MECH_UNIX_DGRAM, 3, B, T0 + 500, T0 + 600, 20);
	assert_true(feed_flow(f, feed_chan_named(f, "unix:[2]"), A, B)->messages == 1);
	assert_true(feed_flow(f, feed_chan_named(f, "unix:@abs"), A, B)->messages == 1);
}

/* The same file by a relative path. */
static void test_unix_relative_name(void **state)
{
	struct feed *f = *state;

	un_obj(f, 1, 0xa, 0, "", 0);
	un_obj(f, 2, 0xb, 0, "/run/x/log", 10);
	un_send(f, 1, A, T0, 10, "x/log", 5);
	feed_recv(f, MECH_UNIX_DGRAM, 2, B, T0 + 200, T0 + 300, 10);
	assert_non_null(feed_flow(f, NULL, A, B));
}

/* Found with messages in its queue: the first receives took those. */
static void test_unix_found_with_messages(void **state)
{
	struct feed *f = *state;
	struct ev_obj o = obj_make(MECH_UNIX_DGRAM, 2, T0 + 50);

	o.self = 0xb;
	o.hdr.flags = OBJF_BACKLOG | OBJF_SNAPSHOT;
	o.backlog = 2;
	feed_obj(f, &o);
	un_obj(f, 1, 0xa, 0xb, "", 0);
	un_send(f, 1, A, T0 + 100, 8, NULL, 0);
	for (uint64_t i = 0; i < 3; i++)
		feed_recv(f, MECH_UNIX_DGRAM, 2, B, T0 + 300 + i * 10, T0 + 305 + i * 10, 8);
	assert_true(feed_flow(f, NULL, A, B)->messages == 1);
	assert_true(feed_flow(f, NULL, A, B)->latency.sum == 225);
}

/*
 * Eight senders and eight receivers on one socket, contents all different:
 * random moments inside the calls, and every message on the right flow.
 */
static void test_many_to_many(void **state)
{
	struct feed *f = *state;
	struct rnd r = {.s = 5};
	uint64_t truth[8][8] = {{0}}, wrong = 0, t = T0;
	struct ev_op recs[2000];

	un_obj(f, 1, 0xa, 0xb, "", 0);
	un_obj(f, 2, 0xb, 0, "", 0);
	for (unsigned int i = 0; i < 1000; i++) {
		unsigned int w = (unsigned int)rnd_below(&r, 8), d = (unsigned int)rnd_below(&r, 8);
		struct ev_op *send = &recs[2 * i], *recv = send + 1;

		t += 500;
		*send = op_make(MECH_UNIX_DGRAM, OP_SEND, 1, 100 + w, t - rnd_below(&r, 400),
				t + rnd_below(&r, 5000), 64);
		*recv = op_make(MECH_UNIX_DGRAM, OP_RECV, 2, 200 + d, t - rnd_below(&r, 400),
				t + 10 + rnd_below(&r, 5000), 64);
		send->hdr.flags |= OPF_FP;
		recv->hdr.flags |= OPF_FP;
		send->fp = recv->fp = 77 + i;
		truth[w][d]++;
	}
	for (unsigned int i = 0; i < 2000; i++) {
		unsigned int first = 2000;

		for (unsigned int j = 0; j < 2000; j++)
			if (recs[j].nr == 0 &&
			    (first == 2000 || recs[j].hdr.ts_ns < recs[first].hdr.ts_ns))
				first = j;
		feed_op(f, &recs[first]);
		recs[first].nr = 1;
	}
	assert_int_equal(model_finish(f->m, t + SEC), 0);
	for (unsigned int w = 0; w < 8; w++) {
		for (unsigned int d = 0; d < 8; d++) {
			struct flow *fl = feed_flow(f, NULL, 100 + w, 200 + d);

			wrong += (fl ? fl->messages : 0) != truth[w][d];
		}
	}
	assert_int_equal(wrong, 0);
}

/* A resolver makes a socket for each question: what it leaves behind is bounded. */
static void test_many_short_sockets(void **state)
{
	struct feed *f = *state;
	struct ev_op end;

	udp_obj(f, 2, "127.0.0.1", 53, "0.0.0.0", 0, 1);
	for (uint64_t i = 0; i < 30000; i++) {
		uint64_t t = T0 + i * MS;

		udp_obj(f, 100 + i, "127.0.0.1", 40000, "127.0.0.1", 53, 1);
		udp_send(f, 100 + i, A, t, 30, 1, NULL, 0);
		udp_recv(f, 2, B, t + 200, 30, 1, "127.0.0.1", 40000);
		end = op_make(MECH_UDP, OP_CLOSE, 100 + i, A, t + 300, t + 310, 0);
		if (i < 10000) /* exit closes without a call */
			feed_op(f, &end);
		if (i == 10000)
			assert_in_range(f->m->objs_by_id.cnt, 1025, 3000);
	}
	assert_in_range(f->m->objs_by_id.cnt, 16384, 18000);
	assert_true(feed_flow(f, NULL, A, B)->messages == 30000);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_udp_by_address),       T(test_udp_receiver_comes_late),
		T(test_udp_connected_wins),   T(test_udp_drops),
		T(test_udp_remote),           T(test_udp_many_remotes),
		T(test_unix_names_and_peers), T(test_unix_late_receivers),
		T(test_unix_relative_name),   T(test_unix_found_with_messages),
		T(test_many_to_many),         T(test_udp_error_queue),
		T(test_many_short_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
