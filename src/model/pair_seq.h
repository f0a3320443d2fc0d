/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair_seq.h - sends and receives of one direction of a stream whose records say where they lie.
 *
 * TCP counts its bytes: a send that returned n with write_seq s put in
 * [s - n, s), a receive with copied_seq s took [s - n, s), and both ends count
 * alike. Sequence numbers wrap at 32 bits and are carried on with 64. A
 * number is read when the call returns, so calls that overlap on one end may
 * claim each other's range: the one that comes too late takes the gap that the
 * other left.
 */
#ifndef IPCSPY_PAIR_SEQ_H
#define IPCSPY_PAIR_SEQ_H

#include "model/pair_queue.h"

#define SEQ_GAPS 8

/* One end's claims so far. */
struct seq_end {
	uint64_t next; /* behind the last claimed byte, 0: none yet */
	struct {
		uint64_t from, to;
	} gaps[SEQ_GAPS]; /* below next and not claimed */
	unsigned int gap_cnt;
	struct pair_task task;
};

struct pair_seq {
	struct chan *chan;
	struct pair_queue writes, reads;
	struct seq_end w, r;
	uint64_t last;  /* latest position, to carry sequence numbers on from; 0: none yet */
	uint64_t known; /* sends from here on have records; 0: not known */
	bool lossy;
};

void pair_seq_init(struct pair_seq *ps, struct chan *c);
void pair_seq_fini(struct pair_seq *ps);

/* Sends from this sequence number on will be seen. */
void pair_seq_begin(struct pair_seq *ps, uint32_t seq);

/* Whether the first byte sent has this number. */
static inline bool pair_seq_begins_at(const struct pair_seq *ps, uint32_t seq)
{
	return ps->known && (uint32_t)ps->known == seq;
}

/* Receives go on from this sequence number. */
void pair_seq_begin_read(struct pair_seq *ps, uint32_t seq);

/* A transfer of x->len > 0 bytes; seq is used when has_seq, else it is next. */
int pair_seq_write(struct model *m, struct pair_seq *ps, const struct xfer *x, bool has_seq,
		   uint32_t seq);
int pair_seq_read(struct model *m, struct pair_seq *ps, const struct xfer *x, bool has_seq,
		  uint32_t seq);

int pair_seq_settle(struct model *m, struct pair_seq *ps, uint64_t now_ns, bool finish);

static inline bool pair_seq_waits(const struct pair_seq *ps)
{
	return ps->reads.cnt != 0;
}

/* Bytes sent and not received, as far as both ends are known. */
static inline uint64_t pair_seq_backlog(const struct pair_seq *ps)
{
	return ps->w.next && ps->r.next && ps->w.next > ps->r.next ? ps->w.next - ps->r.next : 0;
}

#endif
