/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * writer.h - takes items one by one and makes a recording of them.
 *
 * Owns its memory, borrows the descriptor and, until rec_writer_end(), what the META data
 * points to. Errors of writing stick and are returned by each later call.
 */
#ifndef IPCSPY_STORE_WRITER_H
#define IPCSPY_STORE_WRITER_H

#include "store/file.h"

struct rec_writer;

struct rec_writer_opts {
	int fd;
	enum rec_codec codec;
	const struct rec_meta *meta;
};

struct rec_stats {
	uint64_t items, bytes, lost;
};

/* Returns 0 or -errno. */
int rec_writer_new(struct rec_writer **out, const struct rec_writer_opts *opts);
void rec_writer_free(struct rec_writer *w);

/* Appends an item (see format.h) of len bytes and of a time. Returns 0 or -errno. */
int rec_writer_put(struct rec_writer *w, const void *item, size_t len, uint64_t ns);

/* The last item, then all that is due at a regular end. Returns 0 or -errno. */
int rec_writer_end(struct rec_writer *w, const struct rec_end *end);

void rec_writer_stats(const struct rec_writer *w, struct rec_stats *out);

#endif
