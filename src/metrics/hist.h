/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hist.h - log-linear histogram of unsigned 64-bit values (nanoseconds).
 *
 * Each power of two is a block of 32 equal buckets, so a quantile is off by at
 * most 1.6 % (half a bucket). Blocks exist from their first hit on and lie
 * side by side in one array, in order of value; `used` says which: thousands
 * of flows each hit only a handful. An empty histogram owns no heap. min, max,
 * sum and count are exact. Owner: whoever embeds it; hist_fini() frees the
 * blocks.
 */
#ifndef IPCSPY_HIST_H
#define IPCSPY_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 5
#define HIST_SUB      (1u << HIST_SUB_BITS)
#define HIST_BLOCKS   (64 - HIST_SUB_BITS + 1)

struct hist {
	uint64_t count, sum, min, max;
	uint64_t used;     /* bit b: block b is in the array */
	uint32_t *buckets; /* HIST_SUB counters for each bit of used */
};

void hist_init(struct hist *h);
void hist_fini(struct hist *h);

/* Adds one value. Returns 0, or -ENOMEM, with count/sum/min/max still updated. */
int hist_add(struct hist *h, uint64_t value);

/* Starts fetching what hist_add() of this value will touch. */
void hist_prefetch(const struct hist *h, uint64_t value);

/* Adds all of src to dst. Returns 0 or -ENOMEM (dst then holds part of src's buckets). */
int hist_merge(struct hist *dst, const struct hist *src);

/*
 * The value below which permille/1000 of the values lie (permille 500 = median,
 * 999 = p99.9), clamped to [min, max]; 0 when empty.
 */
uint64_t hist_quantile(const struct hist *h, unsigned int permille);

/* Mean, rounded down; 0 when empty. */
uint64_t hist_mean(const struct hist *h);

#endif
