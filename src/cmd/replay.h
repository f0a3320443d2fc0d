/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay.h - a recording, from the file to the model.
 *
 * Feeds the model what the live trace fed to its own, in the same order, so that
 * whatever a live trace can show can be shown of the recording. Owns the model
 * and all that info points to.
 */
#ifndef IPCSPY_REPLAY_H
#define IPCSPY_REPLAY_H

#include "event/event.h"
#include "export/report.h"
#include "lib/strbuf.h"
#include "model/model.h"
#include "store/meta.h"
#include "store/reader.h"

/* Any may be NULL. An error that one returns ends the replay. */
struct replay_hooks {
	/* The META data is known; the end (duration, events, the command's status) is not. */
	int (*begin)(void *arg, const struct report_info *info);
	/* Each message that was paired, as model_opts.on_message. */
	void (*message)(void *arg, const struct message *msg);
	/* Each operation, as model_opts.on_op. */
	void (*op)(void *arg, const struct operation *op);
	/* After each block: output can be flushed, progress be shown. */
	int (*block)(void *arg);
	void *arg;
};

struct replay {
	struct replay_hooks hooks;
	struct rec_meta meta;
	struct model *model;
	struct blame *blame;
	struct report_info info; /* whole behind replay_run() */
	uint64_t start_ns;       /* CLOCK_MONOTONIC of info.start_realtime_ns */
	uint64_t read_bytes;     /* so far, in whole blocks */
	uint64_t total_bytes;    /* of the file; 0: not known */
	uint64_t malformed;      /* records that were not understood, then or now */
	uint64_t lost;           /* records that the recorder could not write */
	bool truncated;          /* the end of the trace is missing; see replay_missing() */

	/* its own */
	struct rec_reader reader;
	int fd;
	uint64_t last_ns;
	uint64_t events;
	uint64_t lost_other; /* by the kernel side, of no mechanism */
	bool ended;
};

/*
 * Opens the file, "-" for standard input, which is never seeked, and reads up to the
 * first events. Returns 0 or -errno, with the reason in why where errno does not
 * say it; replay_close() is due in each case.
 */
int replay_open(struct replay *r, const char *path, const struct replay_hooks *h,
		struct strbuf *why);

/*
 * Replays to the end, or to the first bad block. The model is then complete, also when it is
 * truncated. Returns 0, -ENOMEM, -errno of read(2), or what a hook returned.
 */
int replay_run(struct replay *r);

/* Why it is truncated, in words; static. */
const char *replay_missing(const struct replay *r);

void replay_close(struct replay *r);

/*
 * Says on standard error what is not in the file of this name, if anything; done: what was
 * done with the rest. Returns EXIT_WHOLE or EXIT_LOST.
 */
int cmd_replayed(const struct replay *r, const char *name, const char *done);

#endif
