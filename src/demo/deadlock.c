/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deadlock.c - a ring in which each says all it has to say before it listens.
 *
 * It would work if the channels were larger, which is why such programs survive
 * their tests. Who may receive from a System V queue is only known from who
 * did: with --mixed each greets the next one first.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "msgqueue.h"
#include "stuck.h"

#define PARTIES_MAX   64
#define MIXED_PARTIES 3

static void ring_flows(int *flow_of, unsigned int procs, unsigned int before)
{
	for (unsigned int i = 0; i < procs; i++)
		flow_of[i] = i == before ? (int)before : -1;
}

/* One message to the next, and one from the one before. */
static int greet(struct worker *w, struct port *out, struct port *in)
{
	int err = worker_send(w, out, 0);

	while (!err && !in->done && !atomic_load(&w->proc->recv.messages))
		err = worker_recv(w, in);
	return err;
}

static int ring_body(struct worker *w, struct stuck_run *sr)
{
	unsigned int mine = w->idx, before = (mine + sr->procs - 1) % sr->procs;
	struct port out = stuck_out(sr, w->run, mine), in = stuck_in(sr, w->run, before);
	uint64_t first = w->run->opts.mixed ? 1 : 0;
	int flow_of[PARTIES_MAX];
	int err = worker_port_init(w, &in);

	ring_flows(flow_of, sr->procs, before);
	w->flow_of = flow_of;
	stuck_keep(sr, (int)mine, (int)before);
	worker_start(w);
	if (!err && first)
		err = greet(w, &out, &in);
	for (uint64_t seq = first; !err && seq < stuck_overfull(w->run, out.chan); seq++)
		err = worker_send(w, &out, seq);
	if (out.fd >= 0)
		close(out.fd);
	while (!err && !in.done)
		err = worker_recv(w, &in);
	worker_port_fini(&in);
	return err;
}

static int make_socket(struct demo_run *run, struct stuck_run *sr, unsigned int i)
{
	int fds[2], err = conn_pair(run, &run->chans[i], SOCK_STREAM, fds);

	if (err)
		return err;
	run->chans[i].mechanism = "unix-stream";
	sr->links[i] = (struct stuck_link){&conn_stream_port, fds[0], fds[1]};
	return 0;
}

static int make_queue(struct demo_run *run, struct stuck_run *sr, unsigned int i)
{
	sr->links[i].ops = &sysv_port;
	return sysv_make(run, &run->chans[i]);
}

static int make_link(struct demo_run *run, struct stuck_run *sr, unsigned int i)
{
	unsigned int next = (i + 1) % sr->procs;
	int err = 0;

	if (!run->opts.mixed || !i)
		return stuck_pipe(run, sr, i, i, next);
	err = i == 1 ? make_socket(run, sr, i) : make_queue(run, sr, i);
	run->flows[i] = (struct demo_flow){.src = i, .dst = next, .chan = i};
	sr->who[i].sends = sr->who[next].recvs = true;
	return err;
}

static int deadlock_check(struct demo_run *run)
{
	struct demo_opts *o = &run->opts;

	if (o->parties > PARTIES_MAX)
		return run_usage(run, "--parties is at most %d here", PARTIES_MAX);
	if (o->mixed && o->parties != run->workload->defaults.parties &&
	    o->parties != MIXED_PARTIES)
		return run_usage(run, "--mixed has three parties");
	if (o->mixed && o->size > 8192)
		return run_usage(run, "--size is at most 8192 in a System V message queue");
	if (o->mixed)
		o->parties = MIXED_PARTIES;
	return 0;
}

static int deadlock_run(struct demo_run *run)
{
	int err = deadlock_check(run);
	struct stuck_run sr;
	unsigned int cnt = (unsigned int)run->opts.parties;

	if (err)
		return err;
	err = stuck_init(run, &sr, cnt, cnt);
	sr.body = ring_body;
	for (unsigned int i = 0; !err && i < cnt; i++) {
		err = make_link(run, &sr, i);
		stuck_add(&sr, i, i, (i + 1) % cnt, "send");
		stuck_name(&sr, "deadlock", i);
	}
	if (!err && cnt == 2) {
		sr.who[0].name = "left";
		sr.who[1].name = "right";
	}
	if (!err)
		err = stuck_go(run, &sr);
	sysv_remove();
	stuck_fini(&sr);
	return err;
}

const struct demo_workload demo_deadlock = {
	.name = "deadlock",
	.scenario = true,
	.help = "processes in a ring, each blocked sending to the next, until --hold or a signal",
	.uses = DEMO_OPT_SIZE | DEMO_OPT_HOLD | DEMO_OPT_SEED | DEMO_OPT_PARTIES | DEMO_OPT_MIXED,
	.defaults = {.messages = 1,
		     .size = 4096,
		     .senders = 2,
		     .receivers = 2,
		     .seed = 1,
		     .types = 1,
		     .parties = 2},
	.run = deadlock_run,
};
