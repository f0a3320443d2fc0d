// SPDX-License-Identifier: BSD-2-Clause
#include "cmd/alarms.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/hmap.h"

struct alarms {
	enum severity least;
	struct hmap there;
};

struct alarms *alarms_new(enum severity least)
{
	struct alarms *a = calloc(1, sizeof(*a));

	if (a) {
		a->least = least;
		hmap_init(&a->there);
	}
	return a;
}

void alarms_free(struct alarms *a)
{
	if (a)
		hmap_fini(&a->there);
	free(a);
}

static uint64_t key_of(const struct finding *f)
{
	uint64_t key = f->chan ? f->chan->id : 0;

	for (const char *p = f->kind; *p; p++)
		key = hmap_mix(key, (unsigned char)*p);
	for (size_t i = 0; i < f->proof_cnt; i++)
		key = hmap_mix(key, f->proofs[i].proc->pid);
	return key;
}

int alarms_look(struct alarms *a, const struct model *m, struct blame *blame)
{
	struct findings found;
	struct hmap there;
	int err, any = 0;

	hmap_init(&there);
	err = findings_init(&found, m, blame);
	for (size_t i = 0; !err && i < found.cnt; i++) {
		const struct finding *f = &found.v[i];
		uint64_t key = key_of(f);

		if (f->severity < a->least)
			continue;
		any |= !hmap_get(&a->there, key);
		err = hmap_put(&there, key, a);
	}
	findings_fini(&found);
	if (err) {
		hmap_fini(&there);
		return err;
	}
	hmap_fini(&a->there);
	a->there = there;
	return any;
}
