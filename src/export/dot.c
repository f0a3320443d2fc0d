// SPDX-License-Identifier: BSD-2-Clause
/*
 * Processes and channels as a graph for Graphviz: an edge for each endpoint, in the direction
 * in which data goes, as wide as its share of the bytes, red where its process was blocked.
 */
#include <math.h>
#include <string.h>

#include "export/format.h"
#include "export/walk.h"
#include "lib/human.h"
#include "model/mech.h"

#define WIDTH_MIN 1.0 /* points */
#define WIDTH_MAX 8.0
/* Blocked for this part of the trace is worth a colour. */
#define RED_SHARE 10 /* percent */

/* In a quoted string: names are escaped for people first, so no control byte is left. */
static void put_text(struct strbuf *sb, const char *s)
{
	struct strbuf safe;

	strbuf_init(&safe);
	strbuf_put_escaped(&safe, s, strlen(s));
	for (size_t i = 0; i < safe.len; i++) {
		if (safe.s[i] == '"' || safe.s[i] == '\\')
			strbuf_putc(sb, '\\');
		strbuf_putc(sb, safe.s[i]);
	}
	if (safe.err)
		sb->err = safe.err;
	strbuf_fini(&safe);
}

static void put_proc(struct strbuf *sb, const struct proc *p, size_t nth)
{
	strbuf_printf(sb, "\tp%zu [label=\"", nth);
	put_text(sb, p->comm);
	strbuf_puts(sb, "\\n");
	human_pid(sb, p->pid);
	strbuf_printf(sb, "\"%s];\n", p->target ? ", style=bold" : "");
}

static void put_chan(struct strbuf *sb, const struct chan *c)
{
	strbuf_printf(sb, "\tc%llu [shape=box, label=\"%s\\n", (unsigned long long)c->id,
		      mech_name(c->mech));
	put_text(sb, c->name);
	strbuf_printf(sb, "\"%s];\n", c->open ? "" : ", style=dashed");
}

/* One byte is as wide as nothing, the most as wide as it gets; in between by magnitude. */
static double edge_width(uint64_t bytes, uint64_t most)
{
	if (most < 2 || !bytes)
		return WIDTH_MIN;
	return WIDTH_MIN + (WIDTH_MAX - WIDTH_MIN) * log((double)bytes) / log((double)most);
}

static bool is_red(const struct exporter *x, const struct endpoint *ep)
{
	uint64_t ns = ep->blocked.total_ns + ep->blocked.now_ns + ep->stalled.total_ns;

	return ns && ns >= x->info->duration_ns / 100 * RED_SHARE;
}

static void put_edge(struct strbuf *sb, const struct exporter *x, const struct endpoint *ep,
		     size_t proc, uint64_t most)
{
	unsigned long long id = ep->chan->id;
	uint64_t blocked_ns = ep->blocked.total_ns + ep->blocked.now_ns;

	if (ep->role == EP_RECV)
		strbuf_printf(sb, "\tc%llu -> p%zu", id, proc);
	else
		strbuf_printf(sb, "\tp%zu -> c%llu", proc, id);
	strbuf_puts(sb, " [label=\"");
	if (ep->role != EP_ATTACH) {
		human_count(sb, ep->messages);
		strbuf_puts(sb, " msg, ");
		human_bytes(sb, ep->bytes);
	}
	if (blocked_ns) {
		strbuf_puts(sb, "\\nblocked ");
		human_ns(sb, blocked_ns);
	}
	/* no decimals of printf: their point is the locale's */
	strbuf_printf(sb, "\", penwidth=%u", (unsigned int)lround(edge_width(ep->bytes, most)));
	if (ep->role == EP_ATTACH)
		strbuf_puts(sb, ", dir=none, style=dotted");
	if (is_red(x, ep))
		strbuf_puts(sb, ", color=red, fontcolor=red");
	strbuf_puts(sb, "];\n");
}

static size_t index_of(const struct hmap *procs, const struct proc *p)
{
	return (size_t)hmap_get(procs, (uintptr_t)p);
}

static uint64_t most_bytes(const struct walk *chans)
{
	uint64_t most = 0;

	for (size_t i = 0; i < chans->cnt; i++) {
		const struct chan *c = chans->v[i];

		list_for_each (ep, &c->endpoints, struct endpoint, in_chan)
			most = ep->bytes > most ? ep->bytes : most;
	}
	return most;
}

static int put_graph(struct exporter *x, const struct walk *procs, const struct walk *chans,
		     struct hmap *numbers)
{
	struct strbuf *sb = sink_buf(x->out);
	uint64_t most = most_bytes(chans);
	int err = 0;

	strbuf_puts(sb, "digraph ipcspy {\n\trankdir=LR;\n");
	for (size_t i = 0; !err && i < procs->cnt; i++) {
		put_proc(sb, procs->v[i], i + 1);
		err = hmap_put(numbers, (uintptr_t)procs->v[i], (void *)(i + 1));
		err = err ? err : sink_spill(x->out);
	}
	for (size_t i = 0; !err && i < chans->cnt; i++) {
		const struct chan *c = chans->v[i];

		put_chan(sb, c);
		list_for_each (ep, &c->endpoints, struct endpoint, in_chan)
			if (index_of(numbers, ep->proc))
				put_edge(sb, x, ep, index_of(numbers, ep->proc), most);
		err = sink_spill(x->out);
	}
	strbuf_puts(sb, "}\n");
	return err;
}

static int dot_end(struct exporter *x, const struct model *m)
{
	struct walk procs = WALK_INIT, chans = WALK_INIT;
	struct hmap numbers;
	int err;

	hmap_init(&numbers);
	err = walk_procs(&procs, m);
	err = err ? err : walk_chans(&chans, m);
	err = err ? err : put_graph(x, &procs, &chans, &numbers);
	walk_fini(&procs);
	walk_fini(&chans);
	hmap_fini(&numbers);
	return err;
}

const struct export_format format_dot = {
	.name = "dot",
	.summary = "who talks to whom, for Graphviz",
	.end = dot_end,
};
