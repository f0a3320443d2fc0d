// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shared memory: POSIX, memfd, any file, anonymous (shm), and System V segments
 * (sysv-shm). No message ever goes through it that could be seen: what is known
 * is who maps it, which maps.c keeps. vals[0] of an EV_OBJ is the size in bytes;
 * vals[1] is SHMV_*, with the key of a System V segment in its upper half.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/maps.h"

#define POSIX_SEM "/dev/shm/sem." /* sem_overview(7) */

static int shm_name(struct chan *c, const struct obj *o)
{
	struct shm *shm = c->priv;
	char text[48];
	int n;

	if (shm->named)
		return 0;
	if (!o->described)
		n = snprintf(text, sizeof(text), "shm:[?]");
	else if (c->mech == MECH_SYSV_SHM)
		n = snprintf(text, sizeof(text), "shm:0x%08x/%llu", shm->key,
			     (unsigned long long)o->ino);
	else
		n = snprintf(text, sizeof(text), "shm:[%llu]", (unsigned long long)o->ino);
	shm->named = o->described;
	return chan_set_name(c, text, (size_t)n);
}

static struct chan *chan_of(struct model *m, struct obj *o)
{
	struct chan *c = o->chan;
	struct shm *shm;

	if (c)
		return c;
	c = chan_new(m, o->mech, sizeof(*shm), m->now_ns);
	if (!c)
		return NULL;
	shm = c->priv;
	list_init(&shm->attaches);
	obj_join(o, c, 0);
	return c;
}

struct chan *shm_chan(struct model *m, struct obj *o)
{
	struct chan *c = chan_of(m, o);

	return c && !shm_name(c, o) ? c : NULL;
}

static int shm_on_obj(struct model *m, struct obj *o, const struct ev_obj *ev, bool first)
{
	struct chan *c = chan_of(m, o);
	struct shm *shm;

	(void)first;
	if (!c)
		return -ENOMEM;
	shm = c->priv;
	shm->size_bytes = ev->vals[0];
	shm->ino = ev->ino;
	shm->removed = ev->vals[1] & SHMV_REMOVED;
	if (o->mech == MECH_SYSV_SHM) {
		shm->key = SHMV_KEY(ev->vals[1]);
		shm->creator_pid = ev->vals[1] & SHMV_CREATOR;
	}
	c->capacity = shm->size_bytes;
	return shm_name(c, o);
}

/* Nothing is sent through the system. */
static int shm_on_op(struct model *m, struct obj *o, struct proc *p, const struct event *ev)
{
	(void)p;
	(void)ev;
	return shm_chan(m, o) ? 0 : -ENOMEM;
}

bool shm_is_shared(const struct chan *c)
{
	const struct shm *shm = c->priv;
	unsigned int cnt = 0, can = 0;

	if (!shm || shm->ever_shared)
		return true;
	list_for_each (a, &shm->attaches, struct attach, in_chan) {
		if (a->passed)
			continue;
		cnt++;
		can |= a->ever_can;
		if (cnt >= 2 && can & MAPF_WRITE)
			return true;
	}
	return false;
}

const struct list_head *model_attaches(const struct chan *c)
{
	static const struct list_head none = {
		{(struct list_node *)&none, (struct list_node *)&none}};
	const struct shm *shm = c->cls->shape == SHAPE_MEMORY ? c->priv : NULL;

	return shm ? &shm->attaches : &none;
}

uint64_t model_shared_ns(const struct model *m, const struct chan *c)
{
	const struct shm *shm = c->cls->shape == SHAPE_MEMORY ? c->priv : NULL;
	uint64_t ns;

	if (!shm)
		return 0;
	ns = shm->shared_ns;
	if (shm->shared_since_ns && m->now_ns > shm->shared_since_ns)
		ns += m->now_ns - shm->shared_since_ns;
	return ns;
}

const struct chan *model_memory_of(const struct model *m, const struct chan *c)
{
	uint64_t id = c->cls->memory ? c->cls->memory(c) : 0;
	const struct obj *o = id ? hmap_get(&m->objs_by_id, id) : NULL;

	return o ? o->chan : NULL;
}

const char *model_posix_semaphore(const struct chan *c)
{
	size_t len = sizeof(POSIX_SEM) - 1;

	return c->mech == MECH_SHM && !strncmp(c->name, POSIX_SEM, len) ? c->name + len : NULL;
}

static void shm_on_merge(struct chan *c, struct endpoint *from, struct endpoint *to)
{
	struct shm *shm = c->priv;
	struct attach *gone = NULL, *stays = NULL;

	list_for_each (a, &shm->attaches, struct attach, in_chan) {
		if (a->ep == from)
			gone = a;
		if (a->ep == to)
			stays = a;
	}
	if (!gone)
		return;
	shm->ever_shared = shm_is_shared(c);
	if (!stays) {
		gone->ep = to;
		return;
	}
	if (gone->most.bytes > stays->most.bytes)
		stays->most = gone->most;
	stays->ever_can |= gone->ever_can;
	stays->before_attach |= gone->before_attach;
	if (gone->since_ns < stays->since_ns)
		stays->since_ns = gone->since_ns;
	if (gone->until_ns > stays->until_ns)
		stays->until_ns = gone->until_ns;
	list_del(&gone->in_chan);
	free(gone);
}

static const char *shm_fold_name(const struct chan *c, char *buf, size_t len)
{
	(void)buf;
	(void)len;
	return c->mech == MECH_SYSV_SHM ? "sysv-shm:[closed]" : "shm:[closed]";
}

static const char *rights_text(unsigned int can)
{
	static const char *const texts[] = {"-", "r", "w", "rw"};

	return texts[can & (MAPF_READ | MAPF_WRITE)];
}

struct teller {
	void (*put)(void *arg, const struct fact *f);
	void *arg;
	const char *group;
	unsigned int row;
};

static void tell(const struct teller *t, const char *name, uint64_t value)
{
	const struct fact f = {.group = t->group, .row = t->row, .name = name, .value = value};

	t->put(t->arg, &f);
}

static void tell_text(const struct teller *t, const char *name, const char *text)
{
	const struct fact f = {.group = t->group, .row = t->row, .name = name, .text = text};

	t->put(t->arg, &f);
}

static void tell_bool(const struct teller *t, const char *name, bool yes)
{
	tell_text(t, name, yes ? fact_yes : fact_no);
}

static void tell_if(const struct teller *t, bool known, const char *name, uint64_t value)
{
	if (known)
		tell(t, name, value);
	else
		tell_text(t, name, fact_none);
}

static void tell_object(const struct teller *t, const struct chan *c, const struct shm *shm)
{
	tell(t, "size", shm->size_bytes);
	if (c->mech == MECH_SYSV_SHM) {
		tell(t, "key", shm->key);
		tell(t, "id", shm->ino);
		tell_bool(t, "marked_for_destruction", shm->removed);
		tell_if(t, shm->creator_pid, "creator_pid", shm->creator_pid);
	} else {
		tell(t, "inode", shm->ino);
		tell_bool(t, "unlinked", shm->removed);
	}
	if (model_posix_semaphore(c))
		tell_text(t, "posix_semaphore", model_posix_semaphore(c));
	tell_bool(t, "bytes_observable", false);
}

static void tell_attach(const struct teller *t, const struct model *m, const struct attach *a)
{
	const struct attached *at = a->now.cnt ? &a->now : &a->most;
	uint64_t start_ns = model_start_ns(m);

	tell(t, "pid", a->ep->proc->pid);
	tell_text(t, "comm", a->ep->proc->comm);
	tell(t, "offset", at->offset);
	tell(t, "bytes", at->bytes);
	tell_text(t, "rights", rights_text(at->can));
	tell_if(t, !a->before_attach, "since_ns",
		a->since_ns > start_ns ? a->since_ns - start_ns : 0);
	tell_if(t, !a->now.cnt, "until_ns", a->until_ns > start_ns ? a->until_ns - start_ns : 0);
	tell(t, "mappings", at->cnt);
}

static void shm_facts(const struct model *m, const struct chan *c,
		      void (*put)(void *arg, const struct fact *f), void *arg)
{
	struct teller t = {.put = put, .arg = arg};
	const struct shm *shm = c->priv;

	if (!shm)
		return;
	tell_object(&t, c, shm);
	t.group = "maps";
	list_for_each (a, &shm->attaches, struct attach, in_chan) {
		if (a->passed)
			continue;
		tell_attach(&t, m, a);
		t.row++;
	}
}

static void shm_fini(struct model *m, struct chan *c)
{
	struct shm *shm = c->priv;

	(void)m;
	list_for_each_safe (a, &shm->attaches, struct attach, in_chan) {
		list_del(&a->in_chan);
		free(a);
	}
}

const struct chan_class shm_class = {
	.unit = "bytes",
	.shape = SHAPE_MEMORY,
	.unheld = true,
	.on_obj = shm_on_obj,
	.on_op = shm_on_op,
	.is_channel = shm_is_shared,
	.on_merge = shm_on_merge,
	.fold_name = shm_fold_name,
	.facts = shm_facts,
	.fini = shm_fini,
};
