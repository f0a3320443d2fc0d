/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair_bytes.h - sends and receives of one direction of a byte stream, paired by byte range.
 *
 * The stream is the concatenation of the writes in the order in which they
 * went in; each read takes the next bytes. The order is certain while calls do
 * not overlap. Where they do, a read that starts with a write's fingerprint
 * starts with that write. A read whose bytes are not known yet waits for the
 * record of the write: calls return late, and a large write after many reads.
 *
 * Offsets are checked against the kernel's own count of bytes in the stream
 * wherever a record carries it: that gives the nameless bytes which were in it
 * at first, and the way back when records were lost.
 */
#ifndef IPCSPY_PAIR_BYTES_H
#define IPCSPY_PAIR_BYTES_H

#include "model/pair_queue.h"

struct pair_bytes {
	struct chan *chan;
	struct pair_queue writes; /* ep NULL: bytes of nobody we know */
	struct pair_queue reads;  /* held */
	struct pair_task writer, reader;
	uint64_t capacity;
	uint64_t begin_ns; /* what ended before is in the first range already */
	uint64_t last_read_ns;
	uint64_t over_ns, under_ns;   /* since when the kernel has less, more than we know of */
	uint64_t over, under;         /* the least difference since then */
	uint32_t over_cnt, under_cnt; /* and how often it was seen */
	uint32_t open;                /* writes begun and not finished */
	bool synced;                  /* the unknown first bytes are settled */
	bool lossy;                   /* records of this stream were lost */
};

void pair_bytes_init(struct pair_bytes *pb, struct chan *c);
void pair_bytes_fini(struct pair_bytes *pb);

/* The stream was first seen at at_ns, holding `bytes`. */
int pair_bytes_begin(struct pair_bytes *pb, uint64_t bytes, uint64_t at_ns);

/* A send or receive that moved x->len > 0 bytes. Returns 0 or -ENOMEM. */
int pair_bytes_write(struct model *m, struct pair_bytes *pb, const struct xfer *x);
int pair_bytes_read(struct model *m, struct pair_bytes *pb, const struct xfer *x);

/* Decides what has waited long enough; with finish, everything. */
int pair_bytes_settle(struct model *m, struct pair_bytes *pb, uint64_t now_ns, bool finish);

/* Receives are held: settle() must be called again. */
static inline bool pair_bytes_waits(const struct pair_bytes *pb)
{
	return pb->reads.cnt != 0;
}

/* What was in the channel is gone (its object is said to be created, and was known). */
void pair_bytes_discard(struct pair_bytes *pb);

#endif
