/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * envoy.h - reads what another process can make wait for ever.
 *
 * Its memory may be given by a file system or a userfaultfd(2) that never answers, a lock of its
 * own may be held by who waits for that, and a path may lead there; some of it no signal ends.
 * So a process of its own is sent to read it, one for all that is asked between envoy_begin() and
 * envoy_end(). If it does not come back in time, it is given up, what was asked is unknown, and
 * so is, for a while, whatever else of that task is asked. The time that is lost by this is
 * bounded from one envoy_begin() to the next. For one thread of a process.
 */
#ifndef IPCSPY_PROBE_ENVOY_H
#define IPCSPY_PROBE_ENVOY_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * sent: told of each envoy before it does anything that could be seen, its pid or, where self is
 * given, what self() says in it. Both may be NULL; arg must be good until envoy_end().
 */
void envoy_begin(int (*self)(void), void (*sent)(void *arg, __u32 pid), void *arg);
void envoy_end(void);

/* This process can be given up itself: from now on it reads all of it on its own. */
void envoy_be(void);

/* Copies from a task's memory, 64 KiB at most. False: not all of it could be read. */
bool envoy_memory(pid_t tid, __u64 addr, void *buf, size_t len);

/* A file below /proc that tells of a task, to be read once and closed; NULL and errno. */
FILE *envoy_open(pid_t tid, const char *path);

/* statx(2) of a path that a task gave. Returns 0 or -errno. */
int envoy_statx(pid_t tid, const char *path, unsigned int mask, struct statx *out);

#endif
