/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipcs.h - the IPC objects of this machine that stay when nobody uses them.
 *
 * System V objects come from /proc/sysvipc (proc(5)), in the IPC namespace of this process;
 * POSIX message queues and shared memory from their file systems. Names are
 * hostile. How many are looked at is bounded; of a mechanism that could not be looked at, or
 * not wholly, EV_IPC says so.
 */
#ifndef IPCSPY_PROBE_IPCS_H
#define IPCSPY_PROBE_IPCS_H

#include <stdbool.h>

#include "ipcspy/event.h"
#include "ipcspy/look.h"

/* A line of /proc/sysvipc/msg, sem, shm. *pids: up to two who used it, 0 none. */
struct sysv_line {
	struct ev_ipc e; /* mech, key, id, bytes, messages; users of shared memory */
	__s32 pids[2];   /* the last one first, 0 none */
	unsigned int sems;
};

/* False: it is no such line. */
bool sysv_line_parse(const char *line, enum ipcspy_mech mech, struct sysv_line *out);

#define FILES_MAX 128 /* that are open at a time */

/* Files of one directory, open. */
struct files {
	struct {
		struct ev_ipc e;
		int fd;
		bool counted;
	} of[FILES_MAX];
	unsigned int cnt;
};

/* How many others use the file, as an iterator found. NULL: nobody asked. */
void files_count(struct files *f, const struct look_file *l);

#endif
