/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipe.c - pipe and fifo: one byte stream that all senders and receivers share.
 *
 * Writes of at most PIPE_BUF bytes are atomic (pipe(7)), and Linux keeps such a
 * write in one piece of the pipe's buffer, so that a reader that asks for
 * exactly that many gets exactly one message, whoever else reads. Nothing
 * larger may be shared.
 */
#include "pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exchange.h"

static ssize_t pipe_send(struct port *p, const void *buf, size_t len)
{
	return write(p->fd, buf, len);
}

static ssize_t pipe_recv(struct port *p, void *buf, size_t len)
{
	return read(p->fd, buf, len);
}

const struct port_ops pipe_port = {.send = pipe_send, .recv = pipe_recv, .stream = true};

static void describe(struct demo_chan *c, int fd)
{
	int capacity = fcntl(fd, F_GETPIPE_SZ);

	c->capacity = capacity > 0 ? (uint64_t)capacity : 0;
	c->ino[0] = exchange_inode(fd);
}

int pipe_make(struct demo_run *run, struct demo_chan *c, int fds[2])
{
	if (pipe2(fds, O_CLOEXEC))
		return run_fail_errno(run, -errno, "cannot make a pipe");
	c->mechanism = "pipe";
	describe(c, fds[0]);
	snprintf(c->name, sizeof(c->name), "pipe:[%" PRIu64 "]", c->ino[0]);
	return 0;
}

static int stream_check(struct demo_run *run)
{
	const struct demo_opts *o = &run->opts;

	if (o->size > PIPE_BUF && (o->senders > 1 || o->receivers > 1))
		return run_usage(
			run,
			"with several senders or receivers --size is at most %d: a byte stream "
			"keeps larger messages apart for nobody",
			PIPE_BUF);
	if ((o->vary || o->chunk) && o->receivers > 1)
		return run_usage(run,
				 "--%s needs a single receiver: several would read into each "
				 "other's messages",
				 o->vary ? "vary" : "chunk");
	return 0;
}

static unsigned int one_chan(const struct demo_run *run)
{
	(void)run;
	return 1;
}

static int same_chan(const struct demo_run *run, unsigned int s, unsigned int r)
{
	(void)run;
	(void)s;
	(void)r;
	return 0;
}

static int pipe_setup(struct exchange *x)
{
	int err = exchange_fds(x, 2);

	return err ? err : pipe_make(x->run, exchange_chan(x, 0), x->fds);
}

static int pipe_open_send(struct exchange *x, unsigned int sender, struct port *ports)
{
	(void)sender;
	ports[0].fd = x->fds[1];
	ports[0].chan = exchange_chan(x, 0);
	return 1;
}

static int pipe_open_recv(struct exchange *x, unsigned int receiver, struct port *ports)
{
	(void)receiver;
	ports[0].fd = x->fds[0];
	ports[0].chan = exchange_chan(x, 0);
	return 1;
}

static int fifo_setup(struct exchange *x)
{
	struct demo_chan *c = exchange_chan(x, 0);
	int err = run_make_dir(x->run), n;

	if (err)
		return err;
	n = snprintf(c->name, sizeof(c->name), "%s/fifo", x->run->dir);
	if (n < 0 || (size_t)n >= sizeof(c->name))
		return run_fail(x->run, -ENAMETOOLONG, "TMPDIR is too long");
	if (mkfifo(c->name, 0600))
		return run_fail_errno(x->run, -errno, "cannot make a FIFO in TMPDIR");
	return 0;
}

/* Returns when the other side has opened its end too, see fifo(7). */
static int fifo_open(struct exchange *x, struct port *p, int flags)
{
	p->chan = exchange_chan(x, 0);
	p->fd = open(p->chan->name, flags | O_CLOEXEC);
	if (p->fd < 0)
		return run_fail_errno(x->run, -errno, "cannot open the FIFO");
	return 1;
}

static int fifo_open_send(struct exchange *x, unsigned int sender, struct port *ports)
{
	int cnt = fifo_open(x, &ports[0], O_WRONLY);

	if (cnt > 0 && !sender)
		describe(ports[0].chan, ports[0].fd);
	return cnt;
}

static int fifo_open_recv(struct exchange *x, unsigned int receiver, struct port *ports)
{
	(void)receiver;
	return fifo_open(x, &ports[0], O_RDONLY);
}

static const struct exchange_ops pipe_exchange = {
	.mechanism = "pipe",
	.port = &pipe_port,
	.check = stream_check,
	.chan_cnt = one_chan,
	.chan_of = same_chan,
	.setup = pipe_setup,
	.open_send = pipe_open_send,
	.open_recv = pipe_open_recv,
};

static const struct exchange_ops fifo_exchange = {
	.mechanism = "fifo",
	.port = &pipe_port,
	.check = stream_check,
	.chan_cnt = one_chan,
	.chan_of = same_chan,
	.setup = fifo_setup,
	.open_send = fifo_open_send,
	.open_recv = fifo_open_recv,
};

static int pipe_run(struct demo_run *run)
{
	return exchange_run(run, &pipe_exchange);
}

static int fifo_run(struct demo_run *run)
{
	return exchange_run(run, &fifo_exchange);
}

const struct demo_workload demo_pipe = {
	.name = "pipe",
	.help = "one pipe that all senders write and all receivers read",
	.uses = DEMO_OPTS_EXCHANGE | DEMO_OPT_CHUNK,
	.defaults = {.messages = 1000, .size = 512, .senders = 1, .receivers = 1, .seed = 1},
	.run = pipe_run,
};

const struct demo_workload demo_fifo = {
	.name = "fifo",
	.help = "the same over a named pipe that each process opens",
	.uses = DEMO_OPTS_EXCHANGE | DEMO_OPT_CHUNK,
	.defaults = {.messages = 1000, .size = 512, .senders = 1, .receivers = 1, .seed = 1},
	.run = fifo_run,
};
