// SPDX-License-Identifier: BSD-2-Clause
/*
 * POSIX message queues: one object by its name, counted in messages.
 *
 * ev_vals: of a send or receive v[0] is the priority, if v[1] has MQ_PRIO_KNOWN (a
 * receiver need not ask for it); of OP_NOTIFY sigev_notify << 32 | signal number,
 * all ones: the process gives its request up. ev_obj.vals: mq_msgsize, and the
 * bytes in the queue. mq_unlink takes the name only: those that have the queue
 * open go on using it (mq_overview(7)).
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "model/msgqueue.h"

struct posix_mq {
	struct msgqueue q;
	bool unlinked;
	uint64_t longest_bytes;
	struct { /* who was the last to ask */
		uint64_t count;
		uint32_t pid;
		uint32_t kind, signal;
		char comm[IPCSPY_COMM_LEN + 1];
	} notify;
};

static struct chan *mq_chan(struct model *m, struct obj *o)
{
	return msgqueue_chan(m, o, sizeof(struct posix_mq));
}

static int mq_on_obj(struct model *m, struct obj *o, const struct ev_obj *ev, bool first)
{
	struct chan *c = mq_chan(m, o);
	struct posix_mq *mq;

	(void)first;
	if (!c)
		return -ENOMEM;
	mq = c->priv;
	mq->longest_bytes = ev->vals[0];
	msgqueue_describe(c, ev);
	return 0;
}

static int mq_on_op(struct model *m, struct obj *o, struct proc *p, const struct event *ev)
{
	const struct ev_vals *vals = ev->vals;
	struct chan *c = mq_chan(m, o);
	uint64_t prio = vals ? vals->v[0] : 0;
	bool known = ev->op->op == OP_SEND || (vals && vals->v[1] & MQ_PRIO_KNOWN);

	if (!c)
		return -ENOMEM;
	return msgqueue_op(m, o, c, p, ev->op, known ? &prio : NULL);
}

static void mq_notify(struct posix_mq *mq, const struct proc *p, uint64_t wanted)
{
	if (wanted == UINT64_MAX) {
		mq->notify.pid = 0;
		return;
	}
	mq->notify.count++;
	mq->notify.pid = p->pid;
	mq->notify.kind = (uint32_t)(wanted >> 32);
	mq->notify.signal = (uint32_t)wanted;
	memcpy(mq->notify.comm, p->comm, sizeof(mq->notify.comm));
}

static int mq_on_other(struct model *m, struct obj *o, struct proc *p, const struct event *ev)
{
	const struct ev_op *op = ev->op;
	struct chan *c = mq_chan(m, o);
	struct posix_mq *mq;

	if (!c)
		return -ENOMEM;
	mq = c->priv;
	if (op->op == OP_FOUND)
		return ev->vals ? msgqueue_found(c, ev->vals->v[0], op) : 0;
	if (op->ret < 0)
		return 0;
	if (op->op == OP_NOTIFY && ev->vals)
		mq_notify(mq, p, ev->vals->v[0]);
	else if (op->op == OP_REMOVE)
		mq->unlinked = true;
	return 0;
}

static const char *mq_fold_name(const struct chan *c, char *buf, size_t len)
{
	(void)c;
	(void)buf;
	(void)len;
	return "mq:[closed]";
}

static const char *kind_name(uint32_t kind)
{
	return kind == SIGEV_SIGNAL ? "signal" : kind == SIGEV_THREAD ? "thread" : "none";
}

static void mq_facts(const struct model *m, const struct chan *c,
		     void (*put)(void *arg, const struct fact *f), void *arg)
{
	const struct posix_mq *mq = c->priv;

	(void)m;
	if (!mq)
		return;
	put(arg, &(struct fact){NULL, 0, "message_max_bytes", NULL, mq->longest_bytes});
	put(arg, &(struct fact){NULL, 0, "unlinked", NULL, mq->unlinked});
	put(arg, &(struct fact){NULL, 0, "timeouts", NULL, mq->q.timeouts});
	put(arg, &(struct fact){NULL, 0, "notify_requests", NULL, mq->notify.count});
	if (mq->notify.pid) {
		put(arg, &(struct fact){"notify", 0, "pid", NULL, mq->notify.pid});
		put(arg, &(struct fact){"notify", 0, "comm", mq->notify.comm, 0});
		put(arg, &(struct fact){"notify", 0, "by", kind_name(mq->notify.kind), 0});
		if (mq->notify.kind == SIGEV_SIGNAL)
			put(arg, &(struct fact){"notify", 0, "signal", NULL, mq->notify.signal});
	}
	msgqueue_put_types(c, "priorities", "priority", put, arg);
}

static struct chan *mq_chan_for(struct model *m, struct obj *o, enum ipcspy_op op)
{
	(void)op;
	return mq_chan(m, o);
}

const struct chan_class posix_mq_class = {
	.unit = "messages",
	.shape = SHAPE_PIPE,
	.on_obj = mq_on_obj,
	.on_op = mq_on_op,
	.on_other = mq_on_other,
	.chan_for = mq_chan_for,
	.settle = msgqueue_settle,
	.on_merge = msgqueue_on_merge,
	.fold_name = mq_fold_name,
	.facts = mq_facts,
	.fini = msgqueue_fini,
};
