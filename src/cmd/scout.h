/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scout.h - the snapshots of a trace, with those whom targets wait for through others.
 *
 * A trace follows its targets and who shares a channel with them. Where a target sleeps for
 * long, the cause may be further away: then one look at the whole machine, as `ipcspy why`
 * takes it, says how far the way leads, and the snapshot is taken again with who is on it.
 * Owns nothing; zero but for `off` before the first call.
 */
#ifndef IPCSPY_CMD_SCOUT_H
#define IPCSPY_CMD_SCOUT_H

#include "model/model.h"
#include "probe/probe.h"

struct scout {
	bool off;         /* snapshots only */
	uint64_t next_ns; /* no look before; 0: none was taken */
	uint64_t reached; /* a sum over what the kernel side was told of last, 0 nothing */
};

/*
 * probe_snapshot() into m, which is fed by p; always: a look is worth its while now, or else
 * it is not taken more often than for a small part of the time. Returns 0 or -errno.
 */
int scout_snapshot(struct scout *s, struct probe *p, const struct model *m, unsigned int snap_flags,
		   bool always);

#endif
