// SPDX-License-Identifier: BSD-2-Clause
/*
 * Buckets of objects that share a key (an address, a port), newest first. The
 * keys are hashes: whoever looks compares what it looks for.
 */
#include "model/internal.h"

struct obj *index_first(const struct model *m, uint64_t key)
{
	return hmap_get(&m->index, key);
}

int index_add(struct model *m, uint64_t key, struct obj *o)
{
	struct obj *first = index_first(m, key);
	int err = hmap_put(&m->index, key, o);

	if (err)
		return err;
	o->next_same = first;
	return 0;
}

void index_del(struct model *m, uint64_t key, struct obj *o)
{
	struct obj *first = index_first(m, key), *p;

	if (!first)
		return;
	if (first == o) {
		/* Replacing a value that is there needs no memory. */
		if (o->next_same)
			hmap_put(&m->index, key, o->next_same);
		else
			hmap_del(&m->index, key);
	} else {
		for (p = first; p->next_same && p->next_same != o; p = p->next_same)
			;
		if (!p->next_same)
			return;
		p->next_same = o->next_same;
	}
	o->next_same = NULL;
}
