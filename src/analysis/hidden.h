/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hidden.h - ends of channels that somebody has without a descriptor.
 *
 * A file that was passed to a socket (SCM_RIGHTS) and that nobody received yet, one that
 * io_uring or the kernel itself keeps: no process has a descriptor of it, and yet the end is
 * open, and may come to somebody who uses it. The kernel counts references to each open file;
 * what is more than descriptors and calls can account for is somebody who is not to be seen.
 */
#ifndef IPCSPY_ANALYSIS_HIDDEN_H
#define IPCSPY_ANALYSIS_HIDDEN_H

#include "lib/hmap.h"
#include "model/model.h"

/* Counts the references that calls of the latest snapshot may have. Returns 0 or -ENOMEM. */
int hidden_index(struct hmap *calls, const struct model *m);

/* Does somebody hold the opposite of the end that is waited at in this role, on this side? */
bool hidden_holds(const struct hmap *calls, const struct chan *c, enum ep_role role, int side);

#endif
