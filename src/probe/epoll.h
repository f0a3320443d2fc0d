/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll.h - the members of an epoll instance, as /proc/PID/fdinfo/FD lists them
 * (proc_pid_fdinfo(5)). Text of any other form is passed over.
 */
#ifndef IPCSPY_PROBE_EPOLL_H
#define IPCSPY_PROBE_EPOLL_H

#include <stdbool.h>

#include "ipcspy/event.h"

struct epoll_member {
	__s32 fd; /* when it was added: it may have been closed since */
	__u32 events;
	__u64 ino; /* of its file, 0 unknown */
};

/* One line, terminated. False: it names no member. */
bool epoll_member_parse(const char *line, struct epoll_member *m);

/*
 * Calls take() for each member of the instance that a thread has open as fd, until it returns
 * something else than 0, which is returned then; -errno when the members cannot be read.
 */
int epoll_members(__u32 tid, __s32 fd, int (*take)(void *arg, const struct epoll_member *m),
		  void *arg);

#endif
