/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list.h - doubly linked intrusive list.
 *
 * A list_head is initialised with list_init(); a node is in at most one list.
 * The list owns nothing.
 */
#ifndef IPCSPY_LIST_H
#define IPCSPY_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_node {
	struct list_node *next, *prev;
};

struct list_head {
	struct list_node node; /* next = first, prev = last; itself when empty */
};

static inline void list_init(struct list_head *h)
{
	h->node.next = h->node.prev = &h->node;
}

static inline bool list_empty(const struct list_head *h)
{
	return h->node.next == &h->node;
}

static inline void list_add_tail(struct list_head *h, struct list_node *n)
{
	n->prev = h->node.prev;
	n->next = &h->node;
	n->prev->next = n;
	h->node.prev = n;
}

/* Puts n before pos, which is in a list. */
static inline void list_add_before(struct list_node *pos, struct list_node *n)
{
	n->prev = pos->prev;
	n->next = pos;
	pos->prev->next = n;
	pos->prev = n;
}

static inline void list_del(struct list_node *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->next = n->prev = NULL;
}

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* The object after/before `n` in h, or NULL at the end. */
#define list_first(h, type, member) \
	(list_empty(h) ? NULL : container_of((h)->node.next, type, member))
#define list_last(h, type, member) \
	(list_empty(h) ? NULL : container_of((h)->node.prev, type, member))

#define list_for_each(pos, h, type, member)                                                      \
	for (type *pos = container_of((h)->node.next, type, member); &pos->member != &(h)->node; \
	     pos = container_of(pos->member.next, type, member))

/* Survives removal of pos. */
#define list_for_each_safe(pos, h, type, member)                              \
	for (type *pos = container_of((h)->node.next, type, member),          \
		  *pos##_next = container_of(pos->member.next, type, member); \
	     &pos->member != &(h)->node;                                      \
	     pos = pos##_next, pos##_next = container_of(pos->member.next, type, member))

#endif
