/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * graph.h - who waits for whom at one moment: the latest snapshot.
 *
 * A node is a task; a process of which no task was told has one node of unknown
 * state. A task waits for an end of a channel (for any of several when it polls), for
 * a process (a child, the holder of a lock, a tracer), or for nothing that is known.
 * Any helper is enough, so a task is stuck only when none of them can go on, whatever
 * they do: see knot.h. Where somebody may help who is not in the picture (a remote
 * address, the user of a terminal, whoever sends a signal, opens a name or connects, or
 * shares the open file of a lock), a task is taken to go on. So what is found stuck is stuck.
 *
 * Borrows from the model until it is fed again; graph_fini() frees the rest.
 */
#ifndef IPCSPY_ANALYSIS_GRAPH_H
#define IPCSPY_ANALYSIS_GRAPH_H

#include "analysis/accepts.h"
#include "analysis/knot.h"
#include "lib/stack.h"
#include "model/model.h"

enum wait_kind {
	WAIT_RUNS = 0,     /* runs or could; waits for nobody */
	WAIT_CHAN = 1,     /* inside an operation on chan */
	WAIT_POLL = 2,     /* for one of the channels that it polls */
	WAIT_SLEEP = 3,    /* nanosleep and its like */
	WAIT_CHILD = 4,    /* wait4, waitid, vfork */
	WAIT_LOCK = 5,     /* for a file lock */
	WAIT_OPEN = 6,     /* for somebody to open the other end of a FIFO */
	WAIT_DISK = 7,     /* uninterruptible */
	WAIT_STOPPED = 8,  /* SIGSTOP and its like, or by a tracer */
	WAIT_OTHER = 9,    /* in a call of which nothing is known */
	WAIT_ENDED = 10,   /* a zombie */
	WAIT_UNKNOWN = 11, /* nothing is known of the process's tasks */
	WAIT_KIND_MAX = 12,
};

/* One who waits, or is waited for. */
struct wait {
	struct proc *proc;
	uint32_t tid;
	enum wait_kind kind;
	bool outside; /* somebody who is not in the picture may help */
	bool by_name; /* strangers may help: the channel has a name that anybody can open */
	bool queued;  /* nobody has accepted the connection yet */
	bool hidden;  /* outside: somebody has the other end, without a descriptor of it */
	bool timed;   /* goes on by itself, later */
	const struct task *task;   /* NULL: not told */
	const struct inflight *in; /* NULL: in no call on a channel */
	struct chan *chan;         /* WAIT_CHAN, WAIT_OPEN, or the first that it polls; NULL */
	uint32_t node;             /* in the graph's knots */
	int fd;                    /* through which it waits, -1 unknown */
};

struct graph {
	const struct model *m;
	struct wait *waits; /* wait_cnt, those of one process together */
	size_t wait_cnt, wait_cap;
	struct knots knots;
	const struct stacks *stacks; /* of who is shown, the caller's; NULL: none were taken */

	/* its own */
	struct graph_node *nodes; /* what each node of knots stands for */
	size_t node_cap;
	struct graph_end *ends; /* end_cnt: of channels, that somebody waits for */
	size_t end_cnt, end_cap;
	struct hmap by_tid;    /* number of the wait, plus 1 */
	struct hmap by_proc;   /* number of the process's node, plus 1 */
	struct hmap by_end;    /* number of the end, plus 1 */
	struct hmap in_by_tid; /* struct inflight */
	struct accepts accepts;
	struct hmap calls;    /* references to a channel's files that calls have: see hidden.h */
	struct hmap children; /* pid -> the first of its children, plus 1, in child[] */
	struct graph_child *child;
	uint32_t *member_first, *members; /* by knot: numbers of its waits */
	struct hmap by_chan;              /* the first wait at a channel, plus 1 ... */
	uint32_t *also_there;             /* ... by wait: the next one, plus 1 */
	uint32_t *marks; /* by node: in which count of helpers it was; behind them: the last one */
};

/* Returns 0 or -ENOMEM; graph_fini() is due in both cases. */
int graph_build(struct graph *g, const struct model *m);
void graph_fini(struct graph *g);

/* What this task does, NULL: not known. */
const struct wait *graph_wait(const struct graph *g, uint32_t tid);

/* The waits of one process: *cnt of them from the one returned, NULL when there are none. */
const struct wait *graph_waits_of(const struct graph *g, const struct proc *p, size_t *cnt);

/* Can it go on, by itself or because somebody will help? */
bool graph_can_go_on(const struct graph *g, const struct wait *w);

/* The knot that it is part of, KNOT_NONE: none. */
uint32_t graph_knot(const struct graph *g, const struct wait *w);

/* Numbers of the waits of a knot, in order: *cnt of them. */
const uint32_t *graph_members(const struct graph *g, uint32_t knot, size_t *cnt);

/* Those who wait at a channel (or poll it first), in order: the first, the next, NULL. */
const struct wait *graph_first_at(const struct graph *g, const struct chan *c);
const struct wait *graph_next_at(const struct graph *g, const struct wait *w);

/*
 * Whom to look at next: the wait of a process that could help, on the way to who can
 * go on, or into the knot. NULL at the end of the chain; in a knot there is no end.
 */
const struct wait *graph_next(const struct graph *g, const struct wait *w);

/* The processes that could help directly, no one twice; fills at most max, returns how many. */
size_t graph_helpers(const struct graph *g, const struct wait *w, struct proc **out, size_t max);

/* What a node of g->knots stands for: a task, a process, an end of a channel; else NULL. */
const struct wait *graph_wait_at(const struct graph *g, uint32_t node);
const struct proc *graph_proc_at(const struct graph *g, uint32_t node);
const struct chan *graph_end_at(const struct graph *g, uint32_t node);

/* Are there processes that p started, of those that are in the picture? */
bool graph_has_children(const struct graph *g, const struct proc *p);

/*
 * Since when it has been so, 0: not known. *at_least: it may be longer. When it fell
 * asleep, not when its call began: calls may sleep several times.
 */
uint64_t wait_since_ns(const struct wait *w, bool *at_least);

/* What a task does; either may be NULL. */
enum wait_kind wait_kind_of(const struct task *t, const struct inflight *i);

/* "running", "blocked", "waiting", "asleep", "stopped", ... */
const char *wait_kind_name(enum wait_kind kind);

/* "reader", "writer", "partner": who has to open the FIFO that w opens (WAIT_OPEN). */
const char *wait_partner(const struct wait *w);

#endif
