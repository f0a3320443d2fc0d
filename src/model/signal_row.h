/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signal_row.h - what became of the signals of one number, sent to one process.
 *
 * generated is the sum of delivered, ignored, coalesced, discarded and what is
 * pending; delivered that of handled, by_default and taken. Owner: chan_signal.c.
 */
#ifndef IPCSPY_SIGNAL_ROW_H
#define IPCSPY_SIGNAL_ROW_H

#include "model/pair_queue.h"

struct sig_row {
	uint64_t generated;
	uint64_t delivered; /* handled, default or taken */
	uint64_t handled, by_default, taken;
	uint64_t ignored, coalesced, discarded;
	uint64_t blocked_ns;
	struct pair_queue waiting; /* addr_key: the thread, 0 the process */
	struct hist handler;
};

/*
 * Tells the counters, with the names that JSON has, as row nth of "signals". row
 * may be NULL; before: one was pending at attach, and still is.
 */
void signal_row_facts(const struct sig_row *row, unsigned int signo, bool before, unsigned int nth,
		      void (*put)(void *arg, const struct fact *f), void *arg);

#endif
