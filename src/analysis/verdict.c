// SPDX-License-Identifier: BSD-2-Clause
/* What limits a flow: its sender, its receiver, or neither. */
#include "analysis/analysis.h"
#include "analysis/ends.h"

#define NOTICEABLE 100 /* permille: below, waiting limits nobody */
#define NEAR_FULL  500 /* permille of the time without room that means a slow receiver */
#define IDLE_NS    1000000000ull
#define FEW        10 /* messages: less say something only when they took SHORT_NS */
#define SHORT_NS   100000000ull

static uint64_t span_ns(const struct span_stat *s)
{
	return s->total_ns + s->now_ns;
}

uint64_t endpoint_stalled_ns(const struct model *m, const struct endpoint *ep)
{
	uint64_t since = ep->stall_since_ns, now_ns = model_now_ns(m);

	return ep->stalled.total_ns + (since && now_ns > since ? now_ns - since : 0);
}

static uint64_t send_waited_ns(const struct model *m, const struct flow *f)
{
	const struct endpoint *ep = flow_endpoint(f, EP_SEND);

	return ep ? span_ns(&ep->blocked) + endpoint_stalled_ns(m, ep) : 0;
}

/* A receiver that never sleeps in the receive itself waits in poll and its like. */
static uint64_t recv_waited_ns(const struct flow *f)
{
	const struct endpoint *ep = flow_endpoint(f, EP_RECV);

	if (!ep || chan_shape(f->chan) == SHAPE_INBOX)
		return 0;
	if (ep->blocked.count || ep->blocked.now_ns)
		return span_ns(&ep->blocked);
	return ep->proc->waits.total_ns + ep->proc->waits.now_ns;
}

uint64_t flow_backlog(const struct flow *f)
{
	enum ep_role role = f->src.proc ? EP_SEND : EP_RECV;
	const struct endpoint *ep = flow_endpoint(f, role);

	return end_backlog(f->chan, role, ep ? ep->side : -1);
}

uint64_t chan_full_ns(const struct model *m, const struct chan *c)
{
	uint64_t since = c->backlog.full_since_ns, now_ns = model_now_ns(m);

	return c->backlog.full_ns + (since && now_ns > since ? now_ns - since : 0);
}

/* First send to last receive; to now while one end is stuck in the middle of it. */
static uint64_t active_ns(const struct model *m, const struct flow *f)
{
	const struct endpoint *src = flow_endpoint(f, EP_SEND);
	uint64_t end_ns = f->last_ns;

	if (src && (src->blocked.now_ns || src->stall_since_ns))
		end_ns = model_now_ns(m);
	return end_ns > f->first_ns ? end_ns - f->first_ns : 0;
}

static unsigned int share(uint64_t part, uint64_t whole)
{
	if (part >= whole)
		return 1000;
	return (unsigned int)((double)part * 1000 / (double)whole);
}

static bool fell_silent(const struct model *m, const struct flow *f, uint64_t active)
{
	uint64_t silent_ns = model_now_ns(m) > f->last_ns ? model_now_ns(m) - f->last_ns : 0;
	const struct endpoint *src = flow_endpoint(f, EP_SEND);

	return f->chan->open && silent_ns > IDLE_NS && silent_ns / 2 > active &&
	       !(src && (src->blocked.now_ns || src->stall_since_ns));
}

struct verdict verdict_of_flow(const struct model *m, const struct flow *f)
{
	struct verdict v = {VERDICT_IDLE, 0, 0, 0};
	uint64_t active = active_ns(m, f);
	const struct endpoint *dst;
	unsigned int send, recv;

	if (!f->messages || !active)
		return v;
	v.send_blocked = share(send_waited_ns(m, f), active);
	v.recv_blocked = share(recv_waited_ns(f), active);
	v.full = share(chan_full_ns(m, f->chan), active);
	if (fell_silent(m, f, active)) {
		dst = flow_endpoint(f, EP_RECV);
		if (dst && dst->blocked.now_ns)
			v.kind = VERDICT_SILENT;
		return v;
	}
	send = v.full >= NEAR_FULL && v.full > v.send_blocked ? v.full : v.send_blocked;
	recv = v.recv_blocked;
	v.kind = VERDICT_BALANCED;
	if (send < NOTICEABLE && recv < NOTICEABLE)
		return v;
	if (2 * send >= 3 * recv)
		v.kind = VERDICT_CONSUMER_BOUND;
	else if (2 * recv >= 3 * send)
		v.kind = VERDICT_PRODUCER_BOUND;
	return v;
}

/* A few messages in next to no time say nothing, unless one end is stuck right now. */
bool verdict_has_basis(const struct model *m, const struct flow *f)
{
	const struct endpoint *src = flow_endpoint(f, EP_SEND);

	if (f->messages >= FEW || (f->messages > 1 && active_ns(m, f) >= SHORT_NS))
		return true;
	return f->messages && src && (src->blocked.now_ns || src->stall_since_ns);
}

const char *verdict_name(enum verdict_kind kind)
{
	static const char *const names[] = {
		[VERDICT_IDLE] = "idle",
		[VERDICT_BALANCED] = "balanced",
		[VERDICT_PRODUCER_BOUND] = "producer-bound",
		[VERDICT_CONSUMER_BOUND] = "consumer-bound",
		[VERDICT_SILENT] = "silent",
	};

	return (unsigned int)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "?";
}
