// SPDX-License-Identifier: BSD-2-Clause
/* Findings about what nobody uses any more, and about wake-ups that seem to be lost. */
#include "feed.h"

#include <string.h>

#include "analysis/findings.h"
#include "probe/ipcs.h"
#include "scene.h"

#define A 10
#define B 20

static struct findings found;

static void find(struct feed *f)
{
	scene_end(f);
	assert_int_equal(findings_init(&found, f->m, f->blame), 0);
}

/* The i-th finding. */
static void expect(size_t i, const char *kind, enum severity severity, const char *text)
{
	assert_true(i < found.cnt);
	assert_string_equal(found.v[i].kind, kind);
	assert_string_equal(severity_name(found.v[i].severity), severity_name(severity));
	if (!strstr(found.v[i].text, text))
		fail_msg("no '%s' in: %s", text, found.v[i].text);
}

static void expect_cnt(size_t cnt)
{
	assert_int_equal(found.cnt, cnt);
	findings_fini(&found);
}

static void test_orphans(void **state)
{
	struct feed *f = *state;

	feed_ipc(f, MECH_SYSV_MSG, 3, "", 0);
	feed_ipc(f, MECH_SYSV_SEM, 4, "", 0);
	feed_ipc(f, MECH_SYSV_SHM, 5, "", 0);
	feed_ipc(f, MECH_POSIX_MQ, 0, "q", 0);
	feed_ipc(f, MECH_SHM, 0, "left", 0);
	find(f);
	expect(0, "orphaned-ipc", SEVERITY_INFO,
	       "msg:0xab/3 stays although no process uses it, the last that did was 4711, and "
	       "keeps 1 message, 2.00 KiB: if nobody is to come back to it, `ipcrm -q 3` frees");
	expect(1, "orphaned-ipc", SEVERITY_INFO, "sem:0xab/4 stays");
	expect(1, "orphaned-ipc", SEVERITY_INFO, "`ipcrm -s 4`");
	expect(2, "orphaned-ipc", SEVERITY_INFO, "shm:0x000000ab/5 stays");
	expect(2, "orphaned-ipc", SEVERITY_INFO, "`ipcrm -m 5`");
	expect(3, "orphaned-ipc", SEVERITY_INFO, "`rm /dev/mqueue/q`");
	expect(4, "orphaned-ipc", SEVERITY_INFO, "`rm /dev/shm/left`");
	assert_string_equal(found.v[4].object->name, "/dev/shm/left");
	expect_cnt(5);
}

/* Nothing that a shell could take for something else is to be typed into it. */
static void test_hostile_name(void **state)
{
	struct feed *f = *state;

	feed_ipc(f, MECH_SHM, 0, "a;rm -rf ~", 0);
	find(f);
	expect(0, "orphaned-ipc", SEVERITY_INFO, "/dev/shm/a;rm -rf ~ stays");
	expect(0, "orphaned-ipc", SEVERITY_INFO, ", to remove it frees it.");
	assert_null(strchr(found.v[0].text, '`'));
	expect_cnt(1);
}

static void test_used(void **state)
{
	struct feed *f = *state;

	feed_ipc(f, MECH_SYSV_MSG, 3, "", 1);
	feed_ipc(f, MECH_SHM, 0, "used", 2);
	find(f);
	expect_cnt(0);
}

/* Its last users have ended, and another has come to wait at it. */
static void test_waited_at(void **state)
{
	struct ev_obj o = obj_make(MECH_SYSV_MSG, 1, T0);
	struct feed *f = *state;

	o.vals[0] = 0xabull << 32 | 3;
	feed_obj(f, &o);
	scene_blocked(f, MECH_SYSV_MSG, OP_RECV, 1, A);
	feed_ipc(f, MECH_SYSV_MSG, 3, "", 0);
	feed_ipc(f, MECH_SYSV_MSG, 4, "", 0);
	find(f);
	expect(0, "orphaned-ipc", SEVERITY_INFO, "msg:0xab/4");
	expect_cnt(1);
}

/* So many that they are summed up; another mechanism's is told all the same. */
static void test_many(void **state)
{
	struct feed *f = *state;

	for (int i = 0; i < 100; i++)
		feed_ipc(f, MECH_SYSV_MSG, i, "", 0);
	feed_ipc(f, MECH_SHM, 0, "left", 0);
	find(f);
	expect(64, "orphaned-ipc", SEVERITY_INFO, "/dev/shm/left");
	expect(65, "orphaned-ipc", SEVERITY_INFO, "36 more");
	expect(65, "orphaned-ipc", SEVERITY_INFO, "72.0 KiB");
	expect_cnt(66);
}

/* The next snapshot begins with nothing. */
static void test_gone(void **state)
{
	struct feed *f = *state;
	struct ev_ipc unseen = {
		.hdr = {.kind = EV_IPC, .len = sizeof(unseen), .flags = IPCF_UNSEEN},
		.mech = MECH_POSIX_MQ,
	};

	feed_ipc(f, MECH_SYSV_MSG, 3, "", 0);
	feed_raw(f, &unseen);
	assert_int_equal(model_ipcs_unseen(f->m), 1u << MECH_POSIX_MQ);
	scene_end(f);
	scene_begin(f);
	assert_int_equal(model_ipcs_unseen(f->m), 0);
	find(f);
	expect_cnt(0);
}

static void futex(struct feed *f, enum ipcspy_mech mech, uint64_t id)
{
	struct ev_obj o = obj_make(mech, id, T0);

	feed_obj(f, &o);
}

static void test_lost_wakeup(void **state)
{
	struct feed *f = *state;

	futex(f, MECH_FUTEX, 1);
	scene_blocked(f, MECH_FUTEX, OP_RECV, 1, A);
	scene_blocked(f, MECH_FUTEX, OP_RECV, 1, B);
	feed_word(f, A, 0, 1);
	feed_word(f, B, 0, 1);
	find(f);
	expect(0, "lost-wakeup-suspect", SEVERITY_WARNING, "a[10] and 1 more sleep on futex:");
	expect(0, "lost-wakeup-suspect", SEVERITY_WARNING, "since it was 0. It is 1 by now");
	assert_int_equal(found.v[0].proof_cnt, 2);
	expect_cnt(1);
}

/* Some condition variables do that. */
static void test_private_word(void **state)
{
	struct feed *f = *state;

	struct ev_task other = task_make(A, A + 1, 'R', WHY_NONE, 0, 0, SEEN);

	feed_raw(f, &other);
	futex(f, MECH_FUTEX_PRIVATE, 1);
	scene_blocked(f, MECH_FUTEX_PRIVATE, OP_RECV, 1, A);
	feed_word(f, A, 7, 8);
	find(f);
	expect(0, "lost-wakeup-suspect", SEVERITY_INFO, "condition variables");
	expect_cnt(1);
}

/* A word that nobody said has changed; a task that went on since; one that goes on by itself. */
static void test_no_suspect(void **state)
{
	struct feed *f = *state;
	struct ev_task timed = task_make(B, B, 'S', WHY_NONE, 0, T0, SEEN);

	futex(f, MECH_FUTEX, 1);
	scene_blocked(f, MECH_FUTEX, OP_RECV, 1, A);
	scene_blocked(f, MECH_FUTEX, OP_RECV, 1, B);
	timed.until_ns = SEEN + SEC;
	feed_raw(f, &timed);
	feed_word(f, B, 0, 1);
	feed_word(f, 99, 0, 1);
	find(f);
	expect_cnt(0);
}

static void test_lines_of_sysvipc(void **state)
{
	struct sysv_line l;

	(void)state;
	assert_true(
		sysv_line_parse("1769063488     327691   600       16384          4 18196 18194 "
				"    0     0     0     0 1795376144 1795376144 1795376144\n",
				MECH_SYSV_MSG, &l));
	assert_int_equal(l.e.key, 1769063488);
	assert_int_equal(l.e.id, 327691);
	assert_int_equal(l.e.bytes, 16384);
	assert_int_equal(l.e.messages, 4);
	assert_int_equal(l.pids[0], 18196);
	assert_int_equal(l.pids[1], 18194);
	assert_true(sysv_line_parse("-5 1 1600 65536 12 13 2 0 0 0 0 1 0 1 65536 0", MECH_SYSV_SHM,
				    &l));
	assert_int_equal(l.e.key, 0xfffffffb);
	assert_int_equal(l.e.bytes, 65536);
	assert_int_equal(l.e.users, 2);
	assert_int_equal(l.pids[0], 13);
	assert_true(sysv_line_parse("0 7 600 250 0 0 0 0 0 0", MECH_SYSV_SEM, &l));
	assert_int_equal(l.sems, 250);
	assert_int_equal(l.e.id, 7);
}

static void test_no_lines_of_sysvipc(void **state)
{
	static const char *const lines[] = {
		"",          "       key      msqid perms      cbytes       qnum lspid lrpid",
		"1 2",       "1 2 600",
		"1 2 600 x", "1 -2 600 4 5 6 7 8",
	};
	struct sysv_line l;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_false(sysv_line_parse(lines[i], MECH_SYSV_MSG, &l));
		assert_false(sysv_line_parse(lines[i], MECH_SYSV_SHM, &l));
		assert_false(sysv_line_parse(lines[i], MECH_SYSV_SEM, &l));
	}
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(test_orphans),
		SCENE(test_hostile_name),
		SCENE(test_used),
		SCENE(test_waited_at),
		SCENE(test_many),
		SCENE(test_gone),
		SCENE(test_lost_wakeup),
		SCENE(test_private_word),
		SCENE(test_no_suspect),
		cmocka_unit_test(test_lines_of_sysvipc),
		cmocka_unit_test(test_no_lines_of_sysvipc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
