/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * msgqueue.bpf.h - System V message queues: struct msg_queue (ipc/msg.c), and
 * the messages that both kinds of queue hold: struct msg_msg.
 */
#ifndef IPCSPY_MSGQUEUE_BPF_H
#define IPCSPY_MSGQUEUE_BPF_H

#include "sysv.bpf.h"

/* Still the object that it was resolved to, and not removed? */
static __always_inline bool msgqueue_lives(const struct objref *o)
{
	struct msg_queue *q = (void *)o->ptr;
	bool deleted = true;
	__s32 id = -1;

	return !KREAD(&id, &q->q_perm.id) && mix(o->ptr, id) == o->id &&
	       !KREAD(&deleted, &q->q_perm.deleted) && !deleted;
}

/*
 * s->seq: messages in it. Whether it has room depends on what is to go in: here,
 * another message of s->exact bytes (do_msgsnd() in ipc/msg.c).
 */
static __always_inline void msgqueue_sample(struct sample *s, const struct objref *o)
{
	struct msg_queue *q = (void *)o->ptr;
	unsigned long bytes = 0, limit = 0, cnt = 0;

	s->dir = DIR_ALWAYS;
	if (!msgqueue_lives(o))
		return;
	KREAD(&bytes, &q->q_cbytes);
	KREAD(&limit, &q->q_qbytes);
	KREAD(&cnt, &q->q_qnum);
	s->backlog = bytes;
	s->seq = cnt;
	s->flags |= OPF_BACKLOG;
	if (bytes + s->exact > limit || cnt + 1 > limit)
		s->flags |= OPF_FULL;
}

/* The process that received from the queue last, as the initial pid namespace has it. */
static __always_inline __u32 msgqueue_receiver(const struct objref *o)
{
	struct msg_queue *q = (void *)o->ptr;
	struct pid *last = NULL;
	int nr = 0;

	if (!msgqueue_lives(o))
		return 0;
	KREAD(&last, &q->q_lrpid);
	if (last)
		KREAD(&nr, &last->numbers[0].nr);
	return nr;
}

/* peer: messages in it. */
static __always_inline void msgqueue_describe(struct ev_obj *e, const struct objref *o)
{
	struct msg_queue *q = (void *)o->ptr;
	unsigned long bytes = 0, limit = 0, cnt = 0;

	if (!sysv_describe(e, o))
		return;
	KREAD(&bytes, &q->q_cbytes);
	KREAD(&limit, &q->q_qbytes);
	KREAD(&cnt, &q->q_qnum);
	e->capacity = limit;
	e->backlog = bytes;
	e->peer = cnt;
	e->hdr.flags |= OBJF_BACKLOG;
}

/* What a queue holds when it is first seen: one OP_FOUND per message, by nobody. */
#define FOUND_MAX 4096 /* messages, or steps on the way to them */

struct found {
	__u64 id, now_ns;
	__u32 mech, pad;
};

static __always_inline void found_begin(struct found *f, const struct objref *o)
{
	f->id = o->id;
	f->mech = o->mech;
	f->now_ns = bpf_ktime_get_ns();
}

/* Tells of the message at *at, and goes on to the next. 1: it cannot. */
static __always_inline long msg_found(const struct found *f, struct list_head **at)
{
	struct msg_msg *msg = (void *)*at - bpf_core_field_offset(struct msg_msg, m_list);
	unsigned long len = 0;
	struct op_vals *e;
	long type = 0;

	if (KREAD(&type, &msg->m_type) || KREAD(&len, &msg->m_ts) || KREAD(at, &msg->m_list.next))
		return 1;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		lose(f->mech, f->id);
		return 1;
	}
	__builtin_memset(e, 0, sizeof(*e));
	hdr_init(&e->op.hdr, EV_OP, sizeof(*e), 0, 0, OPF_TARGET | OPF_VALS, f->now_ns);
	e->op.chan = f->id;
	e->op.enter_ns = f->now_ns;
	e->op.ret = len;
	e->op.op = OP_FOUND;
	e->op.mech = f->mech;
	e->vals.v[0] = type;
	e->vals.v[1] = f->mech == MECH_POSIX_MQ ? MQ_PRIO_KNOWN : 0;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 0;
}

struct msgqueue_walk {
	struct found f;
	__u64 head;
	struct list_head *at;
};

static long msgqueue_step(__u32 i, void *arg)
{
	struct msgqueue_walk *w = arg;

	if (!w->at || (__u64)w->at == w->head)
		return 1;
	return msg_found(&w->f, &w->at);
}

static __always_inline void msgqueue_contents(const struct objref *o)
{
	struct msg_queue *q = (void *)o->ptr;
	struct msgqueue_walk w = {};

	found_begin(&w.f, o);
	w.head = (__u64)&q->q_messages;
	KREAD(&w.at, &q->q_messages.next);
	bpf_loop(FOUND_MAX, msgqueue_step, &w, 0);
}

#endif
