/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * locks.h - who waits for whose file lock, by /proc/locks (proc_locks(5)).
 *
 * The kernel prints a lock and behind it, marked "->", those that wait for it. Text
 * of any other form is passed over. The owner embeds the table and calls locks_fini().
 */
#ifndef IPCSPY_PROBE_LOCKS_H
#define IPCSPY_PROBE_LOCKS_H

#include <stddef.h>

#include "ipcspy/event.h"

enum lock_class { LOCK_FLOCK = 1, LOCK_POSIX = 2, LOCK_OFD = 3 };

struct lock_wait {
	enum lock_class class;
	__s32 pid;    /* process that waits; -1: a lock of an open file says none */
	__s32 holder; /* process that has the lock, 0 unknown */
	__u64 ino;    /* of the file */
};

struct lock_table {
	struct lock_wait *rows;
	size_t cnt, cap;
	struct lock_wait head; /* the lock whose waiters follow */
};

void locks_init(struct lock_table *t);
void locks_fini(struct lock_table *t);

/* One line, terminated, without its newline. Returns 0 or -ENOMEM. */
int locks_line(struct lock_table *t, const char *line);

/* All of /proc/locks. Returns 0 or -errno; what was read until then is kept. */
int locks_read(struct lock_table *t);

/* Who has the lock that a process waits for. ino 0: of whatever file. 0: unknown. */
__s32 locks_holder(const struct lock_table *t, enum lock_class class, __s32 pid, __u64 ino);

#endif
