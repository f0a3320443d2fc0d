/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hmap.h - hash map from a 64-bit key to a pointer.
 *
 * Open addressing, grows by itself, deletes without tombstones. Keys need not
 * be well mixed. Composite keys: hash with hmap_mix() and compare in the value.
 * The map owns its table, never the values. NULL is no value.
 */
#ifndef IPCSPY_HMAP_H
#define IPCSPY_HMAP_H

#include <stddef.h>
#include <stdint.h>

struct hmap_slot {
	uint64_t key;
	void *val; /* NULL: free */
};

struct hmap {
	struct hmap_slot *slots; /* NULL until the first put */
	size_t mask, cnt;
};

void hmap_init(struct hmap *h);
void hmap_fini(struct hmap *h);

void *hmap_get(const struct hmap *h, uint64_t key);

/* Sets key to val (not NULL), replacing. Returns 0 or -ENOMEM. */
int hmap_put(struct hmap *h, uint64_t key, void *val);

/* Removes key and returns its value, NULL when it was not there. */
void *hmap_del(struct hmap *h, uint64_t key);

/* Starts fetching the slot of a key that will be looked up soon. */
void hmap_prefetch(const struct hmap *h, uint64_t key);

uint64_t hmap_mix(uint64_t a, uint64_t b);

#define hmap_for_each(slot, h)                                                                  \
	for (const struct hmap_slot *slot = (h)->slots; slot && slot <= (h)->slots + (h)->mask; \
	     slot++)                                                                            \
		if (slot->val)

#endif
