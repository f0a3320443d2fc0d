// SPDX-License-Identifier: BSD-2-Clause
#include "export/why_json.h"

#include "analysis/analysis.h"
#include "analysis/doing.h"
#include "lib/syscalls.h"
#include "model/mech.h"

static void put_who(struct json *j, const struct wait *w)
{
	json_u64(j, "pid", w->proc->pid);
	json_u64(j, "tid", w->tid);
	json_str(j, "comm", w->proc->comm);
	json_str(j, "state", wait_kind_name(w->kind));
}

static void put_call(struct json *j, const struct wait *w)
{
	unsigned int nr = w->in ? w->in->nr : w->task ? w->task->nr : TASK_NO_CALL;
	char buf[32];

	if (nr == TASK_NO_CALL)
		json_null(j, "syscall");
	else
		json_str(j, "syscall", syscall_name(nr, buf, sizeof(buf)));
	if (w->in)
		json_str(j, "operation", op_name(w->in->op));
	else
		json_null(j, "operation");
}

static void put_chan(struct json *j, const struct wait *w)
{
	const struct chan *c = w->chan;

	if (!c) {
		json_null(j, "channel");
		return;
	}
	json_object(j, "channel");
	json_str(j, "mechanism", mech_name(c->mech));
	json_str(j, "name", c->name);
	if (w->fd >= 0)
		json_i64(j, "fd", w->fd);
	else
		json_null(j, "fd");
	json_str(j, "unit", c->unit);
	json_u64(j, "backlog", w->kind == WAIT_CHAN ? inflight_backlog(w->in) : c->backlog.now);
	if (c->capacity)
		json_u64(j, "capacity", c->capacity);
	else
		json_null(j, "capacity");
	json_end(j);
}

/* Of who waits in open(2) of a FIFO. */
static void put_opens(struct json *j, const struct wait *w)
{
	json_object(j, "opens");
	if (w->task->opens)
		json_str(j, "path", w->task->opens);
	else
		json_null(j, "path");
	json_str(j, "waits_for", wait_partner(w));
	json_end(j);
}

static void put_times(struct json *j, const struct wait *w)
{
	uint64_t seen = w->task ? w->task->seen_ns : w->in ? w->in->seen_ns : 0, since;
	bool at_least;

	since = wait_since_ns(w, &at_least);
	if (since && since <= seen)
		json_u64(j, "for_ns", seen - since);
	else
		json_null(j, "for_ns");
	json_bool(j, "at_least", at_least);
	if (w->task && w->task->until_ns > seen)
		json_u64(j, "goes_on_in_ns", w->task->until_ns - seen);
	else
		json_null(j, "goes_on_in_ns");
}

static void put_name(struct json *j, const char *key, const char *name)
{
	if (name[0])
		json_str(j, key, name);
	else
		json_null(j, key);
}

static void put_stack(struct json *j, const struct stack *st)
{
	if (!st) {
		json_null(j, "stack");
		return;
	}
	json_object(j, "stack");
	json_u64(j, "samples", st->samples);
	json_u64(j, "seen", st->seen);
	json_array(j, "frames");
	for (uint32_t i = 0; i < st->cnt; i++) {
		json_object(j, NULL);
		put_name(j, "symbol", st->frames[i].symbol);
		put_name(j, "module", st->frames[i].module);
		json_u64(j, "offset", st->frames[i].offset);
		json_bool(j, "kernel", st->frames[i].kernel);
		json_end(j);
	}
	json_end(j);
	json_end(j);
}

static void put_row(struct json *j, const struct graph *g, const struct chain_row *row)
{
	json_object(j, NULL);
	json_u64(j, "depth", row->depth);
	put_who(j, row->wait);
	put_call(j, row->wait);
	put_chan(j, row->wait);
	if (row->wait->kind == WAIT_OPEN)
		put_opens(j, row->wait);
	put_times(j, row->wait);
	put_stack(j, row->again ? NULL : doing_stack(g, row->wait));
	json_bool(j, "can_go_on", graph_can_go_on(g, row->wait));
	json_bool(j, "outside", row->wait->outside);
	json_bool(j, "again", row->again);
	json_u64(j, "alike", row->alike);
	json_u64(j, "helpers_left", row->helpers_left);
	json_end(j);
}

int why_json(struct json *j, const struct graph *g, const struct wait *from)
{
	struct strbuf verdict;
	struct chain c;
	int err = chain_build(&c, g, from);

	strbuf_init(&verdict);
	if (!err) {
		chain_verdict(&verdict, g, &c);
		err = verdict.err;
	}
	if (!err) {
		json_object(j, NULL);
		put_who(j, from);
		json_bool(j, "stuck", !graph_can_go_on(g, from));
		json_object(j, "root");
		put_who(j, c.root);
		json_end(j);
		json_str(j, "verdict", verdict.s);
		json_array(j, "chain");
		for (size_t i = 0; i < c.cnt; i++)
			put_row(j, g, &c.rows[i]);
		json_end(j);
		json_end(j);
	}
	strbuf_fini(&verdict);
	chain_fini(&c);
	return err;
}
