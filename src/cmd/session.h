/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h - one live trace, from the probe to the output.
 *
 * Joins probe, event, model and output and decides when the trace is over. It
 * owns probe and model; options, output and command are the caller's. Prints
 * nothing itself: what went wrong is in words in why.
 */
#ifndef IPCSPY_SESSION_H
#define IPCSPY_SESSION_H

#include <sys/utsname.h>

#include "cmd/command.h"
#include "cmd/opts.h"
#include "cmd/output.h"
#include "cmd/scout.h"
#include "cmd/targets.h"
#include "model/model.h"
#include "probe/probe.h"

struct session;

/* Who is shown all that the model is fed, in the same order. Errors end the trace. */
struct session_observer {
	/* Before everything else: what is known of the trace is in info. */
	int (*begin)(void *arg, const struct session *s, const struct report_info *info);
	/* What was traced is there: the command runs, if there is one. */
	int (*started)(void *arg);
	int (*record)(void *arg, const struct event *ev);
	int (*advance)(void *arg, uint64_t now_ns);
	/* After each look at who holds and waits for what. */
	int (*sampled)(void *arg, const struct session *s);
	void (*forget)(void *arg, uint64_t id);
	/* After everything else. */
	int (*end)(void *arg, const struct session *s, const struct report_info *info);
	const char *(*name)(void *arg); /* for error messages */
	void *arg;
};

struct session {
	const struct opts *opts;
	struct output *out;                      /* NULL: nothing is shown */
	const struct session_observer *observer; /* or NULL; the caller sets it */
	struct command *command;                 /* argv NULL: none */
	struct targets targets;
	uint64_t cgroup_id; /* of -c; 0: none */
	struct probe *probe;
	struct model *model;
	struct blame *blame;
	struct scout scout;
	struct utsname host;
	struct strbuf filter, why;
	void (*on_attached)(const struct session *s); /* or NULL: from now on all is seen */
	uint64_t start_ns, start_realtime_ns, end_ns;
	uint64_t attached_ns, stopped_ns; /* between them the trace went on */
	uint64_t
		cpu_ns; /* that draining and the model took of a processor, since it was attached */
	bool begun;     /* output_begin() is done */
	uint64_t kill_at_ns; /* 0, or when to stop waiting for a command that was told to end */
	uint64_t events, malformed;
	int observer_err; /* the first that the observer returned */
};

/* Checks the targets. Returns 0 or -errno with the reason in s->why; session_fini() is due. */
int session_init(struct session *s, const struct opts *o, struct output *out,
		 struct command *command);

/*
 * Traces until the end: the time is over, a signal came, the command or all
 * targets ended, or the reader of the output went away. Returns 0, with the
 * model complete for a report, or -errno with the reason in s->why; when tracing
 * broke off in between, the model holds what was collected until then (see
 * session_has_data()).
 */
int session_run(struct session *s);

bool session_has_data(const struct session *s);

/* Writes the final report. Returns 0 or -errno. */
int session_report(struct session *s);

void session_fini(struct session *s);

#endif
