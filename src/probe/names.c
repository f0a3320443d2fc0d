/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * names.c - what only /proc can tell: a process's program, a FIFO's path.
 *
 * The process may be gone or another by now; then there is no name. A path is
 * taken only when it still leads to the inode that the kernel side saw.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "probe/internal.h"

static int emit(struct probe *p, const struct ev_hdr *of, __u32 flags, __u64 chan, const char *link)
{
	struct ev_name e = {
		.hdr = {.kind = EV_NAME,
			.len = sizeof(e),
			.pid = of->pid,
			.tid = of->tid,
			.flags = flags,
			.ts_ns = of->ts_ns},
		.chan = chan,
	};
	ssize_t n = readlink(link, (char *)e.text, sizeof(e.text) - 1);

	if (n <= 0)
		return 0;
	p->stats.records++;
	return p->on_record(p->on_record_arg, &e, sizeof(e));
}

static int emit_fifo(struct probe *p, const struct ev_obj *o)
{
	char link[64];
	struct stat st;

	snprintf(link, sizeof(link), "/proc/%u/fd/%d", o->hdr.pid, o->fd);
	if (stat(link, &st) || !S_ISFIFO(st.st_mode) || st.st_ino != o->ino)
		return 0;
	return emit(p, &o->hdr, NAMEF_CHAN, o->chan, link);
}

int names_emit(struct probe *p, const struct ev_hdr *hdr)
{
	const struct ev_obj *o = (const void *)hdr;
	char link[64];

	if (hdr->kind == EV_OBJ && o->mech == MECH_FIFO && o->fd >= 0)
		return emit_fifo(p, o);
	if (hdr->kind == EV_PROC && (hdr->pid == hdr->tid || (hdr->flags & PROCF_EXEC))) {
		snprintf(link, sizeof(link), "/proc/%u/exe", hdr->pid);
		return emit(p, hdr, NAMEF_EXE, 0, link);
	}
	return 0;
}
