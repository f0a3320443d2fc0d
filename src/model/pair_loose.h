/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair_loose.h - sends and receives of a byte stream that is changed on its way, so
 * that what goes in and what comes out differ in number: a terminal.
 *
 * Bytes are paired in order like those of pair_bytes.h, but only as far as nothing
 * says otherwise: a read that left the stream empty has received all that was
 * written before it returned, and bytes that were read and that nobody wrote are
 * the kernel's (echo, "\r\n" for "\n"). So an error of count lasts until the
 * stream is empty for once. Every pairing is assumed.
 */
#ifndef IPCSPY_PAIR_LOOSE_H
#define IPCSPY_PAIR_LOOSE_H

#include "model/pair_queue.h"

struct pair_loose {
	struct chan *chan;
	struct pair_queue writes;
	struct pair_queue reads; /* with bytes that no write known so far explains */
	struct xfer empty;       /* the last read that left nothing; exit_ns 0: none */
	uint64_t nameless;       /* bytes of before the trace */
	uint64_t begin_ns;       /* what ended before is in nameless */
	uint64_t added;          /* bytes read that nobody wrote */
	bool lines;              /* reads end with a line: the write that ended it was in */
	bool erased;             /* `empty` had less than what was written until then */
};

void pair_loose_init(struct pair_loose *pl, struct chan *c);
void pair_loose_fini(struct pair_loose *pl);

/* The stream was first seen at at_ns, holding `bytes`. */
void pair_loose_begin(struct pair_loose *pl, uint64_t bytes, uint64_t at_ns);

/* A send or receive that moved x->len > 0 bytes. Returns 0 or -ENOMEM. */
int pair_loose_write(struct model *m, struct pair_loose *pl, const struct xfer *x);
int pair_loose_read(struct model *m, struct pair_loose *pl, const struct xfer *x);

/* Gives up on writes that reads have waited for long enough; with finish, on all. */
void pair_loose_settle(struct pair_loose *pl, uint64_t now_ns, bool finish);

/* Reads are held: settle() must be called again. */
static inline bool pair_loose_waits(const struct pair_loose *pl)
{
	return pl->reads.cnt != 0;
}

void pair_loose_replace(struct pair_loose *pl, const struct endpoint *from, struct endpoint *to);

#endif
