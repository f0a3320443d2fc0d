// SPDX-License-Identifier: BSD-2-Clause
/* The parts of a report that need no model: table layout and message lines. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "export/messages.h"
#include "export/report.h"
#include "export/walk.h"
#include "feed.h"
#include "model/class.h"
#include "view/table.h"

struct row {
	const char *name, *number, *extra;
};

static enum style cell_name(struct strbuf *cell, const void *row, const void *arg)
{
	text_put(cell, arg, ((const struct row *)row)->name);
	return STYLE_NONE;
}

static enum style cell_number(struct strbuf *cell, const void *row, const void *arg)
{
	text_put(cell, arg, ((const struct row *)row)->number);
	return STYLE_BAD;
}

static enum style cell_extra(struct strbuf *cell, const void *row, const void *arg)
{
	text_put(cell, arg, ((const struct row *)row)->extra);
	return STYLE_NONE;
}

static const struct column cols[] = {
	{"NAME", ALIGN_LEFT, 9, false, cell_name},
	{"NUMBER", ALIGN_RIGHT, 0, false, cell_number},
	{"EXTRA", ALIGN_LEFT, 0, false, cell_extra},
};

#define COLS (sizeof(cols) / sizeof(cols[0]))

static void assert_table(struct text_style style, const struct row *r, const char *expected)
{
	const void *rows[] = {r};
	struct sink out;

	sink_init_mem(&out);
	assert_int_equal(table_print(&out, &style, cols, COLS, rows, r ? 1 : 0, &style), 0);
	assert_string_equal(out.buf.s, expected);
	sink_fini(&out);
}

static void one_line_when_it_fits(void **state)
{
	static const struct row row = {"a", "12", "more"};

	(void)state;
	assert_table((struct text_style){.width = 80}, &row,
		     "NAME  NUMBER  EXTRA\n"
		     "a         12  more\n");
	assert_table((struct text_style){.width = 80}, NULL, "NAME  NUMBER  EXTRA\n");
}

static void long_names_lose_their_middle(void **state)
{
	static const struct row row = {"0123456789012345678901234567890123456789", "12", "x"};

	(void)state;
	assert_table((struct text_style){.width = 40}, &row,
		     "NAME                       NUMBER  EXTRA\n"
		     "012345678901…890123456789      12  x\n");
}

static void narrow_tables_take_more_lines(void **state)
{
	static const struct row row = {"0123456789", "123456", "a long extra text, 29 columns"};
	static const struct row long_row = {"0123456789", "123456",
					    "a text of no less than 39 columns......"};

	(void)state;
	assert_table((struct text_style){.width = 45}, &row,
		     "NAME        NUMBER\n"
		     "  EXTRA\n"
		     "0123456789  123456\n"
		     "  a long extra text, 29 columns\n");
	assert_table((struct text_style){.width = 40}, &long_row,
		     "NAME        NUMBER\n"
		     "  EXTRA\n"
		     "0123456789  123456\n"
		     "  a text of no less t…n 39 columns......\n");
}

static void idle_columns_are_left_out(void **state)
{
	static const struct column some[] = {
		{"NAME", ALIGN_LEFT, 0, false, cell_name},
		{"NUMBER", ALIGN_RIGHT, 0, true, cell_number},
		{"EXTRA", ALIGN_LEFT, 0, true, cell_extra},
	};
	static const struct row one = {"-", "-", "-"}, two = {"-", "-", "+"};
	const struct text_style style = {.width = 80};
	const void *rows[] = {&one, &two};
	struct sink out;

	(void)state;
	sink_init_mem(&out);
	assert_int_equal(table_print(&out, &style, some, COLS, rows, 2, &style), 0);
	assert_string_equal(out.buf.s, "NAME  EXTRA\n-     -\n-     +\n");
	sink_fini(&out);
}

static void no_line_is_too_wide(void **state)
{
	static const struct row row = {
		"a name that is quite long and even longer than that, up to here",
		"1234567890123456789012345678901234567890",
		"an extra that is longer than all the columns there are together"};
	static const struct column many[] = {
		{"NAME", ALIGN_LEFT, 9, false, cell_name},
		{"NUMBER", ALIGN_RIGHT, 0, false, cell_number},
		{"EXTRA", ALIGN_LEFT, 0, false, cell_extra},
		{"AGAIN", ALIGN_LEFT, 0, false, cell_name},
		{"LAST", ALIGN_RIGHT, 0, false, cell_number},
	};
	struct text_style style = {0};
	const void *rows[] = {&row};
	struct sink out;

	(void)state;
	sink_init_mem(&out);
	for (style.width = 0; style.width < 200; style.width++) {
		strbuf_reset(&out.buf);
		assert_int_equal(table_print(&out, &style, many, 5, rows, 1, &style), 0);
		for (const char *p = out.buf.s; *p; p = strchr(p, '\n') + 1) {
			size_t len = (size_t)(strchr(p, '\n') - p), width = 0;

			for (size_t i = 0; i < len; i++)
				width += (p[i] & 0xc0) != 0x80; /* the only wide one is the … */
			assert_true(width <= text_width(&style));
			assert_true(!len || p[len - 1] != ' ');
		}
	}
	sink_fini(&out);
}

static void colours_and_hostile_text(void **state)
{
	static const struct row row = {"\033[31m\n", "7", "caf\xc3\xa9 \xff"};

	(void)state;
	assert_table((struct text_style){.width = 80, .colour = true}, &row,
		     "\033[1mNAME\033[0m        \033[1mNUMBER\033[0m  \033[1mEXTRA\033[0m\n"
		     "\\x1b[31m\\n       \033[31m7\033[0m  café \\xff\n");
	assert_table((struct text_style){.width = 80, .ascii = true}, &row,
		     "NAME        NUMBER  EXTRA\n"
		     "\\x1b[31m\\n       7  caf\\xc3\\xa9 \\xff\n");
}

static void cut_counts_columns_not_bytes(void **state)
{
	/* two columns each */
	const char *wide = "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2";
	struct text_style style = {.width = 80};
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	assert_int_equal(text_put_cut(&sb, &style, wide, 12, 8), 8);
	assert_string_equal(sb.s, wide);
	strbuf_reset(&sb);
	assert_int_equal(text_put_cut(&sb, &style, wide, 12, 7), 7);
	assert_string_equal(sb.s, "\xe6\xbc\xa2\xe6\xbc\xa2…\xe6\xbc\xa2");
	strbuf_reset(&sb);
	assert_int_equal(text_put_cut(&sb, &style, wide, 12, 2), 1);
	assert_string_equal(sb.s, "…");
	strbuf_reset(&sb);
	style.ascii = true;
	assert_int_equal(text_put_cut(&sb, &style, "0123456789", 10, 5), 5);
	assert_string_equal(sb.s, "01~89");
	strbuf_fini(&sb);
}

static struct proc sender = {.pid = 12, .comm = "tar"}, receiver = {.pid = 13, .comm = "g\"z\n"};
static struct chan pipe_chan = {.id = 3, .mech = MECH_PIPE, .name = (char *)"pipe:[77]"};
static const struct party local_src = {.proc = &sender}, local_dst = {.proc = &receiver};
static const struct party remote = {.addr = (char *)"10.0.0.5:443"}, unknown = {0};
static const struct party terminal = {.addr = (char *)"terminal", .here = true};

static struct message message_between(const struct party *src, const struct party *dst)
{
	return (struct message){.recv_ns = 5001234567,
				.chan = &pipe_chan,
				.src = src,
				.dst = dst,
				.src_tid = src->proc ? 12 : 0,
				.dst_tid = dst->proc ? 14 : 0,
				.bytes = 4096,
				.latency_ns = 12345,
				.recv_blocked_ns = 1000000,
				.backlog = 512,
				.timed = src->proc && dst->proc};
}

static void assert_jsonl(const struct message *msg, const char *expected)
{
	struct sink out;

	sink_init_mem(&out);
	assert_int_equal(message_jsonl(&out, msg, 5000000000), 0);
	assert_string_equal(out.buf.s, expected);
	sink_fini(&out);
}

static void message_as_json(void **state)
{
	struct message msg = message_between(&local_src, &local_dst);

	(void)state;
	assert_jsonl(
		&msg,
		"{\"t_ns\":1234567,\"mechanism\":\"pipe\",\"channel\":3,\"name\":\"pipe:[77]\","
		"\"src_pid\":12,\"src_tid\":12,\"src_comm\":\"tar\","
		"\"dst_pid\":13,\"dst_tid\":14,\"dst_comm\":\"g\\\"z\\n\","
		"\"bytes\":4096,\"latency_ns\":12345,\"send_blocked_ns\":0,"
		"\"recv_blocked_ns\":1000000,\"backlog\":512}\n");
	msg = message_between(&remote, &local_dst);
	assert_jsonl(
		&msg,
		"{\"t_ns\":1234567,\"mechanism\":\"pipe\",\"channel\":3,\"name\":\"pipe:[77]\","
		"\"src_addr\":\"10.0.0.5:443\","
		"\"dst_pid\":13,\"dst_tid\":14,\"dst_comm\":\"g\\\"z\\n\","
		"\"bytes\":4096,\"latency_ns\":null,\"send_blocked_ns\":0,"
		"\"recv_blocked_ns\":1000000,\"backlog\":512}\n");
	msg = message_between(&local_src, &unknown);
	assert_jsonl(
		&msg,
		"{\"t_ns\":1234567,\"mechanism\":\"pipe\",\"channel\":3,\"name\":\"pipe:[77]\","
		"\"src_pid\":12,\"src_tid\":12,\"src_comm\":\"tar\","
		"\"dst_pid\":0,\"dst_tid\":0,\"dst_comm\":\"?\","
		"\"bytes\":4096,\"latency_ns\":null,\"send_blocked_ns\":0,"
		"\"recv_blocked_ns\":1000000,\"backlog\":512}\n");
	msg = message_between(&terminal, &local_dst);
	msg.timed = true;
	msg.what = "SIGINT";
	assert_jsonl(
		&msg,
		"{\"t_ns\":1234567,\"mechanism\":\"pipe\",\"channel\":3,\"name\":\"pipe:[77]\","
		"\"src_kind\":\"terminal\","
		"\"dst_pid\":13,\"dst_tid\":14,\"dst_comm\":\"g\\\"z\\n\","
		"\"bytes\":4096,\"latency_ns\":12345,\"send_blocked_ns\":0,"
		"\"recv_blocked_ns\":1000000,\"backlog\":512,\"what\":\"SIGINT\"}\n");
}

static void message_as_text(void **state)
{
	struct message msg = message_between(&local_src, &local_dst);
	struct sink out;

	(void)state;
	sink_init_mem(&out);
	assert_int_equal(message_text_head(&out, 0, false), 0);
	assert_int_equal(message_text(&out, &msg, 5000000000, 0, false), 0);
	msg = message_between(&remote, &unknown);
	assert_int_equal(message_text(&out, &msg, 6000000000, 0, false), 0);
	msg = message_between(&terminal, &local_dst);
	msg.what = "SIGINT";
	assert_int_equal(message_text(&out, &msg, 5000000000, 0, false), 0);
	assert_string_equal(
		out.buf.s,
		"      TIME s MECHANISM         ID SENDER                RECEIVER                 "
		"BYTES  LATENCY us SEND BLKD us RECV BLKD us  BACKLOG CHANNEL\n"
		"    0.001234 pipe               3 tar[12]               g\"z\\n[13]               "
		"  "
		"4096        12.3          0.0       1000.0      512 pipe:[77]\n"
		"    0.000000 pipe               3 10.0.0.5:443          ?                         "
		"4096           -          0.0       1000.0      512 pipe:[77]\n"
		"    0.001234 pipe               3 terminal              g\"z\\n[13]               "
		"  "
		"4096           -          0.0       1000.0      512 pipe:[77] SIGINT\n");
	strbuf_reset(&out.buf);
	assert_int_equal(message_text_head(&out, 40, false), 0);
	assert_int_equal(message_text(&out, &msg, 5000000000, 40, false), 0);
	assert_int_equal(message_text(&out, &msg, 5000000000, 40, true), 0);
	assert_string_equal(out.buf.s, "      TIME s MECHANISM         ID SENDE…\n"
				       "    0.001234 pipe               3 termi…\n"
				       "    0.001234 pipe               3 termi~\n");
	sink_fini(&out);
}

static void message_from_outside(void **state)
{
	struct proc far = {.pid = 102 | PID_OUTSIDE, .comm = "far"};
	const struct party src = {.proc = &far};
	struct message msg = message_between(&src, &local_dst);
	struct sink out;

	(void)state;
	sink_init_mem(&out);
	assert_int_equal(message_text(&out, &msg, 5000000000, 0, false), 0);
	assert_non_null(strstr(out.buf.s, " far[outside:102] "));
	sink_fini(&out);
}

static void status_as_a_shell_tells_it(void **state)
{
	(void)state;
	assert_int_equal(status_as_shell(W_EXITCODE(3, 0)), 3);
	assert_int_equal(status_as_shell(W_EXITCODE(0, 9)), 137);
}

static void blocked_time_is_never_negative(void **state)
{
	struct inflight i = {.enter_ns = 100, .seen_ns = 350};

	(void)state;
	assert_int_equal(blocked_for_ns(&i), 250);
	i.seen_ns = 50;
	assert_int_equal(blocked_for_ns(&i), 0);
}

static void expect_state(struct feed *f, uint32_t pid, const char *state)
{
	struct states states;

	assert_int_equal(states_init(&states, f->m), 0);
	assert_string_equal(proc_state(&states, model_proc_by_pid(f->m, pid)), state);
	states_fini(&states);
}

/* A thread of pid 2 beside its first one, which is in an operation. */
static void look_at_two(struct feed *f, enum ipcspy_op op, enum ipcspy_why why)
{
	struct ev_task other = task_make(2, 3, 'S', why, 0, T0, T0 + SEC);

	feed_snap(f, 0, T0 + SEC);
	feed_inflight(f, op == OP_WAIT ? MECH_NONE : MECH_PIPE, op, op != OP_WAIT, 2, T0, T0 + SEC,
		      SEC);
	feed_task(f, 2, 'S', WHY_NONE, 0, T0, T0 + SEC);
	if (why != WHY_NONE)
		feed_raw(f, &other);
	feed_snap(f, SNAPF_END, T0 + SEC);
}

static void states_of_processes(void **state)
{
	struct feed f;

	(void)state;
	feed_init(&f);
	for (uint32_t pid = 1; pid <= 4; pid++)
		feed_proc(&f, pid, "p");
	feed_pipe(&f, 1);
	feed_exit(&f, 4, T0);
	/* no task of it is told of */
	feed_snap(&f, 0, T0 + SEC);
	feed_inflight(&f, MECH_PIPE, OP_SEND, 1, 1, T0, T0 + SEC, SEC);
	feed_inflight(&f, MECH_NONE, OP_WAIT, 0, 2, T0, T0 + SEC, SEC);
	feed_snap(&f, SNAPF_END, T0 + SEC);
	expect_state(&f, 1, "blocked");
	expect_state(&f, 2, "waiting");
	expect_state(&f, 3, "unknown");
	expect_state(&f, 4, "exited");
	/* now they are: one polls, the other does something else */
	look_at_two(&f, OP_WAIT, WHY_NONE);
	expect_state(&f, 1, "unknown");
	expect_state(&f, 2, "waiting");
	look_at_two(&f, OP_WAIT, WHY_SLEEP);
	expect_state(&f, 2, "asleep");
	look_at_two(&f, OP_WAIT, WHY_CHILD);
	expect_state(&f, 2, "waits for a child");
	look_at_two(&f, OP_WAIT, WHY_STOPPED);
	expect_state(&f, 2, "stopped");
	look_at_two(&f, OP_RECV, WHY_DISK);
	expect_state(&f, 2, "in disk wait");
	look_at_two(&f, OP_RECV, WHY_SLEEP);
	expect_state(&f, 2, "blocked");
	feed_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line_when_it_fits),
		cmocka_unit_test(long_names_lose_their_middle),
		cmocka_unit_test(narrow_tables_take_more_lines),
		cmocka_unit_test(idle_columns_are_left_out),
		cmocka_unit_test(no_line_is_too_wide),
		cmocka_unit_test(colours_and_hostile_text),
		cmocka_unit_test(cut_counts_columns_not_bytes),
		cmocka_unit_test(message_as_json),
		cmocka_unit_test(message_as_text),
		cmocka_unit_test(message_from_outside),
		cmocka_unit_test(status_as_a_shell_tells_it),
		cmocka_unit_test(blocked_time_is_never_negative),
		cmocka_unit_test(states_of_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
