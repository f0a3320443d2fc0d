// SPDX-License-Identifier: BSD-2-Clause
/*
 * System V message queues: one object by its id, counted in bytes, since bytes are
 * what a sender waits for (q_cbytes against q_qbytes, msgop(2)).
 *
 * ev_vals: v[0] is the type of the message that was sent or received; v[1] what
 * msgrcv asked for: the low half of msgtyp, and msgflg << 32. ev_op.seq: messages in
 * the queue after the call. ev_obj.vals: key << 32 | id and uid of the creator <<
 * 32 | mode; ev_obj.peer: messages in it; netns: the IPC namespace.
 *
 * No descriptor holds a queue: it ends when it is removed, and an id that comes
 * back is another object.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/ipc.h>

#include "model/msgqueue.h"

#ifndef MSG_EXCEPT
#define MSG_EXCEPT 020000 /* linux/msg.h */
#endif

struct sysv_msg {
	struct msgqueue q;
	uint32_t key, id, uid, ipc_ns;
	uint64_t messages;
	uint64_t too_big; /* receives that failed with E2BIG */
};

static struct chan *msg_chan(struct model *m, struct obj *o)
{
	return msgqueue_chan(m, o, sizeof(struct sysv_msg));
}

static int msg_name(struct chan *c)
{
	struct sysv_msg *q = c->priv;
	char text[48];
	int n;

	if (q->q.named)
		return 0;
	n = snprintf(text, sizeof(text), "msg:0x%x/%u", q->key, q->id);
	q->q.named = true;
	return chan_set_name(c, text, (size_t)n);
}

static int msg_on_obj(struct model *m, struct obj *o, const struct ev_obj *ev, bool first)
{
	struct chan *c = msg_chan(m, o);
	struct sysv_msg *q;

	(void)first;
	if (!c)
		return -ENOMEM;
	q = c->priv;
	q->key = (uint32_t)(ev->vals[0] >> 32);
	q->id = (uint32_t)ev->vals[0];
	q->uid = (uint32_t)(ev->vals[1] >> 32);
	q->ipc_ns = ev->netns;
	if (ev->hdr.flags & OBJF_BACKLOG)
		q->messages = ev->peer;
	msgqueue_describe(c, ev);
	return msg_name(c);
}

/* A receive that found nothing tells what the queue has not, where it asked for one type or all. */
static void msg_lacks(struct sysv_msg *q, const struct ev_op *op, const struct ev_vals *vals)
{
	int32_t wanted = (int32_t)(uint32_t)vals->v[1];
	uint32_t flags = (uint32_t)(vals->v[1] >> 32);

	if (!wanted)
		pair_typed_empty(&q->q.pairs, op->enter_ns);
	else if (wanted > 0 && wanted < INT32_MAX && !(flags & MSG_EXCEPT))
		pair_typed_lacks(&q->q.pairs, (uint64_t)wanted, op->enter_ns);
}

static int msg_on_op(struct model *m, struct obj *o, struct proc *p, const struct event *ev)
{
	const struct ev_op *op = ev->op;
	struct chan *c = msg_chan(m, o);
	uint64_t type = ev->vals ? ev->vals->v[0] : 0;
	struct sysv_msg *q;

	if (!c)
		return -ENOMEM;
	q = c->priv;
	if (op->hdr.flags & OPF_BACKLOG)
		q->messages = op->seq;
	if (op->op == OP_RECV && op->ret == -E2BIG)
		q->too_big++;
	else if (op->op == OP_RECV && op->ret == -ENOMSG && ev->vals && !(op->hdr.flags & OPF_PEEK))
		msg_lacks(q, op, ev->vals);
	return msgqueue_op(m, o, c, p, op, &type);
}

static int msg_on_other(struct model *m, struct obj *o, struct proc *p, const struct event *ev)
{
	const struct ev_op *op = ev->op;
	struct chan *c = msg_chan(m, o);

	(void)p;
	if (!c)
		return -ENOMEM;
	if (op->op == OP_FOUND)
		return ev->vals ? msgqueue_found(c, ev->vals->v[0], op) : 0;
	if (op->op == OP_REMOVE && op->ret >= 0)
		msgqueue_removed(m, o, c, op->hdr.ts_ns);
	return 0;
}

static const char *msg_fold_name(const struct chan *c, char *buf, size_t len)
{
	(void)c;
	(void)buf;
	(void)len;
	return "msg:[removed]";
}

static void msg_facts(const struct model *m, const struct chan *c,
		      void (*put)(void *arg, const struct fact *f), void *arg)
{
	const struct sysv_msg *q = c->priv;
	char key[16];

	(void)m;
	if (!q)
		return;
	snprintf(key, sizeof(key), "0x%x", q->key);
	put(arg, &(struct fact){NULL, 0, "key", key, 0});
	put(arg, &(struct fact){NULL, 0, "ipc_id", NULL, q->id});
	put(arg, &(struct fact){NULL, 0, "creator_uid", NULL, q->uid});
	put(arg, &(struct fact){NULL, 0, "ipc_ns", NULL, q->ipc_ns});
	put(arg,
	    &(struct fact){NULL, 0, "messages_queued", NULL, q->q.removed_ns ? 0 : q->messages});
	put(arg, &(struct fact){NULL, 0, "too_big", NULL, q->too_big});
	put(arg, &(struct fact){NULL, 0, "removed", NULL, q->q.removed_ns != 0});
	msgqueue_put_types(c, "types", "type", put, arg);
}

static struct chan *msg_chan_for(struct model *m, struct obj *o, enum ipcspy_op op)
{
	(void)op;
	return msg_chan(m, o);
}

const struct chan_class sysv_msg_class = {
	.unit = "bytes",
	.shape = SHAPE_QUEUE,
	.unheld = true,
	.on_obj = msg_on_obj,
	.on_op = msg_on_op,
	.on_other = msg_on_other,
	.chan_for = msg_chan_for,
	.settle = msgqueue_settle,
	.on_merge = msgqueue_on_merge,
	.fold_name = msg_fold_name,
	.facts = msg_facts,
	.fini = msgqueue_fini,
};
