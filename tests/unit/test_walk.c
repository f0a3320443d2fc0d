// SPDX-License-Identifier: BSD-2-Clause
/* What is in a report: what a target has to do with, and who else is there. */
#include "feed.h"

#include <string.h>

#include "analysis/blame.h"
#include "export/report.h"
#include "export/walk.h"

#define TARGET   10
#define PEER     20
#define STRANGER 30
#define FRIEND   40 /* of the stranger */

static void proc(struct feed *f, uint32_t pid, uint32_t flags)
{
	struct ev_proc p = {
		.hdr = {.kind = EV_PROC, .len = sizeof(p), .pid = pid, .tid = pid, .flags = flags},
		.start_ns = pid,
		.comm = "p",
	};

	feed_raw(f, &p);
}

static int setup(void **state)
{
	static struct feed f;

	feed_init(&f);
	proc(&f, TARGET, PROCF_TARGET);
	proc(&f, PEER, 0);
	proc(&f, STRANGER, 0);
	proc(&f, FRIEND, 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	feed_fini(*state);
	return 0;
}

static void move(struct feed *f, enum ipcspy_op kind, uint64_t id, uint32_t pid, uint64_t exit_ns)
{
	struct ev_op op = op_make(MECH_PIPE, kind, id, pid, T0, exit_ns, 5);

	op.hdr.flags &= ~(uint32_t)OPF_TARGET; /* whose pids were described as targets, still are */
	feed_op(f, &op);
}

/* One message each way, over two pipes. */
static void talk(struct feed *f, uint64_t id, uint32_t a, uint32_t b)
{
	feed_pipe(f, id);
	feed_pipe(f, id + 1);
	move(f, OP_SEND, id, a, T0 + 10);
	move(f, OP_RECV, id, b, T0 + 20);
	move(f, OP_SEND, id + 1, b, T0 + 40);
	move(f, OP_RECV, id + 1, a, T0 + 50);
}

static void expect(const struct feed *f, size_t chans, size_t flows, size_t convs, size_t procs)
{
	struct walk c = WALK_INIT, fl = WALK_INIT, v = WALK_INIT, p = WALK_INIT;

	assert_int_equal(walk_chans(&c, f->m), 0);
	assert_int_equal(walk_flows(&fl, f->m, FLOWS_BY_CHAN), 0);
	assert_int_equal(walk_conversations(&v, f->m), 0);
	assert_int_equal(walk_procs(&p, f->m), 0);
	assert_int_equal(c.cnt, chans);
	assert_int_equal(fl.cnt, flows);
	assert_int_equal(v.cnt, convs);
	assert_int_equal(p.cnt, procs);
	walk_fini(&c);
	walk_fini(&fl);
	walk_fini(&v);
	walk_fini(&p);
}

static void test_strangers_are_left_out(void **state)
{
	struct feed *f = *state;

	talk(f, 1, TARGET, PEER);
	expect(f, 2, 2, 1, 2);
	talk(f, 3, STRANGER, FRIEND);
	expect(f, 2, 2, 1, 2);
	/* Who was described and did nothing is not there, unless it is a target. */
	proc(f, 11, PROCF_TARGET);
	expect(f, 2, 2, 1, 3);
}

/* A target that only holds a descriptor makes it its business, with all who are there. */
static void test_held_by_target(void **state)
{
	struct feed *f = *state;

	talk(f, 3, STRANGER, FRIEND);
	expect(f, 0, 0, 0, 1);
	feed_snap(f, SNAPF_HOLDS, T0 + 100);
	feed_hold(f, 3, TARGET, HOLDF_READ);
	feed_hold(f, 3, PEER, HOLDF_READ);
	feed_snap(f, SNAPF_HOLDS | SNAPF_END, T0 + 110);
	expect(f, 1, 1, 1, 4);
}

/* Strangers that wait for each other are nobody's culprits. */
static void test_no_foreign_culprit(void **state)
{
	struct ev_op op = op_make(MECH_PIPE, OP_RECV, 1, 0, T0 + SEC, T0 + 5 * SEC, 5);
	struct feed *f = *state;
	struct blame_table t;

	for (uint32_t target = 0; target < 2; target++) {
		talk(f, 1 + 2 * target, target ? TARGET : STRANGER, FRIEND);
		op.chan = 2 + 2 * target;
		op.hdr.pid = op.hdr.tid = target ? TARGET : STRANGER;
		op.hdr.flags &= ~(uint32_t)OPF_TARGET;
		op.blocked_ns = 4 * SEC;
		feed_op(f, &op);
		assert_int_equal(blame_table_init(&t, f->blame, f->m), 0);
		assert_int_equal(t.cnt, target);
		if (target)
			assert_int_equal(t.rows[0].proc->pid, FRIEND);
		blame_table_fini(&t);
	}
}

/* Closed channels of both kinds do not end up in one row. */
static void test_folded_apart(void **state)
{
	const struct model_opts opts = {.start_ns = T0, .keep_closed = 1};
	struct feed *f = *state;

	feed_fini(f);
	feed_init_opts(f, &opts);
	proc(f, TARGET, PROCF_TARGET);
	for (uint32_t pid = 11; pid < 21; pid++) {
		proc(f, pid, 0);
		talk(f, pid * 2, pid % 2 ? TARGET : STRANGER, pid);
		feed_pipe(f, pid * 2);
	}
	feed_snap(f, SNAPF_HOLDS, T0 + SEC);
	feed_snap(f, SNAPF_HOLDS | SNAPF_END, T0 + SEC);
	list_for_each (c, model_chans(f->m), struct chan, in_model)
		if (c->folded)
			assert_int_equal(c->folded, c->touched_by_target ? 10 : 9);
}

/* That a pid has a new owner says that the old one ended, and not how. */
static void test_exit_code_unknown(void **state)
{
	const struct report_info info = {.host = "h", .kernel = "k", .arch = "a", .filter = "f"};
	struct feed *f = *state;
	struct sink out;
	struct json j;

	talk(f, 1, TARGET, PEER);
	feed_proc_start(f, PEER, "next", T0);
	feed_exit(f, TARGET, T0 + SEC);
	sink_init_mem(&out);
	json_init(&j, &out, 0);
	assert_int_equal(report_json(&j, NULL, &info, f->m), 0);
	assert_non_null(strstr(out.buf.s, "\"target\":false,\"exited\":true,\"exit_code\":null"));
	assert_non_null(strstr(out.buf.s, "\"target\":true,\"exited\":true,\"exit_code\":0"));
	sink_fini(&out);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_strangers_are_left_out), T(test_held_by_target),
		T(test_no_foreign_culprit),     T(test_folded_apart),
		T(test_exit_code_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
