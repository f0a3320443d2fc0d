/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conn.c - unix-stream, unix-seqpacket, tcp: connections, each a channel.
 *
 * There are max(senders, receivers) of them: number k goes from sender
 * k mod senders to receiver k mod receivers. A sender with several uses them in
 * turn; a receiver with one reads it, with several polls them. The parent
 * listens, as a pre-forking server does, so that who listened, who connected
 * and who talks are not all the same process.
 *
 * Connections are made in order of their numbers (board->turn), so that both
 * ends agree on the number without a word on the connection.
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "conn.h"
#include "exchange.h"

#define TURN_POLL_NS (100 * DEMO_NS_PER_US)

static ssize_t conn_send(struct port *p, const void *buf, size_t len)
{
	return send(p->fd, buf, len, MSG_NOSIGNAL);
}

static ssize_t conn_recv(struct port *p, void *buf, size_t len)
{
	return recv(p->fd, buf, len, 0);
}

const struct port_ops conn_stream_port = {.send = conn_send, .recv = conn_recv, .stream = true};
static const struct port_ops packet_port = {.send = conn_send, .recv = conn_recv};

struct conn_type {
	int family, type;
};

struct conn_priv {
	struct conn_type type;
	struct address addr[]; /* per receiver */
};

static unsigned int conn_cnt(const struct demo_run *run)
{
	const struct demo_opts *o = &run->opts;

	return (unsigned int)(o->senders > o->receivers ? o->senders : o->receivers);
}

static int conn_of(const struct demo_run *run, unsigned int s, unsigned int r)
{
	const struct demo_opts *o = &run->opts;
	unsigned int k = o->senders >= o->receivers ? s : r;

	return k % o->senders == s && k % o->receivers == r ? (int)k : -1;
}

int conn_pair(struct demo_run *run, struct demo_chan *c, int type, int fds[2])
{
	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds))
		return run_fail_errno(run, -errno, "cannot make a socket pair");
	c->ino[0] = exchange_inode(fds[0]);
	c->ino[1] = exchange_inode(fds[1]);
	snprintf(c->name, sizeof(c->name), "unix:[%" PRIu64 "]", c->ino[0]);
	return 0;
}

static int setup_pairs(struct exchange *x, const struct conn_type *t)
{
	unsigned int cnt = conn_cnt(x->run);
	int err = exchange_fds(x, 2 * cnt);

	for (unsigned int k = 0; !err && k < cnt; k++) {
		struct demo_chan *c = exchange_chan(x, k);

		err = conn_pair(x->run, c, t->type, &x->fds[2 * k]);
	}
	return err;
}

static int setup_listeners(struct exchange *x, const struct conn_type *t)
{
	struct conn_priv *priv;
	int err;

	priv = calloc(1, sizeof(*priv) + x->receivers * sizeof(priv->addr[0]));
	if (!priv)
		return run_fail_errno(x->run, -ENOMEM, "set-up");
	x->priv = priv;
	priv->type = *t;
	err = exchange_fds(x, x->receivers);
	for (unsigned int r = 0; !err && r < x->receivers; r++) {
		x->fds[r] = address_bind(x->run, t->family, t->type, r, &priv->addr[r]);
		if (x->fds[r] < 0)
			return x->fds[r];
		if (listen(x->fds[r], (int)conn_cnt(x->run)))
			return run_fail_errno(x->run, -errno, "cannot listen on a socket");
	}
	return err;
}

static int conn_setup(struct exchange *x, const struct conn_type *t)
{
	return x->run->opts.socketpair ? setup_pairs(x, t) : setup_listeners(x, t);
}

static void await_turn(struct demo_run *run, unsigned int k)
{
	unsigned int ahead;

	/* The further away, the longer the sleep. */
	while ((ahead = k - atomic_load(&run->board->turn)))
		run_sleep_until(demo_now_ns() + ahead * TURN_POLL_NS);
}

/* The client knows both addresses as soon as it is connected. */
static int name_tcp(struct demo_run *run, struct demo_chan *c, int fd, const struct address *peer)
{
	struct address self = {.len = sizeof(self.in)};
	char from[48], to[48];

	if (getsockname(fd, &self.any, &self.len))
		return run_fail_errno(run, -errno, "cannot ask for a socket's address");
	address_name(&self, "tcp", from, sizeof(from));
	address_name(peer, "", to, sizeof(to));
	snprintf(c->name, sizeof(c->name), "%s<->%s", from, to + 1);
	return 0;
}

static int conn_connect(struct exchange *x, unsigned int k, struct port *p)
{
	const struct conn_priv *priv = x->priv;
	const struct address *a = &priv->addr[k % x->receivers];
	int one = 1, err = 0;

	p->fd = address_socket(x->run, priv->type.family, priv->type.type);
	if (p->fd < 0)
		return p->fd;
	await_turn(x->run, k);
	while ((err = connect(p->fd, &a->any, a->len) ? -errno : 0) == -EINTR)
		;
	if (err)
		return run_fail_errno(x->run, err, "cannot connect");
	if (priv->type.family == AF_INET) {
		/* A message that waits for the acknowledgement of the one before is not the
		 * channel's time. */
		if (setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
			return run_fail_errno(x->run, -errno, "cannot set TCP_NODELAY");
		err = name_tcp(x->run, p->chan, p->fd, a);
	} else {
		address_name(a, "unix", p->chan->name, sizeof(p->chan->name));
	}
	p->chan->ino[0] = exchange_inode(p->fd);
	return err;
}

static int conn_open_send(struct exchange *x, unsigned int sender, struct port *ports)
{
	unsigned int cnt = conn_cnt(x->run);
	int n = 0, err;

	for (unsigned int k = sender; k < cnt; k += x->senders, n++) {
		ports[n].chan = exchange_chan(x, k);
		if (x->run->opts.socketpair) {
			ports[n].fd = x->fds[2 * k];
			continue;
		}
		err = conn_connect(x, k, &ports[n]);
		if (err)
			return err;
	}
	return n;
}

static int conn_open_recv(struct exchange *x, unsigned int receiver, struct port *ports)
{
	unsigned int cnt = conn_cnt(x->run);
	int n = 0;

	for (unsigned int k = receiver; k < cnt; k += x->receivers, n++) {
		ports[n].chan = exchange_chan(x, k);
		if (x->run->opts.socketpair) {
			ports[n].fd = x->fds[2 * k + 1];
			continue;
		}
		ports[n].fd = accept4(x->fds[receiver], NULL, NULL, SOCK_CLOEXEC);
		if (ports[n].fd < 0)
			return run_fail_errno(x->run, -errno, "cannot accept a connection");
		ports[n].chan->ino[1] = exchange_inode(ports[n].fd);
		atomic_store(&x->run->board->turn, k + 1);
	}
	return n;
}

static int stream_setup(struct exchange *x)
{
	return conn_setup(x, &(struct conn_type){AF_UNIX, SOCK_STREAM});
}

static int seqpacket_setup(struct exchange *x)
{
	return conn_setup(x, &(struct conn_type){AF_UNIX, SOCK_SEQPACKET});
}

static int tcp_setup(struct exchange *x)
{
	return conn_setup(x, &(struct conn_type){AF_INET, SOCK_STREAM});
}

static int seqpacket_check(struct demo_run *run)
{
	return address_check_size(run, SOCK_SEQPACKET);
}

#define CONN_OPS                                                               \
	.chan_cnt = conn_cnt, .chan_of = conn_of, .open_send = conn_open_send, \
	.open_recv = conn_open_recv

static const struct exchange_ops stream_exchange = {
	.mechanism = "unix-stream", .port = &conn_stream_port, .setup = stream_setup, CONN_OPS};

static const struct exchange_ops seqpacket_exchange = {.mechanism = "unix-seqpacket",
						       .port = &packet_port,
						       .check = seqpacket_check,
						       .setup = seqpacket_setup,
						       CONN_OPS};

static const struct exchange_ops tcp_exchange = {
	.mechanism = "tcp", .port = &conn_stream_port, .setup = tcp_setup, CONN_OPS};

static int stream_run(struct demo_run *run)
{
	return exchange_run(run, &stream_exchange);
}

static int seqpacket_run(struct demo_run *run)
{
	return exchange_run(run, &seqpacket_exchange);
}

static int tcp_run(struct demo_run *run)
{
	return exchange_run(run, &tcp_exchange);
}

#define CONN_DEFAULTS                                                                  \
	{                                                                              \
		.messages = 1000, .size = 512, .senders = 1, .receivers = 1, .seed = 1 \
	}

const struct demo_workload demo_unix_stream = {
	.name = "unix-stream",
	.help = "unix stream sockets, each sender connected to a receiver",
	.uses = DEMO_OPTS_EXCHANGE | DEMO_OPT_CHUNK | DEMO_OPT_ABSTRACT | DEMO_OPT_SOCKETPAIR,
	.defaults = CONN_DEFAULTS,
	.run = stream_run,
};

const struct demo_workload demo_unix_seqpacket = {
	.name = "unix-seqpacket",
	.help = "unix sockets that are connected and keep messages apart",
	.uses = DEMO_OPTS_EXCHANGE | DEMO_OPT_ABSTRACT | DEMO_OPT_SOCKETPAIR,
	.defaults = CONN_DEFAULTS,
	.run = seqpacket_run,
};

const struct demo_workload demo_tcp = {
	.name = "tcp",
	.help = "TCP connections over 127.0.0.1",
	.uses = DEMO_OPTS_EXCHANGE | DEMO_OPT_CHUNK,
	.defaults = CONN_DEFAULTS,
	.run = tcp_run,
};
