/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stuck.c - workloads that end up waiting for ever: deadlock and leak.
 *
 * Once every process that is to hang does hang, the truth is written and one
 * line "comm pid comm pid" is printed (to stderr when the truth has stdout).
 * Then nothing happens any more until --hold has passed or a signal comes;
 * both end the run with success.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "pipe.h"
#include "truth.h"

#define LOOK_MS       20
#define LOOKS_TO_HANG 3 /* in a row, asleep in the same call */

struct stuck_kind {
	unsigned int chans;
	const char *names[2];
	bool sends[2], recvs[2];
	struct demo_flow flows[2]; /* as many as channels */
	struct truth_stuck stuck[2];
	unsigned int stuck_cnt;
	int (*body)(struct worker *w, int fds[][2]);
};

struct stuck_run {
	const struct stuck_kind *kind;
	int fds[2][2]; /* pipe, read or write end */
};

/* More than any pipe of that capacity holds: the writer must block. */
static uint64_t overfull(const struct demo_run *run, const struct demo_chan *c)
{
	return 2 * (c->capacity / run->opts.size) + 16;
}

/*
 * Each says all it has to say before it listens. It would work if the pipes
 * were larger, which is why such programs survive their tests.
 */
static int deadlock_body(struct worker *w, int fds[][2])
{
	static const int flow_of[2][2] = {{-1, 1}, {0, -1}};
	unsigned int mine = w->idx, other = 1 - mine;
	struct port out = {.ops = &pipe_port, .fd = fds[mine][1], .chan = &w->run->chans[mine]};
	struct port in = {.ops = &pipe_port, .fd = fds[other][0], .chan = &w->run->chans[other]};
	int err = worker_port_init(w, &in);

	close(fds[mine][0]);
	close(fds[other][1]);
	w->flow_of = flow_of[mine];
	worker_start(w);
	for (uint64_t seq = 0; !err && seq < overfull(w->run, out.chan); seq++)
		err = worker_send(w, &out, seq);
	close(out.fd);
	while (!err && !in.done)
		err = worker_recv(w, &in);
	worker_port_fini(&in);
	return err;
}

/* The reader forgets to close the write end that it inherited. */
static int leak_body(struct worker *w, int fds[][2])
{
	static const int flow_of[1] = {0};
	struct port out = {.ops = &pipe_port, .fd = fds[0][1], .chan = &w->run->chans[0]};
	struct port in = {.ops = &pipe_port, .fd = fds[0][0], .chan = &w->run->chans[0]};
	int err = worker_port_init(w, &in);

	w->flow_of = flow_of;
	if (w->proc->sends)
		close(in.fd);
	worker_start(w);
	for (uint64_t seq = 0; !err && w->proc->sends && seq < w->run->opts.messages; seq++) {
		worker_pace(w, seq);
		err = worker_send(w, &out, seq);
	}
	while (!err && w->proc->recvs && !in.done)
		err = worker_recv(w, &in);
	worker_port_fini(&in);
	return err;
}

static int child_main(struct demo_run *run, unsigned int idx, void *arg)
{
	struct stuck_run *sr = arg;
	struct worker w;
	int err = worker_init(&w, run, idx);

	if (err)
		return err;
	err = sr->kind->body(&w, sr->fds);
	worker_fini(&w);
	return err;
}

static void close_ends(struct stuck_run *sr)
{
	for (unsigned int i = 0; i < sr->kind->chans; i++)
		for (unsigned int k = 0; k < 2; k++)
			if (sr->fds[i][k] >= 0)
				close(sr->fds[i][k]);
}

static int begin(struct demo_run *run, struct stuck_run *sr)
{
	const struct stuck_kind *kind = sr->kind;
	struct run_shape shape = {.procs = 2,
				  .chans = kind->chans,
				  .flows = kind->chans,
				  .lanes = kind->chans,
				  .lane_messages = run->opts.messages};
	int err = run_board(run, &shape);

	for (unsigned int i = 0; !err && i < kind->chans; i++) {
		run->flows[i] = kind->flows[i];
		err = pipe_make(run, &run->chans[i], sr->fds[i]);
	}
	for (unsigned int i = 0; !err && i < 2; i++) {
		run->procs[i].sends = kind->sends[i];
		run->procs[i].recvs = kind->recvs[i];
		err = run_spawn(run, i, kind->names[i], child_main, sr);
	}
	close_ends(sr);
	return err ? err : run_start(run);
}

/* The call that this process is to hang in, 0 while it is in none or runs. */
static uint64_t hangs_since(const struct demo_run *run, const struct truth_stuck *s)
{
	const struct demo_proc *p = &run->procs[s->proc];
	uint64_t since_ns = s->operation[0] == 's' ? p->send.call_since_ns : p->recv.call_since_ns;

	return p->running && run_proc_state(p->pid) == 'S' ? since_ns : 0;
}

/* Returns 0 when all hang that shall, and all have ended that shall. */
static int await_hang(struct demo_run *run, const struct stuck_kind *kind)
{
	uint64_t before[2] = {0, 0}, now;
	unsigned int looks = 0;
	int err = 0;

	while (!err && looks < LOOKS_TO_HANG) {
		err = run_poll(run, LOOK_MS);
		looks++;
		for (unsigned int i = 0; i < kind->stuck_cnt; i++) {
			now = hangs_since(run, &kind->stuck[i]);
			if (!now || now != before[i])
				looks = 0;
			before[i] = now;
		}
		if (run_alive(run) > kind->stuck_cnt)
			looks = 0;
		if (!err && !run_alive(run))
			err = run_fail(run, -ECHILD, "it did not get stuck");
	}
	return err;
}

/* The sign for scripts that everything is in place. */
static int announce(struct demo_run *run, const struct stuck_kind *kind)
{
	FILE *to = truth_on_stdout(run->truth) ? stderr : stdout;

	for (unsigned int i = 0; i < 2; i++)
		fprintf(to, "%s%s %d", i ? " " : "", kind->names[i], (int)run->procs[i].pid);
	fputc('\n', to);
	return fflush(to) ? run_fail_errno(run, -errno, "cannot write to stdout") : 0;
}

static int stay(struct demo_run *run)
{
	uint64_t end_ns = demo_now_ns() + run->opts.hold_ns;
	int err = 0;

	while (!err && (!run->opts.hold_ns || demo_now_ns() < end_ns))
		err = run_poll(run, LOOK_MS);
	return err == -EINTR ? 0 : err;
}

static int stuck_run(struct demo_run *run, const struct stuck_kind *kind)
{
	struct stuck_run sr = {.kind = kind, .fds = {{-1, -1}, {-1, -1}}};
	int err = begin(run, &sr);

	if (!err)
		err = await_hang(run, kind);
	if (!err)
		err = truth_write(run, kind->stuck, kind->stuck_cnt);
	if (!err)
		err = announce(run, kind);
	return err ? err : stay(run);
}

static const struct stuck_kind deadlock = {
	.chans = 2,
	.names = {"left", "right"},
	.sends = {true, true},
	.recvs = {true, true},
	.flows = {{.src = 0, .dst = 1, .chan = 0}, {.src = 1, .dst = 0, .chan = 1}},
	.stuck = {{.proc = 0, .chan = 0, .waits_for = 1, .operation = "send"},
		  {.proc = 1, .chan = 1, .waits_for = 0, .operation = "send"}},
	.stuck_cnt = 2,
	.body = deadlock_body,
};

static const struct stuck_kind leak = {
	.chans = 1,
	.names = {"writer", "reader"},
	.sends = {true, false},
	.recvs = {false, true},
	.flows = {{.src = 0, .dst = 1, .chan = 0}},
	.stuck = {{.proc = 1, .chan = 0, .waits_for = 1, .operation = "recv"}},
	.stuck_cnt = 1,
	.body = leak_body,
};

static int deadlock_run(struct demo_run *run)
{
	return stuck_run(run, &deadlock);
}

static int leak_run(struct demo_run *run)
{
	return stuck_run(run, &leak);
}

const struct demo_workload demo_deadlock = {
	.name = "deadlock",
	.scenario = true,
	.help = "two processes, each blocked writing to the other, until --hold or a signal",
	.uses = DEMO_OPT_SIZE | DEMO_OPT_HOLD | DEMO_OPT_SEED,
	.defaults = {.messages = 1, .size = 4096, .senders = 2, .receivers = 2, .seed = 1},
	.run = deadlock_run,
};

const struct demo_workload demo_leak = {
	.name = "leak",
	.scenario = true,
	.help = "a reader that holds the write end of its own pipe waits for an end that never "
		"comes",
	.uses = DEMO_OPT_MESSAGES | DEMO_OPT_SIZE | DEMO_OPT_RATE | DEMO_OPT_HOLD | DEMO_OPT_SEED,
	.defaults = {.messages = 10, .size = 512, .senders = 1, .receivers = 1, .seed = 1},
	.run = leak_run,
};
