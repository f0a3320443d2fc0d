/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * quiet.c - idle, selfpipe, convoy: everybody waits, and nothing is wrong.
 *
 * idle: servers that nobody connects to. selfpipe: a program that polls a pipe
 * both of whose ends it has, as one does to wake one's own event loop. convoy:
 * processes that take turns with a mutex, until one of them keeps it.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "pipe.h"
#include "stuck.h"

#define TURN_NS   DEMO_NS_PER_MS
#define LONG_NS   (7 * 24 * 3600 * DEMO_NS_PER_S)
#define IDLE_HELP "--parties servers, each in epoll on a listening unix socket that nobody uses"

enum { SLOW = 0 };

/* Notes that the wait has begun, for those who look whether all are asleep. */
static void waiting(struct worker *w)
{
	atomic_store(&w->proc->recv.call_since_ns, demo_now_ns());
}

static int idle_body(struct worker *w, struct stuck_run *sr)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), fd;
	struct epoll_event ev = {.events = EPOLLIN}, got;
	struct address a;

	(void)sr;
	if (ep < 0)
		return run_fail_errno(w->run, -errno, "cannot make an epoll instance");
	fd = address_bind(w->run, AF_UNIX, SOCK_STREAM, w->idx, &a);
	if (fd < 0)
		return fd;
	if (listen(fd, 1) || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev))
		return run_fail_errno(w->run, -errno, "cannot listen on a socket");
	worker_start(w);
	waiting(w);
	while (epoll_wait(ep, &got, 1, -1) < 0 && errno == EINTR)
		;
	return run_fail(w->run, -EBADMSG, "somebody came");
}

static int idle_run(struct demo_run *run)
{
	struct stuck_run sr;
	int err = stuck_init(run, &sr, (unsigned int)run->opts.parties, 0);

	sr.body = idle_body;
	for (unsigned int i = 0; !err && i < sr.procs; i++) {
		sr.who[i].recvs = true;
		sr.who[i].end = STUCK_BLOCKED;
	}
	err = err ? err : run_make_dir(run);
	err = err ? err : stuck_go(run, &sr);
	stuck_fini(&sr);
	return err;
}

static int selfpipe_body(struct worker *w, struct stuck_run *sr)
{
	struct pollfd p = {.events = POLLIN};
	int fds[2], err = pipe_make(w->run, &w->run->chans[0], fds);

	(void)sr;
	if (err)
		return err;
	p.fd = fds[0];
	worker_start(w);
	waiting(w);
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	return run_fail(w->run, -EBADMSG, "somebody wrote");
}

static int selfpipe_run(struct demo_run *run)
{
	struct stuck_run sr;
	int err = stuck_init(run, &sr, 1, 1);

	if (!err) {
		sr.body = selfpipe_body;
		sr.who[0].name = "selfpipe";
		sr.who[0].recvs = true;
		sr.who[0].end = STUCK_BLOCKED;
		err = stuck_go(run, &sr);
	}
	stuck_fini(&sr);
	return err;
}

/* A turn each, --messages times; then the first keeps it, and all others wait for it. */
static int convoy_body(struct worker *w, struct stuck_run *sr)
{
	pthread_mutex_t *lock = sr->priv;
	int err = 0;

	worker_start(w);
	for (uint64_t turn = 0; !err; turn++) {
		bool keeps = w->idx == SLOW && turn == w->run->opts.messages;

		waiting(w);
		err = -pthread_mutex_lock(lock);
		atomic_store(&w->proc->recv.call_since_ns, 0);
		if (err)
			break;
		worker_sleep_until(w, demo_now_ns() + (keeps ? LONG_NS : TURN_NS));
		err = -pthread_mutex_unlock(lock);
		/* or whoever lets go would have it again before the next one wakes */
		worker_sleep_until(w, demo_now_ns() + TURN_NS);
	}
	return run_fail_errno(w->run, err, "the mutex");
}

static int convoy_lock(struct demo_run *run, struct stuck_run *sr)
{
	pthread_mutexattr_t attr;
	int err = stuck_memory(run, sr, 0);

	if (err)
		return err;
	err = -pthread_mutexattr_init(&attr);
	err = err ? err : -pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	err = err ? err : -pthread_mutex_init(sr->priv, &attr);
	return err ? run_fail_errno(run, err, "cannot make a mutex") : 0;
}

static int convoy_run(struct demo_run *run)
{
	struct stuck_run sr;
	int err = stuck_init(run, &sr, (unsigned int)run->opts.parties, 1);

	err = err ? err : convoy_lock(run, &sr);
	if (!err) {
		sr.body = convoy_body;
		sr.forked = stuck_memory_unmap;
		sr.who[SLOW].name = "slow";
		sr.who[SLOW].end = STUCK_BUSY;
		for (unsigned int i = 1; i < sr.procs; i++)
			stuck_add(&sr, i, 0, SLOW, "recv");
		for (unsigned int i = 0; i < sr.procs; i++)
			sr.who[i].recvs = true;
		err = stuck_go(run, &sr);
	}
	stuck_fini(&sr);
	return err;
}

const struct demo_workload demo_idle = {
	.name = "idle",
	.scenario = true,
	.help = IDLE_HELP,
	.uses = DEMO_OPT_PARTIES | DEMO_OPT_HOLD | DEMO_OPT_ABSTRACT,
	.defaults = {.messages = 1, .size = 32, .senders = 1, .receivers = 1, .parties = 1000},
	.run = idle_run,
};

const struct demo_workload demo_selfpipe = {
	.name = "selfpipe",
	.scenario = true,
	.help = "a program that polls a pipe both of whose ends it has",
	.uses = DEMO_OPT_HOLD,
	.defaults = {.messages = 1, .size = 32, .senders = 1, .receivers = 1, .parties = 1},
	.run = selfpipe_run,
};

const struct demo_workload demo_convoy = {
	.name = "convoy",
	.scenario = true,
	.help = "--parties take --messages turns with a mutex in shared memory; then one keeps it",
	.uses = DEMO_OPT_PARTIES | DEMO_OPT_MESSAGES | DEMO_OPT_HOLD,
	.defaults = {.messages = 20, .size = 32, .senders = 1, .receivers = 1, .parties = 4},
	.run = convoy_run,
};
