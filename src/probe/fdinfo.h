/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fdinfo.h - what proc_pid_fdinfo(5) tells of a descriptor of another process.
 *
 * Unlike the links in /proc/PID/fd these files may be read by who has CAP_SYS_PTRACE and
 * nothing else. Nothing is kept.
 */
#ifndef IPCSPY_PROBE_FDINFO_H
#define IPCSPY_PROBE_FDINFO_H

#include <linux/types.h>
#include <stdbool.h>

/* The number behind a name and its colon ("ino:"), the first of that name. False: there is none. */
bool fdinfo_number(__u32 tid, __s32 fd, const char *name, long long *out);

#endif
