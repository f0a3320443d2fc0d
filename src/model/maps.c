// SPDX-License-Identifier: BSD-2-Clause
/*
 * Ranges of memory: a record changes a range, and what was there is cut around
 * it, as the kernel splits its areas (mm/vma.c). The attaches that a change
 * concerns are summed up anew behind it.
 */
#include "model/maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAPS_MAX 65536 /* of a process: about what vm.max_map_count allows (sysctl/vm) */

struct maps {
	struct mapping *v;
	size_t cnt, cap;
};

/* What a change is about. */
struct change {
	struct model *m;
	struct proc *p;
	uint64_t at_ns;
	struct list_head dirty; /* struct attach by in_dirty */
};

static void change_init(struct change *ch, struct model *m, struct proc *p, uint64_t at_ns)
{
	*ch = (struct change){.m = m, .p = p, .at_ns = at_ns};
	list_init(&ch->dirty);
}

static void touch(struct change *ch, struct attach *a)
{
	if (!a->in_dirty.next)
		list_add_tail(&ch->dirty, &a->in_dirty);
}

static struct maps *maps_of(struct proc *p)
{
	if (!p->maps)
		p->maps = calloc(1, sizeof(*p->maps));
	return p->maps;
}

void maps_free(struct proc *p)
{
	if (p->maps)
		free(p->maps->v);
	free(p->maps);
	p->maps = NULL;
}

/* The first range that ends behind addr. */
static size_t first_behind(const struct maps *s, uint64_t addr)
{
	size_t lo = 0, hi = s->cnt;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->v[mid].start + s->v[mid].bytes > addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static void remove_at(struct maps *s, size_t i)
{
	s->cnt--;
	memmove(&s->v[i], &s->v[i + 1], (s->cnt - i) * sizeof(*s->v));
}

static int insert_at(struct maps *s, size_t i, const struct mapping *new)
{
	size_t want = s->cap ? s->cap * 2 : 8;
	struct mapping *more;

	if (s->cnt >= MAPS_MAX)
		return -ENOSPC;
	if (s->cnt == s->cap) {
		more = reallocarray(s->v, want, sizeof(*more));
		if (!more)
			return -ENOMEM;
		s->v = more;
		s->cap = want;
	}
	memmove(&s->v[i + 1], &s->v[i], (s->cnt - i) * sizeof(*s->v));
	s->v[i] = *new;
	s->cnt++;
	return 0;
}

/* Makes two of the range that has addr inside. */
static int split_at(struct maps *s, uint64_t addr)
{
	size_t i = first_behind(s, addr);
	struct mapping tail;
	uint64_t head;
	int err;

	if (i == s->cnt || s->v[i].start >= addr)
		return 0;
	tail = s->v[i];
	head = addr - tail.start;
	tail.start = addr;
	tail.bytes -= head;
	tail.offset += head;
	err = insert_at(s, i + 1, &tail);
	if (!err)
		s->v[i].bytes = head;
	return err;
}

/* The one at i and the one behind it become one if they continue each other. */
static void merge_at(struct maps *s, size_t i)
{
	struct mapping *a = &s->v[i], *b = a + 1;

	if (i + 1 >= s->cnt || a->start + a->bytes != b->start || a->attach != b->attach ||
	    a->can != b->can || a->offset + a->bytes != b->offset)
		return;
	a->bytes += b->bytes;
	if (b->since_ns < a->since_ns)
		a->since_ns = b->since_ns;
	if (b->seen_gen > a->seen_gen)
		a->seen_gen = b->seen_gen;
	remove_at(s, i + 1);
}

static void merge_around(struct maps *s, uint64_t start, uint64_t end)
{
	size_t i = first_behind(s, start);

	if (i)
		i--;
	for (; i < s->cnt && s->v[i].start <= end;) {
		size_t before = s->cnt;

		merge_at(s, i);
		if (s->cnt == before)
			i++;
	}
}

/* Makes [start, end) ranges of their own; what is then in there begins at *at. */
static int isolate(struct maps *s, uint64_t start, uint64_t end, size_t *at)
{
	int err = split_at(s, start);

	if (!err)
		err = split_at(s, end);
	*at = first_behind(s, start);
	return err;
}

/* Nothing of `only` (NULL: of anything) is in [start, end) any more that was there before. */
static int clear(struct change *ch, uint64_t start, uint64_t end, const struct attach *only)
{
	struct maps *s = ch->p->maps;
	size_t i;
	int err;

	if (!s || start >= end)
		return 0;
	i = first_behind(s, start);
	if (i == s->cnt || s->v[i].start >= end)
		return 0;
	err = isolate(s, start, end, &i);
	while (!err && i < s->cnt && s->v[i].start < end) {
		if ((only && s->v[i].attach != only) || s->v[i].since_ns > ch->at_ns) {
			i++;
			continue;
		}
		touch(ch, s->v[i].attach);
		remove_at(s, i);
	}
	merge_around(s, start, end);
	return err;
}

static struct attach *attach_of(struct change *ch, struct chan *c)
{
	struct shm *shm = c->priv;
	struct endpoint *ep = ep_find(ch->m, c, ch->p, EP_ATTACH);
	struct attach *a;

	if (ep) {
		list_for_each (known, &shm->attaches, struct attach, in_chan)
			if (known->ep == ep)
				return known;
	}
	a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	a->ep = ep ? ep : ep_get(ch->m, c, ch->p, EP_ATTACH, 0);
	if (!a->ep) {
		free(a);
		return NULL;
	}
	list_add_tail(&shm->attaches, &a->in_chan);
	return a;
}

/* Ranges of one object that new replaces may be older than the record knows. */
static void inherit_since(const struct maps *s, struct mapping *new, uint64_t start, uint64_t end)
{
	for (size_t i = first_behind(s, start); i < s->cnt && s->v[i].start < end; i++)
		if (s->v[i].attach == new->attach && s->v[i].since_ns < new->since_ns)
			new->since_ns = s->v[i].since_ns;
}

/* A range that cannot be kept makes what is said of its channel less than whole. */
static int give_up(struct change *ch, struct chan *c)
{
	if (!c->incomplete)
		ch->m->loss.channels_incomplete++;
	c->incomplete = true;
	return 0;
}

static int insert(struct change *ch, const struct mapping *new)
{
	struct maps *s = maps_of(ch->p);
	int err;

	if (!s)
		return -ENOMEM;
	err = clear(ch, new->start, new->start + new->bytes, NULL);
	if (!err)
		err = insert_at(s, first_behind(s, new->start), new);
	if (err)
		return err == -ENOSPC ? give_up(ch, new->attach->ep->chan) : err;
	touch(ch, new->attach);
	merge_around(s, new->start, new->start + new->bytes);
	return 0;
}

/*
 * A snapshot that was ahead of this record already showed what is there; the
 * record only knows better since when.
 */
static bool known_better(const struct change *ch, const struct mapping *new)
{
	struct maps *s = ch->p->maps;
	bool better = false;

	for (size_t i = s ? first_behind(s, new->start) : 0;
	     s && i < s->cnt && s->v[i].start < new->start + new->bytes; i++) {
		struct mapping *map = &s->v[i];

		if (map->since_ns <= new->since_ns)
			continue;
		better = true;
		if (map->attach != new->attach)
			continue;
		map->since_ns = new->since_ns;
		if (new->since_ns < new->attach->since_ns)
			new->attach->since_ns = new->since_ns;
	}
	return better;
}

static int add(struct change *ch, const struct ev_map *ev)
{
	bool snapshot = ev->hdr.flags & MAPF_SNAPSHOT;
	struct obj *o = obj_get(ch->m, ev->chan, ev->mech);
	struct mapping new = {.start = ev->start,
			      .bytes = ev->len,
			      .offset = ev->offset,
			      .since_ns = ev->hdr.ts_ns,
			      .seen_gen = snapshot ? ch->m->snap_gen : 0,
			      .can = ev->hdr.flags & (MAPF_READ | MAPF_WRITE)};
	struct chan *c;
	int err = 0;

	if (!o)
		return mech_class(ev->mech) ? -ENOMEM : 0;
	c = o->cls->shape == SHAPE_MEMORY ? shm_chan(ch->m, o) : NULL;
	if (!c)
		return o->cls->shape == SHAPE_MEMORY ? -ENOMEM : 0;
	new.attach = attach_of(ch, c);
	if (!new.attach)
		return -ENOMEM;
	if (snapshot && !ch->m->snap_ahead && !new.attach->most.cnt)
		new.attach->before_attach = true;
	if (!snapshot)
		new.attach->inherited = new.attach->passed = false;
	if (known_better(ch, &new))
		return 0;
	if (ch->p->maps && (snapshot || ev->from_len)) {
		inherit_since(ch->p->maps, &new, ev->start, ev->start + ev->len);
		inherit_since(ch->p->maps, &new, ev->from, ev->from + ev->from_len);
	}
	if (ev->from_len)
		err = clear(ch, ev->from, ev->from + ev->from_len, NULL);
	return err || !new.bytes ? err : insert(ch, &new);
}

static int set_rights(struct change *ch, uint64_t start, uint64_t end, uint8_t can)
{
	struct maps *s = ch->p->maps;
	size_t i;
	int err;

	if (!s)
		return 0;
	i = first_behind(s, start);
	if (i == s->cnt || s->v[i].start >= end)
		return 0;
	err = isolate(s, start, end, &i);
	for (; !err && i < s->cnt && s->v[i].start < end; i++) {
		s->v[i].can = can;
		touch(ch, s->v[i].attach);
	}
	merge_around(s, start, end);
	return err == -ENOSPC ? 0 : err;
}

/* shmdt(2) ends all of the segment that was attached at start (ksys_shmdt() in ipc/shm.c). */
static int detach(struct change *ch, uint64_t start)
{
	struct maps *s = ch->p->maps;
	const struct mapping *at;
	const struct shm *shm;
	uint64_t bytes;
	size_t i;

	if (!s)
		return 0;
	i = first_behind(s, start);
	if (i == s->cnt || s->v[i].start != start)
		return 0;
	at = &s->v[i];
	shm = at->attach->ep->chan->priv;
	bytes = shm->size_bytes > at->bytes ? (shm->size_bytes + 4095) & ~4095ull : at->bytes;
	return clear(ch, start, bytes > ~0ull - start ? ~0ull : start + bytes, at->attach);
}

static struct attached sum_up(const struct maps *s, const struct attach *a)
{
	struct attached sum = {.offset = ~0ull};

	for (size_t i = 0; i < s->cnt; i++) {
		const struct mapping *map = &s->v[i];

		if (map->attach != a)
			continue;
		sum.bytes += map->bytes;
		sum.cnt++;
		sum.can |= map->can;
		if (map->offset < sum.offset)
			sum.offset = map->offset;
	}
	return sum;
}

/* How many map it decides whether the channel is open, and how long it was shared. */
static void recount(struct change *ch, struct chan *c, bool was, bool is)
{
	struct shm *shm = c->priv;

	if (was == is)
		return;
	shm->mapped_cnt += is ? 1 : -1u;
	if (shm->mapped_cnt >= 2 && !shm->shared_since_ns) {
		shm->shared_since_ns = ch->at_ns;
	} else if (shm->mapped_cnt < 2 && shm->shared_since_ns) {
		if (ch->at_ns > shm->shared_since_ns)
			shm->shared_ns += ch->at_ns - shm->shared_since_ns;
		shm->shared_since_ns = 0;
	}
	if (is)
		chan_reopen(ch->m, c);
	if (!shm->mapped_cnt)
		chan_close(ch->m, c);
}

/* Sums up what the change concerns; returns the change's own result. */
static int settle(struct change *ch, int err)
{
	struct attach *a;

	while ((a = list_first(&ch->dirty, struct attach, in_dirty))) {
		struct chan *c = a->ep->chan;
		bool was = a->now.cnt;

		list_del(&a->in_dirty);
		a->now = ch->p->maps ? sum_up(ch->p->maps, a) : (struct attached){0};
		if (a->now.cnt && !a->most.cnt)
			a->since_ns = ch->at_ns;
		if (a->now.bytes >= a->most.bytes)
			a->most = a->now;
		a->ever_can |= a->now.can;
		if (!a->now.cnt)
			a->until_ns = ch->at_ns;
		if (ch->at_ns > c->last_ns)
			c->last_ns = ch->at_ns;
		recount(ch, c, was, a->now.cnt);
	}
	return err;
}

int maps_event(struct model *m, const struct ev_map *ev)
{
	struct proc *p = proc_get(m, ev->hdr.pid);
	uint64_t end = ev->start + ev->len;
	struct change ch;
	int err;

	if (!p)
		return -ENOMEM;
	if (p->exited)
		return 0;
	change_init(&ch, m, p, ev->hdr.ts_ns);
	if (ev->hdr.flags & MAPF_GONE)
		err = ev->len ? clear(&ch, ev->start, end, NULL) : detach(&ch, ev->start);
	else if (ev->hdr.flags & MAPF_RIGHTS)
		err = set_rights(&ch, ev->start, end, ev->hdr.flags & (MAPF_READ | MAPF_WRITE));
	else
		err = add(&ch, ev);
	return settle(&ch, err == -ENOSPC ? 0 : err);
}

int maps_fork(struct model *m, struct proc *child, uint64_t at_ns)
{
	struct proc *parent = hmap_get(&m->procs_by_pid, child->ppid);
	struct change ch;
	int err = 0;

	/* a snapshot that was ahead of this record knows better */
	if (!parent || parent == child || !parent->maps || child->maps)
		return 0;
	change_init(&ch, m, child, at_ns);
	for (size_t i = 0; !err && i < parent->maps->cnt; i++) {
		struct mapping map = parent->maps->v[i];

		if (map.since_ns > at_ns)
			continue;
		map.attach = attach_of(&ch, map.attach->ep->chan);
		map.since_ns = at_ns;
		if (map.attach)
			map.attach->inherited = !map.attach->most.cnt;
		err = map.attach ? insert(&ch, &map) : -ENOMEM;
	}
	return settle(&ch, err);
}

int maps_drop(struct model *m, struct proc *p, uint64_t at_ns, bool exec)
{
	struct change ch;

	if (!p->maps)
		return 0;
	change_init(&ch, m, p, at_ns);
	for (size_t i = 0; exec && i < p->maps->cnt; i++)
		p->maps->v[i].attach->passed = p->maps->v[i].attach->inherited;
	return settle(&ch, clear(&ch, 0, ~0ull, NULL));
}

static void drop_unseen(struct model *m, struct proc *p)
{
	struct maps *s = p->maps;
	struct change ch;
	size_t kept = 0;

	change_init(&ch, m, p, m->snap_ns);
	for (size_t i = 0; i < s->cnt; i++) {
		if (s->v[i].seen_gen == m->snap_gen || s->v[i].since_ns >= m->snap_ns)
			s->v[kept++] = s->v[i];
		else
			touch(&ch, s->v[i].attach);
	}
	s->cnt = kept;
	settle(&ch, 0);
}

void maps_unseen(struct model *m)
{
	list_for_each (p, &m->procs, struct proc, in_model)
		if (p->maps && p->maps->cnt)
			drop_unseen(m, p);
}
