/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pty.c - pseudoterminals: one for each receiver, which all senders write in turn.
 *
 * Senders type at the master and receivers read /dev/pts/N, or with --output the
 * other way round. The terminal is raw, so that every byte arrives as it was sent.
 * With --canonical it hands out lines, and each message ends with one; its special
 * characters stay off, since messages are any bytes (termios(3)).
 *
 * A terminal whose other end is closed forgets what was not read yet: every
 * receiver keeps both ends open until it has all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "exchange.h"

#define LINE_MAX_BYTES 2048 /* half of what the line discipline keeps: N_TTY_BUF_SIZE */

static ssize_t pty_send(struct port *p, const void *buf, size_t len)
{
	return write(p->fd, buf, len);
}

static ssize_t pty_recv(struct port *p, void *buf, size_t len)
{
	return read(p->fd, buf, len);
}

static const struct port_ops pty_port = {.send = pty_send, .recv = pty_recv, .stream = true};

static int pty_check(struct demo_run *run)
{
	const struct demo_opts *o = &run->opts;

	if (!o->canonical)
		return 0;
	if (o->vary || o->size < MSG_HEADER_LEN + 8 || o->size > LINE_MAX_BYTES)
		return run_usage(run,
				 "with --canonical a message is a line: --size from 40 to %d and "
				 "no --vary",
				 LINE_MAX_BYTES);
	run->spec.newline = true;
	return 0;
}

static unsigned int pty_cnt(const struct demo_run *run)
{
	return (unsigned int)run->opts.receivers;
}

static int pty_of(const struct demo_run *run, unsigned int s, unsigned int r)
{
	(void)run;
	(void)s;
	return (int)r;
}

/* Sequence numbers r, r + receivers, ... of every sender. */
static uint64_t pty_expect(const struct demo_run *run, unsigned int r)
{
	const struct demo_opts *o = &run->opts;

	return o->senders * (o->messages / o->receivers + (r < o->messages % o->receivers));
}

static int set_mode(int fd, bool canonical)
{
	struct termios t;

	if (tcgetattr(fd, &t))
		return -errno;
	cfmakeraw(&t);
	if (canonical) {
		t.c_lflag |= ICANON;
		memset(t.c_cc, _POSIX_VDISABLE, sizeof(t.c_cc));
	}
	return tcsetattr(fd, TCSANOW, &t) ? -errno : 0;
}

/* fds[0] is the master, fds[1] the slave. */
static int pty_make(struct demo_run *run, struct demo_chan *c, int fds[2])
{
	char name[64];
	int err;

	fds[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fds[0] < 0 || grantpt(fds[0]) || unlockpt(fds[0]) ||
	    ptsname_r(fds[0], name, sizeof(name)))
		return run_fail_errno(run, -errno, "cannot make a pseudoterminal");
	fds[1] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	err = fds[1] < 0 ? -errno : set_mode(fds[1], run->opts.canonical);
	if (err)
		return run_fail_errno(run, err, name);
	snprintf(c->name, sizeof(c->name), "pty:%s", name);
	return 0;
}

static int pty_setup(struct exchange *x)
{
	int err = exchange_fds(x, 2 * x->receivers);

	for (unsigned int r = 0; !err && r < x->receivers; r++)
		err = pty_make(x->run, exchange_chan(x, r), &x->fds[2 * r]);
	return err;
}

static int pty_open_send(struct exchange *x, unsigned int sender, struct port *ports)
{
	(void)sender;
	for (unsigned int r = 0; r < x->receivers; r++) {
		ports[r].fd = x->fds[2 * r + x->run->opts.output];
		ports[r].chan = exchange_chan(x, r);
	}
	return (int)x->receivers;
}

static int pty_open_recv(struct exchange *x, unsigned int receiver, struct port *ports)
{
	int *ends = &x->fds[2 * receiver];
	bool output = x->run->opts.output;

	ports[0].fd = ends[!output];
	ports[0].chan = exchange_chan(x, receiver);
	ends[output] = -1; /* neither used nor closed */
	return 1;
}

static const struct exchange_ops pty_exchange = {
	.mechanism = "pty",
	.port = &pty_port,
	.counted = true,
	.check = pty_check,
	.chan_cnt = pty_cnt,
	.chan_of = pty_of,
	.setup = pty_setup,
	.open_send = pty_open_send,
	.open_recv = pty_open_recv,
	.expect = pty_expect,
};

static int pty_run(struct demo_run *run)
{
	return exchange_run(run, &pty_exchange);
}

const struct demo_workload demo_pty = {
	.name = "pty",
	.help = "raw pseudoterminals, each sender to all receivers in turn",
	.uses = DEMO_OPTS_EXCHANGE | DEMO_OPT_CHUNK | DEMO_OPT_CANONICAL | DEMO_OPT_OUTPUT,
	.defaults = {.messages = 1000, .size = 512, .senders = 1, .receivers = 1, .seed = 1},
	.run = pty_run,
};
