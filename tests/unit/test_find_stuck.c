// SPDX-License-Identifier: BSD-2-Clause
/* Findings about who will not go on: each with one scene that has it, and near misses. */
#include "feed.h"

#include <poll.h>
#include <string.h>

#include "analysis/findings.h"
#include "scene.h"

#define A 10
#define B 20
#define C 30
#define D 40

/* One finding of this kind and no other, about those tasks, in that order. */
static void expect(struct feed *f, const char *kind, enum severity severity, const uint32_t *tids,
		   size_t cnt, const char *text)
{
	struct findings found;

	scene_end(f);
	assert_int_equal(findings_init(&found, f->m, f->blame), 0);
	assert_int_equal(found.cnt, 1);
	assert_string_equal(found.v[0].kind, kind);
	assert_string_equal(severity_name(found.v[0].severity), severity_name(severity));
	assert_int_equal(found.v[0].proof_cnt, cnt);
	for (size_t i = 0; i < cnt; i++)
		assert_int_equal(found.v[0].proofs[i].proc->pid, tids[i]);
	if (!strstr(found.v[0].text, text))
		fail_msg("no '%s' in: %s", text, found.v[0].text);
	findings_fini(&found);
}

static void expect_none(struct feed *f)
{
	struct findings found;

	scene_end(f);
	assert_int_equal(findings_init(&found, f->m, f->blame), 0);
	if (found.cnt)
		fail_msg("%s: %s", found.v[0].kind, found.v[0].text);
	findings_fini(&found);
}

static void two(struct feed *f)
{
	scene_pipe(f, 1, A, B);
	scene_pair(f, 2, A, B);
	scene_blocked(f, MECH_PIPE, OP_SEND, 1, A);
	scene_blocked(f, MECH_UNIX_STREAM, OP_RECV, 3, B);
}

static void test_deadlock(void **state)
{
	const uint32_t tids[] = {A, B};
	struct feed *f = *state;

	two(f);
	expect(f, "deadlock", SEVERITY_CRITICAL, tids, 2,
	       "a[10] sends to pipe:[1] and waits for b[20], b[20] receives from "
	       "unix-stream unix:[2] and waits for a[10]. Nobody");
}

/* A lock between processes that nobody is known to have: who had it may be gone. */
static void test_lock_left_taken(void **state)
{
	const uint32_t tids[] = {A, B};
	struct ev_obj lock = obj_make(MECH_FUTEX, 1, T0);
	struct feed *f = *state;

	feed_obj(f, &lock);
	feed_send(f, MECH_FUTEX, 1, A, T0, T0 + 10, 0);
	scene_waits(f, A, WHY_CHILD, B);
	scene_blocked(f, MECH_FUTEX, OP_RECV, 1, B);
	expect(f, "deadlock", SEVERITY_CRITICAL, tids, 2, " b[20] sleeps on futex");
	scene_begin(f);
	scene_waits(f, A, WHY_CHILD, B);
	scene_blocked(f, MECH_FUTEX, OP_RECV, 1, B);
	expect(f, "deadlock", SEVERITY_CRITICAL, tids, 2, " has ended without doing so.");
}

/* A third one could read, and may. */
static void test_no_deadlock(void **state)
{
	struct feed *f = *state;

	two(f);
	feed_hold(f, 1, C, HOLDF_READ);
	feed_task(f, C, 'R', WHY_NONE, 0, 0, SEEN);
	expect_none(f);
}

/* Each was seen asleep, but A fell asleep only after B had been looked at. */
static void test_not_at_the_same_time(void **state)
{
	const uint32_t tids[] = {A, B};
	struct feed *f = *state;

	scene_pipe(f, 1, A, B);
	scene_pipe(f, 2, B, A);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, B);
	feed_inflight(f, MECH_PIPE, OP_RECV, 2, A, SEEN + 10 * US, SEEN + 20 * US, 5 * US);
	feed_task(f, A, 'S', WHY_NONE, 0, 0, SEEN + 20 * US);
	expect(f, "deadlock", SEVERITY_INFO, tids, 2, "if they still are when you look again");
}

/* A made the pipe and had both ends when descriptors were looked at; then it forked a writer. */
static void test_forked_meanwhile(void **state)
{
	const uint32_t tids[] = {A, A};
	struct feed *f = *state;

	scene_pipe(f, 1, A, A);
	feed_inflight(f, MECH_PIPE, OP_RECV, 1, A, T0 + SEC + MS, SEEN, SEEN - T0 - SEC - MS);
	feed_task(f, A, 'S', WHY_NONE, 0, T0 + SEC + MS, SEEN);
	expect(f, "end-leak", SEVERITY_WARNING, tids, 2, "Look again");
}

/* Two threads of a process with a pipe between them: the reader emptied it after the writer was
 * looked at. */
static void test_threads_in_turns(void **state)
{
	struct ev_task reader = task_make(A, 11, 'S', WHY_NONE, 0, SEEN + 5 * US, SEEN + 10 * US);
	struct ev_inflight in = {
		.hdr = {.kind = EV_INFLIGHT,
			.len = sizeof(in),
			.pid = A,
			.tid = 11,
			.flags = OPF_TARGET | OPF_ASLEEP,
			.ts_ns = SEEN + 10 * US},
		.enter_ns = SEEN + 5 * US,
		.blocked_ns = 5 * US,
		.chan = 1,
		.op = OP_RECV,
		.mech = MECH_PIPE,
	};
	const uint32_t tids[] = {A, A};
	struct feed *f = *state;

	scene_pipe(f, 1, A, A);
	scene_blocked(f, MECH_PIPE, OP_SEND, 1, A);
	feed_raw(f, &in);
	feed_raw(f, &reader);
	expect(f, "no-reader", SEVERITY_WARNING, tids, 2, "Look again");
}

/* Workers have a FIFO open for both, so as not to see its end: who opens it may come any time. */
static void test_fifo_for_newcomers(void **state)
{
	struct ev_obj o = obj_make(MECH_FIFO, 1, T0);
	const uint32_t tids[] = {A, B, A, B};
	struct feed *f = *state;

	feed_obj(f, &o);
	feed_hold(f, 1, A, HOLDF_READ | HOLDF_WRITE);
	feed_hold(f, 1, B, HOLDF_READ | HOLDF_WRITE);
	scene_blocked(f, MECH_FIFO, OP_RECV, 1, A);
	scene_blocked(f, MECH_FIFO, OP_RECV, 1, B);
	expect(f, "end-leak", SEVERITY_WARNING, tids, 4, "open it by name");
}

/* The same over a queue, which has no end of file. */
static void test_queue_for_newcomers(void **state)
{
	struct ev_obj o = obj_make(MECH_POSIX_MQ, 1, T0);
	const uint32_t tids[] = {A, B};
	struct feed *f = *state;

	feed_obj(f, &o);
	feed_hold(f, 1, A, HOLDF_READ | HOLDF_WRITE);
	feed_hold(f, 1, B, HOLDF_READ | HOLDF_WRITE);
	scene_blocked(f, MECH_POSIX_MQ, OP_RECV, 1, A);
	scene_blocked(f, MECH_POSIX_MQ, OP_RECV, 1, B);
	expect(f, "deadlock", SEVERITY_WARNING, tids, 2, "opens a queue or semaphore by its name");
}

/* Three, over a pipe, a child and a file lock. */
static void test_three_parties(void **state)
{
	const uint32_t tids[] = {A, B, C};
	struct feed *f = *state;

	scene_pipe(f, 1, B, A);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, A);
	scene_waits(f, B, WHY_CHILD, C);
	scene_waits(f, C, WHY_LOCK, A);
	expect(f, "deadlock", SEVERITY_CRITICAL, tids, 3, "c[30] waits for a file lock");
}

/* Two that are idle, and each polls what the other has. */
static void test_idle_pollers(void **state)
{
	const uint32_t tids[] = {A, B};
	struct feed *f = *state;

	scene_pair(f, 1, A, B);
	scene_polls(f, A, 1, 0);
	scene_polls(f, B, 2, 0);
	expect(f, "deadlock", SEVERITY_INFO, tids, 2, "all right where they are idle");
}

/* The parent waits for a child that writes into a full pipe which only the parent reads. */
static void test_child_with_full_pipe(void **state)
{
	const uint32_t tids[] = {A, B, A};
	struct feed *f = *state;

	scene_pipe(f, 1, B, A);
	scene_blocked(f, MECH_PIPE, OP_SEND, 1, B);
	scene_waits(f, A, WHY_CHILD, B);
	expect(f, "deadlock", SEVERITY_CRITICAL, tids, 3,
	       "a[10] waits for the end of b[20], which writes to pipe:[1], which is full: its "
	       "read end is open in a[10], descriptor 3");
}

/* A pipeline of two: what the first writes the second would read, if the parent read from that. */
static void test_pipeline_with_full_pipe(void **state)
{
	struct ev_task other = task_make(A, A + 1, 'S', WHY_CHILD, C, T0, SEEN);
	const uint32_t pids[] = {A, A, B, C, A};
	struct feed *f = *state;

	scene_pipe(f, 1, B, A);
	scene_pipe(f, 2, C, B);
	scene_blocked(f, MECH_PIPE, OP_SEND, 1, B);
	scene_blocked(f, MECH_PIPE, OP_SEND, 2, C);
	scene_waits(f, A, WHY_CHILD, B);
	feed_raw(f, &other);
	expect(f, "deadlock", SEVERITY_CRITICAL, pids, 5,
	       "a[10] waits for the end of b[20], which writes to pipe:[1], which is full: its "
	       "read end is open in a[10], descriptor 3, and not read. Read it");
}

/* A fork server: the second worker inherited the write end that feeds the first. */
static void test_forgotten_end(void **state)
{
	const uint32_t tids[] = {A, B, C, C};
	struct feed *f = *state;

	scene_pipe(f, 1, C, B);
	scene_pipe(f, 2, A, C);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, B);
	scene_blocked(f, MECH_PIPE, OP_RECV, 2, C);
	scene_waits(f, A, WHY_CHILD, B);
	expect(f, "end-leak", SEVERITY_CRITICAL, tids, 4,
	       "its write end is open in c[30], descriptor 3. Close it there after fork(2), or "
	       "open it with O_CLOEXEC. If c[30] is to write there, a[10] has to close "
	       "descriptor 3, the write end of pipe:[2].");
}

/* A parent keeps its child's input open and waits for it. */
static void test_input_left_open(void **state)
{
	const uint32_t tids[] = {A, B, A};
	struct feed *f = *state;

	scene_pipe(f, 1, A, B);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, B);
	scene_waits(f, A, WHY_CHILD, B);
	expect(f, "end-leak", SEVERITY_CRITICAL, tids, 3,
	       "its write end is open in a[10], descriptor 3. Close it before waiting.");
}

/* The same with a FIFO, which somebody may still open and write to. */
static void test_child_on_a_fifo(void **state)
{
	struct ev_obj o = obj_make(MECH_FIFO, 1, T0);
	const uint32_t tids[] = {A, B, A};
	struct feed *f = *state;

	feed_obj(f, &o);
	feed_hold(f, 1, A, HOLDF_WRITE);
	feed_hold(f, 1, B, HOLDF_READ);
	scene_blocked(f, MECH_FIFO, OP_RECV, 1, B);
	scene_waits(f, A, WHY_CHILD, B);
	expect(f, "end-leak", SEVERITY_WARNING, tids, 3,
	       "Close it before waiting. All right where somebody is still to come and open it");
}

/* A socket has two directions: who reads may expect an answer. */
static void test_child_on_a_socket(void **state)
{
	const uint32_t tids[] = {A, B};
	struct feed *f = *state;

	scene_pair(f, 1, A, B);
	scene_blocked(f, MECH_UNIX_STREAM, OP_RECV, 2, B);
	scene_waits(f, A, WHY_CHILD, B);
	expect(f, "deadlock", SEVERITY_CRITICAL, tids, 2,
	       "a[10] waits for the end of b[20], b[20]");
}

static void test_end_leak(void **state)
{
	const uint32_t tids[] = {A, A};
	struct feed *f = *state;

	scene_pipe(f, 1, A, A);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, A);
	expect(f, "end-leak", SEVERITY_CRITICAL, tids, 2, "write end as descriptor 3");
}

/* A child inherited both ends, and reads, too. */
static void test_inherited_end(void **state)
{
	const uint32_t tids[] = {A, B, A, B};
	struct feed *f = *state;

	scene_pipe(f, 1, A, A);
	feed_hold(f, 1, B, HOLDF_READ);
	feed_hold(f, 1, B, HOLDF_WRITE);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, A);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, B);
	expect(f, "end-leak", SEVERITY_CRITICAL, tids, 4, "b[20] has the write end");
}

/* Another thread of the process may write. */
static void test_no_end_leak(void **state)
{
	struct ev_task thread = task_make(A, 11, 'S', WHY_SLEEP, 0, T0, SEEN);
	struct feed *f = *state;

	scene_pipe(f, 1, A, A);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, A);
	feed_raw(f, &thread);
	expect_none(f);
}

static void test_stopped_peer(void **state)
{
	const uint32_t tids[] = {C, A, B};
	struct feed *f = *state;

	scene_pipe(f, 1, A, B);
	scene_pipe(f, 2, B, C);
	scene_blocked(f, MECH_PIPE, OP_SEND, 1, A);
	scene_blocked(f, MECH_PIPE, OP_SEND, 2, B);
	scene_waits(f, C, WHY_STOPPED, 0);
	expect(f, "stopped-peer", SEVERITY_WARNING, tids, 3, "kill -CONT 30");
}

/* A shell that waits for its stopped job, and a whole pipeline that is stopped. */
static void test_stopped_and_nobody_waits(void **state)
{
	struct feed *f = *state;

	scene_waits(f, A, WHY_CHILD, B);
	scene_pipe(f, 1, B, C);
	scene_waits(f, B, WHY_STOPPED, 0);
	scene_waits(f, C, WHY_STOPPED, 0);
	expect_none(f);
}

static void queue(struct feed *f, enum ipcspy_op op, uint32_t pid, uint32_t can)
{
	struct ev_obj o = obj_make(MECH_POSIX_MQ, 5, T0);

	feed_obj(f, &o);
	feed_hold(f, 5, pid, can);
	feed_inflight(f, MECH_POSIX_MQ, op, 5, pid, SEEN - 100 * MS, SEEN, 100 * MS);
	feed_task(f, pid, 'S', WHY_NONE, 0, SEEN - 100 * MS, SEEN);
}

static void test_no_reader(void **state)
{
	const uint32_t tids[] = {A};

	queue(*state, OP_SEND, A, HOLDF_WRITE);
	expect(*state, "no-reader", SEVERITY_WARNING, tids, 1, "open for reading");
}

static void test_no_writer(void **state)
{
	const uint32_t tids[] = {A};

	queue(*state, OP_RECV, A, HOLDF_READ | HOLDF_WRITE);
	expect(*state, "no-writer", SEVERITY_INFO, tids, 1, "open for writing");
}

/* A target, since no channel says whom it concerns. */
static void opens(struct feed *f, uint32_t other)
{
	struct ev_proc a = {.hdr = {.kind = EV_PROC,
				    .len = sizeof(a),
				    .pid = A,
				    .tid = A,
				    .flags = PROCF_TARGET,
				    .ts_ns = T0},
			    .start_ns = T0 - SEC,
			    .comm = "a"};

	feed_raw(f, &a);
	scene_opens(f, A, "/run/log", other);
	scene_opens(f, B, "/run/other", other);
}

static void test_opens_for_writing(void **state)
{
	const uint32_t tids[] = {A};

	opens(*state, HOLDF_READ);
	expect(*state, "no-reader", SEVERITY_WARNING, tids, 1, "/run/log and waits for a reader");
}

static void test_opens_for_reading(void **state)
{
	const uint32_t tids[] = {A};

	opens(*state, HOLDF_WRITE);
	expect(*state, "no-writer", SEVERITY_INFO, tids, 1, "/run/log and waits for a writer");
}

static void test_queue_with_both(void **state)
{
	queue(*state, OP_SEND, A, HOLDF_WRITE);
	feed_hold(*state, 5, B, HOLDF_READ);
	feed_task(*state, B, 'R', WHY_NONE, 0, 0, SEEN);
	expect_none(*state);
}

/* Writes to a pipe that only it could read. */
static void test_own_full_pipe(void **state)
{
	const uint32_t tids[] = {A};
	struct feed *f = *state;

	scene_pipe(f, 1, A, A);
	scene_blocked(f, MECH_PIPE, OP_SEND, 1, A);
	expect(f, "no-reader", SEVERITY_CRITICAL, tids, 1, "which is full");
}

/* What is always there: servers in epoll, a self-pipe, a shell and its child, a pipeline. */
static void test_healthy(void **state)
{
	struct feed *f = *state;

	for (uint32_t pid = 1000; pid < 2000; pid++) {
		feed_proc(f, pid, "server");
		scene_polls(f, pid, 0, SETF_OTHERS);
	}
	scene_pipe(f, 1, A, A);
	scene_polls(f, A, 1, 0);
	scene_waits(f, B, WHY_CHILD, 0);
	scene_pipe(f, 2, C, D);
	scene_blocked(f, MECH_PIPE, OP_RECV, 2, D);
	scene_waits(f, C, WHY_SLEEP, 0);
	expect_none(f);
}

/* The same as a deadlock, between processes that nobody asked for. */
static void test_strangers(void **state)
{
	struct ev_inflight in = {
		.hdr = {.kind = EV_INFLIGHT, .len = sizeof(in), .flags = OPF_ASLEEP, .ts_ns = SEEN},
		.enter_ns = T0,
		.blocked_ns = SEC,
		.op = OP_RECV,
		.mech = MECH_PIPE,
	};
	struct feed *f = *state;

	scene_pipe(f, 1, A, B);
	scene_pipe(f, 2, B, A);
	for (uint32_t i = 0; i < 2; i++) {
		in.hdr.pid = in.hdr.tid = i ? A : B;
		in.chan = 1 + i;
		feed_raw(f, &in);
		feed_task(f, in.hdr.pid, 'S', WHY_NONE, 0, T0, SEEN);
	}
	expect_none(f);
}

/* Full since T0; emptied at some time, or not. */
static void fill_queue(struct feed *f, uint64_t emptied_ns)
{
	struct ev_obj o = obj_make(MECH_POSIX_MQ, 5, T0);
	struct ev_op w = op_make(MECH_POSIX_MQ, OP_SEND, 5, A, T0, T0 + 10, 8);

	scene_end(f);
	feed_obj(f, &o);
	w.hdr.flags |= OPF_FULL;
	feed_op(f, &w);
	if (emptied_ns)
		feed_recv(f, MECH_POSIX_MQ, 5, B, T0, emptied_ns, 8);
	assert_int_equal(model_advance(f->m, T0 + 3 * SEC), 0);
	scene_begin(f);
}

static void test_full_queue(void **state)
{
	fill_queue(*state, 0);
	expect(*state, "full-queue", SEVERITY_WARNING, NULL, 0, "nobody was seen to read");
}

static void test_no_full_queue(void **state)
{
	fill_queue(*state, T0 + 900 * MS);
	expect_none(*state);
}

/* 100 messages; each time A waits for room, or B for something to read, most of the time. */
static void talk(struct feed *f, bool receiver_is_slow)
{
	scene_end(f);
	feed_pipe(f, 1);
	for (uint64_t t = T0; t < T0 + SEC; t += 10 * MS) {
		struct ev_op w = op_make(MECH_PIPE, OP_SEND, 1, A, t, t + 9 * MS, 5);
		struct ev_op r = op_make(MECH_PIPE, OP_RECV, 1, B, t, t + 9 * MS + 10, 5);

		if (receiver_is_slow)
			w.blocked_ns = 8 * MS;
		else
			r.blocked_ns = 8 * MS;
		feed_op(f, &w);
		feed_op(f, &r);
	}
	scene_begin(f);
}

static void test_slow_consumer(void **state)
{
	const uint32_t pids[] = {B, A};

	talk(*state, true);
	expect(*state, "slow-consumer", SEVERITY_INFO, pids, 2, "b[20] keeps 1 process waiting");
}

static void test_slow_producer(void **state)
{
	const uint32_t pids[] = {A, B};

	talk(*state, false);
	expect(*state, "slow-producer", SEVERITY_INFO, pids, 2, "a[10] keeps 1 process waiting");
}

static void test_coalesced(void **state)
{
	struct ev_obj o = obj_make(MECH_SIGNAL, 6, T0);
	struct ev_op s = op_make(MECH_SIGNAL, OP_SEND, 6, A, T0, T0 + 10, 0);
	const uint32_t tids[] = {B};
	struct feed *f = *state;

	o.ino = B;
	o.vals[1] = 1;
	o.hdr.flags = OBJF_BACKLOG;
	feed_obj(f, &o);
	feed_op_vals(f, &s, 10, B | SIGV_GROUP);
	expect_none(f);
	scene_begin(f);
	s.hdr.ts_ns += 10;
	feed_op_vals(f, &s, 10, B | SIGV_GROUP | (uint64_t)SIGNAL_ALREADY_PENDING << 32);
	expect(f, "coalesced-signals", SEVERITY_INFO, tids, 1, "1 signal to signal:20");
}

#define T(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_deadlock),
		T(test_lock_left_taken),
		T(test_no_deadlock),
		T(test_not_at_the_same_time),
		T(test_forked_meanwhile),
		T(test_threads_in_turns),
		T(test_fifo_for_newcomers),
		T(test_queue_for_newcomers),
		T(test_three_parties),
		T(test_idle_pollers),
		T(test_child_with_full_pipe),
		T(test_pipeline_with_full_pipe),
		T(test_forgotten_end),
		T(test_input_left_open),
		T(test_child_on_a_fifo),
		T(test_child_on_a_socket),
		T(test_end_leak),
		T(test_inherited_end),
		T(test_no_end_leak),
		T(test_stopped_peer),
		T(test_stopped_and_nobody_waits),
		T(test_no_reader),
		T(test_no_writer),
		T(test_opens_for_writing),
		T(test_opens_for_reading),
		T(test_queue_with_both),
		T(test_own_full_pipe),
		T(test_healthy),
		T(test_strangers),
		T(test_full_queue),
		T(test_no_full_queue),
		T(test_slow_consumer),
		T(test_slow_producer),
		T(test_coalesced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
