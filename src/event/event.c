// SPDX-License-Identifier: BSD-2-Clause
#include "event/event.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static int check_op(const struct event *ev)
{
	const struct ev_op *op = ev->op;

	if (op->op == OP_NONE || op->op >= OP_MAX || op->mech >= MECH_MAX)
		return -EBADMSG;
	return 0;
}

static int check_obj(const struct event *ev)
{
	const struct ev_obj *obj = ev->obj;

	if (obj->mech == MECH_NONE || obj->mech >= MECH_MAX ||
	    obj->name.len > sizeof(obj->name.name))
		return -EBADMSG;
	return 0;
}

static int check_inflight(const struct event *ev)
{
	const struct ev_inflight *i = ev->inflight;

	if (i->op == OP_NONE || i->op >= OP_MAX || i->mech >= MECH_MAX)
		return -EBADMSG;
	return 0;
}

static int check_name(const struct event *ev)
{
	return memchr(ev->name->text, 0, NAME_MAX_LEN) ? 0 : -EBADMSG;
}

static int check_map(const struct event *ev)
{
	const struct ev_map *map = ev->map;
	const __u64 top = ~0ull;

	if (map->mech >= MECH_MAX || map->len > top - map->start ||
	    map->from_len > top - map->from || map->len > top - map->offset)
		return -EBADMSG;
	return 0;
}

static int check_loss(const struct event *ev)
{
	return ev->loss->mech < MECH_MAX ? 0 : -EBADMSG;
}

static int check_task(const struct event *ev)
{
	return ev->task->why < WHY_MAX ? 0 : -EBADMSG;
}

static int check_set(const struct event *ev)
{
	return ev->set->cnt <= EV_SET_LEN ? 0 : -EBADMSG;
}

static int check_ipc(const struct event *ev)
{
	const struct ev_ipc *ipc = ev->ipc;

	return ipc->mech == MECH_NONE || ipc->mech >= MECH_MAX ||
			       !memchr(ipc->name, 0, sizeof(ipc->name))
		       ? -EBADMSG
		       : 0;
}

static int check_pass(const struct event *ev)
{
	const struct ev_pass *pass = ev->pass;

	return pass->mech == MECH_NONE || pass->mech >= MECH_MAX || pass->via_mech >= MECH_MAX
		       ? -EBADMSG
		       : 0;
}

/* One row per kind: the smallest record, and what must hold inside it. */
static const struct {
	size_t size;
	int (*check)(const struct event *ev);
} kinds[EV_MAX] = {
	[EV_OP] = {sizeof(struct ev_op), check_op},
	[EV_OBJ] = {sizeof(struct ev_obj), check_obj},
	[EV_PROC] = {sizeof(struct ev_proc), NULL},
	[EV_EXIT] = {sizeof(struct ev_exit), NULL},
	[EV_SNAP] = {sizeof(struct ev_snap), NULL},
	[EV_INFLIGHT] = {sizeof(struct ev_inflight), check_inflight},
	[EV_HOLD] = {sizeof(struct ev_hold), NULL},
	[EV_NAME] = {sizeof(struct ev_name), check_name},
	[EV_LOSS] = {sizeof(struct ev_loss), check_loss},
	[EV_MAP] = {sizeof(struct ev_map), check_map},
	[EV_TASK] = {sizeof(struct ev_task), check_task},
	[EV_SET] = {sizeof(struct ev_set), check_set},
	[EV_PASS] = {sizeof(struct ev_pass), check_pass},
	[EV_IPC] = {sizeof(struct ev_ipc), check_ipc},
	[EV_WORD] = {sizeof(struct ev_word), NULL},
};

/*
 * Finds what stands behind an operation: one kind of address, or numbers. Returns its length or
 * -EBADMSG.
 */
static int decode_tail(struct event *ev)
{
	const void *tail = ev->op + 1;
	size_t room = ev->hdr->len - sizeof(*ev->op);

	switch (ev->hdr->flags & (OPF_ADDR_IN | OPF_ADDR_UN | OPF_VALS)) {
	case 0:
		return 0;
	case OPF_ADDR_IN:
		ev->addr_in = tail;
		if (room < sizeof(*ev->addr_in) ||
		    (ev->addr_in->family != AF_INET && ev->addr_in->family != AF_INET6))
			return -EBADMSG;
		return sizeof(*ev->addr_in);
	case OPF_ADDR_UN:
		ev->addr_un = tail;
		if (room < sizeof(*ev->addr_un) || ev->addr_un->len > sizeof(ev->addr_un->name))
			return -EBADMSG;
		return sizeof(*ev->addr_un);
	case OPF_VALS:
		ev->vals = tail;
		return room < sizeof(*ev->vals) ? -EBADMSG : (int)sizeof(*ev->vals);
	default:
		return -EBADMSG;
	}
}

/* And the payload behind that. */
static int decode_op(struct event *ev)
{
	int tail = decode_tail(ev);
	size_t room;

	if (tail < 0 || !(ev->hdr->flags & OPF_PAYLOAD))
		return tail < 0 ? tail : 0;
	room = ev->hdr->len - sizeof(*ev->op) - (size_t)tail;
	ev->payload = (const void *)((const char *)(ev->op + 1) + tail);
	return room < sizeof(*ev->payload) || ev->payload->len > PAYLOAD_MAX ||
			       ev->payload->len > room - sizeof(*ev->payload)
		       ? -EBADMSG
		       : 0;
}

int event_decode(const void *data, size_t len, struct event *ev, size_t *skip)
{
	struct event e = {.hdr = data};
	int err = 0;

	if (len < sizeof(*e.hdr))
		return -ENODATA;
	if (e.hdr->len < sizeof(*e.hdr) || e.hdr->len % 8)
		return -EBADMSG;
	if (e.hdr->kind >= EV_MAX || !kinds[e.hdr->kind].size) {
		if (skip)
			*skip = e.hdr->len;
		return -EOPNOTSUPP;
	}
	if (e.hdr->len < kinds[e.hdr->kind].size)
		return -EBADMSG;
	if (e.hdr->len > len)
		return -ENODATA;
	if (kinds[e.hdr->kind].check)
		err = kinds[e.hdr->kind].check(&e);
	if (!err && e.hdr->kind == EV_OP)
		err = decode_op(&e);
	if (err)
		return err;
	*ev = e;
	return e.hdr->len;
}
