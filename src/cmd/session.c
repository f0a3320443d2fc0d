// SPDX-License-Identifier: BSD-2-Clause
#include "cmd/session.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "analysis/analysis.h"
#include "analysis/blame.h"
#include "cmd/cgroup.h"
#include "cmd/signals.h"
#include "event/event.h"

#define NSEC_PER_SEC     1000000000ull
#define NSEC_PER_MSEC    1000000ull
#define DRAIN_MS         50 /* at most: the probe looks sooner when there is traffic */
#define REPAINT_NS       NSEC_PER_SEC
#define COMMAND_GRACE_NS NSEC_PER_SEC /* for a command that was sent SIGTERM */

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* An error of the observer is its own, and not the probe's. */
static int observed(struct session *s, int err)
{
	if (err && !s->observer_err)
		s->observer_err = err;
	return err;
}

static int on_record(void *arg, const void *data, size_t len)
{
	struct session *s = arg;
	struct event ev;
	size_t skip;
	int n;

	s->events++;
	n = event_decode(data, len, &ev, &skip);
	if (n < 0) {
		s->malformed++;
		return 0;
	}
	n = model_feed(s->model, &ev);
	if (n || !s->observer)
		return n;
	return observed(s, s->observer->record(s->observer->arg, &ev));
}

static void on_message(void *arg, const struct message *msg)
{
	struct session *s = arg;

	/* as in the report: between two strangers, on what no target has used */
	if (!chan_concerns_target(msg->chan))
		return;
	output_message(s->out, msg, s->start_ns);
}

/* What the model has let go, the kernel side need not keep either. */
static void on_forget(void *arg, uint64_t id)
{
	struct session *s = arg;

	probe_forget(s->probe, id);
	if (s->observer)
		s->observer->forget(s->observer->arg, id);
}

int session_init(struct session *s, const struct opts *o, struct output *out,
		 struct command *command)
{
	int err;

	*s = (struct session){.opts = o, .out = out, .command = command};
	s->scout.off = o->all || o->no_peers; /* then all are known, or none is to be */
	strbuf_init(&s->filter);
	strbuf_init(&s->why);
	opts_put_filter(&s->filter, o);
	if (uname(&s->host))
		return -errno;
	err = o->cgroup ? cgroup_find(&s->cgroup_id, o->cgroup, &s->why) : 0;
	return err ? err : targets_open(&s->targets, o->pids, o->pid_cnt, &s->why);
}

static struct report_info report_info(const struct session *s)
{
	const struct command *c = s->command;
	uint64_t end_ns = s->end_ns ? s->end_ns : now_ns();

	return (struct report_info){
		.blame = s->blame,
		.host = s->host.nodename,
		.kernel = s->host.release,
		.arch = s->host.machine,
		.filter = s->filter.s,
		.chosen_by = s->opts->comm ? s->opts->comm : s->opts->cgroup,
		.start_realtime_ns = s->start_realtime_ns,
		.duration_ns = end_ns - s->start_ns,
		.events = s->events,
		.argv = c->argv,
		.command_pid = c->argv ? (uint32_t)c->pid : 0,
		.command_ended = c->ended,
		.command_status = c->status,
	};
}

static void put_write_error(struct session *s, const char *name, int err)
{
	strbuf_puts(&s->why, "cannot write to ");
	strbuf_put_escaped(&s->why, name, strlen(name));
	strbuf_printf(&s->why, ": %s", strerror(-err));
}

/* Of the probe, or of what it called. */
static int probe_failed(struct session *s, int err)
{
	if (s->why.len)
		return err;
	if (s->observer_err)
		put_write_error(s, s->observer->name(s->observer->arg), s->observer_err);
	else
		strbuf_puts(&s->why, err == -ENOMEM ? "out of memory" : probe_error(s->probe));
	return err;
}

static int observe_begin(struct session *s)
{
	const struct report_info info = report_info(s);

	return observed(s, s->observer->begin(s->observer->arg, s, &info));
}

/* Loads the programs; the clock of the trace starts behind that, it can take a second. */
static int load(struct session *s)
{
	const struct opts *o = s->opts;
	const struct probe_opts probe_opts = {
		.pids = s->command->argv ? &s->command->pid : o->pids,
		.pid_cnt = s->command->argv ? 1 : o->pid_cnt,
		.comm = o->comm,
		.cgroup_id = s->cgroup_id,
		.all = o->all,
		.follow = o->follow || s->command->argv,
		.no_peers = o->no_peers,
		.mech_mask = o->mech_mask,
		.payload_bytes = (uint16_t)o->payload_bytes,
		.on_record = on_record,
		.on_record_arg = s,
	};
	int err;

	err = probe_new(&s->probe, &probe_opts);
	if (err) {
		strbuf_puts(&s->why, probe_error(s->probe));
		return err;
	}
	s->start_ns = now_ns();
	s->start_realtime_ns = clock_ns(CLOCK_REALTIME);
	s->blame = blame_new();
	if (!s->blame)
		return -ENOMEM;
	s->model = model_new(&(struct model_opts){
		.start_ns = s->start_ns,
		.on_blocked = blame_on_blocked,
		.on_fold = blame_on_fold,
		.on_blocked_arg = s->blame,
		.no_peers = o->no_peers,
		.on_message = s->out && s->out->lines ? on_message : NULL,
		.on_message_arg = s,
		.on_forget = on_forget,
		.on_forget_arg = s,
	});
	if (!s->model)
		return -ENOMEM;
	err = s->observer ? observe_begin(s) : 0;
	return err ? probe_failed(s, err) : 0;
}

static bool targets_alive(const struct session *s)
{
	list_for_each (p, model_procs(s->model), struct proc, in_model) {
		if (p->target && !p->exited)
			return true;
	}
	return false;
}

/* A command that was told to end may take a moment, so that its status gets in the report. */
static bool command_over(struct session *s, uint64_t now)
{
	command_poll(s->command);
	if (s->command->ended)
		return true;
	if (!signals_stop())
		return false;
	if (!signals_terminated())
		return true;
	if (!s->kill_at_ns) {
		command_signal(s->command, SIGTERM);
		s->kill_at_ns = now + COMMAND_GRACE_NS;
	}
	return now >= s->kill_at_ns;
}

static bool is_over(struct session *s, uint64_t now)
{
	if (s->opts->duration_ns && now - s->start_ns >= s->opts->duration_ns)
		return true;
	if (s->command->argv)
		return command_over(s, now);
	if (signals_stop())
		return true;
	/* Names and -a can still match what starts later; pids cannot. */
	if (s->opts->comm || s->opts->cgroup || s->opts->all || !targets_gone(&s->targets))
		return false;
	return !s->opts->follow || !targets_alive(s);
}

/* How long the next drain may sleep without missing an end or a repaint. */
static int drain_ms(const struct session *s, uint64_t now, uint64_t next_report_ns)
{
	uint64_t until = now + DRAIN_MS * NSEC_PER_MSEC;

	if (next_report_ns && next_report_ns < until)
		until = next_report_ns;
	if (s->opts->duration_ns && s->start_ns + s->opts->duration_ns < until)
		until = s->start_ns + s->opts->duration_ns;
	return until > now ? (int)((until - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC) : 0;
}

static int write_failed(struct session *s, int err)
{
	put_write_error(s, s->out->name, err);
	return err;
}

static int observe_started(struct session *s)
{
	int err = s->observer ? s->observer->started(s->observer->arg) : 0;

	return err ? probe_failed(s, observed(s, err)) : 0;
}

/* What is in the file stays until it is certain that something takes its place. */
static int begin_output(struct session *s)
{
	int err;

	if (s->begun || !command_runs(s->command))
		return 0;
	err = observe_started(s);
	if (err)
		return err;
	err = s->out ? output_begin(s->out) : 0;
	s->begun = !err;
	return err ? write_failed(s, err) : 0;
}

/* Tells all that the time is now_ns. */
static int advance(struct session *s, uint64_t now)
{
	int err = model_advance(s->model, now);

	if (!err && s->observer)
		err = observed(s, s->observer->advance(s->observer->arg, now));
	if (err)
		return probe_failed(s, err);
	err = begin_output(s);
	if (err || !s->begun || !s->out)
		return err;
	err = output_flush(s->out);
	return err ? write_failed(s, err) : 0;
}

static int interim(struct session *s)
{
	struct report_info info;
	int err;

	err = scout_snapshot(&s->scout, s->probe, s->model, SNAPF_HOLDS, false);
	if (err)
		return probe_failed(s, err);
	if (s->observer)
		err = observed(s, s->observer->sampled(s->observer->arg, s));
	if (err)
		return probe_failed(s, err);
	if (!s->out)
		return 0;
	info = report_info(s);
	err = output_interim(s->out, &info, s->model);
	return err ? write_failed(s, err) : 0;
}

static int loop(struct session *s)
{
	uint64_t every_ns = s->opts->interval_ns, next_ns, now = now_ns();
	int n, err;

	if (!every_ns && s->out && s->out->repaint)
		every_ns = REPAINT_NS;
	next_ns = every_ns ? now + every_ns : 0;
	while (!is_over(s, now)) {
		n = probe_drain(s->probe, drain_ms(s, now, next_ns));
		if (n < 0 && n != -EINTR)
			return probe_failed(s, n);
		now = now_ns();
		err = advance(s, now);
		if (err)
			return err;
		if (!s->begun || !next_ns || now < next_ns)
			continue;
		err = interim(s);
		if (err)
			return err;
		/* Late once is late once: no burst of reports to make up for it. */
		next_ns = now + every_ns;
		now = now_ns();
	}
	return 0;
}

/* The last look at who holds and waits for what, then everything that is still in the ring. */
static int finish(struct session *s)
{
	int err, n;

	s->stopped_ns = now_ns();
	err = scout_snapshot(&s->scout, s->probe, s->model, SNAPF_LAST | SNAPF_HOLDS, true);
	s->end_ns = now_ns();
	probe_stop(s->probe);
	do
		n = probe_drain(s->probe, 0);
	while (n > 0 || n == -EINTR);
	if (!err)
		err = n;
	if (err)
		probe_failed(s, err);
	/* Removing the hooks takes its time; what they told meanwhile is of the trace, too. */
	if (model_now_ns(s->model) > s->end_ns)
		s->end_ns = model_now_ns(s->model);
	n = model_finish(s->model, s->end_ns);
	return err ? err : n;
}

/* A command may be over before the first look at it. */
static int observe_end(struct session *s)
{
	const struct report_info info = report_info(s);
	int err = s->begun || !command_runs(s->command) ? 0 : observe_started(s);

	if (!err)
		err = observed(s, s->observer->end(s->observer->arg, s, &info));
	return err ? probe_failed(s, err) : 0;
}

int session_run(struct session *s)
{
	int err, end_err;

	err = load(s);
	if (err)
		return err;
	/*
	 * The ring is drained by polling; a collector that waits for the processor behind the
	 * processes it traces loses events. Without CAP_SYS_NICE it has to do without.
	 */
	setpriority(PRIO_PROCESS, 0, -20);
	err = probe_attach(s->probe);
	if (err)
		return probe_failed(s, err);
	s->attached_ns = now_ns();
	s->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	if (s->on_attached)
		s->on_attached(s);
	if (s->command->argv)
		err = command_go(s->command);
	if (!err)
		err = loop(s);
	end_err = finish(s);
	s->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - s->cpu_ns;
	command_poll(s->command);
	if (!end_err && s->observer)
		end_err = observe_end(s);
	return err ? err : end_err;
}

bool session_has_data(const struct session *s)
{
	return s->end_ns != 0;
}

int session_report(struct session *s)
{
	struct report_info info = report_info(s);
	int err = s->begun ? 0 : output_begin(s->out);

	return err ? err : output_report(s->out, &info, s->model);
}

void session_fini(struct session *s)
{
	model_free(s->model);
	blame_free(s->blame);
	probe_free(s->probe);
	targets_close(&s->targets);
	strbuf_fini(&s->filter);
	strbuf_fini(&s->why);
}
