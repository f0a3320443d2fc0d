/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syscalls.h - the system calls that ipcspy understands: one row each.
 *
 * The kernel side gets this table by number; views print its names. Adding a
 * call is adding a row. Owns constant data only.
 */
#ifndef IPCSPY_SYSCALLS_H
#define IPCSPY_SYSCALLS_H

#include <linux/types.h>
#include <stddef.h>

#include "ipcspy/config.h"

struct syscall_row {
	unsigned int nr; /* on this machine */
	const char *name;
	struct ipcspy_sys sys;
};

/* The table; *cnt rows, in no order. */
const struct syscall_row *syscall_rows(size_t *cnt);

/* Name of a system call number; "syscall_N" in buf (len bytes) when it has no row. */
const char *syscall_name(unsigned int nr, char *buf, size_t len);

#endif
