// SPDX-License-Identifier: BSD-2-Clause
/* Pseudoterminals: both ends one channel; bytes that arrive as they were sent, and others. */
#include "feed.h"

#include <string.h>

#define TERM 10 /* the terminal's program */
#define SH   20 /* the shell */

#define MASTER 0x101
#define SLAVE  0x102
#define COOKED (PTYF_CANONICAL | PTYF_ECHO | PTYF_OUTPUT | PTYF_SPECIAL)

static int setup(void **state)
{
	static struct feed f;

	feed_init(&f);
	feed_proc(&f, TERM, "term");
	feed_proc(&f, SH, "sh");
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	feed_fini(*state);
	return 0;
}

static void end(struct feed *f, uint64_t id, uint32_t mode, uint64_t ts_ns)
{
	struct ev_obj o = obj_make(MECH_PTY, id, ts_ns);

	o.hdr.flags = OBJF_BACKLOG;
	o.capacity = 0;
	o.peer = id ^ MASTER ^ SLAVE;
	o.vals[0] = (uint64_t)(mode | (id == MASTER ? PTYF_MASTER : 0)) << 32 | 3;
	o.vals[1] = SH;
	feed_obj(f, &o);
}

static void ends(struct feed *f, uint32_t mode)
{
	end(f, MASTER, mode, T0);
	end(f, SLAVE, mode, T0);
}

/* left: what is in that direction afterwards. */
static void pty_op(struct feed *f, enum ipcspy_op kind, uint32_t pid, uint64_t enter_ns,
		   uint64_t exit_ns, int len, uint32_t left, uint32_t mode)
{
	struct ev_op op =
		op_make(MECH_PTY, kind, pid == TERM ? MASTER : SLAVE, pid, enter_ns, exit_ns, len);

	op.hdr.flags |= OPF_SEQ | OPF_BACKLOG | (left ? 0 : OPF_EMPTY);
	op.seq = mode;
	op.backlog = left;
	feed_op(f, &op);
}

static void writes(struct feed *f, uint32_t pid, uint64_t at_ns, int len, uint32_t mode)
{
	pty_op(f, OP_SEND, pid, at_ns, at_ns + 10, len, (uint32_t)len, mode);
}

static void reads(struct feed *f, uint32_t pid, uint64_t at_ns, int len, uint32_t left,
		  uint32_t mode)
{
	pty_op(f, OP_RECV, pid, at_ns, at_ns + 10, len, left, mode);
}

static bool flow_is(const struct feed *f, uint32_t src, uint32_t dst, uint64_t messages,
		    uint64_t bytes)
{
	const struct flow *fl = feed_flow(f, NULL, src, dst);

	return fl && fl->messages == messages && fl->bytes == bytes;
}

struct wanted {
	const char *name;
	uint64_t value;
};

static void find_fact(void *arg, const struct fact *x)
{
	struct wanted *w = arg;

	if (!strcmp(x->name, w->name))
		w->value = x->text ? x->text == fact_yes : x->value;
}

static uint64_t fact(const struct feed *f, const char *name)
{
	struct wanted w = {name, UINT64_MAX};

	model_facts(f->m, feed_chan(f, 0), find_fact, &w);
	return w.value;
}

static void test_raw_both_ways(void **state)
{
	struct feed *f = *state;

	ends(f, 0);
	writes(f, TERM, T0 + 100, 10, 0);
	reads(f, SH, T0 + 200, 4, 6, 0);
	reads(f, SH, T0 + 300, 6, 0, 0);
	writes(f, SH, T0 + 400, 5, 0);
	reads(f, TERM, T0 + 500, 5, 0, 0);
	assert_int_equal(feed_chan_cnt(f), 1);
	assert_string_equal(feed_chan(f, 0)->name, "pty:/dev/pts/3");
	assert_true(flow_is(f, TERM, SH, 1, 10) && flow_is(f, SH, TERM, 1, 5));
	assert_true(feed_flow(f, NULL, TERM, SH)->paired[PAIR_EXACT] == 1);
	assert_non_null(list_first(model_conversations(f->m), struct conversation, in_model));
	assert_int_equal(fact(f, "foreground_pgrp"), SH);
	assert_int_equal(fact(f, "canonical"), 0);
}

/* Keys come one by one and are received with their line, the erased ones as well. */
static void test_line(void **state)
{
	struct feed *f = *state;

	ends(f, COOKED);
	for (uint64_t i = 0; i < 6; i++) /* a x DEL b c, end of line */
		writes(f, TERM, T0 + 100 * i, 1, COOKED);
	reads(f, SH, T0 + 550, 4, 0, COOKED);
	assert_true(flow_is(f, TERM, SH, 6, 6));
	assert_true(feed_flow(f, NULL, TERM, SH)->paired[PAIR_ASSUMED] == 6);
	assert_int_equal(fact(f, "canonical"), 1);
}

/* The write that ended the line returns after the read that it woke. */
static void test_line_overlap(void **state)
{
	struct feed *f = *state;

	ends(f, COOKED);
	writes(f, TERM, T0 + 100, 3, COOKED);
	pty_op(f, OP_RECV, SH, T0 + 50, T0 + 300, 2, 0, COOKED); /* two were erased */
	pty_op(f, OP_SEND, TERM, T0 + 200, T0 + 400, 1, 0, COOKED);
	assert_true(flow_is(f, TERM, SH, 2, 4));
}

/* The next line is begun while the last one is read to its end: it is no part of that. */
static void test_lines_in_a_row(void **state)
{
	struct feed *f = *state;

	ends(f, COOKED);
	writes(f, TERM, T0 + 100, 5, COOKED);
	pty_op(f, OP_SEND, TERM, T0 + 190, T0 + 300, 7, 7, COOKED);
	pty_op(f, OP_RECV, SH, T0 + 50, T0 + 200, 5, 0, COOKED);
	assert_true(flow_is(f, TERM, SH, 1, 5));
	reads(f, SH, T0 + 400, 7, 0, COOKED);
	assert_true(flow_is(f, TERM, SH, 2, 12));
	assert_int_equal(model_finish(f->m, T0 + SEC), 0);
	assert_int_equal(fact(f, "added_to_slave_bytes"), 0);
}

/* Echo and carriage returns are nobody's, and do not eat what is written afterwards. */
static void test_echo(void **state)
{
	struct feed *f = *state;

	ends(f, COOKED);
	reads(f, TERM, T0 + 100, 4, 0, COOKED);
	writes(f, SH, T0 + 200, 3, COOKED);
	reads(f, TERM, T0 + 300, 4, 0, COOKED);
	writes(f, SH, T0 + 400, 7, COOKED);
	writes(f, SH, T0 + 500, 2, COOKED);
	reads(f, TERM, T0 + 600, 11, 0, COOKED);
	assert_true(flow_is(f, SH, TERM, 3, 12));
	assert_int_equal(model_finish(f->m, T0 + SEC), 0);
	assert_int_equal(fact(f, "added_to_master_bytes"), 4 + 1 + 2);
	assert_int_equal(feed_chan(f, 0)->unpaired, 0);
}

/* The record of a write may come after that of the read which took it. */
static void test_read_first(void **state)
{
	struct feed *f = *state;

	ends(f, COOKED);
	reads(f, TERM, T0 + 100, 4, 0, COOKED); /* echo, which waits for a write, too */
	reads(f, TERM, T0 + 200, 9, 0, COOKED);
	pty_op(f, OP_SEND, SH, T0 + 150, T0 + 300, 8, 0, COOKED);
	assert_true(flow_is(f, SH, TERM, 1, 8));
	/* taken by bytes in excess of what it wrote: still received by the read that left nothing
	 */
	reads(f, SH, T0 + 400, 1, 0, COOKED);
	pty_op(f, OP_SEND, TERM, T0 + 350, T0 + 405, 5, 0, COOKED);
	assert_true(flow_is(f, TERM, SH, 1, 5));
}

/* Turned from raw to cooked: what is under way goes on. */
static void test_mode_changes(void **state)
{
	struct feed *f = *state;

	ends(f, 0);
	writes(f, TERM, T0 + 100, 10, 0);
	reads(f, SH, T0 + 200, 4, 6, COOKED);
	reads(f, SH, T0 + 300, 6, 0, COOKED);
	assert_true(flow_is(f, TERM, SH, 1, 10));
	writes(f, TERM, T0 + 400, 3, 0);
	reads(f, SH, T0 + 500, 3, 0, 0);
	assert_true(flow_is(f, TERM, SH, 2, 13));
	assert_true(feed_flow(f, NULL, TERM, SH)->paired[PAIR_ASSUMED] == 2);
	assert_int_equal(fact(f, "echo"), 0);
}

/* What was in it at attach has no sender. */
static void test_begins_full(void **state)
{
	struct feed *f = *state;
	struct ev_obj o = obj_make(MECH_PTY, SLAVE, T0);

	o.hdr.flags = OBJF_BACKLOG | OBJF_SNAPSHOT;
	o.peer = MASTER;
	o.backlog = 5;
	o.vals[0] = (uint64_t)COOKED << 32 | 3;
	feed_obj(f, &o);
	end(f, MASTER, COOKED, T0);
	writes(f, TERM, T0 + 100, 3, COOKED);
	reads(f, SH, T0 + 200, 4, 4, COOKED);
	assert_null(feed_flow(f, NULL, TERM, SH));
	reads(f, SH, T0 + 300, 4, 0, COOKED);
	assert_true(flow_is(f, TERM, SH, 1, 3));
	assert_int_equal(fact(f, "added_to_slave_bytes"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_raw_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(test_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_line_overlap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lines_in_a_row, setup, teardown),
		cmocka_unit_test_setup_teardown(test_echo, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mode_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_begins_full, setup, teardown),
	};

	return cmocka_run_group_tests_name("model: pty", tests, NULL, NULL);
}
