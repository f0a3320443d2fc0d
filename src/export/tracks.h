/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tracks.h - where in a timeline something is drawn.
 *
 * A track for each process, thread and backlog; under a thread's own further
 * ones, its lanes, so that no two operations on one track ever overlap: there,
 * one would end with the other. Tracks are told to the trace when they
 * are first used, processes and threads again at the end, with the names that
 * they have then. State grows with processes, threads and channels.
 */
#ifndef IPCSPY_TRACKS_H
#define IPCSPY_TRACKS_H

#include "export/packets.h"
#include "lib/hmap.h"
#include "model/model.h"

struct lane {
	uint64_t uuid;
	uint64_t enter_ns, end_ns; /* of what was drawn there last ... */
	bool open;                 /* ... whose end is not written yet: see tracks_finish() */
};

struct proc_track {
	uint64_t uuid;
	uint32_t pid;
	char comm[IPCSPY_COMM_LEN + 1]; /* the latest */
};

/* A thread. */
struct task_track {
	uint32_t tid;
	struct proc_track *proc;
	struct lane *lanes;
	size_t lane_cnt, lane_cap; /* lane 0 is the thread's own track */
	/* The caller's: the latest calls that sent, and how many messages of each there were. */
	struct sent {
		uint64_t enter_ns, cnt;
	} drawn, told;
};

struct chan_track {
	uint64_t iid;     /* of its name as a string; changes with the name */
	uint64_t name;    /* hash of that */
	uint64_t last_ns; /* the latest operation */
	struct {
		uint64_t uuid, value; /* uuid 0: not drawn yet */
	} backlog[2];
};

struct tracks {
	struct packets *out;
	uint64_t next_uuid, next_iid;
	uint64_t channels; /* uuid of the group that has the backlogs */
	struct hmap procs, tasks, chans;
	struct strbuf text; /* scratch */
};

int tracks_init(struct tracks *t, struct packets *out);
void tracks_fini(struct tracks *t);

/* All return 0 or -errno. */
int tracks_task(struct tracks *t, const struct proc *p, uint32_t tid, struct task_track **out);

/*
 * A lane in which [from_ns, to_ns] overlaps nothing that was drawn before; of those that
 * did not sleep in their call (async) none is the thread's own. NULL: more is under way at
 * a time than is worth drawing. The caller may leave it open: the end of a slice is written
 * when the next one begins, so that what is told late still lies within it.
 */
int tracks_lane(struct tracks *t, struct task_track *task, uint64_t from_ns, uint64_t to_ns,
		bool async, struct lane **out);

/* *name: valid UTF-8 that is to be told with ct->iid, NULL when it was; until the next call. */
int tracks_chan(struct tracks *t, const struct chan *c, struct chan_track **out, const char **name);

/* How much is in the channel behind an operation, as far as that is known. */
int tracks_backlog(struct tracks *t, const struct operation *op);

/* A track of its own. */
int tracks_new(struct tracks *t, const char *name, uint64_t *uuid);

/* The open lane whose slice began (when not 0) and ended then, NULL: none. */
struct lane *tracks_open_lane(struct task_track *task, uint64_t enter_ns, uint64_t end_ns);

/* Ends what is open and tells the names. */
int tracks_finish(struct tracks *t);

#endif
