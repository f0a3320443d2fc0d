/* SPDX-License-Identifier: BSD-2-Clause */
#include "truth.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "run.h"

struct truth_file {
	const char *path;
	char *tmp; /* renamed to path when whole; NULL: written in place */
	FILE *to;
};

static int truth_open_tmp(struct truth_file *t)
{
	mode_t mask;
	int fd, err;

	if (asprintf(&t->tmp, "%s.XXXXXX", t->path) < 0) {
		t->tmp = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(t->tmp, O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		free(t->tmp);
		t->tmp = NULL;
		return err;
	}
	mask = umask(0);
	umask(mask);
	t->to = fchmod(fd, 0666 & ~mask) ? NULL : fdopen(fd, "w");
	if (t->to)
		return 0;
	close(fd);
	return -EIO;
}

int truth_open(struct truth_file **out, const char *path)
{
	struct truth_file *t = calloc(1, sizeof(*t));
	struct stat st;
	int err = 0;

	if (!t)
		return -ENOMEM;
	t->path = path;
	if (!strcmp(path, "-")) {
		t->to = stdout;
	} else if (lstat(path, &st) < 0 || S_ISREG(st.st_mode)) {
		err = truth_open_tmp(t);
	} else {
		t->to = fopen(path, "we");
		err = t->to ? 0 : -errno;
	}
	if (err) {
		truth_close(t);
		return err;
	}
	*out = t;
	return 0;
}

void truth_close(struct truth_file *t)
{
	if (!t)
		return;
	if (t->to && t->to != stdout)
		fclose(t->to);
	if (t->tmp)
		unlink(t->tmp);
	free(t->tmp);
	free(t);
}

int truth_on_stdout(const struct truth_file *t)
{
	return t && t->to == stdout;
}

static int cmp_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Nearest rank: the smallest value that at least this share of all does not exceed. */
static uint64_t quantile(const uint64_t *sorted, uint64_t cnt, uint64_t permille)
{
	uint64_t rank = (cnt * permille + 999) / 1000;

	return sorted[rank ? rank - 1 : 0];
}

/* Sorts v. */
static void put_quantiles(struct json *j, const char *key, uint64_t *v, uint64_t cnt)
{
	static const struct {
		const char *name;
		uint64_t permille;
	} cuts[] = {{"p50", 500}, {"p90", 900}, {"p99", 990}, {"p999", 999}, {"max", 1000}};
	__uint128_t sum = 0;

	json_begin(j, key, '{');
	json_u64(j, "count", cnt);
	if (cnt) {
		qsort(v, cnt, sizeof(*v), cmp_u64);
		for (uint64_t i = 0; i < cnt; i++)
			sum += v[i];
		json_u64(j, "min", v[0]);
		json_u64(j, "mean", (uint64_t)(sum / cnt));
		for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++)
			json_u64(j, cuts[i].name, quantile(v, cnt, cuts[i].permille));
	}
	json_end(j, '}');
}

static uint64_t latency_of(const struct demo_sample *s)
{
	/* A receiver may finish a message before its sender's last sleep has ended. */
	return s->since_send_ns > s->blocked_ns ? s->since_send_ns - s->blocked_ns : 0;
}

/* Samples of one flow, all of which are in its sender's lane; v has room for the whole lane. */
static void put_latency(struct json *j, struct demo_run *run, unsigned int flow, uint64_t *v)
{
	const struct demo_sample *lane = run->samples + run->flows[flow].src * run->lane_samples;
	uint64_t cnt = 0, blocked_ns = 0;

	for (uint64_t i = 0; i < run->lane_samples; i++) {
		if (lane[i].flow_plus_1 != flow + 1)
			continue;
		blocked_ns += lane[i].blocked_ns;
		v[cnt++] = latency_of(&lane[i]);
	}
	json_u64(j, "send_blocked_ns", blocked_ns);
	json_bool(j, "latency_exact", run->procs[run->flows[flow].src].exact || !blocked_ns);
	put_quantiles(j, "latency_ns", v, cnt);
	cnt = 0;
	for (uint64_t i = 0; i < run->lane_samples; i++)
		if (lane[i].flow_plus_1 == flow + 1)
			v[cnt++] = lane[i].since_send_ns;
	put_quantiles(j, "since_send_ns", v, cnt);
}

static void put_flows(struct json *j, struct demo_run *run, uint64_t *scratch)
{
	json_begin(j, "flows", '[');
	for (unsigned int i = 0; i < run->flow_cnt; i++) {
		const struct demo_flow *f = &run->flows[i];

		if (!f->messages)
			continue;
		json_begin(j, NULL, '{');
		json_u64(j, "src_pid", (uint64_t)run->procs[f->src].pid);
		json_str(j, "src_comm", run->procs[f->src].comm);
		json_u64(j, "dst_pid", (uint64_t)run->procs[f->dst].pid);
		json_str(j, "dst_comm", run->procs[f->dst].comm);
		json_str(j, "mechanism", run->chans[f->chan].mechanism);
		json_str(j, "channel", run->chans[f->chan].name);
		json_u64(j, "channel_index", f->chan);
		json_u64(j, "messages", f->messages);
		json_u64(j, "bytes", f->bytes);
		put_latency(j, run, i, scratch);
		json_end(j, '}');
	}
	json_end(j, ']');
}

static void put_channels(struct json *j, const struct demo_run *run)
{
	json_begin(j, "channels", '[');
	for (unsigned int i = 0; i < run->chan_cnt; i++) {
		const struct demo_chan *c = &run->chans[i];

		json_begin(j, NULL, '{');
		json_str(j, "mechanism", c->mechanism);
		json_str(j, "name", c->name);
		if (c->capacity)
			json_u64(j, "capacity", c->capacity);
		json_begin(j, "inodes", '[');
		for (unsigned int k = 0; k < 2; k++)
			if (c->ino[k])
				json_u64(j, NULL, c->ino[k]);
		json_end(j, ']');
		json_u64(j, "dropped", c->dropped);
		json_end(j, '}');
	}
	json_end(j, ']');
}

static void put_side(struct json *j, const struct demo_proc *p, const struct demo_side *s)
{
	json_begin(j, NULL, '{');
	json_u64(j, "pid", (uint64_t)p->pid);
	json_str(j, "comm", p->comm);
	json_u64(j, "messages", s->messages);
	json_u64(j, "bytes", s->bytes);
	json_u64(j, "calls", s->calls);
	json_u64(j, "blocked_ns", s->blocked_ns);
	json_u64(j, "blocked_calls", s->blocked_cnt);
	json_u64(j, "longest_call_ns", s->longest_ns);
	json_u64(j, "planned_blocked_ns", s->planned_ns);
	json_u64(j, "waited_ns", p->waited_ns);
	json_end(j, '}');
}

static void put_procs(struct json *j, const struct demo_run *run)
{
	json_begin(j, "senders", '[');
	for (unsigned int i = 0; i < run->proc_cnt; i++)
		if (run->procs[i].sends)
			put_side(j, &run->procs[i], &run->procs[i].send);
	json_end(j, ']');
	json_begin(j, "receivers", '[');
	for (unsigned int i = 0; i < run->proc_cnt; i++)
		if (run->procs[i].recvs)
			put_side(j, &run->procs[i], &run->procs[i].recv);
	json_end(j, ']');
}

static void put_options(struct json *j, const struct demo_opts *o)
{
	json_begin(j, "options", '{');
	json_u64(j, "messages", o->messages);
	json_u64(j, "size", o->size);
	json_u64(j, "senders", o->senders);
	json_u64(j, "receivers", o->receivers);
	json_u64(j, "rate", o->rate);
	json_u64(j, "receiver_delay_ns", o->receiver_delay_ns);
	json_u64(j, "sender_delay_ns", o->sender_delay_ns);
	json_u64(j, "hold_ns", o->hold_ns);
	json_u64(j, "seed", o->seed);
	json_u64(j, "chunk", o->chunk);
	json_bool(j, "vary", o->vary);
	json_u64(j, "priorities", o->priorities);
	json_u64(j, "types", o->types);
	json_end(j, '}');
}

static void put_totals(struct json *j, const struct demo_run *run)
{
	uint64_t messages = 0, bytes = 0, end_ns = 0, go_ns = run->board->go_ns;
	bool exact = true;

	for (unsigned int i = 0; i < run->proc_cnt; i++) {
		messages += run->procs[i].recv.messages;
		bytes += run->procs[i].recv.bytes;
		exact = exact && run->procs[i].exact;
		if (run->procs[i].end_ns > end_ns)
			end_ns = run->procs[i].end_ns;
		if (run->procs[i].running)
			end_ns = demo_now_ns();
	}
	json_u64(j, "messages", messages);
	json_u64(j, "bytes", bytes);
	json_u64(j, "start_ns", go_ns);
	json_u64(j, "elapsed_ns", end_ns > go_ns ? end_ns - go_ns : 0);
	json_str(j, "blocked_method", exact ? "asleep" : "duration");
}

static void put_planned(struct json *j, const struct demo_run *run)
{
	uint64_t send_ns = 0, recv_ns = 0;

	for (unsigned int i = 0; i < run->proc_cnt; i++) {
		send_ns += run->procs[i].send.planned_ns;
		recv_ns += run->procs[i].recv.planned_ns;
	}
	json_begin(j, "planned", '{');
	json_u64(j, "send_blocked_ns", send_ns);
	json_u64(j, "recv_blocked_ns", recv_ns);
	json_end(j, '}');
}

static void put_stuck(struct json *j, const struct demo_run *run, const struct truth_stuck *s,
		      size_t cnt)
{
	json_begin(j, "stuck", '[');
	for (size_t i = 0; i < cnt; i++) {
		const struct demo_proc *p = &run->procs[s[i].proc];
		bool send = !strcmp(s[i].operation, "send");

		json_begin(j, NULL, '{');
		json_u64(j, "pid", (uint64_t)p->pid);
		json_str(j, "comm", p->comm);
		json_str(j, "operation", s[i].operation);
		json_str(j, "channel", run->chans[s[i].chan].name);
		json_u64(j, "channel_index", s[i].chan);
		json_u64(j, "since_ns", send ? p->send.call_since_ns : p->recv.call_since_ns);
		json_begin(j, "waits_for", '[');
		json_u64(j, NULL, (uint64_t)run->procs[s[i].waits_for].pid);
		json_end(j, ']');
		json_end(j, '}');
	}
	json_end(j, ']');
}

static void put_finding(struct json *j, const struct demo_run *run)
{
	const struct truth_finding *f = run->finding;

	if (!f) {
		json_null(j, "finding");
		return;
	}
	json_begin(j, "finding", '{');
	json_str(j, "kind", f->kind);
	json_begin(j, "pids", '[');
	for (unsigned int i = 0; i < f->proc_cnt; i++)
		json_u64(j, NULL, (uint64_t)run->procs[f->procs[i]].pid);
	json_end(j, ']');
	json_end(j, '}');
}

static void put_map(struct json *j, const struct demo_shared *shared, pid_t pid, const char *comm)
{
	json_begin(j, NULL, '{');
	json_u64(j, "pid", (uint64_t)pid);
	json_str(j, "comm", comm);
	json_u64(j, "offset", 0);
	json_u64(j, "bytes", shared->mapped);
	json_str(j, "rights", "rw");
	json_end(j, '}');
}

static void put_shared(struct json *j, const struct demo_run *run)
{
	const struct demo_shared *shared = run->shared;

	if (!shared)
		return;
	json_begin(j, "shared", '{');
	json_str(j, "mechanism", shared->mechanism);
	json_str(j, "name", shared->name);
	json_u64(j, "size", shared->bytes);
	json_begin(j, "maps", '[');
	put_map(j, shared, run->parent, "ipcspy-demo");
	for (unsigned int i = 0; i < run->proc_cnt; i++)
		put_map(j, shared, run->procs[i].pid, run->procs[i].comm);
	json_end(j, ']');
	json_end(j, '}');
}

static int truth_commit(struct truth_file *t)
{
	FILE *to = t->to;
	int err = fflush(to) || ferror(to) ? -errno : 0;

	t->to = NULL;
	if (to != stdout && fclose(to) && !err)
		err = -errno;
	if (!err && t->tmp && rename(t->tmp, t->path))
		err = -errno;
	if (!err) {
		free(t->tmp);
		t->tmp = NULL;
	}
	return err;
}

static void put_head(struct json *j, const struct demo_run *run)
{
	json_begin(j, NULL, '{');
	json_u64(j, "truth", 1);
	json_str(j, "workload", run->workload->name);
	json_u64(j, "pid", (uint64_t)run->parent);
}

static int put_file(struct json *j, const char *path)
{
	FILE *from = fopen(path, "re");
	char buf[4096];
	size_t n;
	int err = 0;

	if (!from)
		return -errno;
	fputs(j->first ? "\n" : ",\n", j->to);
	j->first = false;
	while ((n = fread(buf, 1, sizeof(buf), from)) > 0)
		fwrite(buf, 1, n, j->to);
	if (ferror(from))
		err = -EIO;
	fclose(from);
	return err;
}

int truth_write_parts(struct demo_run *run, unsigned int cnt,
		      void (*path_of)(const struct demo_run *run, unsigned int i, char *path,
				      size_t len))
{
	struct truth_file *t = run->truth;
	struct json j = {.to = t ? t->to : NULL, .first = true};
	char path[PATH_MAX];
	int err = 0;

	if (!t || !t->to)
		return 0;
	put_head(&j, run);
	json_begin(&j, "parts", '[');
	for (unsigned int i = 0; i < cnt && !err; i++) {
		path_of(run, i, path, sizeof(path));
		err = put_file(&j, path);
	}
	json_end(&j, ']');
	json_end(&j, '}');
	if (!err)
		err = truth_commit(t);
	return err ? run_fail_errno(run, err, "cannot write the truth file") : 0;
}

int truth_write(struct demo_run *run, const struct truth_stuck *stuck, size_t stuck_cnt)
{
	struct truth_file *t = run->truth;
	struct json j = {.to = t ? t->to : NULL, .first = true};
	uint64_t *scratch;
	int err;

	if (!t || !t->to)
		return 0;
	scratch = calloc(run->lane_samples + 1, sizeof(*scratch));
	if (!scratch)
		return run_fail_errno(run, -ENOMEM, "cannot write the truth");
	put_head(&j, run);
	put_options(&j, &run->opts);
	put_totals(&j, run);
	put_procs(&j, run);
	put_channels(&j, run);
	put_flows(&j, run, scratch);
	put_shared(&j, run);
	put_planned(&j, run);
	put_stuck(&j, run, stuck, stuck_cnt);
	put_finding(&j, run);
	json_end(&j, '}');
	free(scratch);
	err = truth_commit(t);
	return err ? run_fail_errno(run, err, "cannot write the truth file") : 0;
}
