// SPDX-License-Identifier: BSD-2-Clause
/*
 * A timeline for Perfetto: a slice for each operation, within it the time it was blocked, an
 * instant for each message where it was received, with an arrow from the send, a counter for
 * each backlog, findings at the end.
 *
 * A send is drawn before anybody knows who receives it, so its arrow has a number that both
 * can tell: a hash of the sender, when its call began, and which of the call's messages it is.
 * The messages of one call are told in any order; they begin at one place, so that is no harm.
 */
#include <string.h>

#include "analysis/findings.h"
#include "export/format.h"
#include "export/packets.h"
#include "export/tracks.h"
#include "export/walk.h"

/* A call that wakes several is told once; so many of its arrows begin there. */
#define WAKE_FLOWS FLOWS_MAX

struct timeline {
	struct packets packets;
	struct tracks tracks;
	struct strbuf text;
	uint64_t fallback; /* track of messages between nobody that is known */
};

static int put_end(struct timeline *tl, uint64_t track, uint64_t ts_ns)
{
	struct track_event e;

	event_init(&e, EVENT_END, track, ts_ns);
	return packets_put_event(&tl->packets, &e);
}

static bool is_wake(enum ipcspy_mech mech)
{
	return mech == MECH_FUTEX || mech == MECH_FUTEX_PRIVATE || mech == MECH_SYSV_SEM ||
	       mech == MECH_EVENTFD;
}

/* The number of the next message of the call that began then. */
static uint64_t next_flow(const struct task_track *task, struct sent *sent, uint64_t enter_ns)
{
	if (sent->enter_ns != enter_ns)
		*sent = (struct sent){.enter_ns = enter_ns};
	return hmap_mix(hmap_mix(task->proc->uuid, task->tid), enter_ns) + ++sent->cnt;
}

static void add_flows(struct track_event *e, struct task_track *task, const struct ev_op *ev)
{
	unsigned int cnt = is_wake(ev->mech) ? WAKE_FLOWS : 1;

	if (ev->op != OP_SEND || ev->ret < 0)
		return;
	for (unsigned int i = 0; i < cnt; i++)
		event_add_flow(e, next_flow(task, &task->drawn, ev->enter_ns));
}

/* What it is called: mostly as the system call is. */
static int name_event(struct timeline *tl, struct track_event *e, const struct ev_op *ev)
{
	static const enum event_name signals[OP_MAX] = {
		[OP_SEND] = NAME_SIGNAL_SENT,
		[OP_RECV] = NAME_SIGNAL_TAKEN,
		[OP_HANDLED] = NAME_SIGNAL_HANDLER,
	};

	event_set_category(e, ev->mech);
	if (ev->mech == MECH_SIGNAL && ev->op < OP_MAX && signals[ev->op])
		event_set_name(e, signals[ev->op]);
	else if (ev->hdr.flags & OPF_ASYNC)
		event_set_name(e, ev->op == OP_SEND ? NAME_URING_SEND : NAME_URING_RECV);
	else
		return event_set_call(&tl->packets, e, ev->nr);
	return 0;
}

static int add_chan(struct timeline *tl, struct track_event *e, const struct chan *c)
{
	struct chan_track *chan;
	const char *name;
	int err = c ? tracks_chan(&tl->tracks, c, &chan, &name) : 0;

	if (c && !err)
		event_add_interned(e, ARG_CHANNEL, chan->iid, name);
	return err;
}

static int describe(struct timeline *tl, struct track_event *e, const struct operation *op)
{
	const struct ev_op *ev = op->ev;
	int err = name_event(tl, e, ev);

	err = err ? err : add_chan(tl, e, op->chan);
	if (ev->ret < 0)
		event_add_u64(e, ARG_ERROR, (uint64_t) - (int64_t)ev->ret);
	else if (op->chan && (ev->op == OP_SEND || ev->op == OP_RECV))
		event_add_u64(e, ARG_BYTES, (uint64_t)ev->ret);
	if (ev->blocked_ns)
		event_add_u64(e, ARG_BLOCKED_NS, ev->blocked_ns);
	if (ev->waker_tid)
		event_add_u64(e, ARG_WAKER_TID, ev->waker_tid);
	return err;
}

static int put_blocked(struct timeline *tl, uint64_t track, uint64_t from_ns, uint64_t ns)
{
	struct track_event e;
	int err;

	event_init(&e, EVENT_BEGIN, track, from_ns);
	event_set_name(&e, NAME_BLOCKED);
	err = packets_put_event(&tl->packets, &e);
	return err ? err : put_end(tl, track, from_ns + ns);
}

/* More is under way at a time than there are lanes, or the call has its slice already. */
static int put_as_instant(struct timeline *tl, struct task_track *task, uint64_t track,
			  const struct operation *op)
{
	struct track_event e;
	int err;

	event_init(&e, EVENT_INSTANT, track, op->ev->hdr.ts_ns);
	err = describe(tl, &e, op);
	if (!(op->ev->hdr.flags & OPF_MORE))
		event_add_u64(&e, ARG_DURATION_NS, op->ev->hdr.ts_ns - op->ev->enter_ns);
	add_flows(&e, task, op->ev);
	return err ? err : packets_put_event(&tl->packets, &e);
}

static int put_slice(struct timeline *tl, struct task_track *task, struct lane *lane,
		     const struct operation *op)
{
	const struct ev_op *ev = op->ev;
	struct track_event e;
	int err;

	event_init(&e, EVENT_BEGIN, lane->uuid, ev->enter_ns);
	err = describe(tl, &e, op);
	add_flows(&e, task, ev);
	err = err ? err : packets_put_event(&tl->packets, &e);
	if (!err && ev->blocked_ns)
		err = put_blocked(tl, lane->uuid, ev->enter_ns, ev->blocked_ns);
	lane->open = true;
	return err;
}

static int draw(struct timeline *tl, const struct operation *op)
{
	const struct ev_op *ev = op->ev;
	struct task_track *task;
	struct lane *lane = NULL;
	int err = tracks_task(&tl->tracks, op->proc, ev->hdr.tid, &task);

	if (err)
		return err;
	if (ev->hdr.flags & OPF_MORE)
		lane = tracks_open_lane(task, ev->enter_ns, ev->hdr.ts_ns);
	if (lane) /* a further message of the call that has this slice */
		return put_as_instant(tl, task, lane->uuid, op);
	err = tracks_lane(&tl->tracks, task, ev->enter_ns, ev->hdr.ts_ns, ev->hdr.flags & OPF_ASYNC,
			  &lane);
	if (err)
		return err;
	return lane ? put_slice(tl, task, lane, op)
		    : put_as_instant(tl, task, task->lanes[0].uuid, op);
}

static int perfetto_op(struct exporter *x, const struct operation *op)
{
	struct timeline *tl = x->state;
	int err = op->ev->hdr.tid ? draw(tl, op) : 0;

	return err ? err : tracks_backlog(&tl->tracks, op);
}

static bool is_here(const struct party *p)
{
	return p->proc != NULL;
}

/* Where a message is drawn: in the slice that took it, if that is still open. */
static int place_message(struct timeline *tl, const struct message *msg, uint64_t *track)
{
	const struct party *end = is_here(msg->dst) ? msg->dst : msg->src;
	uint32_t tid = is_here(msg->dst) ? msg->dst_tid : msg->src_tid;
	struct task_track *task;
	struct lane *lane;
	int err;

	*track = tl->fallback;
	if (!is_here(end))
		return 0;
	err = tracks_task(&tl->tracks, end->proc, tid ? tid : end->proc->pid, &task);
	if (err)
		return err;
	lane = tracks_open_lane(task, 0, msg->recv_ns);
	*track = lane ? lane->uuid : task->lanes[0].uuid;
	return 0;
}

/* The other end: whom one who looks at the receiver wants to know. */
static void add_peer(struct timeline *tl, struct track_event *e, const struct message *msg)
{
	const struct party *peer = is_here(msg->dst) ? msg->src : msg->dst;

	if (is_here(peer)) {
		event_add_u64(e, ARG_PEER_PID, peer->proc->pid);
	} else if (peer->addr) {
		strbuf_reset(&tl->text);
		strbuf_put_utf8(&tl->text, peer->addr, strlen(peer->addr));
		event_add_str(e, ARG_PEER_ADDR, tl->text.s);
	}
}

static int perfetto_message(struct exporter *x, const struct message *msg)
{
	struct timeline *tl = x->state;
	struct task_track *sender;
	struct track_event e;
	uint64_t track;
	int err = place_message(tl, msg, &track);

	if (err)
		return err;
	event_init(&e, EVENT_INSTANT, track, msg->recv_ns);
	event_set_name(&e, NAME_MESSAGE);
	event_set_category(&e, msg->chan->mech);
	err = add_chan(tl, &e, msg->chan);
	event_add_u64(&e, ARG_BYTES, msg->bytes);
	if (msg->timed)
		event_add_u64(&e, ARG_LATENCY_NS, msg->latency_ns);
	if (msg->send_blocked_ns)
		event_add_u64(&e, ARG_SEND_BLOCKED_NS, msg->send_blocked_ns);
	if (msg->what)
		event_add_str(&e, ARG_WHAT, msg->what);
	add_peer(tl, &e, msg);
	if (!err && is_here(msg->src) && is_here(msg->dst) && msg->sent_ns && msg->src_tid) {
		err = tracks_task(&tl->tracks, msg->src->proc, msg->src_tid, &sender);
		if (!err)
			event_end_flow(&e, next_flow(sender, &sender->told, msg->sent_ns));
	}
	return err ? err : packets_put_event(&tl->packets, &e);
}

static int perfetto_begin(struct exporter *x)
{
	struct timeline *tl = x->state;
	int err;

	strbuf_init(&tl->text);
	err = packets_begin(&tl->packets, x->out, x->start_ns, x->info->start_realtime_ns);
	err = err ? err : tracks_init(&tl->tracks, &tl->packets);
	return err ? err : tracks_new(&tl->tracks, "Messages", &tl->fallback);
}

/* An operation that is not over: a slice without an end. */
static int put_unfinished(struct timeline *tl, const struct inflight *i)
{
	struct task_track *task;
	struct track_event e;
	struct lane *lane;
	int err = tracks_task(&tl->tracks, i->proc, i->tid, &task);

	err = err ? err : tracks_lane(&tl->tracks, task, i->enter_ns, UINT64_MAX, false, &lane);
	if (err || !lane)
		return err;
	event_init(&e, EVENT_BEGIN, lane->uuid, i->enter_ns);
	event_set_category(&e, i->mech);
	err = event_set_call(&tl->packets, &e, i->nr);
	err = err ? err : add_chan(tl, &e, i->chan);
	event_add_bool(&e, ARG_STILL_BLOCKED);
	event_add_u64(&e, ARG_BLOCKED_NS, i->blocked_ns);
	return err ? err : packets_put_event(&tl->packets, &e);
}

static int put_blocked_now(struct timeline *tl, const struct model *m)
{
	struct walk w = WALK_INIT;
	int err = walk_blocked(&w, m);

	for (size_t i = 0; !err && i < w.cnt; i++)
		err = put_unfinished(tl, w.v[i]);
	walk_fini(&w);
	return err;
}

static int put_finding(struct timeline *tl, const struct finding *f, uint64_t track, uint64_t ts_ns)
{
	const struct proc *prev = NULL;
	struct track_event e;
	size_t text_at;
	int err;

	strbuf_reset(&tl->text);
	for (size_t i = 0; i < f->proof_cnt; i++) {
		if (f->proofs[i].proc != prev)
			strbuf_printf(&tl->text, "%s%u", prev ? "," : "", f->proofs[i].proc->pid);
		prev = f->proofs[i].proc;
	}
	strbuf_put(&tl->text, "", 1);
	text_at = tl->text.len;
	strbuf_put_utf8(&tl->text, f->text, strlen(f->text));
	if (tl->text.err)
		return tl->text.err;
	event_init(&e, EVENT_INSTANT, track, ts_ns);
	event_set_text_name(&e, f->kind);
	event_add_str(&e, ARG_SEVERITY, severity_name(f->severity));
	event_add_str(&e, ARG_PIDS, tl->text.s);
	event_add_str(&e, ARG_TEXT, tl->text.s + text_at);
	err = add_chan(tl, &e, f->chan);
	return err ? err : packets_put_event(&tl->packets, &e);
}

static int put_findings(struct exporter *x, const struct model *m)
{
	struct timeline *tl = x->state;
	struct findings f;
	uint64_t track = 0;
	int err = findings_init(&f, m, x->info->blame);

	if (!err && f.cnt)
		err = tracks_new(&tl->tracks, "Findings", &track);
	for (size_t i = 0; !err && i < f.cnt; i++)
		err = put_finding(tl, &f.v[i], track, model_now_ns(m));
	findings_fini(&f);
	return err;
}

static int perfetto_end(struct exporter *x, const struct model *m)
{
	struct timeline *tl = x->state;
	int err = put_blocked_now(tl, m);

	err = err ? err : put_findings(x, m);
	return err ? err : tracks_finish(&tl->tracks);
}

static void perfetto_fini(struct exporter *x)
{
	struct timeline *tl = x->state;

	tracks_fini(&tl->tracks);
	strbuf_fini(&tl->text);
}

const struct export_format format_perfetto = {
	.name = "perfetto",
	.summary = "a timeline, for ui.perfetto.dev",
	.binary = true,
	.state_size = sizeof(struct timeline),
	.begin = perfetto_begin,
	.message = perfetto_message,
	.op = perfetto_op,
	.end = perfetto_end,
	.fini = perfetto_fini,
};
