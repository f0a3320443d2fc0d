/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * writer.h - takes items one by one and makes a recording of them.
 *
 * Items gather in blocks; a thread of its own compresses and writes these, so that who
 * hands items over never waits for either. Blocks that wait are bounded: when the
 * thread cannot keep up, items are left out and counted. Errors of writing stick
 * and are returned by each later call. Owns its memory; borrows what the META data
 * points to. All functions are for one thread, the caller's.
 */
#ifndef IPCSPY_STORE_WRITER_H
#define IPCSPY_STORE_WRITER_H

#include "store/out.h"

struct rec_writer;

struct rec_writer_opts {
	struct rec_out_opts out; /* its functions are called by the thread, the first time here */
	size_t blocks_max;       /* that wait; 0: the default, 32 MiB of them */
};

struct rec_stats {
	uint64_t items;  /* written */
	uint64_t bytes;  /* of all files */
	uint64_t files;  /* that are complete */
	uint64_t lost;   /* items left out */
	uint64_t cpu_ns; /* of the thread */
};

/* Returns 0 or -errno. */
int rec_writer_new(struct rec_writer **out, const struct rec_writer_opts *opts);

/* Without rec_writer_end(), what was handed over is still written, but no regular end. */
void rec_writer_free(struct rec_writer *w);

/*
 * Appends an item (see format.h) of len bytes and of a time, 0 if it has none. What must be there
 * is left out last. Returns 0, also when it is left out, or -errno.
 */
int rec_writer_put(struct rec_writer *w, const void *item, size_t len, uint64_t ns, bool must);

/* Time went on: a REC_TICK; what was put a second ago is handed over. Returns 0 or -errno. */
int rec_writer_tick(struct rec_writer *w, uint64_t now_ns);

/* Of a ring: what is in memory is to be written. Does not wait. Returns 0 or -errno. */
int rec_writer_dump(struct rec_writer *w);

/* The last item, then all that is due at a regular end. Waits. Returns 0 or -errno. */
int rec_writer_end(struct rec_writer *w, const struct rec_end *end);

/* Whole behind rec_writer_end(). */
void rec_writer_stats(struct rec_writer *w, struct rec_stats *out);

#endif
