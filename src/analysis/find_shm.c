// SPDX-License-Identifier: BSD-2-Clause
/* Shared memory of which nobody can tell how its users take turns. */
#include <errno.h>

#include "analysis/find.h"
#include "analysis/shm.h"
#include "lib/human.h"

/* Who shares memory for less than this may not have come to its first wake-up. */
#define LONG_ENOUGH_NS 500000000ull

/* Who slept ever since the trace began has written nothing. Of who ended it is not known. */
static bool ran(const struct model *m, const struct proc *p)
{
	bool slept = !list_empty(&p->tasks);

	list_for_each (t, &p->tasks, struct task, in_proc)
		slept = slept && t->state != 'R' && t->since_ns && t->since_ns < model_start_ns(m);
	return !slept;
}

/* Does this user count? A parent that only made the memory for its children does not. */
static bool counts(const struct model *m, const struct shm_user *user, bool parents)
{
	return user->writes && (parents || !user->parent) && ran(m, user->proc);
}

/* How many write; *apart: whether some of them have nothing in common. */
static size_t writers(const struct model *m, const struct shm_users *u, bool parents, bool *apart)
{
	size_t cnt = 0, group = 0;

	*apart = false;
	for (size_t i = 0; i < u->user_cnt; i++) {
		if (!counts(m, &u->users[i], parents))
			continue;
		if (!cnt)
			group = u->users[i].group;
		*apart = *apart || u->users[i].group != group;
		cnt++;
	}
	return cnt;
}

static int say_unsynchronised(struct finding *f, const struct chan *c, size_t cnt, uint64_t ns)
{
	struct strbuf sb;

	strbuf_init(&sb);
	strbuf_printf(&sb, "%zu processes map ", cnt);
	strbuf_puts(&sb, c->name);
	strbuf_puts(&sb, " writable, and in the ");
	human_ns(&sb, ns);
	strbuf_puts(&sb, " that it was shared nothing was seen by which all of them synchronise: "
			 "no futex in it, no semaphore, wake-up or message of theirs.");
	if (ns < LONG_ENOUGH_NS)
		strbuf_puts(&sb, " That is a short time: look longer before you believe it.");
	strbuf_puts(&sb, " A lock for which nobody had to wait, atomic operations and spinning "
			 "make no system call, and file locks are not followed.");
	return find_say(f, &sb);
}

/* What others do beside the memory is not followed. */
static bool all_targets(const struct shm_users *u)
{
	for (size_t i = 0; i < u->user_cnt; i++)
		if (u->users[i].writes && !u->users[i].proc->target)
			return false;
	return true;
}

/* A futex in the memory: whoever has not come to wait on it yet will use it, too. */
static bool has_inside(const struct shm_users *u)
{
	return u->sync_cnt && u->syncs[0].how == SHM_INSIDE;
}

static int report_writers(struct findings *f, const struct model *m, const struct chan *c,
			  const struct shm_users *u, bool parents, size_t cnt)
{
	uint64_t ns = model_shared_ns(m, c);
	bool sure = !parents && ns >= LONG_ENOUGH_NS && !u->sync_cnt && all_targets(u);
	struct finding *new =
		find_add(f, "unsynchronised-shm", sure ? SEVERITY_WARNING : SEVERITY_INFO, c);
	int err = new ? say_unsynchronised(new, c, cnt, ns) : -ENOMEM;

	for (size_t i = 0; !err && i < u->user_cnt; i++)
		if (counts(m, &u->users[i], parents))
			err = find_prove(new, u->users[i].proc, 0, c, -1);
	return err;
}

/*
 * Memory that several processes may write, without a sign of how they take turns. A
 * parent and its only child take turns by fork and wait, which are no channel: then
 * it may well be as it should be.
 */
int find_unsynchronised_shm(struct findings *f, const struct model *m, const struct chan *c)
{
	bool apart, parents = false;
	struct shm_users u;
	size_t cnt;
	int err;

	if (chan_shape(c) != SHAPE_MEMORY || c->folded || model_posix_semaphore(c))
		return 0;
	err = shm_users_init(&u, m, c);
	cnt = err ? 0 : writers(m, &u, parents, &apart);
	if (!err && cnt < 2) {
		parents = true;
		cnt = writers(m, &u, parents, &apart);
	}
	if (cnt >= 2 && apart && !has_inside(&u))
		err = report_writers(f, m, c, &u, parents, cnt);
	shm_users_fini(&u);
	return err;
}
