// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/shm.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/hmap.h"
#include "lib/vec.h"

/* What one look for synchronisation needs beside its result. */
struct look {
	struct shm_users *u;
	const struct model *m;
	const struct chan *c;
	struct hmap index; /* proc -> number of the user, plus 1 */
};

const char *shm_how_name(enum shm_how how)
{
	static const char *const names[] = {"inside", "same-processes", "some-processes"};

	return names[how];
}

static struct shm_user *user_of(const struct look *l, const struct proc *p)
{
	uintptr_t at = (uintptr_t)hmap_get(&l->index, (uintptr_t)p);

	return at ? &l->u->users[at - 1] : NULL;
}

static int add_users(struct look *l)
{
	struct shm_users *u = l->u;
	size_t cnt = 0;

	list_for_each (a, model_attaches(l->c), struct attach, in_chan)
		cnt += !a->passed;
	u->users = calloc(cnt + 1, sizeof(*u->users));
	if (!u->users)
		return -ENOMEM;
	list_for_each (a, model_attaches(l->c), struct attach, in_chan) {
		if (a->passed)
			continue;
		u->users[u->user_cnt] = (struct shm_user){
			.proc = a->ep->proc,
			.writes = a->ever_can & MAPF_WRITE,
			.group = u->user_cnt,
		};
		u->user_cnt++;
		if (hmap_put(&l->index, (uintptr_t)a->ep->proc, (void *)(uintptr_t)u->user_cnt))
			return -ENOMEM;
	}
	return 0;
}

static void mark_parents(struct look *l)
{
	for (size_t i = 0; i < l->u->user_cnt; i++) {
		const struct proc *parent = model_proc_by_pid(l->m, l->u->users[i].proc->ppid);
		struct shm_user *user = parent ? user_of(l, parent) : NULL;

		if (user)
			user->parent = true;
	}
}

static size_t group_of(const struct shm_users *u, size_t i)
{
	while (u->users[i].group != i) {
		u->users[i].group = u->users[u->users[i].group].group;
		i = u->users[i].group;
	}
	return i;
}

/* Can it tell one process what another did? */
static bool can_synchronise(const struct chan *x)
{
	if (chan_shape(x) == SHAPE_MEMORY)
		return model_posix_semaphore(x);
	return x->mech != MECH_FUTEX_PRIVATE;
}

/* An endpoint that makes its process a user of x. */
static bool uses(const struct chan *x, const struct endpoint *ep)
{
	return chan_shape(x) == SHAPE_MEMORY ? ep->role == EP_ATTACH
					     : ep->role != EP_ATTACH && (ep->calls || ep->messages);
}

/* How many of our users use x; 0: somebody else does, too. */
static size_t count_users(const struct look *l, const struct chan *x)
{
	const struct proc *prev = NULL;
	struct hmap seen;
	size_t cnt = 0;

	hmap_init(&seen);
	list_for_each (ep, &x->endpoints, struct endpoint, in_chan) {
		if (!uses(x, ep) || ep->proc == prev)
			continue;
		prev = ep->proc;
		if (!user_of(l, ep->proc)) {
			cnt = 0;
			break;
		}
		if (hmap_get(&seen, (uintptr_t)ep->proc))
			continue;
		if (hmap_put(&seen, (uintptr_t)ep->proc, ep))
			break;
		cnt++;
	}
	hmap_fini(&seen);
	return cnt;
}

static void join_groups(const struct look *l, const struct chan *x)
{
	struct shm_users *u = l->u;
	size_t first = u->user_cnt, at;

	list_for_each (ep, &x->endpoints, struct endpoint, in_chan) {
		struct shm_user *user = uses(x, ep) ? user_of(l, ep->proc) : NULL;

		if (!user)
			continue;
		at = group_of(u, (size_t)(user - u->users));
		if (first == u->user_cnt)
			first = at;
		else
			u->users[at].group = group_of(u, first);
	}
}

static int add_sync(const struct look *l, const struct chan *x, enum shm_how how)
{
	struct shm_users *u = l->u;

	if (vec_room((void **)&u->syncs, &u->sync_cap, u->sync_cnt, sizeof(*u->syncs)))
		return -ENOMEM;
	u->syncs[u->sync_cnt++] = (struct shm_sync){x, how};
	join_groups(l, x);
	return 0;
}

/* x has an endpoint of one of our users. */
static int look_at(const struct look *l, const struct chan *x)
{
	size_t cnt;

	if (x == l->c || !can_synchronise(x))
		return 0;
	cnt = count_users(l, x);
	if (cnt && model_memory_of(l->m, x) == l->c)
		return add_sync(l, x, SHM_INSIDE);
	if (cnt < 2)
		return 0;
	return add_sync(l, x, cnt == l->u->user_cnt ? SHM_SAME_PROCESSES : SHM_SOME_PROCESSES);
}

/* Each channel is looked at once: from the first of its endpoints that counts. */
static bool is_first(const struct endpoint *ep)
{
	list_for_each (other, &ep->chan->endpoints, struct endpoint, in_chan)
		if (uses(ep->chan, other))
			return other == ep;
	return false;
}

static int by_how(const void *pa, const void *pb)
{
	const struct shm_sync *a = pa, *b = pb;

	if (a->how != b->how)
		return a->how < b->how ? -1 : 1;
	return (a->chan->id > b->chan->id) - (a->chan->id < b->chan->id);
}

int shm_users_init(struct shm_users *u, const struct model *m, const struct chan *c)
{
	struct look l = {.u = u, .m = m, .c = c};
	int err;

	*u = (struct shm_users){0};
	hmap_init(&l.index);
	err = add_users(&l);
	if (!err)
		mark_parents(&l);
	for (size_t i = 0; !err && i < u->user_cnt; i++) {
		list_for_each (ep, &u->users[i].proc->endpoints, struct endpoint, in_proc)
			if (!err && is_first(ep))
				err = look_at(&l, ep->chan);
	}
	for (size_t i = 0; i < u->user_cnt; i++)
		u->users[i].group = group_of(u, i);
	if (u->sync_cnt)
		qsort(u->syncs, u->sync_cnt, sizeof(*u->syncs), by_how);
	hmap_fini(&l.index);
	return err;
}

void shm_users_fini(struct shm_users *u)
{
	free(u->users);
	free(u->syncs);
	*u = (struct shm_users){0};
}
