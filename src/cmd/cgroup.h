/* SPDX-License-Identifier: BSD-2-Clause */
/* cgroup.h - the control group that is named with -c. */
#ifndef IPCSPY_CGROUP_H
#define IPCSPY_CGROUP_H

#include <stdint.h>

#include "lib/strbuf.h"

/*
 * name: a directory of a cgroup v2 hierarchy, or its path below where one is mounted, as
 * in /proc/PID/cgroup. *id: what the kernel calls it (cgroups(7), and kernfs: the inode
 * number). Returns 0 or -errno with the reason in why.
 */
int cgroup_find(uint64_t *id, const char *name, struct strbuf *why);

#endif
