// SPDX-License-Identifier: BSD-2-Clause
/* The flows: who sends to whom, how much, how fast, and who waits. */
#include "analysis/analysis.h"
#include "lib/human.h"
#include "model/mech.h"
#include "view/flow_rows.h"
#include "view/sections.h"

#define SHORT_NS 100000000ull /* of a trace */

static enum style cell_mech(struct strbuf *cell, const void *row, const void *arg)
{
	(void)arg;
	strbuf_puts(cell, mech_name(((const struct flow_row *)row)->f->chan->mech));
	return STYLE_NONE;
}

static const char *chans_name(const struct chan *c)
{
	if (chan_shape(c) == SHAPE_PAIR)
		return "connections";
	return chan_shape(c) == SHAPE_PIPE ? "pipes" : "channels";
}

static enum style cell_chan(struct strbuf *cell, const void *row, const void *arg)
{
	const struct flow_row *r = row;
	const struct view *v = arg;

	if (!r->merged)
		return view_put_chan(cell, v, r->f->chan);
	text_put(cell, &v->opts->style, r->place);
	if (r->chan_cnt > 1)
		strbuf_printf(cell, " (%llu %s)", (unsigned long long)r->chan_cnt,
			      chans_name(r->f->chan));
	return STYLE_NONE;
}

/* cnt: how many are alike; more than one are not told by a number of their own. */
static enum style put_party(struct strbuf *cell, const struct view *v, const struct party *p,
			    size_t cnt)
{
	const struct text_style *style = &v->opts->style;
	struct strbuf host;

	if (p->proc && cnt > 1) {
		text_put(cell, style, p->proc->comm);
		strbuf_printf(cell, "[%zu processes]", cnt);
	} else if (p->proc) {
		view_put_proc(cell, v, p->proc, 0);
	} else if (p->addr && cnt > 1 && !p->here) {
		strbuf_init(&host);
		strbuf_put(&host, p->addr, party_host_len(p));
		text_put(cell, style, host.s);
		strbuf_puts(cell, ":*");
		strbuf_fini(&host);
	} else {
		text_put(cell, style, p->addr ? p->addr : "?");
	}
	return STYLE_NONE;
}

static enum style cell_src(struct strbuf *cell, const void *row, const void *arg)
{
	const struct flow_row *r = row;

	return put_party(cell, arg, &r->f->src, r->src_cnt);
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
	const struct flow_row *r = row;

	return put_party(cell, arg, &r->f->dst, r->dst_cnt);
}

static uint64_t messages_of(const struct flow_row *r)
{
	return r->merged ? r->messages : r->f->messages;
}

static uint64_t bytes_of(const struct flow_row *r)
{
	return r->merged ? r->bytes : r->f->bytes;
}

static enum style cell_messages(struct strbuf *cell, const void *row, const void *arg)
{
	(void)arg;
	human_count(cell, messages_of(row));
	return STYLE_NONE;
}

/* Signals and wake-ups are messages without any. */
static enum style cell_bytes(struct strbuf *cell, const void *row, const void *arg)
{
	(void)arg;
	if (bytes_of(row))
		human_bytes(cell, bytes_of(row));
	else
		strbuf_putc(cell, '-');
	return STYLE_NONE;
}

static enum style cell_rate(struct strbuf *cell, const void *row, const void *arg)
{
	const struct view *v = arg;
	uint64_t duration_ns = v->info->duration_ns;

	if (bytes_of(row)) {
		human_rate(cell, bytes_of(row), duration_ns);
	} else if (duration_ns) {
		double rate = (double)messages_of(row) * 1e9 / (double)duration_ns;

		if (rate < 1)
			strbuf_putc(cell, '<');
		human_count(cell, rate < 1 ? 1 : (uint64_t)rate);
		strbuf_puts(cell, "/s");
	}
	return STYLE_NONE;
}

static enum style put_latency(struct strbuf *cell, const struct flow_row *r, unsigned int permille)
{
	const struct hist *h = r->merged ? &r->latency : &r->f->latency;

	if (h->count)
		human_ns(cell, hist_quantile(h, permille));
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
	const struct flow_row *r = row;

	(void)arg;
	view_put_quantity(cell, r->f->chan, r->merged ? 0 : flow_backlog(r->f));
	return STYLE_NONE;
}

static enum style cell_backlog_max(struct strbuf *cell, const void *row, const void *arg)
{
	const struct flow_row *r = row;

	(void)arg;
	view_put_quantity(cell, r->f->chan, r->merged ? r->backlog_max : r->f->chan->backlog.max);
	return STYLE_NONE;
}

static enum style cell_capacity(struct strbuf *cell, const void *row, const void *arg)
{
	const struct flow_row *r = row;
	uint64_t capacity = r->merged ? r->capacity : r->f->chan->capacity;

	(void)arg;
	if (capacity)
		view_put_quantity(cell, r->f->chan, capacity);
	else
		strbuf_putc(cell, '?');
	return STYLE_NONE;
}

static enum style cell_dropped(struct strbuf *cell, const void *row, const void *arg)
{
	const struct flow_row *r = row;
	uint64_t dropped = r->merged ? r->dropped : r->f->chan->dropped;

	(void)arg;
	if (dropped)
		human_count(cell, dropped);
	else
		strbuf_putc(cell, '-');
	return STYLE_NONE;
}

/* The time is the process's on the channel, not the flow's: a busier flow tells it. */
static bool is_told_above(const struct flow *f, bool src)
{
	list_for_each (g, &f->chan->flows, struct flow, in_chan) {
		if ((src ? g->src.proc == f->src.proc : g->dst.proc == f->dst.proc) &&
		    flow_busier(g, f) < 0)
			return true;
	}
	return false;
}

static enum style put_blocked(struct strbuf *cell, const struct view *v, const struct flow_row *r,
			      bool src)
{
	const struct flow *f = r->f;
	struct verdict verdict;
	unsigned int share;
	uint64_t ns;

	if (r->merged)
		ns = src ? r->send_blocked_ns : r->recv_blocked_ns;
	else
		ns = flow_blocked_ns(f, src ? EP_SEND : EP_RECV);
	if (!ns) {
		strbuf_putc(cell, '-');
		return STYLE_NONE;
	}
	if (!r->merged && is_told_above(f, src))
		return STYLE_NONE;
	human_ns(cell, ns);
	if (r->merged)
		return STYLE_NONE;
	verdict = verdict_of_flow(v->m, f);
	share = src ? verdict.send_blocked : verdict.recv_blocked;
	strbuf_printf(cell, " %3u%%", (share + 5) / 10);
	/* Of so short a trace no share is alarming. */
	return share >= 500 && v->info->duration_ns >= SHORT_NS ? STYLE_WARN : STYLE_NONE;
}

static enum style cell_send_blocked(struct strbuf *cell, const void *row, const void *arg)
{
	return put_blocked(cell, arg, row, true);
}

static enum style cell_recv_blocked(struct strbuf *cell, const void *row, const void *arg)
{
	return put_blocked(cell, arg, row, false);
}

static enum style cell_stalled(struct strbuf *cell, const void *row, const void *arg)
{
	const struct flow_row *r = row;
	const struct view *v = arg;
	uint64_t sum = r->merged ? r->stalled_ns : flow_stalled_ns(v->m, r->f);

	if (!sum)
		strbuf_putc(cell, '-');
	else if (r->merged || !is_told_above(r->f, true))
		human_ns(cell, sum);
	return STYLE_NONE;
}

static enum style cell_verdict(struct strbuf *cell, const void *row, const void *arg)
{
	const struct flow_row *r = row;
	const struct view *v = arg;
	enum verdict_kind kind;

	if (r->merged || !verdict_has_basis(v->m, r->f)) {
		strbuf_putc(cell, '-');
		return STYLE_NONE;
	}
	kind = verdict_of_flow(v->m, r->f).kind;
	strbuf_puts(cell, verdict_name(kind));
	return kind == VERDICT_CONSUMER_BOUND && v->info->duration_ns >= SHORT_NS ? STYLE_WARN
										  : STYLE_NONE;
}

int view_flows(const struct view *v)
{
	/* The most telling first: on a narrow terminal the rest goes to further lines. */
	static const struct column cols[] = {
		{"MECHANISM", ALIGN_LEFT, 0, 0, cell_mech},
		{"CHANNEL", ALIGN_LEFT, 24, CUT_ADDR, cell_chan},
		{"SENDER", ALIGN_LEFT, 20, CUT_COMM, cell_src},
		{"", ALIGN_LEFT, 0, 0, cell_arrow},
		{"RECEIVER", ALIGN_LEFT, 20, CUT_COMM, cell_dst},
		{"VERDICT", ALIGN_LEFT, 0, 0, cell_verdict},
		{"MESSAGES", ALIGN_RIGHT, 0, 0, cell_messages},
		{"BYTES", ALIGN_RIGHT, 0, 0, cell_bytes},
		{"RATE", ALIGN_RIGHT, 0, 0, cell_rate},
		{"LAT P50", ALIGN_RIGHT, 0, COL_OPTIONAL, cell_p50},
		{"LAT P99", ALIGN_RIGHT, 0, COL_OPTIONAL, cell_p99},
		{"SEND BLKD", ALIGN_RIGHT, 0, 0, cell_send_blocked},
		{"RECV BLKD", ALIGN_RIGHT, 0, 0, cell_recv_blocked},
		{"STALLED", ALIGN_RIGHT, 0, COL_OPTIONAL, cell_stalled},
		{"BACKLOG", ALIGN_RIGHT, 0, 0, cell_backlog},
		{"MAX", ALIGN_RIGHT, 0, 0, cell_backlog_max},
		{"CAPACITY", ALIGN_RIGHT, 0, 0, cell_capacity},
		{"DROPPED", ALIGN_RIGHT, 0, COL_OPTIONAL, cell_dropped},
	};
	struct flow_rows rows;
	int err;

	/* -v: each of them */
	err = flow_rows_init(&rows, v->m, v->opts->max_rows);
	if (!err)
		err = view_table(v, "FLOWS, busiest first", "flows", cols,
				 sizeof(cols) / sizeof(cols[0]), &rows.w);
	if (!err && !rows.w.cnt)
		strbuf_puts(sink_buf(v->out), "\nFlows: none seen.\n");
	flow_rows_fini(&rows);
	return err;
}
