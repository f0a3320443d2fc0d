/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dgram.c - unix-dgram, udp: each receiver's socket is a channel, its senders many.
 *
 * A sender sends to the receivers in turn, each message from one socket with
 * sendto(2). Datagrams have no end: a receiver knows how many are due.
 *
 * A unix socket whose queue is full makes its sender wait; UDP drops. So UDP
 * senders keep what is under way to a receiver below half of its buffer, by a
 * counter on the board and their own sleeps, never inside the send.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "address.h"
#include "exchange.h"

/* IPv4: 65535 less 20 bytes of IP and 8 of UDP header. */
#define UDP_MAX_PAYLOAD 65507
#define WINDOW_POLL_NS  (50 * DEMO_NS_PER_US)

struct dgram_priv {
	int family;
	struct address addr[]; /* per receiver */
};

static ssize_t dgram_send(struct port *p, const void *buf, size_t len)
{
	const struct address *a = p->arg;

	return sendto(p->fd, buf, len, MSG_NOSIGNAL, &a->any, a->len);
}

static ssize_t dgram_recv(struct port *p, void *buf, size_t len)
{
	return recv(p->fd, buf, len, 0);
}

/*
 * What a datagram takes of the receive buffer: the kernel counts memory
 * (skb->truesize), allocated in powers of two, with a good kilobyte of book-keeping.
 */
static uint64_t udp_cost(size_t len)
{
	uint64_t cost = 1024;

	while (cost < len + 512)
		cost *= 2;
	return cost + 1024;
}

static bool udp_try_admit(struct demo_chan *c, uint64_t cost)
{
	uint64_t now = atomic_load(&c->in_flight_bytes);

	do {
		if (now && now + cost > c->window_bytes)
			return false;
	} while (!atomic_compare_exchange_weak(&c->in_flight_bytes, &now, now + cost));
	return true;
}

static void udp_admit(struct worker *w, struct port *p, size_t len)
{
	while (!udp_try_admit(p->chan, udp_cost(len)))
		worker_sleep_until(w, demo_now_ns() + WINDOW_POLL_NS);
}

static void udp_taken(struct port *p, size_t len)
{
	atomic_fetch_sub(&p->chan->in_flight_bytes, udp_cost(len));
}

static const struct port_ops unix_port = {.send = dgram_send, .recv = dgram_recv};
static const struct port_ops udp_port = {
	.send = dgram_send, .recv = dgram_recv, .admit = udp_admit, .taken = udp_taken};

static int unix_check(struct demo_run *run)
{
	return address_check_size(run, SOCK_DGRAM);
}

static int udp_check(struct demo_run *run)
{
	if (run->opts.size > UDP_MAX_PAYLOAD)
		return run_usage(run, "--size is at most %d: what a datagram holds",
				 UDP_MAX_PAYLOAD);
	return 0;
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

/* Sequence numbers r, r + receivers, r + 2 * receivers, ... of every sender. */
static uint64_t dgram_expect(const struct demo_run *run, unsigned int r)
{
	const struct demo_opts *o = &run->opts;

	return o->senders * (o->messages / o->receivers + (r < o->messages % o->receivers));
}

/*
 * Half the buffer: the kernel gives the memory of what was received back in
 * batches of up to a quarter (udp_rmem_release() of net/ipv4/udp.c).
 */
static int set_window(struct exchange *x, unsigned int r)
{
	socklen_t len = sizeof(int);
	int rcvbuf;

	if (getsockopt(x->fds[r], SOL_SOCKET, SO_RCVBUF, &rcvbuf, &len))
		return run_fail_errno(x->run, -errno, "cannot ask for a socket's receive buffer");
	exchange_chan(x, r)->window_bytes = (uint64_t)rcvbuf / 2;
	return 0;
}

static int dgram_setup(struct exchange *x, int family)
{
	struct dgram_priv *priv;
	int err;

	priv = calloc(1, sizeof(*priv) + x->receivers * sizeof(priv->addr[0]));
	if (!priv)
		return run_fail_errno(x->run, -ENOMEM, "set-up");
	x->priv = priv;
	priv->family = family;
	err = exchange_fds(x, x->receivers);
	for (unsigned int r = 0; !err && r < x->receivers; r++) {
		struct demo_chan *c = exchange_chan(x, r);

		x->fds[r] = address_bind(x->run, family, SOCK_DGRAM, r, &priv->addr[r]);
		if (x->fds[r] < 0)
			return x->fds[r];
		c->ino[1] = exchange_inode(x->fds[r]);
		address_name(&priv->addr[r], "udp", c->name, sizeof(c->name));
		err = set_window(x, r);
	}
	return err;
}

static int unix_setup(struct exchange *x)
{
	return dgram_setup(x, AF_UNIX);
}

static int udp_setup(struct exchange *x)
{
	return dgram_setup(x, AF_INET);
}

static int dgram_open_send(struct exchange *x, unsigned int sender, struct port *ports)
{
	const struct dgram_priv *priv = x->priv;
	int fd = address_socket(x->run, priv->family, SOCK_DGRAM);

	(void)sender;
	for (unsigned int r = 0; fd >= 0 && r < x->receivers; r++) {
		ports[r].fd = fd;
		ports[r].chan = exchange_chan(x, r);
		ports[r].arg = &priv->addr[r];
	}
	return fd < 0 ? fd : (int)x->receivers;
}

static int dgram_open_recv(struct exchange *x, unsigned int receiver, struct port *ports)
{
	ports[0].fd = x->fds[receiver];
	ports[0].chan = exchange_chan(x, receiver);
	return 1;
}

#define DGRAM_OPS                                                             \
	.counted = true, .chan_cnt = per_receiver, .chan_of = receivers_chan, \
	.open_send = dgram_open_send, .open_recv = dgram_open_recv, .expect = dgram_expect

static const struct exchange_ops unix_exchange = {.mechanism = "unix-dgram",
						  .port = &unix_port,
						  .check = unix_check,
						  .setup = unix_setup,
						  DGRAM_OPS};

static const struct exchange_ops udp_exchange = {
	.mechanism = "udp", .port = &udp_port, .check = udp_check, .setup = udp_setup, DGRAM_OPS};

static int unix_run(struct demo_run *run)
{
	return exchange_run(run, &unix_exchange);
}

static int udp_run(struct demo_run *run)
{
	return exchange_run(run, &udp_exchange);
}

#define DGRAM_DEFAULTS                                                                 \
	{                                                                              \
		.messages = 1000, .size = 512, .senders = 1, .receivers = 1, .seed = 1 \
	}

const struct demo_workload demo_unix_dgram = {
	.name = "unix-dgram",
	.help = "unix datagrams, each sender to all receivers in turn",
	.uses = DEMO_OPTS_EXCHANGE | DEMO_OPT_ABSTRACT,
	.defaults = DGRAM_DEFAULTS,
	.run = unix_run,
};

const struct demo_workload demo_udp = {
	.name = "udp",
	.help = "UDP over 127.0.0.1, each sender to all receivers in turn, none dropped",
	.uses = DEMO_OPTS_EXCHANGE,
	.defaults = DGRAM_DEFAULTS,
	.run = udp_run,
};
