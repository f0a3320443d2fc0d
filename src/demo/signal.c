/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signal.c - signal: each receiving process is a channel, its senders many.
 *
 * A signal carries one word: it says which message it is, and the message's
 * header lies in shared memory. Real-time signals are queued, so each arrives;
 * with --standard one that is already pending takes in all that follow, and those
 * count as dropped.
 *
 * Receivers keep the signal blocked and take one per call: sigsuspend(2) lets one
 * run its handler, sigwaitinfo(2) and a signalfd give one without.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "exchange.h"

/* Far below RLIMIT_SIGPENDING, which all processes of a user share. */
#define UNDER_WAY_MAX  64
#define WINDOW_POLL_NS (50 * DEMO_NS_PER_US)

enum taker { TAKER_HANDLER = 0, TAKER_WAIT = 1, TAKER_FD = 2 };

static struct msg_header *headers; /* of message seq of a lane: at lane * per_lane + seq */
static uint64_t per_lane;
static int signo;
static enum taker taker;
static sigset_t just_it;
static volatile sig_atomic_t handled;
static volatile uintptr_t handled_value;
static volatile uint64_t handled_ns;

static struct msg_header *header_at(uintptr_t value)
{
	return &headers[value];
}

static ssize_t signal_send(struct port *p, const void *buf, size_t len)
{
	const struct demo_proc *to = p->arg;
	struct msg_header h;
	union sigval v;

	memcpy(&h, buf, sizeof(h));
	v.sival_ptr = (void *)(uintptr_t)(h.lane * per_lane + h.seq);
	*header_at((uintptr_t)v.sival_ptr) = h;
	return sigqueue(atomic_load(&to->pid), signo, v) ? -1 : (ssize_t)len;
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	handled_ns = demo_now_ns(); /* it is delivered; to return takes two calls more */
	handled_value = (uintptr_t)info->si_value.sival_ptr;
	handled = 1;
}

/* One signal: its number's handler runs, and returns to the mask that blocks it. */
static int take_by_handler(uintptr_t *value, uint64_t *got_ns)
{
	sigset_t mask;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	sigdelset(&mask, signo);
	handled = 0;
	sigsuspend(&mask);
	*value = handled_value;
	*got_ns = handled_ns;
	errno = EINTR;
	return handled ? 0 : -1;
}

static int take_by_fd(int fd, uintptr_t *value)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return -1;
	*value = (uintptr_t)info.ssi_ptr;
	return 0;
}

static int take_by_wait(uintptr_t *value)
{
	siginfo_t info;

	if (sigwaitinfo(&just_it, &info) < 0)
		return -1;
	*value = (uintptr_t)info.si_value.sival_ptr;
	return 0;
}

static ssize_t signal_recv(struct port *p, void *buf, size_t len)
{
	uintptr_t value = 0;
	int err;

	if (taker == TAKER_FD)
		err = take_by_fd(p->fd, &value);
	else
		err = taker == TAKER_WAIT ? take_by_wait(&value)
					  : take_by_handler(&value, &p->got_ns);
	if (err)
		return -1;
	if (len < sizeof(struct msg_header)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(buf, header_at(value), sizeof(struct msg_header));
	return sizeof(struct msg_header);
}

static void signal_admit(struct worker *w, struct port *p, size_t len)
{
	(void)len;
	while (!w->run->opts.standard && atomic_load(&p->chan->in_flight_bytes) >= UNDER_WAY_MAX)
		worker_sleep_until(w, demo_now_ns() + WINDOW_POLL_NS);
	atomic_fetch_add(&p->chan->in_flight_bytes, 1);
}

static void signal_taken(struct port *p, size_t len)
{
	(void)len;
	atomic_fetch_sub(&p->chan->in_flight_bytes, 1);
}

static const struct port_ops signal_port = {.send = signal_send,
					    .recv = signal_recv,
					    .admit = signal_admit,
					    .taken = signal_taken,
					    .bodiless = true};

static int signal_check(struct demo_run *run)
{
	static const char *const takers[] = {
		[TAKER_HANDLER] = "handler", [TAKER_WAIT] = "wait", [TAKER_FD] = "fd"};
	const char *want = run->opts.taker;

	signo = run->opts.standard ? SIGUSR2 : SIGRTMIN;
	sigemptyset(&just_it);
	sigaddset(&just_it, signo);
	for (unsigned int i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
		if (want && strcmp(want, takers[i]))
			continue;
		taker = i;
		return 0;
	}
	return run_usage(run, "--taker is handler, wait or fd");
}

static unsigned int per_receiver(const struct demo_run *run)
{
	return (unsigned int)run->opts.receivers;
}

static int receivers_chan(const struct demo_run *run, unsigned int s, unsigned int r)
{
	(void)run;
	(void)s;
	return (int)r;
}

static uint64_t signal_expect(const struct demo_run *run, unsigned int r)
{
	const struct demo_opts *o = &run->opts;

	return o->senders * (o->messages / o->receivers + (r < o->messages % o->receivers));
}

static size_t headers_bytes(const struct demo_run *run)
{
	return run->opts.senders * run->opts.messages * sizeof(*headers);
}

static int signal_setup(struct exchange *x)
{
	void *p = mmap(NULL, headers_bytes(x->run), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return run_fail_errno(x->run, -errno, "cannot map shared memory");
	headers = p;
	per_lane = x->run->opts.messages;
	return 0;
}

static void signal_teardown(struct exchange *x)
{
	if (headers)
		munmap(headers, headers_bytes(x->run));
	headers = NULL;
}

static int signal_open_send(struct exchange *x, unsigned int idx, struct port *ports)
{
	(void)idx;
	for (unsigned int r = 0; r < x->receivers; r++) {
		ports[r].chan = exchange_chan(x, r);
		ports[r].arg = &x->run->procs[x->senders + r];
	}
	return (int)x->receivers;
}

static int signal_open_recv(struct exchange *x, unsigned int r, struct port *ports)
{
	struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
	struct demo_chan *c = exchange_chan(x, r);

	snprintf(c->name, sizeof(c->name), "signal:%d", (int)getpid());
	sigprocmask(SIG_BLOCK, &just_it, NULL);
	ports[0].chan = c;
	if (taker == TAKER_FD) {
		ports[0].fd = signalfd(-1, &just_it, SFD_CLOEXEC);
		return ports[0].fd < 0 ? run_fail_errno(x->run, -errno, "cannot make a signalfd")
				       : 1;
	}
	sigfillset(&sa.sa_mask);
	if (sigaction(signo, &sa, NULL))
		return run_fail_errno(x->run, -errno, "cannot set a signal handler");
	return 1;
}

static const struct exchange_ops signal_exchange = {.mechanism = "signal",
						    .port = &signal_port,
						    .counted = true,
						    .check = signal_check,
						    .chan_cnt = per_receiver,
						    .chan_of = receivers_chan,
						    .setup = signal_setup,
						    .teardown = signal_teardown,
						    .open_send = signal_open_send,
						    .open_recv = signal_open_recv,
						    .expect = signal_expect};

static int signal_run(struct demo_run *run)
{
	return exchange_run(run, &signal_exchange);
}

const struct demo_workload demo_signal = {
	.name = "signal",
	.help = "signals from any number of senders to any number of receivers",
	.uses = DEMO_OPT_MESSAGES | DEMO_OPT_SENDERS | DEMO_OPT_RECEIVERS | DEMO_OPT_RATE |
		DEMO_OPT_RECEIVER_DELAY | DEMO_OPT_SENDER_DELAY | DEMO_OPT_HOLD | DEMO_OPT_SEED |
		DEMO_OPT_TAKER | DEMO_OPT_STANDARD,
	.defaults =
		{.messages = 1000, .size = MSG_HEADER_LEN, .senders = 1, .receivers = 1, .seed = 1},
	.run = signal_run,
};
