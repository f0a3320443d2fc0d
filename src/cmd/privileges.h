/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * privileges.h - what ipcspy does with capabilities that its caller does not have.
 *
 * A file with capabilities (setcap(8)) works for whoever may run it. He names files to read
 * and write, and a command; none of these may see more of the machine than he does himself.
 * So all that tracing does not need is given up at once, the rest before a command begins,
 * and by what traces nothing. Process-wide state, as credentials are: call it before there
 * is a thread. Who has capabilities of his own, as root does, keeps them: capabilities(7).
 */
#ifndef IPCSPY_PRIVILEGES_H
#define IPCSPY_PRIVILEGES_H

#include <stdbool.h>

/*
 * Gives up what no verb needs. Returns 0, -EPERM for a file with the set-user-ID or
 * set-group-ID bit, which would make all files another user's, or -errno.
 */
int privileges_limit(void);

/* Whether the caller has none of his own: what there is came with the file. */
bool privileges_are_borrowed(void);

/* Gives up what came with the file. Returns 0 or -errno. */
int privileges_drop(void);

#endif
