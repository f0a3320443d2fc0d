// SPDX-License-Identifier: BSD-2-Clause
/* The text report: what it merges, hides, orders and cuts. */
#include "feed.h"

#include <string.h>

#include "analysis/analysis.h"
#include "view/cut.h"
#include "view/report_text.h"

#define SERVER 12
#define ALL    0   /* -v */
#define SOME   100 /* rows */

static int setup(void **state)
{
	static struct feed f;

	feed_init(&f);
	feed_proc(&f, SERVER, "nginx");
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	feed_fini(*state);
	return 0;
}

/* The report, until the next one. */
static const char *report(const struct feed *f, size_t max_rows)
{
	const struct report_info info = {
		.host = "h", .kernel = "k", .arch = "a", .filter = "-a", .duration_ns = SEC};
	const struct text_opts opts = {.style = {.width = 250, .ascii = true},
				       .max_rows = max_rows};
	static char text[64 << 10];
	struct sink out;

	sink_init_mem(&out);
	assert_int_equal(report_text(&out, &opts, &info, f->m), 0);
	assert_true(out.buf.len < sizeof(text));
	memcpy(text, out.buf.s, out.buf.len + 1);
	sink_fini(&out);
	return text;
}

static void assert_said(const char *text, const char *what, bool want)
{
	if (!strstr(text, what) == want)
		fail_msg("'%s' is %s:\n%s", what, want ? "missing" : "there", text);
}

static size_t count(const char *text, const char *what)
{
	size_t cnt = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		cnt++;
	return cnt;
}

static void close_all(struct feed *f)
{
	for (uint64_t i = 1; i <= 2; i++) {
		feed_snap(f, SNAPF_HOLDS, T0 + i * SEC);
		feed_snap(f, SNAPF_HOLDS | SNAPF_END, T0 + i * SEC);
	}
	assert_int_equal(model_finish(f->m, T0 + 3 * SEC), 0);
}

/* cnt pipes, each from one of five processes of one name to the server, 100 bytes. */
static void clients(struct feed *f, uint64_t cnt)
{
	for (uint64_t i = 1; i <= cnt; i++) {
		uint32_t pid = 100 + (uint32_t)(i % 5);

		feed_proc(f, pid, "ab");
		feed_pipe(f, i);
		feed_send(f, MECH_PIPE, i, pid, T0 + i * 100, T0 + i * 100 + 10, 100);
		feed_recv(f, MECH_PIPE, i, SERVER, T0 + i * 100, T0 + i * 100 + 20, 100);
	}
}

static void test_many_alike_are_one_row(void **state)
{
	struct feed *f = *state;
	const char *text;

	clients(f, 8);
	text = report(f, SOME);
	assert_int_equal(count(text, "ab[1"), 8); /* all are open */
	close_all(f);
	text = report(f, SOME);
	assert_said(text, "pipe:[closed] (8 pipes)  ab[5 processes]  ->  nginx[12]", true);
	assert_said(text, "800 B", true);
	assert_said(text, "ab[1", false);
	text = report(f, ALL);
	assert_said(text, "processes]", false);
	assert_int_equal(count(text, "ab[10"), 8);
}

static void tcp_obj(struct feed *f, uint64_t id, unsigned int port, unsigned int peer)
{
	struct ev_obj o = obj_make(MECH_TCP, id, T0);

	o.hdr.flags = OBJF_CONNECTED | OBJF_SEQ;
	o.laddr = addr4("127.0.0.1", port);
	o.raddr = addr4("127.0.0.1", peer);
	o.snd_seq = o.rcv_seq = 1000;
	feed_obj(f, &o);
}

static void tcp_op(struct feed *f, enum ipcspy_op kind, uint64_t id, uint32_t pid)
{
	struct ev_op op = op_make(MECH_TCP, kind, id, pid, T0 + id, T0 + id + 10, 10);

	op.hdr.flags |= OPF_SEQ;
	op.seq = 1010;
	feed_op(f, &op);
}

/* The server's port may be the lower or the higher one. */
static void test_connections_of_a_server(void **state)
{
	static const unsigned int ports[] = {80, 60000};
	struct feed *f = *state;
	const char *text;

	feed_proc(f, 100, "ab");
	for (uint64_t k = 0; k < 2; k++) {
		for (uint64_t i = 0; i < 7; i++) {
			uint64_t id = 1 + 2 * i + 100 * k;

			tcp_obj(f, id, 40000 + (unsigned int)i, ports[k]);
			tcp_obj(f, id + 1, ports[k], 40000 + (unsigned int)i);
			tcp_op(f, OP_SEND, id, 100);
			tcp_op(f, OP_RECV, id + 1, SERVER);
		}
	}
	close_all(f);
	text = report(f, SOME);
	assert_said(text, "tcp:*<->127.0.0.1:80 (7 connections)", true);
	assert_said(text, "tcp:127.0.0.1:60000<->* (7 connections)", true);
	assert_said(text, "40003", false);
	assert_int_equal(count(report(f, ALL), "40003"), 2);
}

static void test_a_handful_is_not_merged(void **state)
{
	struct feed *f = *state;

	clients(f, 5);
	feed_proc(f, 200, "wrk");
	feed_pipe(f, 6);
	feed_send(f, MECH_PIPE, 6, 200, T0 + 900, T0 + 910, 100);
	feed_recv(f, MECH_PIPE, 6, SERVER, T0 + 900, T0 + 920, 100);
	close_all(f);
	assert_int_equal(count(report(f, SOME), "ab[10"), 5);
}

static void test_hollow_channels_are_counted(void **state)
{
	struct feed *f = *state;
	const char *text;

	for (uint64_t i = 1; i <= 3; i++) {
		feed_pipe(f, i);
		feed_recv(f, MECH_PIPE, i, SERVER, T0 + i, T0 + i + 5, 0);
	}
	assert_said(report(f, SOME), "carried nothing", false); /* still open */
	close_all(f);
	text = report(f, SOME);
	assert_said(text, "closed and carried nothing: 3 pipe (-v shows them)", true);
	assert_said(text, "CHANNELS without", false);
	text = report(f, ALL);
	assert_said(text, "carried nothing", false);
	assert_int_equal(count(text, "nginx[12] received"), 3);
}

/* Who waited at one for a moment says nothing; who did so for long may be what is looked for. */
static void test_hollow_channels_and_waits(void **state)
{
	struct ev_op op = op_make(MECH_PIPE, OP_RECV, 1, SERVER, T0, T0 + SEC, 0);
	struct feed *f = *state;

	feed_pipe(f, 1);
	op.blocked_ns = SEC / 20;
	feed_raw(f, &op);
	close_all(f);
	assert_said(report(f, SOME), "closed and carried nothing: 1 pipe", true);
	feed_pipe(f, 2);
	op.chan = 2;
	op.blocked_ns = SEC / 5;
	feed_raw(f, &op);
	close_all(f);
	assert_said(report(f, SOME), "CHANNELS without", true);
	assert_said(report(f, SOME), "Closed, and carried nothing: 1 pipe", true);
}

static void test_blocked_time_of_a_lonely_sender(void **state)
{
	struct ev_op op = op_make(MECH_PIPE, OP_SEND, 1, SERVER, T0, T0 + 3 * SEC, 65536);
	struct feed *f = *state;

	feed_pipe(f, 1);
	op.blocked_ns = 2830 * MS;
	feed_op(f, &op);
	assert_said(report(f, SOME), "nginx[12] sent 64.0 KiB (blocked 2.83 s)", true);
}

/* A message need not have bytes. */
static void test_messages_of_a_lonely_sender(void **state)
{
	struct ev_obj o = obj_make(MECH_POSIX_MQ, 1, T0);
	struct feed *f = *state;

	feed_obj(f, &o);
	for (uint64_t i = 1; i <= 3; i++)
		feed_send(f, MECH_POSIX_MQ, 1, SERVER, T0 + i, T0 + i + 1, 0);
	assert_said(report(f, SOME), "nginx[12] sent 3 msg", true);
}

/* One who cannot send and has not been able to since is stalled, and that is told once. */
static void test_stalled_until_now(void **state)
{
	struct feed *f = *state;

	feed_proc(f, 100, "one");
	feed_proc(f, 101, "two");
	feed_pipe(f, 1);
	for (uint32_t i = 0; i < 2; i++) {
		feed_send(f, MECH_PIPE, 1, SERVER, T0 + i * 100, T0 + i * 100 + 10, 5);
		feed_recv(f, MECH_PIPE, 1, 100 + i, T0 + i * 100, T0 + i * 100 + 20, 5);
	}
	feed_send(f, MECH_PIPE, 1, SERVER, T0 + SEC, T0 + SEC, -11);
	assert_int_equal(model_advance(f->m, T0 + 8 * SEC), 0);
	assert_int_equal(count(report(f, SOME), "  7.00 s  "), 1);
}

/* What is the channel's own is not behind the rows of a group. */
static void test_own_facts_come_first(void **state)
{
	const struct ev_pass e = {
		.hdr = {.kind = EV_PASS,
			.len = sizeof(e),
			.pid = SERVER,
			.tid = SERVER,
			.flags = PASSF_GETFD | PASSF_TARGET,
			.ts_ns = T0 + 10},
		.chan = 1,
		.cnt = 1,
		.from = 100,
		.mech = MECH_POSIX_MQ,
	};
	struct ev_obj o = obj_make(MECH_POSIX_MQ, 1, T0);
	struct feed *f = *state;
	const char *text;

	o.vals[0] = 77; /* message_max_bytes */
	feed_proc(f, 100, "giver");
	feed_obj(f, &o);
	feed_raw(f, &e);
	text = report(f, ALL);
	assert_said(text, ": ipc_ns 1, message_max_bytes 77", true);
	assert_true(strstr(text, "\n  passed: from 100") > strstr(text, "message_max_bytes 77"));
}

static void test_senders_come_before_idle_receivers(void **state)
{
	struct feed *f = *state;
	const char *text;

	for (uint32_t i = 1; i <= 7; i++) {
		feed_pipe(f, i);
		feed_proc(f, 100 + i, "idle");
	}
	feed_snap(f, 0, T0 + 9 * SEC);
	for (uint32_t i = 1; i <= 6; i++)
		feed_inflight(f, MECH_PIPE, OP_RECV, i, 100 + i, T0, T0 + 9 * SEC, 9 * SEC);
	feed_snap(f, SNAPF_END, T0 + 9 * SEC);
	text = report(f, SOME);
	assert_int_equal(count(text, "9.00 s  read"), 6); /* nothing is more important */
	feed_snap(f, 0, T0 + 10 * SEC);
	for (uint32_t i = 1; i <= 6; i++)
		feed_inflight(f, MECH_PIPE, OP_RECV, i, 100 + i, T0, T0 + 10 * SEC, 10 * SEC);
	feed_inflight(f, MECH_PIPE, OP_SEND, 7, SERVER, T0 + 8 * SEC, T0 + 10 * SEC, 2 * SEC);
	feed_snap(f, SNAPF_END, T0 + 10 * SEC);
	text = report(f, SOME);
	assert_said(text, "And 6 that wait for data (-v shows them).", true);
	assert_said(text, "10.0 s  read", false);
	text = report(f, ALL);
	assert_said(text, "wait for data", false);
	assert_int_equal(count(text, "10.0 s  read"), 6);
	assert_true(strstr(text, "idle[101]") > strstr(text, "nginx[12]"));
}

/* It is the receiver's, not that of each flow. */
static void test_blocked_time_is_told_once(void **state)
{
	struct feed *f = *state;
	struct ev_op op;

	feed_proc(f, 100, "one");
	feed_proc(f, 101, "two");
	feed_pipe(f, 1);
	for (uint32_t i = 0; i < 2; i++) {
		uint64_t t = T0 + i * SEC;

		feed_send(f, MECH_PIPE, 1, 100 + i, t + 777 * MS, t + 777 * MS + 10, 5);
		op = op_make(MECH_PIPE, OP_RECV, 1, SERVER, t, t + 777 * MS + 20, 5);
		op.blocked_ns = 777 * MS;
		feed_op(f, &op);
	}
	assert_int_equal(count(report(f, SOME), "1.55 s"), 1);
}

static void test_silent_is_not_idle(void **state)
{
	struct feed *f = *state;

	feed_proc(f, 100, "one");
	feed_pipe(f, 1);
	for (uint64_t i = 1; i <= 20; i++) {
		feed_send(f, MECH_PIPE, 1, 100, T0 + i * MS, T0 + i * MS + 10, 5);
		feed_recv(f, MECH_PIPE, 1, SERVER, T0 + i * MS, T0 + i * MS + 20, 5);
	}
	assert_int_equal(model_advance(f->m, T0 + 60 * SEC), 0);
	assert_said(report(f, SOME), "idle", true);
	feed_snap(f, 0, T0 + 61 * SEC);
	feed_inflight(f, MECH_PIPE, OP_RECV, 1, SERVER, T0 + SEC, T0 + 61 * SEC, 60 * SEC);
	feed_snap(f, SNAPF_END, T0 + 61 * SEC);
	assert_said(report(f, SOME), "silent", true);
	assert_said(report(f, SOME), "idle", false);
}

static void test_verdict_needs_a_basis(void **state)
{
	struct feed *f = *state;
	const struct flow *flow;

	feed_proc(f, 100, "one");
	feed_pipe(f, 1);
	for (uint64_t i = 1; i <= 10; i++) {
		feed_send(f, MECH_PIPE, 1, 100, T0 + i * MS, T0 + i * MS + 10, 5);
		feed_recv(f, MECH_PIPE, 1, SERVER, T0 + i * MS, T0 + i * MS + 20, 5);
		assert_int_equal(model_advance(f->m, T0 + i * MS + 30), 0);
		flow = feed_flow(f, NULL, 100, SERVER);
		assert_int_equal(verdict_has_basis(f->m, flow), i == 10);
	}
}

static void assert_cut(const char *s, size_t width, unsigned int flags, const char *want)
{
	const struct text_style style = {.ascii = true};
	struct strbuf sb;

	strbuf_init(&sb);
	assert_true(cut_put(&sb, &style, s, strlen(s), width, flags) <= width);
	assert_string_equal(sb.s, want);
	assert_true(strlen(sb.s) <= width);
	strbuf_fini(&sb);
}

static void test_what_tells_rows_apart_stays(void **state)
{
	static const char addr[] = "tcp:10.11.12.13:40000<->10.11.12.14:8080";

	(void)state;
	assert_cut(addr, 40, CUT_ADDR, addr);
	assert_cut(addr, 24, CUT_ADDR, "tc~13:40000<->10~14:8080");
	assert_cut("tcp:[::1]:1<->10.11.12.14:8080", 28, CUT_ADDR, "tcp:[::1]:1<->10.1~2.14:8080");
	assert_cut(addr, 10, CUT_ADDR, "tcp:1~8080");
	assert_cut("pipe:[123456789]", 8, CUT_ADDR, "pipe~89]");
	assert_cut("systemd-journald[1234567]", 14, CUT_COMM, "sy~ld[1234567]");
	assert_cut("10.11.12.14:8080", 8, CUT_COMM, "10.1~080");
	assert_cut("a[1] sent 1 B, b[2] sent 2 B, c[3] sent 3 B", 24, CUT_LIST,
		   "a[1] sent 1 B, 2 more");
	assert_cut("a[1], b[2], c[3], 4 more", 20, CUT_LIST, "a[1], b[2], 5 more");
	assert_cut("averylongname[1], b[2]", 18, CUT_LIST, "avery~e[1], 1 more");
	assert_cut("a[1], b[2]", 3, CUT_LIST, "a~]");
}

/* Whatever stands there, and however little room there is. */
static void test_no_cut_is_too_wide(void **state)
{
	static const char *const texts[] = {"tcp:a:1<->b:2",
					    "<->",
					    ":<->:",
					    "a[",
					    "[",
					    ", , , ,",
					    "x, 3 more, 18446744073709551615 more",
					    "a:b:c<->d<->e:"};
	static const unsigned int flags[] = {0, CUT_ADDR, CUT_COMM, CUT_LIST};
	const struct text_style style = {.ascii = true};
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (size_t k = 0; k < 4 * 40; k++) {
			size_t n;

			strbuf_reset(&sb);
			n = cut_put(&sb, &style, texts[i], strlen(texts[i]), k / 4, flags[k % 4]);
			assert_int_equal(n, sb.len);
			assert_true(n <= k / 4);
		}
	}
	strbuf_fini(&sb);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_many_alike_are_one_row),
		T(test_connections_of_a_server),
		T(test_a_handful_is_not_merged),
		T(test_hollow_channels_are_counted),
		T(test_hollow_channels_and_waits),
		T(test_blocked_time_of_a_lonely_sender),
		T(test_messages_of_a_lonely_sender),
		T(test_stalled_until_now),
		T(test_own_facts_come_first),
		T(test_senders_come_before_idle_receivers),
		T(test_blocked_time_is_told_once),
		T(test_silent_is_not_idle),
		T(test_verdict_needs_a_basis),
		cmocka_unit_test(test_what_tells_rows_apart_stays),
		cmocka_unit_test(test_no_cut_is_too_wide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
