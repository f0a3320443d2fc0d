// SPDX-License-Identifier: BSD-2-Clause
/* How shared memory is synchronised, and when nothing of it was seen. */
#include "feed.h"

#include <string.h>

#include "analysis/findings.h"
#include "analysis/shm.h"

#define SEG  0x51ull
#define WORD 0x52ull
#define A    10
#define B    11
#define C    12

static void feed_map(struct feed *f, uint32_t pid, uint32_t rights, uint64_t ts_ns)
{
	struct ev_map e = {
		.hdr = {.kind = EV_MAP,
			.len = sizeof(e),
			.pid = pid,
			.tid = pid,
			.flags = rights,
			.ts_ns = ts_ns},
		.chan = SEG,
		.start = 0x10000,
		.len = 4096,
		.mech = MECH_SHM,
	};

	feed_raw(f, &e);
}

static void feed_child(struct feed *f, uint32_t ppid, uint32_t pid, uint64_t ts_ns)
{
	struct ev_proc p = {
		.hdr = {.kind = EV_PROC,
			.len = sizeof(p),
			.pid = pid,
			.tid = pid,
			.flags = PROCF_FORK | PROCF_TARGET,
			.ts_ns = ts_ns},
		.start_ns = T0 + pid,
		.ppid = ppid,
		.comm = "child",
	};

	feed_raw(f, &p);
}

static void feed_target(struct feed *f, uint32_t pid, const char *comm)
{
	struct ev_proc p = {
		.hdr = {.kind = EV_PROC,
			.len = sizeof(p),
			.pid = pid,
			.tid = pid,
			.flags = PROCF_TARGET,
			.ts_ns = T0},
		.start_ns = T0 - SEC,
	};

	memcpy(p.comm, comm, strlen(comm));
	feed_raw(f, &p);
}

/* The segment, mapped by A; all of them are targets. */
static void begin(struct feed *f)
{
	struct ev_obj o = obj_make(MECH_SHM, SEG, T0);

	feed_init(f);
	feed_target(f, A, "a");
	feed_target(f, B, "b");
	feed_target(f, C, "c");
	feed_obj(f, &o);
	feed_map(f, A, MAPF_READ | MAPF_WRITE, T0);
}

/* One pipe between two of them, used. */
static void feed_talk(struct feed *f, uint64_t id, uint32_t from, uint32_t to)
{
	feed_pipe(f, id);
	feed_send(f, MECH_PIPE, id, from, T0 + MS, T0 + MS + 5 * US, 10);
	feed_recv(f, MECH_PIPE, id, to, T0 + MS, T0 + MS + 9 * US, 10);
}

static size_t find(const struct feed *f, uint64_t now_ns, enum severity *severity, size_t *procs)
{
	struct findings found;
	size_t cnt;

	model_advance(f->m, now_ns);
	assert_int_equal(findings_init(&found, f->m, NULL), 0);
	cnt = found.cnt;
	if (cnt) {
		assert_string_equal(found.v[0].kind, "unsynchronised-shm");
		assert_non_null(strstr(found.v[0].text, "no system call"));
		*severity = found.v[0].severity;
		*procs = found.v[0].proof_cnt;
	}
	findings_fini(&found);
	return cnt;
}

static void two_writers_and_nothing_else(void **state)
{
	enum severity severity = SEVERITY_INFO;
	struct feed f;
	size_t procs;

	(void)state;
	begin(&f);
	feed_map(&f, B, MAPF_READ, T0 + MS);
	assert_int_equal(find(&f, T0 + SEC, &severity, &procs), 0); /* one of them only reads */
	feed_map(&f, B, MAPF_READ | MAPF_WRITE, T0 + SEC);
	assert_int_equal(find(&f, T0 + 2 * SEC, &severity, &procs), 1);
	assert_int_equal(severity, SEVERITY_WARNING);
	assert_int_equal(procs, 2);
	feed_fini(&f);
}

/* Who sleeps all the time writes nothing. */
static void one_of_them_sleeps(void **state)
{
	enum severity severity = SEVERITY_INFO;
	struct feed f;
	size_t procs;

	(void)state;
	begin(&f);
	feed_map(&f, B, MAPF_READ | MAPF_WRITE, T0 + MS);
	feed_task(&f, A, 'R', WHY_NONE, 0, 0, T0 + SEC);
	feed_task(&f, B, 'S', WHY_SLEEP, 0, T0 - MS, T0 + SEC);
	assert_int_equal(find(&f, T0 + SEC, &severity, &procs), 0);
	feed_task(&f, B, 'S', WHY_SLEEP, 0, T0 + MS, T0 + SEC);
	assert_int_equal(find(&f, T0 + SEC, &severity, &procs), 1);
	assert_int_equal(procs, 2);
	feed_fini(&f);
}

static void a_short_look_is_not_sure(void **state)
{
	enum severity severity = SEVERITY_WARNING;
	struct feed f;
	size_t procs;

	(void)state;
	begin(&f);
	feed_map(&f, B, MAPF_READ | MAPF_WRITE, T0 + MS);
	assert_int_equal(find(&f, T0 + 100 * MS, &severity, &procs), 1);
	assert_int_equal(severity, SEVERITY_INFO);
	feed_fini(&f);
}

static void what_all_use_is_enough(void **state)
{
	enum severity severity;
	struct feed f;
	size_t procs;

	(void)state;
	begin(&f);
	feed_map(&f, B, MAPF_READ | MAPF_WRITE, T0 + MS);
	feed_map(&f, C, MAPF_READ | MAPF_WRITE, T0 + MS);
	feed_talk(&f, 1, A, B);
	assert_int_equal(find(&f, T0 + SEC, &severity, &procs), 1); /* C has none of it */
	assert_int_equal(procs, 3);
	feed_talk(&f, 2, C, B);
	assert_int_equal(find(&f, T0 + SEC, &severity, &procs), 0);
	feed_fini(&f);
}

static void what_others_use_too_is_not(void **state)
{
	enum severity severity;
	struct feed f;
	size_t procs;

	(void)state;
	begin(&f);
	feed_map(&f, B, MAPF_READ | MAPF_WRITE, T0 + MS);
	feed_talk(&f, 1, A, B);
	feed_proc(&f, 99, "stranger");
	feed_send(&f, MECH_PIPE, 1, 99, T0 + 2 * MS, T0 + 2 * MS + US, 10);
	assert_int_equal(find(&f, T0 + SEC, &severity, &procs), 1);
	feed_fini(&f);
}

/* What a stranger does beside the memory is not followed: it may well synchronise. */
static void one_of_them_is_a_stranger(void **state)
{
	enum severity severity = SEVERITY_WARNING;
	struct feed f;
	size_t procs;

	(void)state;
	begin(&f);
	feed_proc(&f, 99, "stranger");
	feed_map(&f, 99, MAPF_READ | MAPF_WRITE, T0 + MS);
	assert_int_equal(find(&f, T0 + SEC, &severity, &procs), 1);
	assert_int_equal(severity, SEVERITY_INFO);
	feed_fini(&f);
}

static void a_parent_made_it_for_its_children(void **state)
{
	enum severity severity = SEVERITY_WARNING;
	struct feed f;
	size_t procs;

	(void)state;
	begin(&f);
	feed_child(&f, A, 20, T0 + MS);
	assert_int_equal(find(&f, T0 + SEC, &severity, &procs), 1); /* it may wait for it to end */
	assert_int_equal(severity, SEVERITY_INFO);
	feed_child(&f, A, 21, T0 + MS);
	assert_int_equal(find(&f, T0 + SEC, &severity, &procs), 1);
	assert_int_equal(severity, SEVERITY_WARNING);
	assert_int_equal(procs, 2);
	feed_talk(&f, 1, 20, 21);
	assert_int_equal(find(&f, T0 + SEC, &severity, &procs), 0);
	feed_fini(&f);
}

static void how_it_is_synchronised(void **state)
{
	struct ev_obj word = obj_make(MECH_FUTEX, WORD, T0);
	struct shm_users u;
	struct feed f;

	(void)state;
	begin(&f);
	feed_map(&f, B, MAPF_READ | MAPF_WRITE, T0 + MS);
	feed_map(&f, C, MAPF_READ | MAPF_WRITE, T0 + MS);
	feed_talk(&f, 1, A, B);
	feed_talk(&f, 2, A, B);
	feed_send(&f, MECH_PIPE, 2, C, T0 + 2 * MS, T0 + 2 * MS + US, 10);
	word.vals[0] = SEG;
	word.vals[1] = 8;
	feed_obj(&f, &word);
	feed_send(&f, MECH_FUTEX, WORD, A, T0 + 3 * MS, T0 + 3 * MS + US, 0);
	assert_int_equal(shm_users_init(&u, f.m, feed_chan(&f, 0)), 0);
	assert_int_equal(u.user_cnt, 3);
	assert_int_equal(u.sync_cnt, 3);
	assert_int_equal(u.syncs[0].how, SHM_INSIDE);
	assert_int_equal(u.syncs[0].chan->mech, MECH_FUTEX);
	assert_int_equal(u.syncs[1].how, SHM_SAME_PROCESSES);
	assert_string_equal(u.syncs[1].chan->name, "pipe:[2]");
	assert_int_equal(u.syncs[2].how, SHM_SOME_PROCESSES);
	shm_users_fini(&u);
	feed_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_writers_and_nothing_else),
		cmocka_unit_test(a_short_look_is_not_sure),
		cmocka_unit_test(one_of_them_sleeps),
		cmocka_unit_test(what_all_use_is_enough),
		cmocka_unit_test(what_others_use_too_is_not),
		cmocka_unit_test(one_of_them_is_a_stranger),
		cmocka_unit_test(a_parent_made_it_for_its_children),
		cmocka_unit_test(how_it_is_synchronised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
