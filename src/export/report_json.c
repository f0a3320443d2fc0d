// SPDX-License-Identifier: BSD-2-Clause
/* The report as JSON, schema 1. Field names are an interface: add, never rename. */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "analysis/analysis.h"
#include "analysis/blame.h"
#include "analysis/shm.h"
#include "export/report.h"
#include "export/walk.h"
#include "export/why_json.h"
#include "lib/syscalls.h"
#include "model/mech.h"

#define WAITS_FOR_MAX 64

int status_as_shell(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

bool report_has_loss(const struct model *m)
{
	const struct loss *loss = model_loss(m);

	return loss->events || loss->table || loss->channels_incomplete || loss->compat_syscalls ||
	       loss->io_uring;
}

static void put_proc_fields(struct json *j, uint32_t pid, const char *comm)
{
	json_u64(j, "pid", pid);
	json_str(j, "comm", comm);
}

static void put_party(struct json *j, const char *key, const struct party *p)
{
	json_object(j, key);
	if (!p->proc && p->addr)
		json_str(j, p->here ? "kind" : "addr", p->addr);
	else
		put_proc_fields(j, party_pid(p), party_comm(p));
	json_end(j);
}

static void put_span(struct json *j, const char *key, const struct span_stat *s, bool with_now)
{
	json_object(j, key);
	json_u64(j, "count", s->count);
	json_u64(j, "total_ns", s->total_ns);
	json_u64(j, "max_ns", s->max_ns);
	if (with_now)
		json_u64(j, "now_ns", s->now_ns);
	json_end(j);
}

static void put_hist(struct json *j, const char *key, const struct hist *h)
{
	static const struct {
		const char *name;
		unsigned int permille;
	} quantiles[] = {{"p50", 500}, {"p90", 900}, {"p99", 990}, {"p999", 999}};

	json_object(j, key);
	json_u64(j, "count", h->count);
	json_u64(j, "min", h->count ? h->min : 0);
	json_u64(j, "mean", hist_mean(h));
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		json_u64(j, quantiles[i].name, hist_quantile(h, quantiles[i].permille));
	json_u64(j, "max", h->max);
	json_end(j);
}

static void put_command(struct json *j, const struct report_info *info)
{
	if (!info->argv) {
		json_null(j, "command");
		return;
	}
	json_object(j, "command");
	json_array(j, "argv");
	for (char *const *arg = info->argv; *arg; arg++)
		json_str(j, NULL, *arg);
	json_end(j);
	json_u64(j, "pid", info->command_pid);
	if (info->command_ended)
		json_i64(j, "exit", status_as_shell(info->command_status));
	else
		json_null(j, "exit");
	json_end(j);
}

static void put_trace(struct json *j, const struct report_info *info)
{
	json_object(j, "trace");
	json_str(j, "host", info->host);
	json_str(j, "kernel", info->kernel);
	json_str(j, "arch", info->arch);
	json_u64(j, "start_realtime_ns", info->start_realtime_ns);
	json_u64(j, "duration_ns", info->duration_ns);
	json_u64(j, "events", info->events);
	json_str(j, "filter", info->filter);
	put_command(j, info);
	json_end(j);
}

static void put_loss(struct json *j, const struct model *m)
{
	const struct loss *loss = model_loss(m);

	json_object(j, "loss");
	json_u64(j, "events", loss->events);
	json_object(j, "by_mechanism");
	for (unsigned int mech = 0; mech < MECH_MAX; mech++) {
		if (loss->by_mech[mech])
			json_u64(j, mech ? mech_name(mech) : "other", loss->by_mech[mech]);
	}
	json_end(j);
	json_u64(j, "untracked_calls", loss->table);
	json_u64(j, "channels_incomplete", loss->channels_incomplete);
	json_object(j, "skipped");
	json_u64(j, "compat_syscalls", loss->compat_syscalls);
	json_u64(j, "io_uring", loss->io_uring);
	json_end(j);
	json_end(j);
}

static void put_proc(struct json *j, const struct model *m, const struct proc *p)
{
	json_object(j, NULL);
	json_u64(j, "pid", p->pid);
	if (p->start_ns)
		json_i64(j, "start_ns", (int64_t)(p->start_ns - model_start_ns(m)));
	else
		json_null(j, "start_ns");
	json_u64(j, "ppid", p->ppid);
	if (p->ns_pid && p->ns_pid != (p->pid & ~PID_OUTSIDE))
		json_u64(j, "ns_pid", p->ns_pid);
	if (p->pid & PID_OUTSIDE)
		json_u64(j, "machine_pid", p->pid & ~PID_OUTSIDE);
	json_str(j, "comm", p->comm);
	if (p->exe)
		json_str(j, "exe", p->exe);
	else
		json_null(j, "exe");
	json_bool(j, "target", p->target);
	json_bool(j, "exited", p->exited);
	if (p->status_known)
		json_i64(j, "exit_code", status_as_shell(p->exit_status));
	else
		json_null(j, "exit_code");
	json_object(j, "waiting");
	json_u64(j, "count", p->waits.count);
	json_u64(j, "total_ns", p->waits.total_ns);
	json_u64(j, "max_ns", p->waits.max_ns);
	json_u64(j, "now_ns", p->waits.now_ns);
	json_end(j);
	json_end(j);
}

static void put_endpoint(struct json *j, const struct endpoint *ep)
{
	static const char *const roles[] = {
		[EP_ATTACH] = "attach", [EP_SEND] = "send", [EP_RECV] = "recv"};

	json_object(j, NULL);
	put_proc_fields(j, ep->proc->pid, ep->proc->comm);
	json_str(j, "role", roles[ep->role]);
	json_u64(j, "side", ep->side);
	json_u64(j, "calls", ep->calls);
	json_u64(j, "messages", ep->messages);
	json_u64(j, "bytes", ep->bytes);
	json_u64(j, "errors", ep->errors);
	json_u64(j, "would_block", ep->would_block);
	put_span(j, "blocked", &ep->blocked, true);
	put_span(j, "stalled", &ep->stalled, false);
	json_end(j);
}

/* Facts of the channel itself make an object "info", each group an array of its name. */
struct fact_json {
	struct json *j;
	bool groups; /* those of groups; else the channel's own, which come first */
	bool open;
	struct fact prev;
};

static void end_group(struct fact_json *to)
{
	if (!to->open)
		return;
	json_end(to->j);
	if (to->prev.group)
		json_end(to->j);
}

static void put_fact(void *arg, const struct fact *f)
{
	struct fact_json *to = arg;
	bool same_group;

	if (to->groups != (f->group != NULL))
		return;
	same_group =
		to->open && (f->group == to->prev.group ||
			     (f->group && to->prev.group && !strcmp(f->group, to->prev.group)));

	if (!same_group) {
		end_group(to);
		if (f->group)
			json_array(to->j, f->group);
		json_object(to->j, f->group ? NULL : "info");
	} else if (f->row != to->prev.row) {
		json_end(to->j);
		json_object(to->j, NULL);
	}
	to->prev = *f;
	to->open = true;
	if (f->text == fact_zero)
		json_u64(to->j, f->name, 0);
	else if (f->text == fact_none)
		json_null(to->j, f->name);
	else if (f->text == fact_yes || f->text == fact_no)
		json_bool(to->j, f->name, f->text == fact_yes);
	else if (f->text)
		json_str(to->j, f->name, f->text);
	else
		json_u64(to->j, f->name, f->value);
}

static void put_facts(struct json *j, const struct model *m, const struct chan *c)
{
	struct fact_json to = {.j = j};

	model_facts(m, c, put_fact, &to);
	end_group(&to);
	to = (struct fact_json){.j = j, .groups = true};
	model_facts(m, c, put_fact, &to);
	end_group(&to);
}

static int put_synchronised_by(struct json *j, const struct model *m, const struct chan *c)
{
	struct shm_users u;
	int err;

	if (chan_shape(c) != SHAPE_MEMORY)
		return 0;
	err = shm_users_init(&u, m, c);
	json_array(j, "synchronised_by");
	for (size_t i = 0; i < u.sync_cnt; i++) {
		json_object(j, NULL);
		json_u64(j, "channel", u.syncs[i].chan->id);
		json_str(j, "how", shm_how_name(u.syncs[i].how));
		json_end(j);
	}
	json_end(j);
	shm_users_fini(&u);
	return err;
}

static int put_chan(struct json *j, const struct model *m, const struct chan *c)
{
	int err;

	json_object(j, NULL);
	json_u64(j, "id", c->id);
	json_str(j, "mechanism", mech_name(c->mech));
	json_str(j, "name", c->name);
	json_bool(j, "open", c->open);
	json_bool(j, "incomplete", c->incomplete);
	json_str(j, "unit", c->unit);
	if (c->capacity)
		json_u64(j, "capacity", c->capacity);
	else
		json_null(j, "capacity");
	json_object(j, "backlog");
	json_u64(j, "now", c->backlog.now);
	json_u64(j, "max", c->backlog.max);
	json_u64(j, "full_ns", c->backlog.full_ns);
	json_end(j);
	json_u64(j, "dropped", c->dropped);
	json_u64(j, "unpaired", c->unpaired);
	json_u64(j, "lost", c->lost);
	json_u64(j, "folded", c->folded);
	json_array(j, "endpoints");
	list_for_each (ep, &c->endpoints, struct endpoint, in_chan)
		put_endpoint(j, ep);
	json_end(j);
	put_facts(j, m, c);
	err = put_synchronised_by(j, m, c);
	json_end(j);
	return err;
}

/* What the sender handed to the receiver on the way; most flows hand over nothing. */
static void put_passed(struct json *j, const struct model *m, const struct flow *f)
{
	bool any = false;

	if (!f->chan->carries || !f->src.proc || !f->dst.proc)
		return;
	list_for_each (p, model_passes(m), struct pass, in_model) {
		if (p->via != f->chan || p->from != f->src.proc->pid || p->to != f->dst.proc->pid)
			continue;
		if (!any)
			json_array(j, "passed");
		any = true;
		json_object(j, NULL);
		json_u64(j, "channel", p->chan->id);
		json_str(j, "name", p->chan->name);
		json_u64(j, "count", p->count);
		json_end(j);
	}
	if (any)
		json_end(j);
}

static void put_flow(struct json *j, const struct model *m, const struct flow *f)
{
	struct verdict v = verdict_of_flow(m, f);

	json_object(j, NULL);
	json_u64(j, "channel", f->chan->id);
	json_str(j, "mechanism", mech_name(f->chan->mech));
	put_party(j, "src", &f->src);
	put_party(j, "dst", &f->dst);
	json_u64(j, "messages", f->messages);
	json_u64(j, "bytes", f->bytes);
	put_hist(j, "latency_ns", &f->latency);
	json_object(j, "pairing");
	json_u64(j, "exact", f->paired[PAIR_EXACT]);
	json_u64(j, "settled", f->paired[PAIR_SETTLED]);
	json_u64(j, "assumed", f->paired[PAIR_ASSUMED]);
	json_end(j);
	json_str(j, "verdict", verdict_name(v.kind));
	json_object(j, "shares");
	json_u64(j, "send_blocked", v.send_blocked);
	json_u64(j, "recv_blocked", v.recv_blocked);
	json_u64(j, "full", v.full);
	json_end(j);
	put_passed(j, m, f);
	json_end(j);
}

static void put_conversation(struct json *j, const struct conversation *c)
{
	const struct party a = {.proc = c->a}, b = {.proc = c->b};

	json_object(j, NULL);
	json_array(j, "channels");
	json_u64(j, NULL, c->chan_ab->id);
	if (c->chan_ba != c->chan_ab)
		json_u64(j, NULL, c->chan_ba->id);
	json_end(j);
	put_party(j, "a", &a);
	put_party(j, "b", &b);
	json_object(j, "turnaround_ns");
	put_hist(j, "a", &c->turnaround_a);
	put_hist(j, "b", &c->turnaround_b);
	json_end(j);
	json_end(j);
}

static void put_waits_for(struct json *j, const struct inflight *i, const struct states *states)
{
	struct proc *on[WAITS_FOR_MAX];
	size_t cnt = waits_for(i, on, WAITS_FOR_MAX);

	json_array(j, "waits_for");
	for (size_t k = 0; k < cnt && k < WAITS_FOR_MAX; k++) {
		json_object(j, NULL);
		put_proc_fields(j, on[k]->pid, on[k]->comm);
		json_str(j, "state", proc_state(states, on[k]));
		json_end(j);
	}
	json_end(j);
}

static void put_blocked(struct json *j, const struct inflight *i, const struct states *states)
{
	char buf[32];

	json_object(j, NULL);
	json_u64(j, "pid", i->proc->pid);
	json_u64(j, "tid", i->tid);
	json_str(j, "comm", i->proc->comm);
	json_str(j, "syscall", syscall_name(i->nr, buf, sizeof(buf)));
	json_str(j, "operation", op_name(i->op));
	if (i->chan)
		json_u64(j, "channel", i->chan->id);
	else
		json_null(j, "channel");
	json_str(j, "mechanism", mech_name(i->mech));
	json_u64(j, "for_ns", blocked_for_ns(i));
	json_bool(j, "before_attach", i->before_attach);
	put_waits_for(j, i, states);
	json_end(j);
}

static void put_culprit(struct json *j, const struct blame_row *worst)
{
	if (!worst) {
		json_null(j, "culprit");
		return;
	}
	json_object(j, "culprit");
	put_proc_fields(j, worst->proc->pid, worst->proc->comm);
	json_u64(j, "others_blocked_ns", worst->caused_ns);
	json_u64(j, "waiters", worst->waiters);
	json_end(j);
}

static uint64_t permille(uint64_t part, uint64_t whole)
{
	return whole ? (uint64_t)((double)part * 1000 / (double)whole) : 0;
}

static int put_blame(struct json *j, const struct report_info *info, const struct model *m)
{
	struct blame_table t;
	int err = blame_table_init(&t, info->blame, m);

	put_culprit(j, blame_worst(&t, m));
	json_array(j, "blame");
	for (size_t i = 0; i < t.cnt; i++) {
		json_object(j, NULL);
		put_proc_fields(j, t.rows[i].proc->pid, t.rows[i].proc->comm);
		json_u64(j, "caused_ns", t.rows[i].caused_ns);
		json_u64(j, "waiters", t.rows[i].waiters);
		json_u64(j, "share", permille(t.rows[i].caused_ns, t.total_ns));
		json_end(j);
	}
	json_end(j);
	json_object(j, "blocked");
	json_u64(j, "total_ns", t.total_ns);
	json_u64(j, "unattributed_ns", t.unattributed_ns);
	json_end(j);
	blame_table_fini(&t);
	return err;
}

struct rows {
	struct walk procs, chans, flows, conversations, blocked;
	struct states states;
};

static int rows_init(struct rows *r, const struct model *m)
{
	int err;

	*r = (struct rows){0};
	err = walk_procs(&r->procs, m);
	if (!err)
		err = walk_chans(&r->chans, m);
	if (!err)
		err = walk_flows(&r->flows, m, FLOWS_BY_CHAN);
	if (!err)
		err = walk_conversations(&r->conversations, m);
	if (!err)
		err = walk_blocked(&r->blocked, m);
	if (!err)
		err = states_init(&r->states, m);
	return err;
}

static void rows_fini(struct rows *r)
{
	states_fini(&r->states);
	walk_fini(&r->blocked);
	walk_fini(&r->conversations);
	walk_fini(&r->flows);
	walk_fini(&r->chans);
	walk_fini(&r->procs);
}

static int put_chans(struct json *j, const struct model *m, const struct rows *r)
{
	int err = 0;

	json_array(j, "channels");
	for (size_t i = 0; !err && i < r->chans.cnt; i++)
		err = put_chan(j, m, r->chans.v[i]);
	json_end(j);
	return err;
}

static void put_rows(struct json *j, const struct model *m, const struct rows *r)
{
	json_array(j, "flows");
	for (size_t i = 0; i < r->flows.cnt; i++)
		put_flow(j, m, r->flows.v[i]);
	json_end(j);

	json_array(j, "conversations");
	for (size_t i = 0; i < r->conversations.cnt; i++)
		put_conversation(j, r->conversations.v[i]);
	json_end(j);

	json_array(j, "blocked_now");
	for (size_t i = 0; i < r->blocked.cnt; i++)
		put_blocked(j, r->blocked.v[i], &r->states);
	json_end(j);
}

int report_json(struct json *j, const char *key, const struct report_info *info,
		const struct model *m)
{
	struct rows rows;
	int err;

	err = rows_init(&rows, m);
	if (err)
		goto out;
	json_object(j, key);
	json_u64(j, "schema", 1);
	json_str(j, "ipcspy", IPCSPY_VERSION);
	put_trace(j, info);
	put_loss(j, m);
	json_array(j, "processes");
	for (size_t i = 0; i < rows.procs.cnt; i++)
		put_proc(j, m, rows.procs.v[i]);
	json_end(j);
	err = put_chans(j, m, &rows);
	put_rows(j, m, &rows);
	if (!err)
		err = put_blame(j, info, m);
	if (!err)
		err = findings_json(j, m, info->blame);
	json_end(j);
	err = err ? err : j->err;
out:
	rows_fini(&rows);
	return err;
}
