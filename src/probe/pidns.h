/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pidns.h - the pids of the caller of ipcspy, in place of the machine's, by which the kernel
 * side goes.
 *
 * Where the caller lives in the machine's own pid namespace both are the same, and nothing
 * of this is used. Else the kernel side fills a table by the machine's number (pidns.bpf.h),
 * which is mapped here, and every record passes pidns_translate() before anybody else reads
 * it: so /proc is asked by the numbers that it has. Who is outside the namespace
 * has none: PID_OUTSIDE. A number that another task has by now, while a record of the first is
 * still on its way, is the other's; that takes all numbers of the machine in one nap.
 */
#ifndef IPCSPY_PROBE_PIDNS_H
#define IPCSPY_PROBE_PIDNS_H

#include <stdbool.h>
#include <stddef.h>

#include "ipcspy/event.h"

/* The longest record that is translated. */
#define PIDNS_RECORD_MAX 512

struct pidns {
	const __u32 *numbers; /* by the machine's number; NULL: both are the same */
	size_t cnt;
};

/* Inode number of the caller's pid namespace; 0: the machine's, as far as can be known. */
__u32 pidns_ino(void);

/* Whether /proc has the caller's numbers. False, too, where there is none. */
bool pidns_has_proc(void);

/* This process's pid as the machine has it; -errno when the kernel does not tell. */
int pidns_self(void);

/* Maps the table behind fd, PID_NUMBERS long. Returns 0 or -errno. */
int pidns_open(struct pidns *ns, int fd);
void pidns_close(struct pidns *ns);

/* Replaces the machine's numbers in a checked or own record of h->len bytes. */
void pidns_translate(const struct pidns *ns, struct ev_hdr *h);

#endif
