// SPDX-License-Identifier: BSD-2-Clause
/* What is asked of a moment takes eight times as long for eight times as much, not sixty-four. */
#include "feed.h"

#include <stdio.h>
#include <time.h>

#include "analysis/blame.h"
#include "analysis/chain.h"
#include "analysis/findings.h"
#include "export/report.h"
#include "scene.h"
#include "view/report_text.h"

#define FEW   4000 /* more than what caches hold in either case */
#define TIMES 8
#define AT_MOST                                                                          \
	(TIMES * TIMES / 2) /* of what is quadratic half; caches make it more than TIMES \
			     */
#define RUNS  3             /* the shortest counts */
#define TRIES 5             /* others use the caches, too: one that is fair is enough */

/* The clock of processors, not of the wall: others run here, too. */
static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * SEC + (uint64_t)ts.tv_nsec;
}

static void add_procs(struct feed *f, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++) {
		feed_proc(f, 1 + i, "p");
		model_proc_by_pid(f->m, 1 + i)->target = true;
	}
}

/* So many pairs, each over two full pipes. */
static void pairs(struct feed *f, uint32_t cnt)
{
	add_procs(f, 2 * cnt);
	scene_begin(f);
	for (uint32_t i = 0; i < cnt; i++) {
		uint32_t a = 1 + 2 * i, b = a + 1;

		scene_pipe(f, a, a, b);
		scene_pipe(f, b, b, a);
		scene_blocked(f, MECH_PIPE, OP_SEND, a, a);
		scene_blocked(f, MECH_PIPE, OP_SEND, b, b);
	}
	scene_end(f);
}

/* So many who read a pipe whose only write end is their own. */
static void leaks(struct feed *f, uint32_t cnt)
{
	add_procs(f, cnt);
	scene_begin(f);
	for (uint32_t i = 1; i <= cnt; i++) {
		scene_pipe(f, i, i, i);
		scene_blocked(f, MECH_PIPE, OP_RECV, i, i);
	}
	scene_end(f);
}

/* So many who are stopped, and one who waits for each. */
static void stopped(struct feed *f, uint32_t cnt)
{
	add_procs(f, 2 * cnt);
	scene_begin(f);
	for (uint32_t i = 0; i < cnt; i++) {
		uint32_t a = 1 + 2 * i;

		scene_pipe(f, a, a + 1, a);
		scene_blocked(f, MECH_PIPE, OP_RECV, a, a);
		scene_waits(f, a + 1, WHY_STOPPED, 0);
	}
	scene_end(f);
}

/* Each waits for the next, and the last one for nothing that is known. */
static void queue(struct feed *f, uint32_t cnt)
{
	add_procs(f, cnt);
	scene_begin(f);
	for (uint32_t i = 1; i < cnt; i++) {
		scene_pipe(f, i, i, i + 1);
		scene_blocked(f, MECH_PIPE, OP_SEND, i, i);
	}
	scene_waits(f, cnt, WHY_STOPPED, 0);
	scene_end(f);
}

/* Two processes of so many threads each, which wait for each other. */
static void threads(struct feed *f, uint32_t cnt)
{
	struct ev_task t = task_make(1, 0, 'S', WHY_NONE, 0, T0, SEEN);
	struct ev_inflight in = {.hdr = {.kind = EV_INFLIGHT,
					 .len = sizeof(in),
					 .flags = OPF_TARGET | OPF_ASLEEP,
					 .ts_ns = SEEN},
				 .enter_ns = T0,
				 .blocked_ns = SEEN - T0,
				 .op = OP_RECV,
				 .mech = MECH_PIPE};

	add_procs(f, 2);
	scene_begin(f);
	scene_pipe(f, 1, 1, 2);
	scene_pipe(f, 2, 2, 1);
	for (uint32_t i = 0; i < cnt; i++) {
		in.hdr.tid = t.hdr.tid = 10 + i;
		in.hdr.pid = t.hdr.pid = 1 + i % 2;
		in.chan = 1 + !(i % 2);
		feed_raw(f, &in);
		feed_raw(f, &t);
	}
	scene_end(f);
}

/* So many who wrote into one pipe that is closed. */
static void flows(struct feed *f, uint32_t cnt)
{
	add_procs(f, cnt + 1);
	feed_pipe(f, 1);
	for (uint32_t i = 2; i <= cnt + 1; i++) {
		feed_send(f, MECH_PIPE, 1, i, T0 + i * US, T0 + i * US + 10, 1);
		feed_recv(f, MECH_PIPE, 1, 1, T0 + i * US, T0 + i * US + 20, 1);
	}
	scene_begin(f);
	scene_end(f);
}

static void find(struct feed *f)
{
	struct findings found;

	assert_int_equal(findings_init_moment(&found, f->m), 0);
	assert_true(found.cnt > 0);
	findings_fini(&found);
}

static void blame(struct feed *f)
{
	struct blame_table t;

	assert_int_equal(blame_table_init(&t, f->blame, f->m), 0);
	assert_true(t.total_ns > 0);
	blame_table_fini(&t);
}

static void report(struct feed *f)
{
	const struct report_info info = {.host = "h", .kernel = "k", .arch = "a", .filter = "f"};
	const struct text_opts text = {.style = {.width = 100}, .max_rows = 100};
	struct sink out;
	struct json j;

	sink_init_mem(&out);
	json_init(&j, &out, 0);
	assert_int_equal(report_json(&j, NULL, &info, f->m), 0);
	assert_int_equal(report_text(&out, &text, &info, f->m), 0);
	sink_fini(&out);
}

static uint64_t shortest(void (*make)(struct feed *f, uint32_t cnt), uint32_t cnt,
			 void (*ask)(struct feed *f))
{
	uint64_t least = UINT64_MAX, begin, ns;
	struct feed f;

	feed_init(&f);
	make(&f, cnt);
	for (int i = 0; i < RUNS; i++) {
		begin = cpu_ns();
		ask(&f);
		ns = cpu_ns() - begin;
		least = ns < least ? ns : least;
	}
	feed_fini(&f);
	return least;
}

static void scales(const char *what, void (*make)(struct feed *f, uint32_t cnt),
		   void (*ask)(struct feed *f))
{
	uint64_t few = 0, many = 1;

	for (int i = 0; i < TRIES && many > AT_MOST * few; i++) {
		few = shortest(make, FEW, ask);
		many = shortest(make, FEW * TIMES, ask);
		print_message("%s: %.1f ms for %d, %.1f ms for %d\n", what, (double)few / 1e6, FEW,
			      (double)many / 1e6, FEW * TIMES);
	}
	assert_true(many <= AT_MOST * few);
}

static void test_deadlocks(void **state)
{
	(void)state;
	scales("deadlocks", pairs, find);
}

static void test_leaks(void **state)
{
	(void)state;
	scales("end-leaks", leaks, find);
}

static void test_stopped(void **state)
{
	(void)state;
	scales("stopped", stopped, find);
}

static void test_long_chain(void **state)
{
	(void)state;
	scales("one chain", queue, find);
}

static void test_blame(void **state)
{
	(void)state;
	scales("blame", pairs, blame);
}

static void test_threads(void **state)
{
	(void)state;
	scales("threads in a report", threads, report);
}

static void test_flows(void **state)
{
	(void)state;
	scales("flows in a report", flows, report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deadlocks), cmocka_unit_test(test_leaks),
		cmocka_unit_test(test_stopped),   cmocka_unit_test(test_long_chain),
		cmocka_unit_test(test_blame),     cmocka_unit_test(test_threads),
		cmocka_unit_test(test_flows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
