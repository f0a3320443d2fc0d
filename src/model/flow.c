// SPDX-License-Identifier: BSD-2-Clause
/* Flows, the messages that make them up, and the conversations they join to. */
#include <errno.h>
#include <stdlib.h>

#include "model/internal.h"

static uint64_t flow_key(const struct chan *c, const void *from, const void *to)
{
	/* Remote and unknown ends are the channel's; endpoints say the channel themselves. */
	return hmap_mix((uintptr_t)from ^ (uintptr_t)c << 1, (uintptr_t)to);
}

static struct flow *flow_find(const struct model *m, const struct chan *c, const void *from,
			      const void *to)
{
	uint64_t key = flow_key(c, from, to);
	struct flow *f;

	for (f = hmap_get(&m->flows, key); f; f = hmap_get(&m->flows, ++key))
		if (f->chan == c && f->from == from && f->to == to)
			break;
	return f;
}

static uint64_t conv_key(const struct chan *ab, const struct chan *ba, const struct proc *a,
			 const struct proc *b)
{
	return hmap_mix(hmap_mix((uintptr_t)ab, (uintptr_t)ba),
			hmap_mix((uintptr_t)a, (uintptr_t)b));
}

static int conv_new(struct model *m, struct flow *ab, struct flow *ba)
{
	struct conversation *v = calloc(1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	v->a = ab->src.proc;
	v->b = ab->dst.proc;
	v->chan_ab = ab->chan;
	v->chan_ba = ba->chan;
	v->key = conv_key(v->chan_ab, v->chan_ba, v->a, v->b);
	while (hmap_get(&m->convs, v->key))
		v->key++;
	if (hmap_put(&m->convs, v->key, v)) {
		free(v);
		return -ENOMEM;
	}
	hist_init(&v->turnaround_a);
	hist_init(&v->turnaround_b);
	v->received_b_ns = ab->last_ns; /* what the very first message back answers */
	v->a->refs++;
	v->b->refs++;
	ab->conv = ba->conv = v;
	list_add_tail(&m->conv_list, &v->in_model);
	return 0;
}

void conv_free(struct model *m, struct conversation *v)
{
	if (hmap_get(&m->convs, v->key) == v)
		hmap_del(&m->convs, v->key);
	list_del(&v->in_model);
	hist_fini(&v->turnaround_a);
	hist_fini(&v->turnaround_b);
	proc_put(v->a);
	proc_put(v->b);
	free(v);
}

static void flows_forget_conv(const struct chan *c, const struct conversation *v)
{
	list_for_each (f, &c->flows, struct flow, in_chan)
		if (f->conv == v)
			f->conv = NULL;
}

void conv_drop_chan(struct model *m, const struct chan *c)
{
	struct conversation *v;

	list_for_each (f, &c->flows, struct flow, in_chan) {
		v = f->conv;
		if (!v)
			continue;
		flows_forget_conv(v->chan_ab, v);
		flows_forget_conv(v->chan_ba, v);
		conv_free(m, v);
	}
}

int conv_move(struct model *m, struct conversation *v, const struct conversation *to)
{
	struct conversation *same;
	uint64_t key = conv_key(to->chan_ab, to->chan_ba, to->a, to->b);
	int err = 0;

	flows_forget_conv(v->chan_ab, v);
	flows_forget_conv(v->chan_ba, v);
	if (hmap_get(&m->convs, v->key) == v)
		hmap_del(&m->convs, v->key);
	for (same = hmap_get(&m->convs, key); same; same = hmap_get(&m->convs, ++key))
		if (same->chan_ab == to->chan_ab && same->chan_ba == to->chan_ba &&
		    same->a == to->a && same->b == to->b)
			break;
	if (same) {
		if (hist_merge(&same->turnaround_a, &v->turnaround_a) ||
		    hist_merge(&same->turnaround_b, &v->turnaround_b))
			err = -ENOMEM;
		conv_free(m, v);
		return err;
	}
	to->a->refs++;
	to->b->refs++;
	proc_put(v->a);
	proc_put(v->b);
	v->a = to->a;
	v->b = to->b;
	v->chan_ab = to->chan_ab;
	v->chan_ba = to->chan_ba;
	v->key = key;
	return hmap_put(&m->convs, key, v);
}

/* Two pipes make a conversation, whichever mechanism of the class either is. */
static bool one_way(const struct chan *c)
{
	return c->cls->shape == SHAPE_PIPE;
}

/* The flow from f's receiver to its sender on the channel of ep, which one of them has. */
static struct flow *flow_back(const struct model *m, const struct flow *f,
			      const struct endpoint *ep)
{
	const struct endpoint *from = ep, *to = ep;
	struct flow *back;

	if (ep->role == EP_SEND)
		to = ep_find(m, ep->chan, f->src.proc, EP_RECV);
	else
		from = ep_find(m, ep->chan, f->dst.proc, EP_SEND);
	if (!from || !to || ep->chan == f->chan || !one_way(ep->chan))
		return NULL;
	back = flow_find(m, ep->chan, from, to);
	return back && !back->conv ? back : NULL;
}

/* Searches from the end that knows fewer channels: a parent may have thousands of children. */
static struct flow *flow_opposite_pipe(const struct model *m, const struct flow *f)
{
	bool by_src = f->src.proc->refs <= f->dst.proc->refs;
	const struct proc *p = by_src ? f->src.proc : f->dst.proc;
	enum ep_role role = by_src ? EP_RECV : EP_SEND;
	struct flow *back;

	list_for_each (ep, &p->endpoints, struct endpoint, in_proc) {
		back = ep->role == role ? flow_back(m, f, ep) : NULL;
		if (back)
			return back;
	}
	return NULL;
}

/*
 * The flow that answers f: on the same channel for sockets, else on another
 * pipe of the same two processes that answers no other yet.
 */
static struct flow *flow_opposite(const struct model *m, const struct flow *f)
{
	const struct endpoint *back_send, *back_recv;

	if (!one_way(f->chan)) {
		back_send = ep_find(m, f->chan, f->dst.proc, EP_SEND);
		back_recv = ep_find(m, f->chan, f->src.proc, EP_RECV);
		return back_send && back_recv ? flow_find(m, f->chan, back_send, back_recv) : NULL;
	}
	return flow_opposite_pipe(m, f);
}

static int flow_join(struct model *m, struct flow *f)
{
	struct flow *back;

	if (!f->src.proc || !f->dst.proc || f->src.proc == f->dst.proc ||
	    f->chan->cls->shape == SHAPE_CALL)
		return 0;
	back = flow_opposite(m, f);
	return back && !back->conv ? conv_new(m, back, f) : 0;
}

struct flow *flow_get(struct model *m, struct endpoint *src, const struct remote *src_remote,
		      struct endpoint *dst, const struct remote *dst_remote)
{
	const void *from = src ? (const void *)src : src_remote;
	const void *to = dst ? (const void *)dst : dst_remote;
	struct chan *c = src ? src->chan : dst->chan;
	struct flow *f = dst ? dst->last_flow : NULL;

	if (f && f->from == from)
		return f;
	f = flow_find(m, c, from, to);
	if (!f) {
		f = calloc(1, sizeof(*f));
		if (!f)
			return NULL;
		f->chan = c;
		f->from = from;
		f->to = to;
		f->src.proc = src ? src->proc : NULL;
		f->dst.proc = dst ? dst->proc : NULL;
		f->src.addr = !src && src_remote ? (char *)src_remote->text : NULL;
		f->dst.addr = !dst && dst_remote ? (char *)dst_remote->text : NULL;
		f->src.here = !src && src_remote && src_remote->here;
		hist_init(&f->latency);
		f->key = flow_key(c, from, to);
		while (hmap_get(&m->flows, f->key))
			f->key++;
		if (hmap_put(&m->flows, f->key, f)) {
			free(f);
			return NULL;
		}
		list_add_tail(&c->flows, &f->in_chan);
	}
	if (dst)
		dst->last_flow = f;
	return f;
}

void flow_free(struct model *m, struct flow *f)
{
	struct endpoint *dst = f->dst.proc ? (struct endpoint *)f->to : NULL;

	flow_catch_up(m);
	if (dst && dst->last_flow == f)
		dst->last_flow = NULL;
	hmap_del(&m->flows, f->key);
	list_del(&f->in_chan);
	hist_fini(&f->latency);
	free(f);
}

/* Puts the latency in line and adds the one that has waited for its counter. */
static int add_latency(struct model *m, struct flow *f, uint64_t latency_ns)
{
	unsigned int i = m->late_next++ % LATE_LEN;
	struct hist *due = m->late[i].to;
	uint64_t value = m->late[i].value;

	hist_prefetch(&f->latency, latency_ns);
	m->late[i].to = &f->latency;
	m->late[i].value = latency_ns;
	return due ? hist_add(due, value) : 0;
}

int flow_catch_up(struct model *m)
{
	int err = 0;

	for (unsigned int i = 0; i < LATE_LEN; i++) {
		if (m->late[i].to && hist_add(m->late[i].to, m->late[i].value))
			err = -ENOMEM;
		m->late[i].to = NULL;
	}
	return err;
}

/*
 * A turnaround is counted from the last receive before a send; a second send
 * in a row answers nothing.
 */
static int conv_message(struct flow *f, uint64_t sent_ns, uint64_t received_ns)
{
	struct conversation *v = f->conv;
	bool from_a = f->src.proc == v->a;
	uint64_t *src_got = from_a ? &v->received_a_ns : &v->received_b_ns;
	uint64_t *dst_got = from_a ? &v->received_b_ns : &v->received_a_ns;
	int err = 0;

	if (*src_got && sent_ns >= *src_got) {
		err = hist_add(from_a ? &v->turnaround_a : &v->turnaround_b, sent_ns - *src_got);
		*src_got = 0;
	}
	*dst_got = received_ns;
	return err;
}

/* What the sender had; a receive has its own where who sent was not seen. */
static void add_payload(const struct model *m, struct message *msg, uint32_t payload)
{
	if (!payload)
		return;
	msg->payload_is = payloads_get(&m->payloads, payload, &msg->payload, &msg->payload_len)
				  ? PAYLOAD_KEPT
				  : PAYLOAD_GONE;
}

static void tell(const struct model *m, const struct flow *f, const struct xfer *w,
		 const struct xfer *r, uint64_t latency_ns, enum pairing how)
{
	const struct xfer *of = w ? w : r; /* a message is what was sent, where that was seen */
	struct message msg = {
		.recv_ns = r ? r->exit_ns : w->exit_ns,
		.chan = f->chan,
		.src = &f->src,
		.dst = &f->dst,
		.src_tid = w ? w->tid : 0,
		.dst_tid = r ? r->tid : 0,
		.bytes = of->len,
		.latency_ns = latency_ns,
		.send_blocked_ns = w ? w->blocked_ns : 0,
		.recv_blocked_ns = r ? r->blocked_ns : 0,
		.backlog = r && r->flags & OPF_BACKLOG ? r->backlog : f->chan->backlog.now,
		.timed = w && r,
		.what = m->message_what,
		.pairing = how,
		.sent_ns = w ? w->enter_ns : 0,
	};

	add_payload(m, &msg, of->payload);
	m->opts.on_message(m->opts.on_message_arg, &msg);
}

int flow_message(struct model *m, struct flow *f, const struct xfer *w, const struct xfer *r,
		 enum pairing how)
{
	uint64_t end_ns = r ? r->exit_ns : w->exit_ns, latency_ns = 0, taken_ns;
	int err = 0;

	f->messages++;
	f->paired[how]++;
	if (f->messages == 1) {
		f->first_ns = w ? w->enter_ns : end_ns;
		err = flow_join(m, f);
	}
	if (end_ns > f->last_ns)
		f->last_ns = end_ns;
	if (w && r) {
		taken_ns = w->enter_ns + w->blocked_ns;
		latency_ns = end_ns > taken_ns ? end_ns - taken_ns : 0;
		if (add_latency(m, f, latency_ns))
			err = -ENOMEM;
		if (f->conv && conv_message(f, w->enter_ns, end_ns))
			err = -ENOMEM;
	}
	if (m->opts.on_message)
		tell(m, f, w, r, latency_ns, how);
	return err;
}
