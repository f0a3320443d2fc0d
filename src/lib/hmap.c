// SPDX-License-Identifier: BSD-2-Clause
/*
 * Linear probing at a load of at most one half. Deleting moves later entries
 * of the same run back, so there are no tombstones and a table that sees many
 * short-lived keys never degrades.
 */
#include "lib/hmap.h"

#include <errno.h>
#include <stdlib.h>

#define HMAP_MIN_SLOTS 16

/* The finaliser of a multiply-xorshift hash: every input bit reaches every output bit. */
static uint64_t hash(uint64_t x)
{
	x ^= x >> 32;
	x *= 0x9e3779b97f4a7c15ull;
	x ^= x >> 29;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 32;
	return x;
}

uint64_t hmap_mix(uint64_t a, uint64_t b)
{
	return hash(a + 0x9e3779b97f4a7c15ull) ^ hash(b * 0xff51afd7ed558ccdull + 1) * 3;
}

void hmap_init(struct hmap *h)
{
	h->slots = NULL;
	h->mask = 0;
	h->cnt = 0;
}

void hmap_fini(struct hmap *h)
{
	free(h->slots);
	hmap_init(h);
}

/* The slot that holds key, or the free one where it belongs. The table is never full. */
static struct hmap_slot *slot_of(const struct hmap *h, uint64_t key)
{
	size_t i = hash(key) & h->mask;

	while (h->slots[i].val && h->slots[i].key != key)
		i = (i + 1) & h->mask;
	return &h->slots[i];
}

void *hmap_get(const struct hmap *h, uint64_t key)
{
	return h->slots ? slot_of(h, key)->val : NULL;
}

void hmap_prefetch(const struct hmap *h, uint64_t key)
{
	if (h->slots)
		__builtin_prefetch(&h->slots[hash(key) & h->mask]);
}

static int grow(struct hmap *h)
{
	size_t slots = h->slots ? 2 * (h->mask + 1) : HMAP_MIN_SLOTS;
	struct hmap bigger = {.mask = slots - 1, .cnt = h->cnt};

	bigger.slots = calloc(slots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	hmap_for_each (s, h)
		*slot_of(&bigger, s->key) = *s;
	free(h->slots);
	*h = bigger;
	return 0;
}

int hmap_put(struct hmap *h, uint64_t key, void *val)
{
	struct hmap_slot *s = h->slots ? slot_of(h, key) : NULL;
	int err;

	if (s && s->val) {
		s->val = val;
		return 0;
	}
	if (!s || 2 * (h->cnt + 1) > h->mask + 1) {
		err = grow(h);
		if (err)
			return err;
		s = slot_of(h, key);
	}
	s->key = key;
	s->val = val;
	h->cnt++;
	return 0;
}

void *hmap_del(struct hmap *h, uint64_t key)
{
	struct hmap_slot *hole;
	void *val;
	size_t i, at, home;

	if (!h->slots)
		return NULL;
	hole = slot_of(h, key);
	val = hole->val;
	if (!val)
		return NULL;
	at = (size_t)(hole - h->slots);
	/* Every later entry of the run whose home is not inside (at, i] may move into the hole. */
	for (i = (at + 1) & h->mask; h->slots[i].val; i = (i + 1) & h->mask) {
		home = hash(h->slots[i].key) & h->mask;
		if (((i - home) & h->mask) >= ((i - at) & h->mask)) {
			h->slots[at] = h->slots[i];
			at = i;
		}
	}
	h->slots[at].val = NULL;
	h->cnt--;
	return val;
}
