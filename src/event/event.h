/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event.h - from bytes to checked events.
 *
 * The only place that looks at raw record bytes. Input may be hostile (a
 * recording from elsewhere): after event_decode() succeeded, every enum is in
 * range, every trailing address is inside the record and every string is
 * terminated or has a checked length. The decoded event points into the
 * caller's bytes, which must be 8-byte aligned and stay alive and unchanged
 * while it is used. Holds no state.
 */
#ifndef IPCSPY_EVENT_DECODE_H
#define IPCSPY_EVENT_DECODE_H

#include <linux/types.h>
#include <stddef.h>

#include "ipcspy/event.h"

struct event {
	union {
		const struct ev_hdr *hdr;
		const struct ev_op *op;
		const struct ev_obj *obj;
		const struct ev_proc *proc;
		const struct ev_exit *exit;
		const struct ev_snap *snap;
		const struct ev_inflight *inflight;
		const struct ev_hold *hold;
		const struct ev_task *task;
		const struct ev_set *set;
		const struct ev_name *name;
		const struct ev_loss *loss;
		const struct ev_map *map;
		const struct ev_pass *pass;
		const struct ev_ipc *ipc;
		const struct ev_word *word;
	};
	const struct ev_addr_in *addr_in; /* EV_OP with OPF_ADDR_IN, else NULL */
	const struct ev_addr_un *addr_un; /* EV_OP with OPF_ADDR_UN, else NULL */
	const struct ev_vals *vals;       /* EV_OP with OPF_VALS, else NULL */
	const struct ev_payload *payload; /* EV_OP with OPF_PAYLOAD, else NULL; len bytes follow */
};

/*
 * Checks the record at data (len bytes are readable) and fills *ev.
 * Returns the record's length (> 0, a multiple of 8), -EBADMSG when it is
 * malformed, -EOPNOTSUPP for a kind this version does not know (its length is
 * then in *skip, so that a reader can go on), -ENODATA when len is too short.
 */
int event_decode(const void *data, size_t len, struct event *ev, size_t *skip);

#endif
