/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipeline.c - produce | work | consume, where work is slow.
 *
 * The first pipe fills, and from then on produce is blocked in every write
 * until work has taken one more message; consume waits in every read. Which is
 * what a tracer has to say: the culprit is work, and produce has lost so much
 * time to it. That time is known twice: blocked_ns from the scheduler's
 * account, planned_blocked_ns from the stamps of produce's writes and of work's
 * reads (with the default size, a page, each read makes room for one message).
 */
#include <errno.h>
#include <unistd.h>

#include "pipe.h"
#include "truth.h"

enum { PRODUCE = 0, WORK = 1, CONSUME = 2, STAGES = 3 };

struct pipeline {
	int fds[2][2]; /* pipe, read or write end */
};

static void close_ends(struct pipeline *pl)
{
	for (int i = 0; i < 2; i++)
		for (int k = 0; k < 2; k++)
			if (pl->fds[i][k] >= 0)
				close(pl->fds[i][k]);
}

static int produce(struct worker *w, struct port *in, struct port *out)
{
	int err = 0;

	(void)in;
	for (uint64_t seq = 0; !err && seq < w->run->opts.messages; seq++) {
		worker_pace(w, seq);
		err = worker_send(w, out, seq);
	}
	return err;
}

static int work(struct worker *w, struct port *in, struct port *out)
{
	uint64_t sent = 0;
	int err = 0;

	while (!err && !in->done) {
		err = worker_recv(w, in); /* and the slow part, see worker.delay_ns */
		for (; !err && sent < w->proc->recv.messages; sent++)
			err = worker_send(w, out, sent);
	}
	return err;
}

static int consume(struct worker *w, struct port *in, struct port *out)
{
	int err = 0;

	(void)out;
	w->delay_ns = 0;
	while (!err && !in->done)
		err = worker_recv(w, in);
	return err;
}

static const struct stage {
	const char *name;
	int in, out;             /* pipe, -1 none */
	int flow_of[STAGES - 1]; /* per lane */
	int (*body)(struct worker *w, struct port *in, struct port *out);
} stages[STAGES] = {
	[PRODUCE] = {"produce", -1, 0, {-1, -1}, produce},
	[WORK] = {"work", 0, 1, {0, -1}, work},
	[CONSUME] = {"consume", 1, -1, {-1, 1}, consume},
};

static struct port take_port(struct demo_run *run, struct pipeline *pl, int pipe, int end)
{
	struct port p = {.ops = &pipe_port, .fd = -1};

	if (pipe >= 0) {
		p.fd = pl->fds[pipe][end];
		p.chan = &run->chans[pipe];
		pl->fds[pipe][end] = -1;
	}
	return p;
}

static int stage_main(struct demo_run *run, unsigned int idx, void *arg)
{
	const struct stage *st = &stages[idx];
	struct port in = take_port(run, arg, st->in, 0), out = take_port(run, arg, st->out, 1);
	struct worker w;
	int err;

	close_ends(arg);
	err = worker_init(&w, run, idx);
	if (err)
		return err;
	w.flow_of = st->flow_of;
	err = worker_port_init(&w, &in);
	if (!err) {
		worker_start(&w);
		err = st->body(&w, &in, &out);
	}
	worker_port_fini(&in);
	worker_fini(&w);
	return err;
}

static int pipeline_go(struct demo_run *run, struct pipeline *pl)
{
	struct run_shape shape = {.procs = STAGES,
				  .chans = 2,
				  .flows = 2,
				  .lanes = 2,
				  .lane_messages = run->opts.messages};
	int err = run_board(run, &shape);

	for (unsigned int i = 0; !err && i < 2; i++) {
		run->flows[i] = (struct demo_flow){.src = i, .dst = i + 1, .chan = i};
		err = pipe_make(run, &run->chans[i], pl->fds[i]);
	}
	for (unsigned int i = 0; !err && i < STAGES; i++) {
		run->procs[i].sends = stages[i].out >= 0;
		run->procs[i].recvs = stages[i].in >= 0;
		err = run_spawn(run, i, stages[i].name, stage_main, pl);
	}
	close_ends(pl);
	if (!err)
		err = run_start(run);
	return err ? err : run_join(run, NULL, NULL);
}

static int pipeline_run(struct demo_run *run)
{
	struct pipeline pl = {.fds = {{-1, -1}, {-1, -1}}};
	int err = pipeline_go(run, &pl);

	if (err)
		return err;
	if (run->procs[CONSUME].recv.messages != run->opts.messages)
		return run_fail(run, -EBADMSG, "messages were lost on the way");
	return truth_write(run, NULL, 0);
}

const struct demo_workload demo_pipeline = {
	.name = "pipeline",
	.scenario = true,
	.help = "three stages over two pipes; the middle one sleeps --receiver-delay per message",
	.uses = DEMO_OPT_MESSAGES | DEMO_OPT_SIZE | DEMO_OPT_RATE | DEMO_OPT_RECEIVER_DELAY |
		DEMO_OPT_SEED,
	.defaults = {.messages = 400,
		     .size = 4096,
		     .senders = 1,
		     .receivers = 1,
		     .receiver_delay_ns = 5 * DEMO_NS_PER_MS,
		     .seed = 1},
	.run = pipeline_run,
};
