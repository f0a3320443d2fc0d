// SPDX-License-Identifier: BSD-2-Clause
#include "metrics/hist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Block 0 holds 0 ... 31, one value per bucket. Block b > 0 holds the values
 * whose highest bit is b + 4, in steps of 2^(b - 1).
 */
static unsigned int block_of(uint64_t v)
{
	return v < HIST_SUB ? 0 : 64 - HIST_SUB_BITS - (unsigned int)__builtin_clzll(v);
}

static unsigned int sub_of(uint64_t v, unsigned int b)
{
	return b ? (unsigned int)(v >> (b - 1)) - HIST_SUB : (unsigned int)v;
}

static uint64_t middle_of(unsigned int b, unsigned int sub)
{
	if (b == 0)
		return sub;
	return ((uint64_t)(HIST_SUB + sub) << (b - 1)) + (b > 1 ? 1ull << (b - 2) : 0);
}

/* Where block b lies, or would be put. */
static unsigned int rank_of(const struct hist *h, unsigned int b)
{
	return (unsigned int)__builtin_popcountll(h->used & ((1ull << b) - 1));
}

void hist_init(struct hist *h)
{
	memset(h, 0, sizeof(*h));
}

void hist_fini(struct hist *h)
{
	free(h->buckets);
	hist_init(h);
}

/* The counters of block b, made when they are not there. */
static uint32_t *block_get(struct hist *h, unsigned int b)
{
	unsigned int rank = rank_of(h, b), cnt;
	uint32_t *p;

	if (h->used >> b & 1)
		return h->buckets + rank * HIST_SUB;
	cnt = (unsigned int)__builtin_popcountll(h->used);
	p = realloc(h->buckets, (cnt + 1) * HIST_SUB * sizeof(*p));
	if (!p)
		return NULL;
	h->buckets = p;
	p += rank * HIST_SUB;
	memmove(p + HIST_SUB, p, (cnt - rank) * HIST_SUB * sizeof(*p));
	memset(p, 0, HIST_SUB * sizeof(*p));
	h->used |= 1ull << b;
	return p;
}

void hist_prefetch(const struct hist *h, uint64_t value)
{
	unsigned int b = block_of(value);

	if (h->used >> b & 1)
		__builtin_prefetch(h->buckets + rank_of(h, b) * HIST_SUB + sub_of(value, b), 1);
}

/*
 * Adds n to one counter. When it would overflow, all are halved: the shape, and
 * so the quantiles, stay, and the exact count is kept apart.
 */
static void bump(struct hist *h, uint32_t *counter, uint32_t n)
{
	unsigned int i, cnt;

	while (*counter > UINT32_MAX - n) {
		cnt = (unsigned int)__builtin_popcountll(h->used) * HIST_SUB;
		for (i = 0; i < cnt; i++)
			h->buckets[i] /= 2;
		n /= 2;
	}
	*counter += n;
}

int hist_add(struct hist *h, uint64_t value)
{
	unsigned int b = block_of(value);
	uint32_t *block;

	if (h->count == 0 || value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
	h->count++;
	h->sum += value;
	block = block_get(h, b);
	if (!block)
		return -ENOMEM;
	bump(h, &block[sub_of(value, b)], 1);
	return 0;
}

int hist_merge(struct hist *dst, const struct hist *src)
{
	const uint32_t *from = src->buckets;
	unsigned int b, i;
	uint32_t *to;

	if (src->count == 0)
		return 0;
	if (dst->count == 0 || src->min < dst->min)
		dst->min = src->min;
	if (src->max > dst->max)
		dst->max = src->max;
	dst->count += src->count;
	dst->sum += src->sum;
	for (b = 0; b < HIST_BLOCKS; b++) {
		if (!(src->used >> b & 1))
			continue;
		to = block_get(dst, b);
		if (!to)
			return -ENOMEM;
		for (i = 0; i < HIST_SUB; i++)
			bump(dst, &to[i], from[i]);
		from += HIST_SUB;
	}
	return 0;
}

uint64_t hist_quantile(const struct hist *h, unsigned int permille)
{
	uint64_t total = 0, want, seen = 0, v = h->max;
	unsigned int i, b, cnt;
	const uint32_t *p = h->buckets;

	if (h->count == 0)
		return 0;
	cnt = (unsigned int)__builtin_popcountll(h->used) * HIST_SUB;
	for (i = 0; i < cnt; i++)
		total += p[i];
	want = total / 1000 * permille + (total % 1000 * permille + 999) / 1000;
	if (want == 0)
		want = 1;
	for (b = 0; b < HIST_BLOCKS && seen < want; b++) {
		if (!(h->used >> b & 1))
			continue;
		for (i = 0; i < HIST_SUB && seen < want; i++) {
			seen += p[i];
			if (seen >= want)
				v = middle_of(b, i);
		}
		p += HIST_SUB;
	}
	if (v < h->min)
		return h->min;
	return v > h->max ? h->max : v;
}

uint64_t hist_mean(const struct hist *h)
{
	return h->count ? h->sum / h->count : 0;
}
