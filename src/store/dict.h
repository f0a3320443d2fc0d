/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dict.h - what a recording must say first, when it does not begin with the trace.
 *
 * Keeps of all items that went by the latest one that describes each process and each object
 * still there, and the latest whole snapshot: who holds and maps what, who is inside a call.
 * Adds up what operations put into byte streams and took out, so that those of a later file
 * pair as they would have. Bounded; of too many, the oldest go. Owns copies of the items.
 */
#ifndef IPCSPY_STORE_DICT_H
#define IPCSPY_STORE_DICT_H

#include "lib/hmap.h"
#include "lib/list.h"
#include "store/block.h"

enum rec_dict_list { DICT_PROCS, DICT_OBJS, DICT_NAMES, DICT_LISTS };

struct rec_dict {
	struct hmap index;
	struct hmap selves;                 /* of unix sockets: to the object's id */
	struct list_head lists[DICT_LISTS]; /* oldest first */
	size_t cnt;
	struct strbuf snap;   /* the latest whole snapshot, and mappings made since */
	struct strbuf taking; /* the one that goes by */
	bool in_snap;
};

void rec_dict_init(struct rec_dict *d);
void rec_dict_fini(struct rec_dict *d);

/* Notes an item of a whole block. Returns 0 or -ENOMEM. */
int rec_dict_take(struct rec_dict *d, const struct rec_item *item);

/* Calls put for each item, those first that others name. Returns 0 or what put returned. */
int rec_dict_each(const struct rec_dict *d, int (*put)(void *arg, const struct rec_item *item),
		  void *arg);

#endif
