// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/findings.h"

#include <errno.h>
#include <stdlib.h>

#include "analysis/analysis.h"
#include "analysis/shm.h"
#include "lib/human.h"

/* Who shares memory for less than this may not have come to its first wake-up. */
#define LONG_ENOUGH_NS 500000000ull

const char *severity_name(enum severity s)
{
	return s == SEVERITY_WARNING ? "warning" : "info";
}

/* A new finding without processes, or NULL. */
static struct finding *add(struct findings *f, const char *kind, enum severity severity,
			   const struct chan *c)
{
	size_t want = f->cap ? f->cap * 2 : 8;
	struct finding *more;

	if (f->cnt == f->cap) {
		more = reallocarray(f->v, want, sizeof(*more));
		if (!more)
			return NULL;
		f->v = more;
		f->cap = want;
	}
	more = &f->v[f->cnt++];
	*more = (struct finding){.kind = kind, .severity = severity, .chan = c};
	return more;
}

/* Does this user count? A parent that only made the memory for its children does not. */
static bool counts(const struct shm_user *user, bool parents)
{
	return user->writes && (parents || !user->parent);
}

/* How many write; *groups: whether some of them have nothing in common. */
static size_t writers(const struct shm_users *u, bool parents, bool *apart)
{
	size_t cnt = 0, group = 0;

	*apart = false;
	for (size_t i = 0; i < u->user_cnt; i++) {
		if (!counts(&u->users[i], parents))
			continue;
		if (!cnt)
			group = u->users[i].group;
		*apart = *apart || u->users[i].group != group;
		cnt++;
	}
	return cnt;
}

static char *unsynchronised_text(const struct chan *c, size_t cnt, uint64_t ns)
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
	if (sb.err) {
		strbuf_fini(&sb);
		return NULL;
	}
	return sb.s;
}

static int report_writers(struct findings *f, const struct model *m, const struct chan *c,
			  const struct shm_users *u, bool parents, size_t cnt)
{
	uint64_t ns = model_shared_ns(m, c);
	bool sure = !parents && ns >= LONG_ENOUGH_NS;
	struct finding *new =
		add(f, "unsynchronised-shm", sure ? SEVERITY_WARNING : SEVERITY_INFO, c);

	if (!new)
		return -ENOMEM;
	new->text = unsynchronised_text(c, cnt, ns);
	new->procs = calloc(cnt, sizeof(*new->procs));
	if (!new->text || !new->procs)
		return -ENOMEM;
	for (size_t i = 0; i < u->user_cnt; i++)
		if (counts(&u->users[i], parents))
			new->procs[new->proc_cnt++] = u->users[i].proc;
	return 0;
}

/*
 * Memory that several processes may write, without a sign of how they take turns. A
 * parent and its only child take turns by fork and wait, which are no channel: then
 * it may well be as it should be.
 */
static int find_unsynchronised_shm(struct findings *f, const struct model *m, const struct chan *c)
{
	bool apart, parents = false;
	struct shm_users u;
	size_t cnt;
	int err;

	if (chan_shape(c) != SHAPE_MEMORY || c->folded || model_posix_semaphore(c))
		return 0;
	err = shm_users_init(&u, m, c);
	cnt = err ? 0 : writers(&u, parents, &apart);
	if (!err && cnt < 2) {
		parents = true;
		cnt = writers(&u, parents, &apart);
	}
	if (cnt >= 2 && apart)
		err = report_writers(f, m, c, &u, parents, cnt);
	shm_users_fini(&u);
	return err;
}

static int (*const detectors[])(struct findings *f, const struct model *m, const struct chan *c) = {
	find_unsynchronised_shm,
};

int findings_init(struct findings *f, const struct model *m)
{
	int err = 0;

	*f = (struct findings){0};
	for (size_t i = 0; i < sizeof(detectors) / sizeof(detectors[0]); i++) {
		list_for_each (c, model_chans(m), struct chan, in_model)
			if (!err && chan_concerns_target(c))
				err = detectors[i](f, m, c);
	}
	return err;
}

void findings_fini(struct findings *f)
{
	for (size_t i = 0; i < f->cnt; i++) {
		free(f->v[i].procs);
		free(f->v[i].text);
	}
	free(f->v);
	*f = (struct findings){0};
}
