// SPDX-License-Identifier: BSD-2-Clause
#include "export/format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analysis.h"

#define NSEC_PER_SEC 1000000000ull

const struct export_format *const formats[] = {
	&format_perfetto, &format_jsonl, &format_csv,    &format_sqlite,
	&format_folded,   &format_dot,   &format_pcapng, NULL,
};

const struct export_format *format_by_name(const char *name)
{
	const struct export_format *const *f = formats;

	while (*f && strcmp((*f)->name, name))
		f++;
	return *f;
}

void exporter_init(struct exporter *x, const struct export_format *format, struct sink *out)
{
	*x = (struct exporter){.format = format, .out = out};
	strbuf_init(&x->why);
}

int exporter_begin(struct exporter *x)
{
	x->state = calloc(1, x->format->state_size ? x->format->state_size : 1);
	if (!x->state)
		x->err = -ENOMEM;
	else if (x->format->begin)
		x->err = x->format->begin(x);
	return x->err;
}

void exporter_on_message(void *arg, const struct message *msg)
{
	struct exporter *x = arg;

	/* as in the report: between two strangers, on what no target has used */
	if (!x->err && x->format->message && chan_concerns_target(msg->chan))
		x->err = x->format->message(x, msg);
}

void exporter_on_op(void *arg, const struct operation *op)
{
	struct exporter *x = arg;

	if (x->err || !x->format->op)
		return;
	if (op->chan ? chan_concerns_target(op->chan) : op->proc->target)
		x->err = x->format->op(x, op);
}

int exporter_end(struct exporter *x, const struct model *m)
{
	if (!x->err && x->format->end)
		x->err = x->format->end(x, m);
	if (!x->err && !x->format->own_file)
		x->err = sink_flush(x->out);
	return x->err;
}

void exporter_fini(struct exporter *x)
{
	if (x->state && x->format->fini)
		x->format->fini(x);
	free(x->state);
	x->state = NULL;
	strbuf_fini(&x->why);
}

void put_epoch(struct strbuf *sb, const struct report_info *info)
{
	uint64_t ns = info->start_realtime_ns;

	strbuf_printf(sb, "%llu.%09llu", (unsigned long long)(ns / NSEC_PER_SEC),
		      (unsigned long long)(ns % NSEC_PER_SEC));
}
