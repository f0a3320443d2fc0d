// SPDX-License-Identifier: BSD-2-Clause
/* The flows: who sends to whom, how much, how fast, and who waits. */
#include "analysis/analysis.h"
#include "lib/human.h"
#include "model/mech.h"
#include "view/sections.h"

static enum style cell_mech(struct strbuf *cell, const void *row, const void *arg)
{
	const struct flow *f = row;

	(void)arg;
	strbuf_puts(cell, mech_name(f->chan->mech));
	return STYLE_NONE;
}

static enum style cell_chan(struct strbuf *cell, const void *row, const void *arg)
{
	const struct flow *f = row;

	return view_put_chan(cell, arg, f->chan);
}

static enum style put_party(struct strbuf *cell, const struct view *v, const struct party *p)
{
	if (p->proc)
		view_put_proc(cell, v, p->proc, 0);
	else
		text_put(cell, &v->opts->style, p->addr ? p->addr : "?");
	return STYLE_NONE;
}

static enum style cell_src(struct strbuf *cell, const void *row, const void *arg)
{
	return put_party(cell, arg, &((const struct flow *)row)->src);
}

static enum style cell_arrow(struct strbuf *cell, const void *row, const void *arg)
{
	const struct view *v = arg;

	(void)row;
	strbuf_puts(cell, v->opts->style.ascii ? "->" : "→");
	return STYLE_DIM;
}

static enum style cell_dst(struct strbuf *cell, const void *row, const void *arg)
{
	return put_party(cell, arg, &((const struct flow *)row)->dst);
}

static enum style cell_messages(struct strbuf *cell, const void *row, const void *arg)
{
	(void)arg;
	human_count(cell, ((const struct flow *)row)->messages);
	return STYLE_NONE;
}

/* Signals and wake-ups are messages without any. */
static enum style cell_bytes(struct strbuf *cell, const void *row, const void *arg)
{
	const struct flow *f = row;

	(void)arg;
	if (f->bytes)
		human_bytes(cell, f->bytes);
	else
		strbuf_putc(cell, '-');
	return STYLE_NONE;
}

static enum style cell_rate(struct strbuf *cell, const void *row, const void *arg)
{
	const struct flow *f = row;
	const struct view *v = arg;

	if (f->bytes) {
		human_rate(cell, f->bytes, v->info->duration_ns);
	} else if (v->info->duration_ns) {
		human_count(cell,
			    (uint64_t)((double)f->messages * 1e9 / (double)v->info->duration_ns));
		strbuf_puts(cell, "/s");
	}
	return STYLE_NONE;
}

static enum style put_latency(struct strbuf *cell, const struct flow *f, unsigned int permille)
{
	if (f->latency.count)
		human_ns(cell, hist_quantile(&f->latency, permille));
	else
		strbuf_putc(cell, '-');
	return STYLE_NONE;
}

static enum style cell_p50(struct strbuf *cell, const void *row, const void *arg)
{
	(void)arg;
	return put_latency(cell, row, 500);
}

static enum style cell_p99(struct strbuf *cell, const void *row, const void *arg)
{
	(void)arg;
	return put_latency(cell, row, 990);
}

static enum style cell_backlog(struct strbuf *cell, const void *row, const void *arg)
{
	const struct chan *c = ((const struct flow *)row)->chan;

	(void)arg;
	view_put_quantity(cell, c, c->backlog.now);
	return STYLE_NONE;
}

static enum style cell_backlog_max(struct strbuf *cell, const void *row, const void *arg)
{
	const struct chan *c = ((const struct flow *)row)->chan;

	(void)arg;
	view_put_quantity(cell, c, c->backlog.max);
	return STYLE_NONE;
}

static enum style cell_capacity(struct strbuf *cell, const void *row, const void *arg)
{
	const struct chan *c = ((const struct flow *)row)->chan;

	(void)arg;
	if (c->capacity)
		view_put_quantity(cell, c, c->capacity);
	else
		strbuf_putc(cell, '?');
	return STYLE_NONE;
}

static uint64_t blocked_ns(const struct flow *f, const struct proc *p, enum ep_role role)
{
	uint64_t sum = 0;

	list_for_each (ep, &f->chan->endpoints, struct endpoint, in_chan) {
		if (ep->proc == p && ep->role == role)
			sum += ep->blocked.total_ns + ep->blocked.now_ns;
	}
	return sum;
}

static enum style put_blocked(struct strbuf *cell, const struct flow *f, const struct proc *p,
			      enum ep_role role, unsigned int share)
{
	uint64_t ns = p ? blocked_ns(f, p, role) : 0;

	if (!ns) {
		strbuf_putc(cell, '-');
		return STYLE_NONE;
	}
	human_ns(cell, ns);
	strbuf_printf(cell, " %3u%%", (share + 5) / 10);
	return share >= 500 ? STYLE_WARN : STYLE_NONE;
}

static enum style cell_send_blocked(struct strbuf *cell, const void *row, const void *arg)
{
	const struct flow *f = row;
	const struct view *v = arg;

	return put_blocked(cell, f, f->src.proc, EP_SEND, verdict_of_flow(v->m, f).send_blocked);
}

static enum style cell_recv_blocked(struct strbuf *cell, const void *row, const void *arg)
{
	const struct flow *f = row;
	const struct view *v = arg;

	return put_blocked(cell, f, f->dst.proc, EP_RECV, verdict_of_flow(v->m, f).recv_blocked);
}

static enum style cell_stalled(struct strbuf *cell, const void *row, const void *arg)
{
	const struct flow *f = row;
	uint64_t sum = 0;

	(void)arg;
	list_for_each (ep, &f->chan->endpoints, struct endpoint, in_chan) {
		if (f->src.proc && ep->proc == f->src.proc && ep->role == EP_SEND)
			sum += ep->stalled.total_ns + ep->stalled.now_ns;
	}
	if (sum)
		human_ns(cell, sum);
	else
		strbuf_putc(cell, '-');
	return STYLE_NONE;
}

static enum style cell_verdict(struct strbuf *cell, const void *row, const void *arg)
{
	const struct view *v = arg;
	enum verdict_kind kind = verdict_of_flow(v->m, row).kind;

	strbuf_puts(cell, verdict_name(kind));
	return kind == VERDICT_CONSUMER_BOUND ? STYLE_WARN : STYLE_NONE;
}

int view_flows(const struct view *v)
{
	/* The most telling first: on a narrow terminal the rest goes to further lines. */
	static const struct column cols[] = {
		{"MECHANISM", ALIGN_LEFT, 0, false, cell_mech},
		{"CHANNEL", ALIGN_LEFT, 24, false, cell_chan},
		{"SENDER", ALIGN_LEFT, 20, false, cell_src},
		{"", ALIGN_LEFT, 0, false, cell_arrow},
		{"RECEIVER", ALIGN_LEFT, 20, false, cell_dst},
		{"VERDICT", ALIGN_LEFT, 0, false, cell_verdict},
		{"MESSAGES", ALIGN_RIGHT, 0, false, cell_messages},
		{"BYTES", ALIGN_RIGHT, 0, false, cell_bytes},
		{"RATE", ALIGN_RIGHT, 0, false, cell_rate},
		{"LAT P50", ALIGN_RIGHT, 0, true, cell_p50},
		{"LAT P99", ALIGN_RIGHT, 0, true, cell_p99},
		{"SEND BLKD", ALIGN_RIGHT, 0, false, cell_send_blocked},
		{"RECV BLKD", ALIGN_RIGHT, 0, false, cell_recv_blocked},
		{"STALLED", ALIGN_RIGHT, 0, true, cell_stalled},
		{"BACKLOG", ALIGN_RIGHT, 0, false, cell_backlog},
		{"MAX", ALIGN_RIGHT, 0, false, cell_backlog_max},
		{"CAPACITY", ALIGN_RIGHT, 0, false, cell_capacity},
	};
	struct walk w = WALK_INIT;
	int err;

	err = walk_flows(&w, v->m, FLOWS_BUSIEST);
	if (!err)
		err = view_table(v, "FLOWS, busiest first", "flows", cols,
				 sizeof(cols) / sizeof(cols[0]), &w);
	if (!err && !w.cnt)
		strbuf_puts(sink_buf(v->out), "\nFlows: none seen.\n");
	walk_fini(&w);
	return err;
}
