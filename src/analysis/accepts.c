// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/accepts.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/vec.h"

#define SAME_KEY_MAX 64 /* listening sockets of one name or port that are looked at */

struct acceptor {
	const struct chan *chan;
	uint32_t next; /* number of the next one with this key, plus 1 */
};

static int add_listener(struct accepts *a, const struct chan *c, uint64_t key)
{
	struct acceptor new = {c, (uint32_t)(uintptr_t)hmap_get(&a->by_key, key)};

	if (vec_room((void **)&a->of, &a->cap, a->cnt, sizeof(*a->of)))
		return -ENOMEM;
	a->of[a->cnt] = new;
	return hmap_put(&a->by_key, key, (void *)(uintptr_t)++a->cnt);
}

int accepts_index(struct accepts *a, const struct model *m)
{
	bool listens;
	int err = 0;

	list_for_each (c, model_chans(m), struct chan, in_model) {
		uint64_t key = model_accept_key(c, &listens);

		if (err || !key)
			continue;
		if (!listens)
			err = hmap_put(&a->one_end, key,
				       (void *)((uintptr_t)hmap_get(&a->one_end, key) + 1));
		else if (c->backlog.now)
			err = add_listener(a, c, key);
	}
	return err;
}

void accepts_fini(struct accepts *a)
{
	hmap_fini(&a->by_key);
	hmap_fini(&a->one_end);
	free(a->of);
	*a = (struct accepts){0};
}

const struct chan *accepts_next(const struct accepts *a, const struct chan *c, uint32_t *at)
{
	bool listens;
	uint64_t key = a->cnt ? model_accept_key(c, &listens) : 0;
	uint32_t i = *at;

	if (!key || listens)
		return NULL;
	if (!i)
		i = (uint32_t)(uintptr_t)hmap_get(&a->by_key, key);
	else
		i = a->of[i - 1].next;
	for (int n = 0; i && n < SAME_KEY_MAX; n++, i = a->of[i - 1].next) {
		*at = i;
		if (model_accepts(a->of[i - 1].chan, c))
			return a->of[i - 1].chan;
	}
	return NULL;
}

bool accepts_surely(const struct accepts *a, const struct chan *c)
{
	const struct chan *l;
	uint64_t waiting = 0;
	uint32_t at = 0;
	bool listens;

	while ((l = accepts_next(a, c, &at)))
		waiting += l->backlog.now;
	return waiting >= (uintptr_t)hmap_get(&a->one_end, model_accept_key(c, &listens));
}
