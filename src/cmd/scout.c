// SPDX-License-Identifier: BSD-2-Clause
#include "cmd/scout.h"

#include <time.h>

#include "analysis/reach.h"
#include "cmd/look.h"

#define NSEC_PER_SEC 1000000000ull
#define STILL_NS     50000000ull /* who sleeps for less is on its way */
#define SHARE        20          /* of the time at most one part in so many goes into looks */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* A target that stands still, at the snapshot that was just taken. */
static bool is_needed(const struct model *m)
{
	list_for_each (t, model_tasks(m), struct task, in_model)
		if (t->proc->target && t->state != 'R' && t->since_ns &&
		    t->seen_ns > t->since_ns + STILL_NS)
			return true;
	return false;
}

static uint64_t sum_of(const struct reach *r)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < r->object_cnt; i++)
		sum += hmap_mix(r->objects[i], 1);
	for (size_t i = 0; i < r->pid_cnt; i++)
		sum += hmap_mix(r->pids[i], 2);
	return sum;
}

/* Tells the kernel side whom to tell of; *changed: others than before. */
static int look_around(struct scout *s, struct probe *p, const struct model *m, bool *changed)
{
	struct look look = {0};
	struct reach r = {0};
	uint64_t sum = 0;
	int err = look_begin(&look);

	err = err ? err : probe_look(p, look_record, &look);
	err = err ? err : look_end(&look);
	err = err ? err : reach_find(&r, &look.graph, m);
	if (!err)
		sum = sum_of(&r);
	*changed = sum != s->reached;
	if (!err && *changed)
		err = probe_reach(p, r.objects, r.object_cnt, r.pids, r.pid_cnt);
	s->reached = sum;
	reach_fini(&r);
	look_fini(&look);
	return err;
}

int scout_snapshot(struct scout *s, struct probe *p, const struct model *m, unsigned int snap_flags,
		   bool always)
{
	int err = probe_snapshot(p, snap_flags);
	uint64_t begin = now_ns();
	bool changed;

	if (err || s->off || (!always && begin < s->next_ns) || !is_needed(m))
		return err;
	err = look_around(s, p, m, &changed);
	s->next_ns = begin + (now_ns() - begin) * SHARE;
	return err || !changed ? err : probe_snapshot(p, snap_flags);
}
