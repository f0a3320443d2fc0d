/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held.h - which channel stands behind a descriptor, as the last snapshot told.
 *
 * Filled from EV_OBJ and EV_HOLD as they pass, so that a set of descriptors that a task
 * polls can be told as channels. Holds no pointers to records. What is more than max is
 * not kept, as if it were no channel. The owner embeds it and calls held_fini().
 */
#ifndef IPCSPY_PROBE_HELD_H
#define IPCSPY_PROBE_HELD_H

#include <stdbool.h>
#include <stddef.h>

#include "ipcspy/event.h"
#include "lib/hmap.h"

struct held {
	__u64 chan;
	__u64 ino; /* of the file behind the descriptor, 0 where many share one */
	__u32 pid; /* who has it ... */
	__s32 fd;  /* ... as what */
	bool fifo;
	bool listens; /* new connections come from anywhere */
};

struct held_table {
	struct hmap by_fd; /* pid << 32 | fd -> place in rows, from 1 on */
	struct held *rows;
	size_t cnt, cap, max;
	struct held object; /* what the last EV_OBJ was about */
};

void held_init(struct held_table *t);
void held_fini(struct held_table *t);
void held_reset(struct held_table *t);

/* A record that passes. Returns 0 or -ENOMEM. */
int held_see(struct held_table *t, const struct ev_hdr *hdr);

/* NULL: the descriptor is no channel, or none that was told of. Valid until the next change. */
const struct held *held_find(const struct held_table *t, __u32 pid, __s32 fd);

/*
 * The FIFO behind a path that a task gave, if somebody has it open; asks /proc about descriptors
 * that may be of it.
 */
const struct held *held_fifo(const struct held_table *t, __u32 tid, const char *path);

#endif
