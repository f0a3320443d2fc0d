/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stuck.h - scenarios whose processes all come to rest; see stuck.c.
 *
 * struct stuck_run belongs to the scenario's run(): stuck_init() makes room on the
 * board and for the plan, which the scenario fills in; stuck_go() runs it;
 * stuck_fini() frees and closes. Children find in it what the parent put there.
 */
#ifndef DEMO_STUCK_H
#define DEMO_STUCK_H

#include "truth.h"
#include "worker.h"

/* How a process is when the scenario is in place, until --hold or a signal. */
enum stuck_end {
	STUCK_GONE = 0,    /* it has ended */
	STUCK_BLOCKED = 1, /* in one call for ever */
	STUCK_STOPPED = 2, /* by a signal */
	STUCK_BUSY = 3,    /* does whatever it does */
};

struct stuck_proc {
	const char *name; /* NULL: party-N */
	bool sends, recvs;
	enum stuck_end end;
	uint64_t since_ns; /* of its call, at the last look */
};

/* How channel i goes from the process that sends to the one that receives. */
struct stuck_link {
	const struct port_ops *ops;
	int out, in; /* the ends to send to and to receive from, -1 none; owned */
};

struct stuck_run {
	unsigned int procs, chans;
	struct stuck_proc *who;    /* procs */
	struct stuck_link *links;  /* chans */
	struct truth_stuck *stuck; /* stuck_cnt, at most procs */
	unsigned int *named;       /* room for procs: whom a finding names */
	unsigned int stuck_cnt;
	struct truth_finding finding; /* kind NULL: none */
	int (*body)(struct worker *w, struct stuck_run *sr);
	/* When all have been forked: what the parent must not share with them. NULL: nothing. */
	void (*forked)(struct stuck_run *sr);
	void *priv; /* the scenario's own */
};

/* Returns 0 or -errno, why set; stuck_fini() is due in both cases. */
int stuck_init(struct demo_run *run, struct stuck_run *sr, unsigned int procs, unsigned int chans);
void stuck_fini(struct stuck_run *sr);

/* Process proc will stay in that operation ("send", "recv") on chan until waits_for moves. */
void stuck_add(struct stuck_run *sr, unsigned int proc, unsigned int chan, unsigned int waits_for,
	       const char *operation);

/* The finding names this process. */
void stuck_name(struct stuck_run *sr, const char *kind, unsigned int proc);

/* A pipe as channel i from src to dst. Returns 0 or -errno, why set. */
int stuck_pipe(struct demo_run *run, struct stuck_run *sr, unsigned int i, unsigned int src,
	       unsigned int dst);

/*
 * A page that all share, at sr->priv, with the futex that is channel i at its begin. The second
 * is a forked() that leaves it to the children. Returns 0 or -errno, why set.
 */
int stuck_memory(struct demo_run *run, struct stuck_run *sr, unsigned int i);
void stuck_memory_unmap(struct stuck_run *sr);

/* The port of one end of channel i. */
struct port stuck_out(const struct stuck_run *sr, const struct demo_run *run, unsigned int i);
struct port stuck_in(const struct stuck_run *sr, const struct demo_run *run, unsigned int i);

/* Child: closes every end but those of the channels out and in, -1: of none. */
void stuck_keep(struct stuck_run *sr, int out, int in);

/* More messages than a channel holds: who sends that many must block. */
uint64_t stuck_overfull(const struct demo_run *run, const struct demo_chan *c);

/* Runs, waits until all is in place, writes the truth and stays. Returns 0 or -errno, why set. */
int stuck_go(struct demo_run *run, struct stuck_run *sr);

#endif
