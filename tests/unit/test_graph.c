// SPDX-License-Identifier: BSD-2-Clause
/* Who waits for whom at one moment, and who is stuck. */
#include "feed.h"

#include <poll.h>
#include <string.h>

#include "analysis/chain.h"
#include "analysis/graph.h"
#include "scene.h"

#define A 10
#define B 20
#define C 30
#define D 40

static struct graph graph;

static int teardown(void **state)
{
	graph_fini(&graph);
	return scene_teardown(state);
}

static void build(struct feed *f)
{
	scene_end(f);
	graph_fini(&graph);
	assert_int_equal(graph_build(&graph, f->m), 0);
}

static const struct wait *wait_of(uint32_t tid)
{
	const struct wait *w = graph_wait(&graph, tid);

	assert_non_null(w);
	return w;
}

static void assert_stuck(uint32_t tid, bool in_knot)
{
	assert_false(graph_can_go_on(&graph, wait_of(tid)));
	assert_int_equal(graph_knot(&graph, wait_of(tid)) != KNOT_NONE, in_knot);
}

static void assert_can(uint32_t tid)
{
	assert_true(graph_can_go_on(&graph, wait_of(tid)));
	assert_int_equal(graph_knot(&graph, wait_of(tid)), KNOT_NONE);
}

static uint32_t next_of(uint32_t tid)
{
	const struct wait *w = graph_next(&graph, wait_of(tid));

	return w ? w->tid : 0;
}

/* A chain over a pipe, a socket and a child: whoever is at its end decides. */
static void chain(struct feed *f, char state, enum ipcspy_why why)
{
	scene_pipe(f, 1, B, A);
	scene_pair(f, 2, C, B);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, A);
	scene_blocked(f, MECH_UNIX_STREAM, OP_RECV, 3, B);
	scene_waits(f, C, WHY_CHILD, D);
	feed_task(f, D, state, why, 0, T0, SEEN);
	build(f);
	assert_int_equal(next_of(A), B);
	assert_int_equal(next_of(B), C);
	assert_int_equal(next_of(C), D);
	assert_int_equal(next_of(D), 0);
	assert_int_equal(wait_of(A)->fd, 3);
	assert_ptr_equal(wait_of(A)->chan, feed_chan(f, 0));
}

static void test_chain_to_a_runner(void **state)
{
	chain(*state, 'R', WHY_NONE);
	assert_can(A);
	assert_int_equal(wait_of(D)->kind, WAIT_RUNS);
}

static void test_chain_to_a_sleeper(void **state)
{
	chain(*state, 'S', WHY_SLEEP);
	assert_can(A);
	assert_true(wait_of(D)->timed);
}

static void test_chain_to_a_stopped_one(void **state)
{
	chain(*state, 'T', WHY_STOPPED);
	assert_stuck(A, false);
	assert_stuck(D, true);
	assert_int_equal(wait_of(D)->kind, WAIT_STOPPED);
}

/* What nothing is known of may do anything. */
static void test_unknown_can(void **state)
{
	struct feed *f = *state;

	scene_pipe(f, 1, B, A);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, A);
	build(f);
	assert_can(A);
	assert_int_equal(next_of(A), B);
	assert_int_equal(wait_of(B)->kind, WAIT_UNKNOWN);
}

/* Two who wait for each other; their parent has kept the ends, too, and waits for them. */
static void test_way_leads_past_the_parent(void **state)
{
	struct feed *f = *state;

	scene_pipe(f, 1, A, B);
	feed_hold(f, 1, B, HOLDF_WRITE);
	feed_hold(f, 1, C, HOLDF_WRITE);
	scene_pipe(f, 2, A, C);
	feed_hold(f, 2, B, HOLDF_WRITE);
	scene_waits(f, A, WHY_CHILD, B);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, B);
	scene_blocked(f, MECH_PIPE, OP_RECV, 2, C);
	build(f);
	assert_stuck(A, true);
	assert_int_equal(next_of(A), B);
	assert_int_equal(next_of(B), C);
	assert_int_equal(next_of(C), B);
}

static void test_two_over_pipe_and_socket(void **state)
{
	struct feed *f = *state;

	scene_pipe(f, 1, A, B);
	scene_pair(f, 2, A, B);
	scene_blocked(f, MECH_PIPE, OP_SEND, 1, A);
	scene_blocked(f, MECH_UNIX_STREAM, OP_SEND, 3, B);
	build(f);
	assert_stuck(A, true);
	assert_stuck(B, true);
	assert_int_equal(graph_knot(&graph, wait_of(A)), graph_knot(&graph, wait_of(B)));
	assert_int_equal(next_of(A), B);
	assert_int_equal(next_of(B), A);
}

/* Over a pipe, a socket and a queue; D waits for one of them and is in no knot. */
static void three(struct feed *f)
{
	struct ev_obj queue = obj_make(MECH_SYSV_MSG, 7, T0);

	feed_obj(f, &queue);
	feed_send(f, MECH_SYSV_MSG, 7, A, T0, T0 + 10, 5);
	feed_recv(f, MECH_SYSV_MSG, 7, C, T0, T0 + 20, 5);
	scene_pipe(f, 1, B, A);
	scene_pair(f, 2, B, C);
	scene_pipe(f, 4, A, D);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, A);
	scene_blocked(f, MECH_UNIX_STREAM, OP_RECV, 2, B);
	scene_blocked(f, MECH_SYSV_MSG, OP_RECV, 7, C);
	scene_blocked(f, MECH_PIPE, OP_RECV, 4, D);
}

static void test_three_over_three_mechanisms(void **state)
{
	struct feed *f = *state;

	three(f);
	build(f);
	assert_stuck(A, true);
	assert_stuck(B, true);
	assert_stuck(C, true);
	assert_stuck(D, false);
	assert_int_equal(graph.knots.knot_cnt, 1);
	assert_true(wait_of(C)->by_name);
	assert_int_equal(next_of(D), A);
}

/* The same, and one of them has a thread that runs. */
static void test_knot_with_a_way_out(void **state)
{
	struct ev_task thread = task_make(B, 21, 'R', WHY_NONE, 0, 0, SEEN);
	struct feed *f = *state;

	three(f);
	feed_raw(f, &thread);
	build(f);
	assert_can(A);
	assert_can(B);
	assert_can(C);
	assert_can(D);
}

/* Somebody else could write, too. */
static void test_any_helper_is_enough(void **state)
{
	struct feed *f = *state;

	scene_pipe(f, 1, B, A);
	scene_pipe(f, 2, A, B);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, A);
	scene_blocked(f, MECH_PIPE, OP_RECV, 2, B);
	feed_hold(f, 2, C, HOLDF_WRITE);
	scene_waits(f, C, WHY_SLEEP, 0);
	build(f);
	assert_can(A);
	assert_can(B);
	assert_int_equal(next_of(B), C);
}

static void test_waits_for_itself(void **state)
{
	struct feed *f = *state;
	struct proc *out[4];

	scene_pipe(f, 1, A, A);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, A);
	build(f);
	assert_stuck(A, true);
	assert_int_equal(graph_helpers(&graph, wait_of(A), out, 4), 1);
	assert_ptr_equal(out[0], wait_of(A)->proc);
}

/* A pipe to itself among what it polls is for its signal handlers. */
static void test_self_pipe(void **state)
{
	struct feed *f = *state;

	scene_pipe(f, 1, A, A);
	scene_polls(f, A, 1, 0);
	build(f);
	assert_can(A);
	assert_true(wait_of(A)->outside);
}

/* Two that poll nothing but each other, and one that listens as well. */
static void test_polls(void **state)
{
	struct feed *f = *state;

	scene_pair(f, 1, A, B);
	scene_polls(f, A, 1, 0);
	scene_polls(f, B, 2, 0);
	build(f);
	assert_stuck(A, true);
	assert_stuck(B, true);
	scene_begin(f);
	scene_pair(f, 1, A, B);
	scene_polls(f, A, 1, 0);
	scene_polls(f, B, 2, SETF_OTHERS);
	build(f);
	assert_can(A);
	assert_can(B);
}

static void polls(struct feed *f, uint32_t pid, uint64_t id, uint32_t events)
{
	feed_inflight(f, MECH_NONE, OP_WAIT, 0, pid, T0, SEEN, SEEN - T0);
	feed_task(f, pid, 'S', WHY_NONE, 0, T0, SEEN);
	feed_poll(f, pid, id, events, 0);
}

/* A has the write end, B the read end: whatever A asks for, it waits for B; and B for A. */
static void test_polls_of_a_pipe(void **state)
{
	static const uint32_t events[] = {0, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
	struct feed *f = *state;

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		scene_begin(f);
		scene_pipe(f, 1, A, B);
		polls(f, A, 1, events[i]);
		scene_waits(f, B, WHY_SLEEP, 0);
		build(f);
		assert_int_equal(next_of(A), B);
		scene_begin(f);
		scene_pipe(f, 1, A, B);
		polls(f, B, 1, events[i]);
		scene_waits(f, A, WHY_SLEEP, 0);
		build(f);
		assert_int_equal(next_of(B), A);
	}
}

/* Both ends are one descriptor's: a FIFO opened for both. */
static void test_polls_for_room(void **state)
{
	static const uint32_t events[] = {POLLOUT, POLLWRNORM, POLLWRBAND, POLLRDNORM, POLLRDBAND};
	struct ev_obj o = obj_make(MECH_FIFO, 1, T0);
	struct feed *f = *state;

	feed_obj(f, &o);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		scene_begin(f);
		feed_hold(f, 1, A, HOLDF_READ | HOLDF_WRITE);
		feed_hold(f, 1, B, HOLDF_READ);
		feed_hold(f, 1, C, HOLDF_WRITE);
		polls(f, A, 1, events[i]);
		scene_waits(f, B, WHY_STOPPED, 0);
		scene_waits(f, C, WHY_SLEEP, 0);
		build(f);
		assert_int_equal(next_of(A), i < 3 ? B : C);
	}
}

/* poll(2) with a time-out ends by itself. */
static void test_time_out(void **state)
{
	struct ev_task t = task_make(A, A, 'S', WHY_NONE, 0, T0, SEEN);
	struct feed *f = *state;

	scene_pair(f, 1, A, B);
	scene_polls(f, A, 1, 0);
	scene_polls(f, B, 2, 0);
	t.until_ns = SEEN + SEC;
	feed_raw(f, &t);
	build(f);
	assert_can(A);
	assert_can(B);
	assert_true(wait_of(A)->timed);
}

/* A polls a pipe of B's, for another second at most. */
static void polls_for_a_second(struct feed *f)
{
	struct ev_task t = task_make(A, A, 'S', WHY_NONE, 0, T0, SEEN);

	t.until_ns = SEEN + SEC;
	scene_pipe(f, 1, B, A);
	feed_inflight(f, MECH_NONE, OP_WAIT, 0, A, T0, SEEN, SEEN - T0);
	feed_raw(f, &t);
	feed_poll(f, A, 1, POLLIN, 0);
}

static void assert_verdict(uint32_t tid, const char *text)
{
	struct strbuf sb;
	struct chain c;

	strbuf_init(&sb);
	assert_int_equal(chain_build(&c, &graph, wait_of(tid)), 0);
	chain_verdict(&sb, &graph, &c);
	assert_string_equal(sb.s, text);
	chain_fini(&c);
	strbuf_fini(&sb);
}

/* Who could end it sooner is what it is about, not the time. */
static void test_time_out_and_helper(void **state)
{
	struct feed *f = *state;

	polls_for_a_second(f);
	feed_task(f, B, 'R', WHY_NONE, 0, T0, SEEN);
	build(f);
	assert_can(A);
	assert_int_equal(next_of(A), B);
	assert_verdict(A, "It is up to b[20], which is running.");
}

static void test_time_out_and_stopped_helper(void **state)
{
	struct feed *f = *state;

	polls_for_a_second(f);
	scene_waits(f, B, WHY_STOPPED, 0);
	build(f);
	assert_can(A);
	assert_null(graph_next(&graph, wait_of(A)));
	assert_verdict(
		A, "a[10] waits in read for pipe:[1], for another 1.00 s at most, and who could "
		   "help, b[20], is stopped by a signal; `kill -CONT 20` lets it go on.");
}

/* The other end is elsewhere; a server of a FIFO holds both of its ends. */
static void test_outside(void **state)
{
	struct ev_obj tcp = obj_make(MECH_TCP, 1, T0), fifo = obj_make(MECH_FIFO, 2, T0);
	struct feed *f = *state;

	tcp.laddr = addr4("10.0.0.1", 80);
	tcp.raddr = addr4("10.0.0.2", 4000);
	tcp.hdr.flags |= OBJF_CONNECTED;
	feed_obj(f, &tcp);
	feed_obj(f, &fifo);
	feed_hold(f, 1, A, HOLDF_READ | HOLDF_WRITE);
	feed_hold(f, 2, B, HOLDF_READ);
	feed_hold(f, 2, B, HOLDF_WRITE);
	scene_blocked(f, MECH_TCP, OP_RECV, 1, A);
	scene_blocked(f, MECH_FIFO, OP_RECV, 2, B);
	scene_waits(f, C, WHY_OTHER, 0);
	scene_waits(f, D, WHY_CHILD, 0);
	build(f);
	assert_can(A);
	assert_true(wait_of(A)->outside);
	assert_can(B);
	assert_can(C);
	assert_can(D);
}

/* Any of its children is enough; those of others do not count. */
static void test_children(void **state)
{
	struct ev_proc child = {
		.hdr = {.kind = EV_PROC, .len = sizeof(child), .pid = 50, .tid = 50},
		.start_ns = T0,
		.ppid = A,
		.comm = "child",
	};
	struct feed *f = *state;

	feed_raw(f, &child);
	scene_waits(f, A, WHY_CHILD, 0);
	feed_task(f, 50, 'T', WHY_STOPPED, 0, T0, SEEN);
	build(f);
	assert_stuck(A, false);
	assert_int_equal(next_of(A), 50);
	scene_begin(f);
	child.hdr.pid = child.hdr.tid = 51;
	feed_raw(f, &child);
	scene_waits(f, A, WHY_CHILD, 0);
	feed_task(f, 50, 'T', WHY_STOPPED, 0, T0, SEEN);
	feed_task(f, 51, 'R', WHY_NONE, 0, T0, SEEN);
	build(f);
	assert_can(A);
	assert_int_equal(next_of(A), 51);
}

/* It reads what its tracer is to write; who else is traced may be anybody. */
static void test_child_of_a_tracer(void **state)
{
	struct ev_task thread = task_make(A, A + 1, 'S', WHY_LOCK, A, T0, SEEN);
	struct ev_proc child = {
		.hdr = {.kind = EV_PROC, .len = sizeof(child), .pid = 50, .tid = 50},
		.start_ns = T0,
		.ppid = A,
		.comm = "child",
	};
	struct feed *f = *state;

	for (uint32_t flags = 0; flags <= TASKF_TRACES; flags += TASKF_TRACES) {
		scene_begin(f);
		feed_raw(f, &child);
		scene_pipe(f, 1, A, 50);
		scene_blocked(f, MECH_PIPE, OP_RECV, 1, 50);
		scene_waits(f, A, WHY_CHILD, 0);
		thread.hdr.flags = flags;
		feed_raw(f, &thread);
		build(f);
		assert_int_equal(graph_can_go_on(&graph, wait_of(A)), flags != 0);
		assert_int_equal(graph_can_go_on(&graph, wait_of(50)), flags != 0);
	}
	scene_begin(f);
	scene_pipe(f, 1, A, 50);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, 50);
	scene_waits(f, A, WHY_CHILD, 50); /* for this one, and no other */
	feed_raw(f, &thread);
	build(f);
	assert_stuck(A, true);
}

static void signals_of(struct feed *f, uint64_t id, uint32_t pid)
{
	struct ev_obj o = obj_make(MECH_SIGNAL, id, T0);

	o.ino = pid;
	o.vals[1] = 1;
	feed_obj(f, &o);
}

/* A shell in sigsuspend: its children, as far as there are any; else anybody may send a signal. */
static void test_waits_for_signals(void **state)
{
	struct ev_proc child = {
		.hdr = {.kind = EV_PROC, .len = sizeof(child), .pid = 50, .tid = 50},
		.start_ns = T0,
		.ppid = A,
		.comm = "child",
	};
	struct feed *f = *state;

	feed_raw(f, &child);
	signals_of(f, 6, A);
	signals_of(f, 7, B);
	scene_blocked(f, MECH_SIGNAL, OP_RECV, 6, A);
	feed_task(f, A, 'S', WHY_CHILD, 0, T0, SEEN);
	scene_blocked(f, MECH_SIGNAL, OP_RECV, 7, B);
	feed_task(f, 50, 'T', WHY_STOPPED, 0, T0, SEEN);
	build(f);
	assert_int_equal(wait_of(A)->kind, WAIT_CHILD);
	assert_stuck(A, false);
	assert_int_equal(next_of(A), 50);
	assert_int_equal(wait_of(B)->kind, WAIT_CHAN);
	assert_can(B);
	assert_true(wait_of(B)->outside);
}

/* A child of A that stopped, and A in poll: for a pipe, and for its child when it says so. */
static void polls_beside_child(struct feed *f, uint64_t pipe, uint32_t flags)
{
	struct ev_task t = task_make(A, A, 'S', WHY_NONE, 0, T0, SEEN);
	struct ev_proc child = {
		.hdr = {.kind = EV_PROC, .len = sizeof(child), .pid = 50, .tid = 50},
		.start_ns = T0,
		.ppid = A,
		.comm = "child",
	};

	feed_raw(f, &child);
	scene_polls(f, A, pipe, 0);
	t.hdr.flags = flags;
	feed_raw(f, &t);
}

/* make, which polls for a token that only makes give back: the end of a job wakes it, too. */
static void test_poll_ends_with_child(void **state)
{
	struct feed *f = *state;

	for (uint32_t flags = 0; flags <= TASKF_CHILDREN; flags += TASKF_CHILDREN) {
		scene_begin(f);
		scene_pipe(f, 1, B, A);
		feed_hold(f, 1, A, HOLDF_WRITE);
		scene_waits(f, B, WHY_CHILD, A);
		polls_beside_child(f, 1, flags);
		scene_waits(f, 50, WHY_SLEEP, 0);
		build(f);
		assert_int_equal(graph_can_go_on(&graph, wait_of(A)), flags != 0);
		assert_int_equal(graph_can_go_on(&graph, wait_of(B)), flags != 0);
		assert_int_equal(next_of(A), flags ? 50 : B);
	}
}

/* It has both ends of what it polls: then it is up to its children, if they can go on. */
static void test_poll_of_its_own(void **state)
{
	struct feed *f = *state;

	scene_pipe(f, 1, A, A);
	polls_beside_child(f, 1, TASKF_CHILDREN);
	scene_waits(f, 50, WHY_SLEEP, 0);
	build(f);
	assert_can(A);
	assert_false(wait_of(A)->outside);
	assert_int_equal(next_of(A), 50);
	scene_begin(f);
	scene_pipe(f, 1, A, A);
	polls_beside_child(f, 1, TASKF_CHILDREN);
	feed_task(f, 50, 'T', WHY_STOPPED, 0, T0, SEEN);
	build(f);
	assert_can(A); /* another signal may come */
	assert_true(wait_of(A)->outside);
	assert_int_equal(next_of(A), 0);
}

/* B listens at an address, and so many wait there; A is blocked in a connection to another. */
static void connects(struct feed *f, const char *at, unsigned int waiting, const char *from,
		     const char *to)
{
	struct ev_obj listener = obj_make(MECH_TCP, 1, T0), o = obj_make(MECH_TCP, 2, T0);

	feed_snap(f, SNAPF_HOLDS | SNAPF_FIRST, T0 + SEC); /* what they hold counts */
	listener.laddr = addr4(at, 80);
	listener.hdr.flags |= OBJF_LISTEN | OBJF_BACKLOG;
	listener.backlog = waiting;
	o.laddr = addr4(from, 4000);
	o.raddr = addr4(to, 80);
	o.hdr.flags |= OBJF_CONNECTED;
	feed_obj(f, &listener);
	feed_obj(f, &o);
	feed_hold(f, 1, B, HOLDF_READ | HOLDF_WRITE);
	feed_hold(f, 2, A, HOLDF_READ | HOLDF_WRITE);
	scene_blocked(f, MECH_TCP, OP_RECV, 2, A);
	feed_task(f, B, 'T', WHY_STOPPED, 0, T0, SEEN);
}

/* It waits for whoever listens, when that is this machine's, and somebody waits there. */
static void test_not_accepted(void **state)
{
	static const struct {
		const char *at, *from, *to;
		unsigned int waiting;
		bool there;
	} rows[] = {
		{"127.0.0.1", "127.0.0.1", "127.0.0.1", 1, true},
		{"127.0.0.1", "127.0.0.1", "127.0.0.1", 0, false},
		{"0.0.0.0", "127.0.0.1", "127.0.0.1", 1, true},
		{"0.0.0.0", "10.0.0.1", "10.0.0.1", 1, true},
		{"0.0.0.0", "10.0.0.1", "10.0.0.2", 1, false}, /* another machine's */
		{"10.0.0.1", "127.0.0.1", "127.0.0.1", 1, false},
	};
	struct feed *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (i) {
			scene_teardown(state);
			scene_setup(state);
			f = *state;
		}
		connects(f, rows[i].at, rows[i].waiting, rows[i].from, rows[i].to);
		build(f);
		assert_int_equal(wait_of(A)->queued, rows[i].there);
		assert_int_equal(wait_of(A)->outside, !rows[i].there);
		assert_int_equal(graph_can_go_on(&graph, wait_of(A)), !rows[i].there);
		assert_int_equal(next_of(A), rows[i].there ? B : 0);
		graph_fini(&graph);
	}
}

/* Two whose other end nobody has, and one that waits to be accepted: the other one may be on its
 * way to anybody. */
static void test_maybe_not_accepted(void **state)
{
	struct ev_obj other = obj_make(MECH_TCP, 3, T0);
	struct feed *f = *state;

	other.laddr = addr4("127.0.0.1", 4001);
	other.raddr = addr4("127.0.0.1", 80);
	other.hdr.flags |= OBJF_CONNECTED;
	connects(f, "127.0.0.1", 1, "127.0.0.1", "127.0.0.1");
	feed_obj(f, &other);
	feed_hold(f, 3, C, HOLDF_READ | HOLDF_WRITE);
	build(f);
	assert_can(A);
	assert_true(wait_of(A)->queued);
}

/* By the name that they share; B has it twice, and listens at one. */
static void test_not_accepted_by_name(void **state)
{
	struct ev_obj listener = obj_make(MECH_UNIX_STREAM, 1, T0);
	struct ev_obj o = obj_make(MECH_UNIX_STREAM, 2, T0);
	struct feed *f = *state;

	feed_snap(f, SNAPF_HOLDS | SNAPF_FIRST, T0 + SEC);
	listener.self = 100;
	listener.hdr.flags |= OBJF_LISTEN | OBJF_BACKLOG;
	listener.backlog = 1;
	listener.name.len = 3;
	memcpy(listener.name.name, "/s", 3);
	o.self = 200;
	o.peer = 300;
	o.hdr.flags |= OBJF_CONNECTED;
	o.name = listener.name;
	feed_obj(f, &listener);
	feed_obj(f, &o);
	feed_hold(f, 1, B, HOLDF_READ | HOLDF_WRITE);
	feed_hold(f, 2, A, HOLDF_READ | HOLDF_WRITE);
	scene_blocked(f, MECH_UNIX_STREAM, OP_RECV, 2, A);
	feed_task(f, B, 'T', WHY_STOPPED, 0, T0, SEEN);
	build(f);
	assert_true(wait_of(A)->queued);
	assert_stuck(A, false);
	assert_int_equal(next_of(A), B);
}

/* A lock is its holder's; a tracee is its tracer's. */
static void test_lock_and_tracer(void **state)
{
	struct feed *f = *state;

	scene_waits(f, A, WHY_LOCK, B);
	feed_task(f, B, 't', WHY_STOPPED, C, T0, SEEN);
	scene_waits(f, C, WHY_LOCK, A);
	scene_waits(f, D, WHY_LOCK, 0);
	build(f);
	assert_stuck(A, true);
	assert_stuck(B, true);
	assert_stuck(C, true);
	assert_can(D);
}

/* Others may have its holder's open file: who is known to help comes first, then they. */
static void test_shared_lock(void **state)
{
	struct ev_task t = task_make(A, A, 'S', WHY_LOCK, B, T0, SEEN);
	struct feed *f = *state;

	t.hdr.flags = TASKF_SHARED;
	feed_raw(f, &t);
	scene_pipe(f, 1, A, B);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, B);
	build(f);
	assert_can(A);
	assert_can(B);
	assert_true(wait_of(A)->outside);
	assert_int_equal(next_of(A), 0);
	assert_int_equal(next_of(B), A);
	scene_begin(f);
	scene_waits(f, B, WHY_SLEEP, 0);
	feed_raw(f, &t);
	build(f);
	assert_can(A);
	assert_false(wait_of(A)->outside);
	assert_int_equal(next_of(A), B);
}

/* Threads of one process that wait for each other. */
static void test_threads(void **state)
{
	struct feed *f = *state;
	struct ev_inflight in = {
		.hdr = {.kind = EV_INFLIGHT,
			.len = sizeof(in),
			.pid = A,
			.tid = A,
			.flags = OPF_TARGET | OPF_ASLEEP,
			.ts_ns = SEEN},
		.chan = 9,
		.enter_ns = T0,
		.blocked_ns = SEC,
		.op = OP_RECV,
		.mech = MECH_FUTEX_PRIVATE,
	};
	struct ev_task t = task_make(A, A, 'S', WHY_NONE, 0, T0, SEEN);

	for (uint32_t tid = A; tid < A + 2; tid++) {
		in.hdr.tid = t.hdr.tid = tid;
		in.chan++;
		feed_raw(f, &in);
		feed_raw(f, &t);
	}
	build(f);
	assert_stuck(A, true);
	assert_int_equal(graph_knot(&graph, wait_of(A)), graph_knot(&graph, wait_of(A + 1)));
	assert_int_equal(next_of(A), A + 1);
	assert_int_equal(next_of(A + 1), A);
	t.hdr.tid = A + 2;
	t.state = 'R';
	feed_raw(f, &t);
	build(f);
	assert_can(A);
}

/* The main thread joins another, and that one reads a pipe of which the process has both ends. */
static void test_join(void **state)
{
	struct feed *f = *state;
	struct ev_inflight in = {
		.hdr = {.kind = EV_INFLIGHT,
			.len = sizeof(in),
			.pid = A,
			.tid = A,
			.flags = OPF_TARGET | OPF_ASLEEP,
			.ts_ns = SEEN},
		.chan = 9,
		.enter_ns = T0,
		.op = OP_RECV,
		.mech = MECH_FUTEX_PRIVATE,
	};
	struct ev_task t = task_make(A, A, 'S', WHY_NONE, 0, T0, SEEN);

	scene_pipe(f, 1, A, A);
	for (uint32_t i = 0; i < 3; i++) {
		in.hdr.tid = t.hdr.tid = A + i;
		in.chan = i == 2 ? 1 : 9;
		in.mech = i == 2 ? MECH_PIPE : MECH_FUTEX_PRIVATE;
		feed_raw(f, &in);
		feed_raw(f, &t);
	}
	build(f);
	assert_stuck(A, true);
	assert_int_equal(next_of(A), A + 2);
	assert_int_equal(next_of(A + 1), A + 2);
	assert_int_equal(next_of(A + 2), A + 2);
}

/* What the kernel knows to have the lock, and nobody else. */
static void test_owner(void **state)
{
	struct feed *f = *state;
	struct ev_inflight in = {
		.hdr = {.kind = EV_INFLIGHT,
			.len = sizeof(in),
			.pid = A,
			.tid = A,
			.flags = OPF_TARGET | OPF_ASLEEP,
			.ts_ns = SEEN},
		.chan = 9,
		.op = OP_RECV,
		.mech = MECH_FUTEX,
		.owner_pid = B,
	};

	feed_raw(f, &in);
	feed_task(f, A, 'S', WHY_NONE, 0, T0, SEEN);
	feed_task(f, B, 'T', WHY_STOPPED, 0, T0, SEEN);
	build(f);
	assert_stuck(A, false);
	assert_int_equal(next_of(A), B);
}

/* A waits for two who wait for each other: the way on from A never comes back to it. */
static void test_way_into_a_circle(void **state)
{
	struct feed *f = *state;
	struct strbuf sb;
	struct chain c;

	scene_pipe(f, 1, B, A);
	scene_pipe(f, 2, C, B);
	scene_pipe(f, 3, B, C);
	scene_pipe(f, 4, A, C);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, A);
	scene_blocked(f, MECH_PIPE, OP_RECV, 2, B);
	scene_polls(f, C, 3, 0);
	feed_poll(f, C, 4, POLLIN, 0);
	build(f);
	assert_stuck(A, true);
	strbuf_init(&sb);
	assert_int_equal(chain_build(&c, &graph, wait_of(A)), 0);
	chain_verdict(&sb, &graph, &c);
	assert_string_equal(sb.s, "Deadlock: a[10] waits for b[20], which waits for c[30], which "
				  "waits for b[20]; nobody else can help, so one of them has to "
				  "be ended.");
	chain_fini(&c);
	strbuf_fini(&sb);
}

/* It ended after those who wait were looked at: its end is what they waited for. */
static void test_ended_meanwhile(void **state)
{
	struct ev_task thread = task_make(C, C + 1, 'S', WHY_LOCK, D, T0, SEEN);
	struct feed *f = *state;

	scene_pipe(f, 1, B, A);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, A);
	feed_task(f, B, 'Z', WHY_NONE, 0, T0, SEEN);
	scene_waits(f, D, WHY_CHILD, C);
	feed_task(f, C, 'Z', WHY_NONE, 0, T0, SEEN);
	build(f);
	assert_can(A);
	assert_can(D);
	feed_raw(f, &thread); /* of C only the main thread has ended */
	build(f);
	assert_stuck(D, true);
}

#define T(name) cmocka_unit_test_setup_teardown(name, scene_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_chain_to_a_runner),
		T(test_chain_to_a_sleeper),
		T(test_chain_to_a_stopped_one),
		T(test_unknown_can),
		T(test_way_leads_past_the_parent),
		T(test_two_over_pipe_and_socket),
		T(test_three_over_three_mechanisms),
		T(test_knot_with_a_way_out),
		T(test_any_helper_is_enough),
		T(test_waits_for_itself),
		T(test_self_pipe),
		T(test_polls),
		T(test_polls_of_a_pipe),
		T(test_polls_for_room),
		T(test_time_out),
		T(test_time_out_and_helper),
		T(test_time_out_and_stopped_helper),
		T(test_outside),
		T(test_children),
		T(test_child_of_a_tracer),
		T(test_waits_for_signals),
		T(test_poll_ends_with_child),
		T(test_poll_of_its_own),
		T(test_not_accepted),
		T(test_maybe_not_accepted),
		T(test_not_accepted_by_name),
		T(test_lock_and_tracer),
		T(test_shared_lock),
		T(test_threads),
		T(test_join),
		T(test_owner),
		T(test_way_into_a_circle),
		T(test_ended_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
