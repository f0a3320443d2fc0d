/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ahead.h - a short queue of operations in front of the model.
 *
 * With ten thousand channels the state that an operation needs is in none of
 * the processor's caches, and each piece is found through the one before: map,
 * object, channel and endpoint, flow. Waiting for each in turn costs more than
 * all the work. So operations wait here while others are done, and at every
 * step of the way what they need next is asked for. Order is kept; whoever
 * looks at the model empties the queue first. The model owns it.
 */
#ifndef IPCSPY_MODEL_AHEAD_H
#define IPCSPY_MODEL_AHEAD_H

#include <stddef.h>
#include <stdint.h>

#include "event/event.h"

#define AHEAD_LEN 16 /* power of two */

struct model;
struct obj;

struct ahead_rec {
	struct ev_op op;
	union {
		struct ev_addr_in in;
		struct ev_addr_un un;
		struct ev_vals vals;
	} tail;
	uint32_t payload; /* as struct payloads calls it, 0 none */
};

struct ahead {
	struct ahead_rec rec[AHEAD_LEN];
	struct obj *obj[AHEAD_LEN]; /* objects live longer than the queue: it is emptied first */
	unsigned int head, cnt;
};

/* Bytes of an operation without its payload. */
static inline size_t ahead_len(const struct event *ev)
{
	return ev->payload ? (size_t)((const char *)ev->payload - (const char *)ev->hdr)
			   : ev->hdr->len;
}

/* Can the queue take it? It takes operations, which are all but all events. */
static inline int ahead_takes(const struct event *ev)
{
	return ev->hdr->kind == EV_OP && ahead_len(ev) <= offsetof(struct ahead_rec, payload);
}

/* Takes a copy of ev, for which there is room. payload: what the model calls it, 0 none. */
void ahead_push(struct model *m, struct ahead *a, const struct event *ev, uint32_t payload);

/* The oldest, valid until the next push, and its payload. False: the queue is empty. */
int ahead_pop(struct ahead *a, struct event *ev, uint32_t *payload);

static inline int ahead_is_full(const struct ahead *a)
{
	return a->cnt == AHEAD_LEN;
}

#endif
