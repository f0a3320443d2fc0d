/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * targets.h - the processes named with -p: that they are there, and when they are gone.
 *
 * Watches a pidfd for each, so a pid that is used again is not taken for the
 * process that was meant. Owner: who calls targets_open(); ends with
 * targets_close().
 */
#ifndef IPCSPY_TARGETS_H
#define IPCSPY_TARGETS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/strbuf.h"

struct targets {
	struct pollfd *fds;
	size_t cnt, left;
};

/*
 * Returns 0, -EINVAL or -ESRCH with the reason in why, or another -errno.
 * targets_close() is due in each case.
 */
int targets_open(struct targets *t, const pid_t *pids, size_t cnt, struct strbuf *why);
void targets_close(struct targets *t);

/* All of them ended; false when there were none. */
bool targets_gone(struct targets *t);

#endif
