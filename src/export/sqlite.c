// SPDX-License-Identifier: BSD-2-Clause
/*
 * A database of the whole trace. Rows of messages and of blocked calls are written as they
 * come, those of what they name when it is first named, and again, whole, at the end.
 */
#include "analysis/analysis.h"
#include "analysis/findings.h"
#include "export/format.h"
#include "export/tables.h"
#include "export/walk.h"
#include "lib/syscalls.h"
#include "model/mech.h"

#define BATCH 100000 /* rows of a transaction */

static int finish_batch(struct exporter *x)
{
	struct tables *t = x->state;

	if (++t->batch_cnt < BATCH)
		return 0;
	t->batch_cnt = 0;
	return tables_exec(t, "COMMIT; BEGIN");
}

static int64_t since_start(const struct exporter *x, uint64_t ns)
{
	return (int64_t)(ns - x->start_ns);
}

static int put_proc(struct exporter *x, const struct proc *p, uint64_t id)
{
	struct tables *t = x->state;

	row_begin(t, ROW_PROCESS);
	row_u64(t, id);
	row_u64(t, p->pid);
	if (p->start_ns)
		row_i64(t, since_start(x, p->start_ns));
	else
		row_null(t);
	row_u64(t, p->ppid);
	row_text(t, p->comm);
	row_text(t, p->exe);
	row_u64(t, p->target);
	row_u64(t, p->exited);
	if (p->status_known)
		row_i64(t, status_as_shell(p->exit_status));
	else
		row_null(t);
	return row_end(t);
}

/* The number of a process in the tables; its row is there from now on. */
static int proc_id(struct exporter *x, const struct proc *p, uint64_t *id)
{
	struct tables *t = x->state;
	uint64_t key = proc_key(p);
	int err;

	*id = (uintptr_t)hmap_get(&t->procs, key);
	if (*id)
		return 0;
	*id = t->procs.cnt + 1;
	err = hmap_put(&t->procs, key, (void *)(uintptr_t)*id);
	return err ? err : put_proc(x, p, *id);
}

static int put_chan(struct exporter *x, const struct chan *c)
{
	struct tables *t = x->state;

	row_begin(t, ROW_CHANNEL);
	row_u64(t, c->id);
	row_text(t, mech_name(c->mech));
	row_text(t, c->name);
	row_u64(t, c->open);
	row_u64(t, c->incomplete);
	row_text(t, c->unit);
	if (c->capacity)
		row_u64(t, c->capacity);
	else
		row_null(t);
	row_u64(t, c->backlog.now);
	row_u64(t, c->backlog.max);
	row_u64(t, c->backlog.full_ns);
	row_u64(t, c->dropped);
	row_u64(t, c->unpaired);
	row_u64(t, c->lost);
	row_u64(t, c->folded);
	return row_end(t);
}

static int know_chan(struct exporter *x, const struct chan *c)
{
	struct tables *t = x->state;
	int err;

	if (hmap_get(&t->chans, c->id))
		return 0;
	err = hmap_put(&t->chans, c->id, t);
	return err ? err : put_chan(x, c);
}

/* Process and address of one end, of which one is NULL, or both are. */
struct end {
	uint64_t proc;
	const char *addr;
};

static int end_of(struct exporter *x, const struct party *p, struct end *end)
{
	*end = (struct end){.addr = p->proc ? NULL : p->addr};
	return p->proc ? proc_id(x, p->proc, &end->proc) : 0;
}

static void row_proc(struct tables *t, const struct end *end)
{
	if (end->proc)
		row_u64(t, end->proc);
	else
		row_null(t);
}

static int sqlite_message(struct exporter *x, const struct message *msg)
{
	struct tables *t = x->state;
	struct end src, dst;
	int err = know_chan(x, msg->chan);

	err = err ? err : end_of(x, msg->src, &src);
	err = err ? err : end_of(x, msg->dst, &dst);
	if (err)
		return err;
	row_begin(t, ROW_MESSAGE);
	row_u64(t, msg->recv_ns > x->start_ns ? msg->recv_ns - x->start_ns : 0);
	row_u64(t, msg->chan->id);
	row_proc(t, &src);
	row_u64(t, msg->src_tid);
	row_text(t, src.addr);
	row_proc(t, &dst);
	row_u64(t, msg->dst_tid);
	row_text(t, dst.addr);
	row_u64(t, msg->bytes);
	if (msg->timed)
		row_u64(t, msg->latency_ns);
	else
		row_null(t);
	row_u64(t, msg->send_blocked_ns);
	row_u64(t, msg->recv_blocked_ns);
	row_u64(t, msg->backlog);
	row_text(t, msg->what);
	if (msg->payload_is == PAYLOAD_KEPT)
		row_blob(t, msg->payload, msg->payload_len);
	else
		row_null(t);
	err = row_end(t);
	return err ? err : finish_batch(x);
}

/* A call that slept, or one that still does. */
struct sleep {
	const struct proc *proc;
	const struct chan *chan;
	uint32_t tid, waker_tid;
	uint16_t nr;
	uint8_t op;
	bool now;
	uint64_t enter_ns, ns;
};

static int put_sleep(struct exporter *x, const struct sleep *s)
{
	struct tables *t = x->state;
	uint64_t proc;
	char buf[32];
	int err = s->chan ? know_chan(x, s->chan) : 0;

	err = err ? err : proc_id(x, s->proc, &proc);
	if (err)
		return err;
	row_begin(t, ROW_BLOCKED);
	row_i64(t, since_start(x, s->enter_ns));
	row_u64(t, proc);
	row_u64(t, s->tid);
	if (s->chan)
		row_u64(t, s->chan->id);
	else
		row_null(t);
	row_text(t, op_name(s->op));
	row_text(t, syscall_name(s->nr, buf, sizeof(buf)));
	row_u64(t, s->ns);
	if (s->waker_tid)
		row_u64(t, s->waker_tid);
	else
		row_null(t);
	row_u64(t, s->now);
	err = row_end(t);
	return err ? err : finish_batch(x);
}

static int sqlite_op(struct exporter *x, const struct operation *op)
{
	const struct ev_op *ev = op->ev;

	if (!ev->blocked_ns || ev->hdr.flags & OPF_ERRQUEUE)
		return 0;
	return put_sleep(x, &(struct sleep){.proc = op->proc,
					    .chan = op->chan,
					    .tid = ev->hdr.tid,
					    .waker_tid = ev->waker_tid,
					    .nr = ev->nr,
					    .op = ev->op,
					    .enter_ns = ev->enter_ns,
					    .ns = ev->blocked_ns});
}

static int put_blocked_now(struct exporter *x, const struct model *m)
{
	struct walk w = WALK_INIT;
	int err = walk_blocked(&w, m);

	for (size_t i = 0; !err && i < w.cnt; i++) {
		const struct inflight *f = w.v[i];

		err = put_sleep(x, &(struct sleep){.proc = f->proc,
						   .chan = f->chan,
						   .tid = f->tid,
						   .nr = f->nr,
						   .op = (uint8_t)f->op,
						   .now = true,
						   .enter_ns = f->enter_ns,
						   .ns = f->blocked_ns});
	}
	walk_fini(&w);
	return err;
}

/* Those that the model has no more have ended: others stand for them there. */
static int put_procs(struct exporter *x, const struct model *m)
{
	struct tables *t = x->state;
	struct walk w = WALK_INIT;
	int err = walk_procs(&w, m);
	uint64_t id;

	for (size_t i = 0; !err && i < w.cnt; i++)
		err = proc_id(x, w.v[i], &id);
	walk_fini(&w);
	err = err ? err : tables_exec(t, "UPDATE processes SET exited = 1");
	list_for_each (p, model_procs(m), struct proc, in_model) {
		id = err ? 0 : (uintptr_t)hmap_get(&t->procs, proc_key(p));
		if (id)
			err = put_proc(x, p, id);
	}
	return err;
}

static void row_span(struct tables *t, const struct span_stat *s)
{
	row_u64(t, s->count);
	row_u64(t, s->total_ns);
	row_u64(t, s->max_ns);
}

static int put_endpoint(struct exporter *x, const struct endpoint *ep)
{
	static const char *const roles[] = {
		[EP_ATTACH] = "attach", [EP_SEND] = "send", [EP_RECV] = "recv"};
	struct tables *t = x->state;
	uint64_t proc;
	int err = proc_id(x, ep->proc, &proc);

	if (err)
		return err;
	row_begin(t, ROW_ENDPOINT);
	row_u64(t, ep->chan->id);
	row_u64(t, proc);
	row_text(t, roles[ep->role]);
	row_u64(t, ep->side);
	row_u64(t, ep->calls);
	row_u64(t, ep->messages);
	row_u64(t, ep->bytes);
	row_u64(t, ep->errors);
	row_u64(t, ep->would_block);
	row_span(t, &ep->blocked);
	row_span(t, &ep->stalled);
	return row_end(t);
}

static void row_hist(struct tables *t, const struct hist *h)
{
	row_u64(t, h->count);
	row_u64(t, h->count ? h->min : 0);
	row_u64(t, hist_mean(h));
	row_u64(t, hist_quantile(h, 500));
	row_u64(t, hist_quantile(h, 900));
	row_u64(t, hist_quantile(h, 990));
	row_u64(t, hist_quantile(h, 999));
	row_u64(t, h->max);
}

static int put_flow(struct exporter *x, const struct model *m, const struct flow *f)
{
	struct tables *t = x->state;
	struct end src, dst;
	int err = end_of(x, &f->src, &src);

	err = err ? err : end_of(x, &f->dst, &dst);
	if (err)
		return err;
	row_begin(t, ROW_FLOW);
	row_u64(t, f->chan->id);
	row_proc(t, &src);
	row_text(t, src.addr);
	row_proc(t, &dst);
	row_text(t, dst.addr);
	row_u64(t, f->messages);
	row_u64(t, f->bytes);
	row_hist(t, &f->latency);
	row_u64(t, f->paired[PAIR_EXACT]);
	row_u64(t, f->paired[PAIR_SETTLED]);
	row_u64(t, f->paired[PAIR_ASSUMED]);
	row_text(t, verdict_name(verdict_of_flow(m, f).kind));
	return row_end(t);
}

/* The same of channels: what the model has no more is closed. */
static int put_chans(struct exporter *x, const struct model *m)
{
	struct tables *t = x->state;
	struct walk w = WALK_INIT;
	int err = walk_chans(&w, m);

	err = err ? err : tables_exec(t, "UPDATE channels SET open = 0");
	list_for_each (c, model_chans(m), struct chan, in_model)
		if (!err && hmap_get(&t->chans, c->id))
			err = put_chan(x, c);
	for (size_t i = 0; !err && i < w.cnt; i++) {
		const struct chan *c = w.v[i];

		err = know_chan(x, c);
		list_for_each (ep, &c->endpoints, struct endpoint, in_chan)
			err = err ? err : put_endpoint(x, ep);
		list_for_each (f, &c->flows, struct flow, in_chan)
			err = err ? err : put_flow(x, m, f);
	}
	walk_fini(&w);
	return err;
}

static int put_finding(struct exporter *x, const struct finding *f, uint64_t id)
{
	struct tables *t = x->state;
	uint64_t proc;
	int err;

	row_begin(t, ROW_FINDING);
	row_u64(t, id);
	row_text(t, f->kind);
	row_text(t, severity_name(f->severity));
	if (f->chan)
		row_u64(t, f->chan->id);
	else
		row_null(t);
	row_text(t, f->text);
	err = row_end(t);
	for (size_t i = 0; !err && i < f->proof_cnt; i++) {
		err = proc_id(x, f->proofs[i].proc, &proc);
		if (err)
			return err;
		row_begin(t, ROW_FINDING_PROCESS);
		row_u64(t, id);
		row_u64(t, proc);
		err = row_end(t);
	}
	return err;
}

static int put_findings(struct exporter *x, const struct model *m)
{
	struct findings f;
	int err = findings_init(&f, m, x->info->blame);

	for (size_t i = 0; !err && i < f.cnt; i++)
		err = put_finding(x, &f.v[i], i + 1);
	findings_fini(&f);
	return err;
}

static int put_trace(struct exporter *x)
{
	const struct report_info *info = x->info;
	struct tables *t = x->state;
	struct strbuf epoch;
	int err;

	strbuf_init(&epoch);
	put_epoch(&epoch, info);
	row_begin(t, ROW_TRACE);
	row_text(t, IPCSPY_VERSION);
	row_u64(t, 1);
	row_text(t, epoch.s);
	row_u64(t, info->start_realtime_ns);
	row_u64(t, info->duration_ns);
	row_u64(t, info->events);
	row_text(t, info->host);
	row_text(t, info->kernel);
	row_text(t, info->arch);
	row_text(t, info->filter);
	err = row_end(t);
	err = epoch.err ? epoch.err : err;
	strbuf_fini(&epoch);
	return err;
}

static int sqlite_begin(struct exporter *x)
{
	return tables_open(x->state, x->path);
}

static int sqlite_end(struct exporter *x, const struct model *m)
{
	int err = put_procs(x, m);

	err = err ? err : put_chans(x, m);
	err = err ? err : put_blocked_now(x, m);
	err = err ? err : put_findings(x, m);
	err = err ? err : put_trace(x);
	return err ? err : tables_finish(x->state);
}

static void sqlite_fini(struct exporter *x)
{
	tables_close(x->state);
}

const struct export_format format_sqlite = {
	.name = "sqlite",
	.summary = "a database of everything",
	.binary = true,
	.own_file = true,
	.state_size = sizeof(struct tables),
	.begin = sqlite_begin,
	.message = sqlite_message,
	.op = sqlite_op,
	.end = sqlite_end,
	.fini = sqlite_fini,
};
