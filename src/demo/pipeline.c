/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipeline.c - produce | work | consume, where work is slow; with --stages more
 * that pass on what they get, as many before work as after it.
 *
 * The first pipe fills, and from then on produce is blocked in every write
 * until work has taken one more message; consume waits in every read. Which is
 * what a tracer has to say: the culprit is work, and produce has lost so much
 * time to it. That time is known twice: blocked_ns from the scheduler's
 * account, planned_blocked_ns from the stamps of produce's writes and of work's
 * reads (with the default size, a page, each read makes room for one message).
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "pipe.h"
#include "truth.h"

#define STAGES_MAX 63

struct pipeline {
	unsigned int stages;
	int fds[STAGES_MAX - 1][2]; /* pipe i from stage i to the next: read or write end */
};

static void close_ends(struct pipeline *pl)
{
	for (unsigned int i = 0; i + 1 < pl->stages; i++)
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

static int pass_on(struct worker *w, struct port *in, struct port *out)
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

static int pass_at_once(struct worker *w, struct port *in, struct port *out)
{
	w->delay_ns = 0;
	return pass_on(w, in, out);
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

static unsigned int slow_stage(const struct pipeline *pl)
{
	return pl->stages / 2;
}

static int stage_body(struct worker *w, const struct pipeline *pl, struct port *in,
		      struct port *out)
{
	if (!w->idx)
		return produce(w, in, out);
	if (w->idx == pl->stages - 1)
		return consume(w, in, out);
	return w->idx == slow_stage(pl) ? pass_on(w, in, out) : pass_at_once(w, in, out);
}

/* The end of pipe number i that this stage uses; there is none before the first (i wraps). */
static struct port take_port(struct demo_run *run, struct pipeline *pl, unsigned int i, int end)
{
	struct port p = {.ops = &pipe_port, .fd = -1};

	if (i < pl->stages - 1) {
		p.fd = pl->fds[i][end];
		p.chan = &run->chans[i];
		pl->fds[i][end] = -1;
	}
	return p;
}

static int stage_main(struct demo_run *run, unsigned int idx, void *arg)
{
	struct pipeline *pl = arg;
	struct port in = take_port(run, pl, idx - 1, 0), out = take_port(run, pl, idx, 1);
	int flow_of[STAGES_MAX];
	struct worker w;
	int err;

	close_ends(pl);
	for (unsigned int i = 0; i < pl->stages; i++)
		flow_of[i] = i + 1 == idx ? (int)i : -1;
	err = worker_init(&w, run, idx);
	if (err)
		return err;
	w.flow_of = flow_of;
	err = worker_port_init(&w, &in);
	if (!err) {
		worker_start(&w);
		err = stage_body(&w, pl, &in, &out);
	}
	worker_port_fini(&in);
	worker_fini(&w);
	return err;
}

static int spawn_stage(struct demo_run *run, struct pipeline *pl, unsigned int i)
{
	char name[24];

	run->procs[i].sends = i + 1 < pl->stages;
	run->procs[i].recvs = i > 0;
	snprintf(name, sizeof(name), "stage-%u", i);
	if (!i || i == pl->stages - 1)
		return run_spawn(run, i, i ? "consume" : "produce", stage_main, pl);
	return run_spawn(run, i, i == slow_stage(pl) ? "work" : name, stage_main, pl);
}

static int pipeline_go(struct demo_run *run, struct pipeline *pl)
{
	struct run_shape shape = {.procs = pl->stages,
				  .chans = pl->stages - 1,
				  .flows = pl->stages - 1,
				  .lanes = pl->stages - 1,
				  .lane_messages = run->opts.messages};
	int err = run_board(run, &shape);

	for (unsigned int i = 0; !err && i + 1 < pl->stages; i++) {
		run->flows[i] = (struct demo_flow){.src = i, .dst = i + 1, .chan = i};
		err = pipe_make(run, &run->chans[i], pl->fds[i]);
	}
	for (unsigned int i = 0; !err && i < pl->stages; i++)
		err = spawn_stage(run, pl, i);
	close_ends(pl);
	if (!err)
		err = run_start(run);
	return err ? err : run_join(run, NULL, NULL);
}

static int pipeline_run(struct demo_run *run)
{
	struct pipeline pl = {.stages = (unsigned int)run->opts.stages};
	int err;

	for (unsigned int i = 0; i < STAGES_MAX - 1; i++)
		pl.fds[i][0] = pl.fds[i][1] = -1;
	err = pipeline_go(run, &pl);
	if (err)
		return err;
	if (run->procs[pl.stages - 1].recv.messages != run->opts.messages)
		return run_fail(run, -EBADMSG, "messages were lost on the way");
	return truth_write(run, NULL, 0);
}

const struct demo_workload demo_pipeline = {
	.name = "pipeline",
	.scenario = true,
	.help = "--stages with pipes between them; the middle one sleeps --receiver-delay per "
		"message",
	.uses = DEMO_OPT_MESSAGES | DEMO_OPT_SIZE | DEMO_OPT_RATE | DEMO_OPT_RECEIVER_DELAY |
		DEMO_OPT_SEED | DEMO_OPT_STAGES,
	.defaults = {.messages = 400,
		     .size = 4096,
		     .senders = 1,
		     .receivers = 1,
		     .receiver_delay_ns = 5 * DEMO_NS_PER_MS,
		     .seed = 1,
		     .stages = 3},
	.run = pipeline_run,
};
