/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leak.c - leak, end-leak, stopped: a pipe whose reader or end does not come.
 *
 * leak: the reader itself holds the write end that it inherited. end-leak: a
 * second reader does, which was forked before the first one closed it. stopped:
 * the reader was stopped, and the writer has filled the pipe.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "stuck.h"

enum { WRITER = 0, READER = 1, HEIR = 2 };

static const int from_writer[] = {0, -1, -1};

static int write_all(struct worker *w, struct port *out, uint64_t cnt)
{
	int err = 0;

	for (uint64_t seq = 0; !err && seq < cnt; seq++) {
		worker_pace(w, seq);
		err = worker_send(w, out, seq);
	}
	return err;
}

static int read_until(struct worker *w, struct port *in, uint64_t messages)
{
	int err = 0;

	while (!err && !in->done && atomic_load(&w->proc->recv.messages) < messages)
		err = worker_recv(w, in);
	return err;
}

/* Whoever shall not have the write end, but for the one who forgets about it, closes it. */
static int leak_body(struct worker *w, struct stuck_run *sr)
{
	unsigned int keeps = sr->procs - 1; /* the last one that was forked */
	struct port in = stuck_in(sr, w->run, 0);
	struct port out = stuck_out(sr, w->run, 0);
	int err = worker_port_init(w, &in);

	w->flow_of = from_writer;
	stuck_keep(sr, w->idx == WRITER || w->idx == keeps ? 0 : -1, w->idx == WRITER ? -1 : 0);
	worker_start(w);
	if (!err)
		err = w->idx == WRITER ? write_all(w, &out, w->run->opts.messages)
				       : read_until(w, &in, UINT64_MAX);
	worker_port_fini(&in);
	return err;
}

static int stopped_body(struct worker *w, struct stuck_run *sr)
{
	struct port in = stuck_in(sr, w->run, 0);
	struct port out = stuck_out(sr, w->run, 0);
	uint64_t messages = w->run->opts.messages;
	int err = worker_port_init(w, &in);

	w->flow_of = from_writer;
	stuck_keep(sr, w->idx == WRITER ? 0 : -1, w->idx == READER ? 0 : -1);
	worker_start(w);
	if (!err && w->idx == WRITER)
		err = write_all(w, &out, messages + stuck_overfull(w->run, out.chan));
	if (!err && w->idx == READER)
		err = read_until(w, &in, messages);
	if (!err && w->idx == READER) {
		kill(getpid(), SIGSTOP);
		err = read_until(w, &in, UINT64_MAX);
	}
	worker_port_fini(&in);
	return err;
}

static int one_pipe(struct demo_run *run, struct stuck_run *sr, unsigned int procs)
{
	int err = stuck_init(run, sr, procs, 1);

	if (err)
		return err;
	sr->who[WRITER].name = "writer";
	sr->who[READER].name = "reader";
	return stuck_pipe(run, sr, 0, WRITER, READER);
}

static int leak_run(struct demo_run *run)
{
	struct stuck_run sr;
	int err = one_pipe(run, &sr, 2);

	if (!err) {
		sr.body = leak_body;
		stuck_add(&sr, READER, 0, READER, "recv");
		stuck_name(&sr, "end-leak", READER);
		err = stuck_go(run, &sr);
	}
	stuck_fini(&sr);
	return err;
}

static int end_leak_run(struct demo_run *run)
{
	struct stuck_run sr;
	int err = one_pipe(run, &sr, 3);

	if (!err) {
		sr.body = leak_body;
		sr.who[HEIR].name = "heir";
		sr.who[HEIR].recvs = true;
		stuck_add(&sr, READER, 0, HEIR, "recv");
		stuck_add(&sr, HEIR, 0, HEIR, "recv");
		stuck_name(&sr, "end-leak", READER);
		stuck_name(&sr, "end-leak", HEIR);
		err = stuck_go(run, &sr);
	}
	stuck_fini(&sr);
	return err;
}

static int stopped_run(struct demo_run *run)
{
	struct stuck_run sr;
	int err = one_pipe(run, &sr, 2);

	if (!err) {
		sr.body = stopped_body;
		sr.who[READER].end = STUCK_STOPPED;
		stuck_add(&sr, WRITER, 0, READER, "send");
		stuck_name(&sr, "stopped-peer", WRITER);
		stuck_name(&sr, "stopped-peer", READER);
		err = stuck_go(run, &sr);
	}
	stuck_fini(&sr);
	return err;
}

#define LEAK_OPTS \
	(DEMO_OPT_MESSAGES | DEMO_OPT_SIZE | DEMO_OPT_RATE | DEMO_OPT_HOLD | DEMO_OPT_SEED)

const struct demo_workload demo_leak = {
	.name = "leak",
	.scenario = true,
	.help = "a reader that holds the write end of its own pipe waits for an end that never "
		"comes",
	.uses = LEAK_OPTS,
	.defaults = {.messages = 10, .size = 512, .senders = 1, .receivers = 1, .seed = 1},
	.run = leak_run,
};

const struct demo_workload demo_end_leak = {
	.name = "end-leak",
	.scenario = true,
	.help = "two readers of a pipe, one of which inherited its write end and did not close it",
	.uses = LEAK_OPTS,
	.defaults = {.messages = 10, .size = 512, .senders = 1, .receivers = 2, .seed = 1},
	.run = end_leak_run,
};

const struct demo_workload demo_stopped = {
	.name = "stopped",
	.scenario = true,
	.help = "a reader that was stopped (SIGSTOP) after --messages, its writer blocked",
	.uses = LEAK_OPTS,
	.defaults = {.messages = 10, .size = 512, .senders = 1, .receivers = 1, .seed = 1},
	.run = stopped_run,
};
