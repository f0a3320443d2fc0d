/* SPDX-License-Identifier: BSD-2-Clause */
#include "exchange.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "truth.h"

/* Counted receivers may give up when nothing came for so long after the last sender ended. */
#define STALL_NS DEMO_NS_PER_S

int exchange_fds(struct exchange *x, unsigned int cnt)
{
	x->fds = calloc(cnt, sizeof(*x->fds));
	if (!x->fds)
		return run_fail_errno(x->run, -ENOMEM, "set-up");
	for (unsigned int i = 0; i < cnt; i++)
		x->fds[i] = -1;
	x->fd_cnt = cnt;
	return 0;
}

uint64_t exchange_inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : (uint64_t)st.st_ino;
}

/* Closes the inherited descriptors that no port uses: a forgotten write end is an EOF that never
 * comes. */
static void close_others(struct exchange *x, const struct port *ports, int port_cnt)
{
	for (unsigned int i = 0; i < x->fd_cnt; i++) {
		bool used = false;

		for (int k = 0; k < port_cnt; k++)
			used = used || ports[k].fd == x->fds[i];
		if (x->fds[i] >= 0 && !used)
			close(x->fds[i]);
		x->fds[i] = -1;
	}
}

static struct port *new_ports(struct exchange *x)
{
	struct port *ports = calloc(x->max_ports, sizeof(*ports));

	for (unsigned int i = 0; ports && i < x->max_ports; i++) {
		ports[i].ops = x->ops->port;
		ports[i].fd = -1;
	}
	if (!ports)
		run_fail_errno(x->run, -ENOMEM, "set-up");
	return ports;
}

static void free_ports(struct port *ports, int cnt)
{
	for (int i = 0; i < cnt; i++) {
		worker_port_fini(&ports[i]);
		/* Several ports may share one descriptor; the last closes it. */
		if (ports[i].fd < 0)
			continue;
		if (i + 1 == cnt || ports[i].fd != ports[i + 1].fd)
			close(ports[i].fd);
	}
	free(ports);
}

static int sender_main(struct demo_run *run, unsigned int idx, void *arg)
{
	struct exchange *x = arg;
	struct port *ports = new_ports(x);
	struct worker w;
	int err, cnt;

	if (!ports)
		return -ENOMEM;
	cnt = x->ops->open_send(x, idx, ports);
	if (cnt < 0) {
		free(ports);
		return cnt;
	}
	close_others(x, ports, cnt);
	err = worker_init(&w, run, idx);
	if (err) {
		free_ports(ports, cnt);
		return err;
	}
	err = worker_start(&w);
	for (uint64_t seq = 0; !err && seq < run->opts.messages; seq++) {
		worker_pace(&w, seq);
		err = worker_send(&w, &ports[seq % (uint64_t)cnt], seq);
	}
	worker_fini(&w);
	free_ports(ports, cnt);
	return err;
}

static void wake_up(int sig)
{
	(void)sig;
}

/* Without SA_RESTART, so that give_up() gets a receiver out of its call. */
static void heed_give_up(void)
{
	struct sigaction sa = {.sa_handler = wake_up};

	sigaction(SIGUSR1, &sa, NULL);
}

/* Serves several channels, one receive on each that is ready. */
static int receive_many(struct worker *w, struct port *ports, int cnt)
{
	struct pollfd *fds = calloc((size_t)cnt, sizeof(*fds));
	uint64_t start_ns;
	int err = 0, open = cnt;

	if (!fds)
		return run_fail_errno(w->run, -ENOMEM, "set-up");
	for (int i = 0; i < cnt; i++)
		fds[i] = (struct pollfd){.fd = ports[i].fd, .events = POLLIN};
	while (!err && open) {
		start_ns = demo_now_ns();
		if (poll(fds, (nfds_t)cnt, -1) < 0) {
			if (errno == EINTR)
				continue;
			err = run_fail_errno(w->run, -errno, "poll");
		}
		w->proc->waited_ns += meter_call(&w->meter, demo_now_ns() - start_ns);
		for (int i = 0; !err && i < cnt; i++) {
			if (!fds[i].revents)
				continue;
			err = worker_recv(w, &ports[i]);
			if (ports[i].done) {
				fds[i] = (struct pollfd){.fd = -1};
				open--;
			}
		}
	}
	free(fds);
	return err;
}

static int receive_one(struct exchange *x, struct worker *w, struct port *p)
{
	unsigned int r = w->idx - x->senders;
	uint64_t left = x->ops->counted ? x->ops->expect(x->run, r) : UINT64_MAX;
	int err = 0;

	while (!err && !p->done && w->proc->recv.messages < left)
		err = worker_recv(w, p);
	return err;
}

static int receive(struct exchange *x, struct worker *w, struct port *ports, int cnt)
{
	int err;

	if (x->ops->counted)
		heed_give_up();
	w->class_of = x->ops->class_of;
	w->flow_of = &x->flow_of[(w->idx - x->senders) * x->senders];
	for (int i = 0; i < cnt; i++) {
		err = worker_port_init(w, &ports[i]);
		if (err)
			return err;
	}
	worker_start(w);
	worker_sleep_until(w, x->run->board->go_ns + x->run->opts.hold_ns);
	if (!cnt)
		return 0;
	return cnt == 1 ? receive_one(x, w, ports) : receive_many(w, ports, cnt);
}

static int receiver_main(struct demo_run *run, unsigned int idx, void *arg)
{
	struct exchange *x = arg;
	struct port *ports = new_ports(x);
	struct worker w;
	int err, cnt;

	if (!ports)
		return -ENOMEM;
	cnt = x->ops->open_recv(x, idx - x->senders, ports);
	if (cnt < 0) {
		free(ports);
		return cnt;
	}
	close_others(x, ports, cnt);
	err = worker_init(&w, run, idx);
	if (!err) {
		err = receive(x, &w, ports, cnt);
		worker_fini(&w);
	}
	free_ports(ports, cnt);
	return err;
}

static int declare(struct exchange *x)
{
	struct demo_run *run = x->run;
	unsigned int pairs = x->senders * x->receivers;
	struct run_shape shape = {.procs = x->senders + x->receivers,
				  .chans = x->ops->chan_cnt(run),
				  .flows = pairs,
				  .lanes = x->senders,
				  .lane_messages = run->opts.messages};
	int err, chan;

	x->max_ports = shape.chans;
	x->flow_of = calloc(pairs, sizeof(*x->flow_of));
	if (!x->flow_of)
		return run_fail_errno(run, -ENOMEM, "set-up");
	err = run_board(run, &shape);
	if (err)
		return err;
	for (unsigned int i = 0; i < shape.chans; i++)
		run->chans[i].mechanism = x->ops->mechanism;
	for (unsigned int i = 0; i < pairs; i++) {
		unsigned int s = i % x->senders, r = i / x->senders;

		chan = x->ops->chan_of(run, s, r);
		x->flow_of[i] = chan < 0 ? -1 : (int)i;
		run->flows[i] = (struct demo_flow){
			.src = s, .dst = x->senders + r, .chan = chan < 0 ? 0 : (unsigned int)chan};
	}
	return 0;
}

static int spawn_all(struct exchange *x)
{
	struct demo_run *run = x->run;
	char name[16];
	int err;

	/* Receivers first: a sender that connects finds somebody who listens. */
	for (unsigned int i = run->proc_cnt; i-- > 0;) {
		bool sender = i < x->senders;

		run->procs[i].sends = sender;
		run->procs[i].recvs = !sender;
		snprintf(name, sizeof(name), "%s-%u", sender ? "send" : "recv",
			 sender ? i : i - x->senders);
		err = run_spawn(run, i, name, sender ? sender_main : receiver_main, x);
		if (err)
			return err;
	}
	return 0;
}

/* A lost datagram leaves a counting receiver waiting: tell it when nothing more can come. */
static int give_up(struct demo_run *run, void *arg)
{
	struct exchange *x = arg;
	uint64_t messages = 0, now_ns = demo_now_ns();
	uint64_t patience_ns = STALL_NS + 2 * run->opts.receiver_delay_ns;

	for (unsigned int i = 0; i < x->senders; i++)
		if (run->procs[i].running)
			return 0;
	for (unsigned int i = x->senders; i < run->proc_cnt; i++)
		messages += run->procs[i].recv.messages;
	if (!x->seen_since_ns || messages != x->seen_messages ||
	    now_ns < run->board->go_ns + run->opts.hold_ns) {
		x->seen_messages = messages;
		x->seen_since_ns = now_ns;
		return 0;
	}
	if (now_ns - x->seen_since_ns < patience_ns)
		return 0;
	atomic_store(&run->board->stop, true);
	/* Again at every tick: a signal just before the call does not interrupt it. */
	for (unsigned int i = x->senders; i < run->proc_cnt; i++)
		if (run->procs[i].running)
			kill(run->procs[i].pid, SIGUSR1);
	return 0;
}

/* Everything sent was received, or is known to be lost. */
static int settle(struct exchange *x)
{
	struct demo_run *run = x->run;
	uint64_t sent = 0, got = 0, sent_bytes = 0, got_bytes = 0;

	for (unsigned int i = 0; i < run->proc_cnt; i++) {
		sent += run->procs[i].send.messages;
		got += run->procs[i].recv.messages;
		sent_bytes += run->procs[i].send.bytes;
		got_bytes += run->procs[i].recv.bytes;
	}
	for (unsigned int r = 0; x->ops->counted && r < x->receivers; r++) {
		uint64_t due = x->ops->expect(run, r);

		uint64_t missed = due - run->procs[x->senders + r].recv.messages;

		run->chans[r < run->chan_cnt ? r : 0].dropped += missed;
		got += missed;
		if (missed)
			got_bytes = sent_bytes;
	}
	if (sent != got || sent_bytes != got_bytes)
		return run_fail(run, -EBADMSG,
				"%" PRIu64 " messages, %" PRIu64 " bytes were sent, %" PRIu64
				" messages, %" PRIu64 " bytes received",
				sent, sent_bytes, got, got_bytes);
	return 0;
}

static int exchange_go(struct exchange *x)
{
	struct demo_run *run = x->run;
	int err;

	if (x->ops->check && (err = x->ops->check(run)))
		return err;
	err = declare(x);
	if (!err)
		err = x->ops->setup(x);
	if (!err)
		err = spawn_all(x);
	close_others(x, NULL, 0);
	if (!err)
		err = run_start(run);
	if (!err)
		err = run_join(run, x->ops->counted ? give_up : NULL, x);
	if (!err)
		err = settle(x);
	return err ? err : truth_write(run, NULL, 0);
}

int exchange_run(struct demo_run *run, const struct exchange_ops *ops)
{
	struct exchange x = {.run = run,
			     .ops = ops,
			     .senders = (unsigned int)run->opts.senders,
			     .receivers = (unsigned int)run->opts.receivers};
	int err = exchange_go(&x);

	if (ops->teardown)
		ops->teardown(&x);
	free(x.fds);
	free(x.flow_of);
	free(x.priv);
	return err;
}
