/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * names.c - what only /proc can tell: a process's program. The process may be
 * gone by now; then it has no name.
 */
#include <stdio.h>
#include <unistd.h>

#include "probe/internal.h"

int names_emit(struct probe *p, const struct ev_hdr *hdr)
{
	struct ev_name e = {
		.hdr = {.kind = EV_NAME,
			.len = sizeof(e),
			.pid = hdr->pid,
			.tid = hdr->tid,
			.flags = NAMEF_EXE,
			.ts_ns = hdr->ts_ns},
	};
	char link[64];

	if (hdr->kind != EV_PROC || (hdr->pid != hdr->tid && !(hdr->flags & PROCF_EXEC)))
		return 0;
	snprintf(link, sizeof(link), "/proc/%u/exe", hdr->pid);
	if (readlink(link, (char *)e.text, sizeof(e.text) - 1) <= 0)
		return 0;
	p->stats.records++;
	return p->on_record(p->on_record_arg, &e, sizeof(e));
}
