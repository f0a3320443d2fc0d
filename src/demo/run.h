/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.h - one run of a workload: its processes, and the board they all write on.
 *
 * The board is shared anonymous memory: every process counts on it for itself,
 * so counting makes no system call on any channel. Parent and children see it
 * at the same address. The parent declares channels and flows, spawns the
 * children, opens the gate when all are set up, waits, and writes the truth. A
 * child never outlives its parent.
 *
 * struct demo_run owns the board, the private directory and the children that
 * still run; run_fini() removes all three.
 */
#ifndef DEMO_RUN_H
#define DEMO_RUN_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "demo.h"
#include "message.h"

#define RUN_WHY_LEN     256
#define RUN_DIR_LEN     256
#define RUN_CHAN_NAME   160
#define RUN_MAX_SAMPLES ((uint64_t)4 << 20) /* messages whose latency is kept */

/* One direction of one process. Only the process itself writes. */
struct demo_side {
	_Atomic uint64_t messages;
	uint64_t bytes;
	uint64_t calls;       /* finished calls on the channels, the one that saw the end too */
	uint64_t blocked_ns;  /* asleep in them, see meter.h */
	uint64_t blocked_cnt; /* calls that slept */
	uint64_t longest_ns;  /* the longest call */
	uint64_t planned_ns;  /* as the workload's own stamps say, see worker.h */
	_Atomic uint64_t call_since_ns; /* inside a call since, 0: in none */
};

struct demo_proc {
	char comm[16];
	_Atomic pid_t pid;
	bool running; /* the parent's: not reaped */
	bool sends, recvs;
	bool exact; /* blocked times come from the scheduler's account */
	uint64_t end_ns;
	uint64_t waited_ns; /* asleep in poll(2), waiting for one of several channels */
	struct demo_side send, recv;
	char why[RUN_WHY_LEN]; /* a child that fails says it here */
};

struct demo_chan {
	const char *mechanism;
	char name[RUN_CHAN_NAME]; /* as ipcspy names it; any bytes, terminated */
	uint64_t capacity;        /* in bytes, 0 not known */
	uint64_t ino[2];          /* of its file; sockets: sending and receiving end */
	uint64_t dropped;         /* messages sent that no receiver saw */
	_Atomic uint64_t first_recv_ns, last_recv_ns; /* start of the first, latest receive call */
	uint64_t window_bytes; /* where the workload limits what is under way: how much that may be
				*/
	_Atomic uint64_t in_flight_bytes;
};

struct demo_flow {
	unsigned int src, dst, chan; /* indices on the board */
	uint64_t messages, bytes;    /* the receiver's count */
};

/* One message of one lane. The sender writes blocked_ns, the receiver the rest. */
struct demo_sample {
	uint64_t since_send_ns; /* from the sender's stamp to the end of the receive (or handler) */
	uint64_t blocked_ns;    /* that the sender slept meanwhile */
	uint32_t flow_plus_1;   /* 0: not received (yet) */
	uint32_t pad;
};

/* Memory that all processes of a run map, the parent too, whole and writable. */
struct demo_shared {
	const char *mechanism; /* "shm" or "sysv-shm" */
	char name[RUN_CHAN_NAME];
	uint64_t bytes;  /* its size */
	uint64_t mapped; /* by each: whole pages */
};

struct demo_board {
	_Atomic unsigned int ready;
	_Atomic uint64_t go_ns;    /* when everybody starts, 0: not yet known */
	_Atomic unsigned int turn; /* set-up that must happen in order, see conn.c */
	_Atomic bool stop;         /* receivers that count shall give up waiting */
};

struct demo_run {
	const struct demo_workload *workload;
	struct demo_opts opts;
	struct msg_spec spec;
	struct demo_board *board;
	struct demo_proc *procs;
	struct demo_chan *chans;
	struct demo_flow *flows;
	struct demo_sample *samples; /* lane_samples for each of lane_cnt */
	unsigned int proc_cnt, chan_cnt, flow_cnt, lane_cnt;
	uint64_t lane_samples;
	size_t board_bytes;
	pid_t parent;
	sigset_t watched; /* SIGCHLD, and what ends the run: SIGINT, SIGTERM, SIGHUP */
	sigset_t old_mask;
	bool usage;            /* the failure is the command line's */
	char dir[RUN_DIR_LEN]; /* private directory, "" none */
	struct truth_file *truth;
	const struct demo_shared *shared;    /* borrowed; NULL none that the truth tells of */
	const struct truth_finding *finding; /* borrowed; NULL none is to be expected */
	char *why;                           /* in a child: its place on the board */
	char why_buf[RUN_WHY_LEN];
};

/* How much of everything a workload has. Lanes are numbered senders, lane i is process i. */
struct run_shape {
	unsigned int procs, chans, flows, lanes;
	uint64_t lane_messages;
};

/*
 * Opens the truth file and blocks the signals that end a run. Returns 0 or
 * -errno; run_fini() is due in both cases.
 */
int run_init(struct demo_run *run, const struct demo_workload *w, const struct demo_opts *o);

/* Kills what still runs, removes the private directory with all in it, frees. */
void run_fini(struct demo_run *run);

/* Leaves the sentence for the user; returns err (negative). The _usage one ends in status 2. */
__attribute__((format(printf, 3, 4))) int run_fail(struct demo_run *run, int err, const char *fmt,
						   ...);
__attribute__((format(printf, 2, 3))) int run_usage(struct demo_run *run, const char *fmt, ...);

/* "what: strerror(-err)"; returns err. */
int run_fail_errno(struct demo_run *run, int err, const char *what);

int run_board(struct demo_run *run, const struct run_shape *shape);

/* Makes run->dir under $TMPDIR, mode 0700. */
int run_make_dir(struct demo_run *run);

/*
 * Forks process idx, named name (at most 15 bytes), to run fn(run, idx, arg)
 * and exit with 0 if that returns 0. It starts with default signals, SIGINT
 * and SIGPIPE ignored: the parent decides when it ends.
 */
int run_spawn(struct demo_run *run, unsigned int idx, const char *name,
	      int (*fn)(struct demo_run *run, unsigned int idx, void *arg), void *arg);

/* Child: set up. Returns when all are. */
int run_gate(struct demo_run *run);

/* Parent: waits until all children are set up, and lets them go. */
int run_start(struct demo_run *run);

/*
 * Parent: waits up to timeout_ms for something to happen and takes note of it.
 * Returns 0; -EINTR when a signal asks to end; -ECHILD when a child failed.
 */
int run_poll(struct demo_run *run, int timeout_ms);

unsigned int run_alive(const struct demo_run *run);

/* Parent: until all children have ended. tick (may be NULL) is called about every 50 ms. */
int run_join(struct demo_run *run, int (*tick)(struct demo_run *run, void *arg), void *arg);

/* Kills and reaps every child that still runs. */
void run_kill(struct demo_run *run);

/* State letter of a process as /proc shows it ('S': asleep), 0 unknown. */
char run_proc_state(pid_t pid);

void run_sleep_until(uint64_t when_ns);

#endif
