// SPDX-License-Identifier: BSD-2-Clause
/*
 * msgqueue.c - posix-mq, sysv-msg: one queue that all senders and receivers share.
 *
 * Message seq of a sender has the priority seq modulo --priorities, or the type
 * 1 + seq modulo --types. Every receiver takes a fixed number of messages, since
 * a queue has no end.
 *
 * The POSIX queue loses its name as soon as it exists: descriptors are inherited.
 * The System V queue has an id that must be known to use it, and is removed at
 * the end, whichever end that is.
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <unistd.h>

#include "exchange.h"
#include "msgqueue.h"

/* What an unprivileged process may have: mq_overview(7), msgget(2). */
#define MQ_SIZE_MAX  8192
#define MQ_MSGS      10
#define MSG_SIZE_MAX 8192
#define KEY_TRIES    64
#define KEY_BASE     0x69700000

/* A message as msgsnd and msgrcv have it. One more byte: see worker_port_init(). */
struct typed_msg {
	long type;
	char text[MSG_SIZE_MAX + 1];
};

struct sysv_choice {
	long wanted;
	int flags;
};

static uint64_t seq_of(const void *buf)
{
	struct msg_header h;

	memcpy(&h, buf, sizeof(h));
	return h.seq;
}

static unsigned int mq_prio(const struct port *p, const void *buf)
{
	const struct demo_opts *o = p->arg;

	return (unsigned int)(seq_of(buf) % o->priorities);
}

static ssize_t mq_port_send(struct port *p, const void *buf, size_t len)
{
	return mq_send(p->fd, buf, len, mq_prio(p, buf)) ? -1 : (ssize_t)len;
}

static ssize_t mq_port_recv(struct port *p, void *buf, size_t len)
{
	unsigned int prio;
	ssize_t n = mq_receive(p->fd, buf, len, &prio);

	if (n < (ssize_t)sizeof(struct msg_header) || prio == mq_prio(p, buf))
		return n;
	errno = EBADMSG;
	return -1;
}

static const struct port_ops mq_port = {.send = mq_port_send, .recv = mq_port_recv};

static unsigned int one_chan(const struct demo_run *run)
{
	(void)run;
	return 1;
}

static int the_chan(const struct demo_run *run, unsigned int s, unsigned int r)
{
	(void)run;
	(void)s;
	(void)r;
	return 0;
}

static uint64_t share(uint64_t total, uint64_t parts, uint64_t i)
{
	return total / parts + (i < total % parts);
}

static uint64_t mq_expect(const struct demo_run *run, unsigned int r)
{
	return share(run->opts.senders * run->opts.messages, run->opts.receivers, r);
}

static int mq_check(struct demo_run *run)
{
	if (run->opts.size > MQ_SIZE_MAX)
		return run_usage(run, "--size is at most %d: what a queue takes", MQ_SIZE_MAX);
	return 0;
}

static int mq_setup(struct exchange *x)
{
	struct mq_attr attr = {.mq_maxmsg = MQ_MSGS, .mq_msgsize = (long)x->run->opts.size};
	struct demo_chan *c = exchange_chan(x, 0);
	int err = exchange_fds(x, 1);

	if (err)
		return err;
	snprintf(c->name, sizeof(c->name), "/ipcspy-demo.%d", (int)getpid());
	x->fds[0] = mq_open(c->name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	if (x->fds[0] < 0)
		return run_fail_errno(x->run, -errno, "cannot make a message queue");
	mq_unlink(c->name);
	c->ino[0] = exchange_inode(x->fds[0]);
	return 0;
}

static int mq_open_port(struct exchange *x, unsigned int idx, struct port *ports)
{
	(void)idx;
	ports[0].fd = x->fds[0];
	ports[0].chan = exchange_chan(x, 0);
	ports[0].arg = &x->run->opts;
	return 1;
}

static uint64_t mq_class(const struct demo_run *run, uint64_t seq)
{
	return seq % run->opts.priorities;
}

static const struct exchange_ops mq_exchange = {.mechanism = "posix-mq",
						.port = &mq_port,
						.counted = true,
						.check = mq_check,
						.chan_cnt = one_chan,
						.chan_of = the_chan,
						.setup = mq_setup,
						.open_send = mq_open_port,
						.open_recv = mq_open_port,
						.expect = mq_expect,
						.class_of = mq_class};

static struct typed_msg sysv_buf; /* of this process: it is in one call at a time */
static int sysv_id = -1;
static uint64_t sysv_types;

static ssize_t sysv_port_send(struct port *p, const void *buf, size_t len)
{
	(void)p;
	sysv_buf.type = 1 + (long)(seq_of(buf) % sysv_types);
	memcpy(sysv_buf.text, buf, len);
	return msgsnd(sysv_id, &sysv_buf, len, 0) ? -1 : (ssize_t)len;
}

static ssize_t sysv_port_recv(struct port *p, void *buf, size_t len)
{
	static const struct sysv_choice any;
	const struct sysv_choice *want = p->arg ? p->arg : &any;
	ssize_t n = msgrcv(sysv_id, &sysv_buf, len, want->wanted, want->flags);

	if (n < 0)
		return n;
	memcpy(buf, sysv_buf.text, (size_t)n);
	if (n >= (ssize_t)sizeof(struct msg_header) &&
	    sysv_buf.type != 1 + (long)(seq_of(buf) % sysv_types)) {
		errno = EBADMSG;
		return -1;
	}
	return n;
}

const struct port_ops sysv_port = {.send = sysv_port_send, .recv = sysv_port_recv};

/* How receivers choose: --select. */
static bool selects(const struct demo_run *run, const char *how)
{
	return !strcmp(run->opts.select ? run->opts.select : "any", how);
}

static int sysv_check(struct demo_run *run)
{
	const struct demo_opts *o = &run->opts;

	if (o->size > MSG_SIZE_MAX)
		return run_usage(run, "--size is at most %d: what a queue takes", MSG_SIZE_MAX);
	if (!selects(run, "any") && !selects(run, "exact") && !selects(run, "lowest") &&
	    !selects(run, "except"))
		return run_usage(run, "--select is any, exact, lowest or except");
	if (selects(run, "exact") && o->types != o->receivers)
		return run_usage(run, "--select exact needs as many --types as --receivers");
	if (selects(run, "except") && (o->receivers < 2 || o->types < 2))
		return run_usage(run, "--select except needs two --receivers and two --types");
	return 0;
}

/* Messages of all senders whose type is 1 + t. */
static uint64_t of_type(const struct demo_run *run, uint64_t t)
{
	return run->opts.senders * share(run->opts.messages, run->opts.types, t);
}

static uint64_t sysv_expect(const struct demo_run *run, unsigned int r)
{
	uint64_t all = run->opts.senders * run->opts.messages;

	if (selects(run, "exact"))
		return of_type(run, r);
	if (!selects(run, "except"))
		return share(all, run->opts.receivers, r);
	return r ? share(all - of_type(run, 0), run->opts.receivers - 1, r - 1) : of_type(run, 0);
}

int sysv_make(struct demo_run *run, struct demo_chan *c)
{
	key_t key = 0;

	sysv_types = run->opts.types;
	for (int i = 0; i < KEY_TRIES && sysv_id < 0; i++) {
		key = KEY_BASE + (getpid() * KEY_TRIES + i) % 0x100000;
		sysv_id = msgget(key, IPC_CREAT | IPC_EXCL | 0600);
		if (sysv_id < 0 && errno != EEXIST)
			break;
	}
	if (sysv_id < 0)
		return run_fail_errno(run, -errno, "cannot make a message queue");
	c->mechanism = "sysv-msg";
	snprintf(c->name, sizeof(c->name), "msg:0x%x/%d", (unsigned int)key, sysv_id);
	return 0;
}

static int sysv_setup(struct exchange *x)
{
	return sysv_make(x->run, exchange_chan(x, 0));
}

void sysv_remove(void)
{
	if (sysv_id >= 0)
		msgctl(sysv_id, IPC_RMID, NULL);
	sysv_id = -1;
}

static void sysv_teardown(struct exchange *x)
{
	(void)x;
	sysv_remove();
}

static int sysv_open_send(struct exchange *x, unsigned int idx, struct port *ports)
{
	(void)idx;
	ports[0].chan = exchange_chan(x, 0);
	return 1;
}

static int sysv_open_recv(struct exchange *x, unsigned int r, struct port *ports)
{
	static struct sysv_choice want;

	if (selects(x->run, "exact"))
		want.wanted = 1 + (long)r;
	else if (selects(x->run, "lowest"))
		want.wanted = -(long)sysv_types;
	else if (selects(x->run, "except"))
		want = (struct sysv_choice){1, r ? MSG_EXCEPT : 0};
	ports[0].chan = exchange_chan(x, 0);
	ports[0].arg = &want;
	return 1;
}

static uint64_t sysv_class(const struct demo_run *run, uint64_t seq)
{
	return seq % run->opts.types;
}

static const struct exchange_ops sysv_exchange = {.mechanism = "sysv-msg",
						  .port = &sysv_port,
						  .counted = true,
						  .check = sysv_check,
						  .chan_cnt = one_chan,
						  .chan_of = the_chan,
						  .setup = sysv_setup,
						  .teardown = sysv_teardown,
						  .open_send = sysv_open_send,
						  .open_recv = sysv_open_recv,
						  .expect = sysv_expect,
						  .class_of = sysv_class};

static int mq_run(struct demo_run *run)
{
	return exchange_run(run, &mq_exchange);
}

static int sysv_run(struct demo_run *run)
{
	return exchange_run(run, &sysv_exchange);
}

#define QUEUE_DEFAULTS                                                                  \
	{                                                                               \
		.messages = 1000, .size = 512, .senders = 1, .receivers = 1, .seed = 1, \
		.priorities = 1, .types = 1                                             \
	}

const struct demo_workload demo_posix_mq = {
	.name = "posix-mq",
	.help = "a POSIX message queue that all share",
	.uses = DEMO_OPTS_EXCHANGE | DEMO_OPT_PRIORITIES,
	.defaults = QUEUE_DEFAULTS,
	.run = mq_run,
};

const struct demo_workload demo_sysv_msg = {
	.name = "sysv-msg",
	.help = "a System V message queue that all share",
	.uses = DEMO_OPTS_EXCHANGE | DEMO_OPT_TYPES | DEMO_OPT_SELECT,
	.defaults = QUEUE_DEFAULTS,
	.run = sysv_run,
};
