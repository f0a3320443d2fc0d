// SPDX-License-Identifier: BSD-2-Clause
#include "store/dict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipcspy/event.h"

#define ENTRIES_MAX 262144 /* some 50 MB */
#define SNAP_MAX    (16u << 20)

struct entry {
	struct list_node in_list;
	uint64_t key;
	enum rec_dict_list list;
	/* of byte streams: */
	int64_t inside; /* by the operations whose records went by; below 0: more read than written
			 */
	uint64_t since_ns; /* operations that ended earlier do not count */
	_Alignas(8) char item[];
};

void rec_dict_init(struct rec_dict *d)
{
	*d = (struct rec_dict){0};
	hmap_init(&d->index);
	hmap_init(&d->selves);
	for (unsigned int i = 0; i < DICT_LISTS; i++)
		list_init(&d->lists[i]);
	strbuf_init(&d->snap);
	strbuf_init(&d->taking);
}

static uint64_t key_of(enum rec_dict_list list, uint64_t id)
{
	return hmap_mix(id, list + 1);
}

static void entry_drop(struct rec_dict *d, struct entry *e)
{
	hmap_del(&d->index, e->key);
	list_del(&e->in_list);
	d->cnt--;
	free(e);
}

void rec_dict_fini(struct rec_dict *d)
{
	for (unsigned int i = 0; i < DICT_LISTS; i++) {
		list_for_each_safe (e, &d->lists[i], struct entry, in_list)
			entry_drop(d, e);
	}
	hmap_fini(&d->index);
	hmap_fini(&d->selves);
	strbuf_fini(&d->snap);
	strbuf_fini(&d->taking);
}

static void forget(struct rec_dict *d, uint64_t key)
{
	struct entry *e = hmap_get(&d->index, key);

	if (e)
		entry_drop(d, e);
}

/* By its own address a socket is found that another has for its peer. */
static uint64_t self_key(uint64_t self)
{
	return hmap_mix(self, DICT_LISTS + 1);
}

/* A socket that is known no more is nobody's peer, unless its address is another's by now. */
static void forget_self(struct rec_dict *d, uint64_t chan)
{
	const struct entry *e = hmap_get(&d->index, key_of(DICT_OBJS, chan));
	const struct ev_obj *obj = e ? (const struct ev_obj *)e->item : NULL;

	if (obj && (uintptr_t)hmap_get(&d->selves, self_key(obj->self)) == obj->chan)
		hmap_del(&d->selves, self_key(obj->self));
}

/* Room for one more: names are missed least. */
static void make_room(struct rec_dict *d)
{
	for (unsigned int i = DICT_LISTS; d->cnt >= ENTRIES_MAX && i-- > 0;) {
		struct entry *e = list_first(&d->lists[i], struct entry, in_list);

		if (e)
			entry_drop(d, e);
	}
}

/* Puts a copy in the place of the one with that key. Returns it, NULL when out of memory. */
static struct entry *keep(struct rec_dict *d, enum rec_dict_list list, uint64_t key,
			  const struct rec_item *item)
{
	struct entry *e = malloc(sizeof(*e) + item->len);

	if (!e)
		return NULL;
	forget(d, key);
	make_room(d);
	e->key = key;
	e->list = list;
	memcpy(e->item, item, item->len);
	if (hmap_put(&d->index, key, e)) {
		free(e);
		return NULL;
	}
	list_add_tail(&d->lists[list], &e->in_list);
	d->cnt++;
	return e;
}

/* Once a target, always one; and what made it be told is over. */
static int take_proc(struct rec_dict *d, const struct rec_item *item)
{
	const struct ev_proc *proc = (const struct ev_proc *)item;
	uint64_t key = key_of(DICT_PROCS, proc->hdr.pid);
	struct entry *e = hmap_get(&d->index, key);
	const struct ev_proc *old = e ? (const struct ev_proc *)e->item : NULL;
	bool same = old && old->start_ns == proc->start_ns;
	uint32_t was = same ? old->hdr.flags : 0;

	if (!same)
		forget(d, key_of(DICT_NAMES, proc->hdr.pid));
	e = keep(d, DICT_PROCS, key, item);
	if (!e)
		return -ENOMEM;
	((struct ev_proc *)e->item)->hdr.flags =
		(proc->hdr.flags & ~(PROCF_FORK | PROCF_EXEC)) | (was & PROCF_TARGET);
	return 0;
}

static int take_exit(struct rec_dict *d, const struct rec_item *item)
{
	const struct ev_exit *ev = (const struct ev_exit *)item;

	if (ev->hdr.flags & EXITF_GROUP) {
		forget(d, key_of(DICT_PROCS, ev->hdr.pid));
		forget(d, key_of(DICT_NAMES, ev->hdr.pid));
	}
	return 0;
}

static bool is_stream(unsigned int mech)
{
	return mech == MECH_PIPE || mech == MECH_FIFO || mech == MECH_UNIX_STREAM;
}

/*
 * It was there before the file begins. What it then holds is not what a record of its operations
 * says, which others overlap, but what they add up to: the file has all that come later.
 */
static int take_obj(struct rec_dict *d, const struct rec_item *item)
{
	const struct ev_obj *obj = (const struct ev_obj *)item;
	uint64_t key = key_of(DICT_OBJS, obj->chan);
	const struct entry *old = hmap_get(&d->index, key);
	bool created = obj->hdr.flags & OBJF_CREATED, known = old && !created;
	int64_t inside = known ? old->inside : created ? 0 : obj->backlog;
	uint64_t since_ns = known ? old->since_ns : created ? 0 : obj->hdr.ts_ns;
	struct entry *e = keep(d, DICT_OBJS, key, item);
	struct ev_obj *kept;

	if (!e)
		return -ENOMEM;
	e->inside = inside;
	e->since_ns = since_ns;
	kept = (struct ev_obj *)e->item;
	kept->hdr.flags &= ~(__u32)(OBJF_CREATED | OBJF_FULL);
	kept->hdr.flags |= OBJF_SNAPSHOT;
	if (is_stream(obj->mech)) {
		kept->hdr.flags |= OBJF_BACKLOG;
		kept->hdr.ts_ns = 0; /* all operations of the file count */
		kept->backlog = inside > 0 ? (__u32)inside : 0;
	}
	return obj->mech == MECH_UNIX_STREAM
		       ? hmap_put(&d->selves, self_key(obj->self), (void *)(uintptr_t)obj->chan)
		       : 0;
}

/* Where the bytes are that an operation on e moved: in the peer, when a socket sent them. */
static struct entry *stream_of(const struct rec_dict *d, struct entry *e, const struct ev_op *op)
{
	const struct ev_obj *obj = (const struct ev_obj *)e->item;
	uintptr_t chan;

	if (obj->mech != MECH_UNIX_STREAM || op->op == OP_RECV)
		return e;
	chan = obj->peer ? (uintptr_t)hmap_get(&d->selves, self_key(obj->peer)) : 0;
	return chan ? hmap_get(&d->index, key_of(DICT_OBJS, chan)) : NULL;
}

static void count_bytes(struct entry *e, const struct ev_op *op)
{
	struct ev_obj *obj = (struct ev_obj *)e->item;
	int64_t bytes = op->ret;

	if (op->hdr.ts_ns <= e->since_ns)
		return;
	/* A call that was under way then returns all its bytes, those from before included. */
	if (op->op == OP_SEND && op->enter_ns < e->since_ns && op->hdr.flags & OPF_BACKLOG) {
		int64_t fresh = (int64_t)op->backlog - e->inside;

		bytes = fresh < 0 ? 0 : fresh < bytes ? fresh : bytes;
	}
	e->inside += op->op == OP_SEND ? bytes : -bytes;
	obj->backlog = e->inside > 0 ? (__u32)e->inside : 0;
}

static int take_op(struct rec_dict *d, const struct rec_item *item)
{
	const struct ev_op *op = (const struct ev_op *)item;
	struct entry *e;
	struct ev_obj *obj;

	if (op->ret <= 0 || (op->op != OP_SEND && op->op != OP_RECV) ||
	    op->hdr.flags & (OPF_PEEK | OPF_ERRQUEUE))
		return 0;
	e = hmap_get(&d->index, key_of(DICT_OBJS, op->chan));
	if (!e)
		return 0;
	obj = (struct ev_obj *)e->item;
	if (is_stream(obj->mech)) {
		e = stream_of(d, e, op);
		if (e)
			count_bytes(e, op);
	} else if (op->hdr.flags & OPF_SEQ && op->mech == MECH_TCP) {
		*(op->op == OP_SEND ? &obj->snd_seq : &obj->rcv_seq) = op->seq;
	} else if (op->hdr.flags & OPF_BACKLOG && op->op == OP_RECV) {
		obj->backlog = op->backlog;
		obj->hdr.ts_ns = op->hdr.ts_ns;
		obj->hdr.flags |= OBJF_BACKLOG;
	}
	return 0;
}

static int snap_put(struct rec_dict *d, const struct rec_item *item)
{
	struct strbuf *to = d->in_snap ? &d->taking : &d->snap;

	if (to->len + item->len > SNAP_MAX)
		return 0;
	strbuf_put(to, (const char *)item, item->len);
	return to->err;
}

static int take_name(struct rec_dict *d, const struct rec_item *item)
{
	const struct ev_name *name = (const struct ev_name *)item;
	uint64_t id = name->hdr.flags & NAMEF_EXE ? name->hdr.pid : name->chan;

	if (name->hdr.flags & NAMEF_OPEN)
		return d->in_snap ? snap_put(d, item) : 0;
	return keep(d, DICT_NAMES, key_of(DICT_NAMES, id), item) ? 0 : -ENOMEM;
}

/* A snapshot without holds says less than one with them that was earlier. */
static int take_snap(struct rec_dict *d, const struct rec_item *item)
{
	uint32_t flags = ((const struct ev_snap *)item)->hdr.flags;
	struct strbuf done;
	int err;

	if (!(flags & SNAPF_END)) {
		d->in_snap = flags & SNAPF_HOLDS;
		strbuf_reset(&d->taking);
		return d->in_snap ? snap_put(d, item) : 0;
	}
	if (!d->in_snap)
		return 0;
	err = snap_put(d, item);
	d->in_snap = false;
	done = d->taking;
	d->taking = d->snap;
	d->snap = done;
	return err;
}

static int take_held(struct rec_dict *d, const struct rec_item *item)
{
	return d->in_snap ? snap_put(d, item) : 0;
}

static int take_forget(struct rec_dict *d, const struct rec_item *item)
{
	const struct rec_forget *f = (const struct rec_forget *)item;

	forget_self(d, f->id);
	forget(d, key_of(DICT_OBJS, f->id));
	forget(d, key_of(DICT_NAMES, f->id));
	return 0;
}

/* One row per kind that is kept, or ends what is kept: its least length, and what to do. */
static const struct {
	uint16_t kind;
	size_t size;
	int (*take)(struct rec_dict *d, const struct rec_item *item);
} takers[] = {
	{EV_OP, sizeof(struct ev_op), take_op}, /* first: nearly all are */
	{EV_PROC, sizeof(struct ev_proc), take_proc},
	{EV_EXIT, sizeof(struct ev_exit), take_exit},
	{EV_OBJ, sizeof(struct ev_obj), take_obj},
	{EV_NAME, sizeof(struct ev_name), take_name},
	{EV_SNAP, sizeof(struct ev_snap), take_snap},
	{EV_MAP, sizeof(struct ev_map), snap_put},
	{EV_INFLIGHT, sizeof(struct ev_inflight), take_held},
	{EV_HOLD, sizeof(struct ev_hold), take_held},
	{EV_TASK, sizeof(struct ev_task), take_held},
	{EV_SET, sizeof(struct ev_set), take_held},
	{REC_FORGET, sizeof(struct rec_forget), take_forget},
};

int rec_dict_take(struct rec_dict *d, const struct rec_item *item)
{
	for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
		if (takers[i].kind == item->kind && item->len >= takers[i].size)
			return takers[i].take(d, item);
	}
	return 0;
}

int rec_dict_each(const struct rec_dict *d, int (*put)(void *arg, const struct rec_item *item),
		  void *arg)
{
	int err = 0;

	for (unsigned int i = 0; i < DICT_LISTS; i++) {
		list_for_each (e, &d->lists[i], struct entry, in_list) {
			if (!err)
				err = put(arg, (const struct rec_item *)e->item);
		}
	}
	for (size_t pos = 0; !err && pos < d->snap.len;) {
		const struct rec_item *item = (const struct rec_item *)(d->snap.s + pos);

		err = put(arg, item);
		pos += item->len;
	}
	return err;
}
