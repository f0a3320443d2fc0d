/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unix.h - what the classes of unix sockets share: the index by socket address
 * and names. The index owns nothing and leads to the newest object, because
 * the kernel uses addresses again.
 */
#ifndef IPCSPY_MODEL_UNIX_H
#define IPCSPY_MODEL_UNIX_H

#include "model/internal.h"

/*
 * Takes addresses and name from ev into o and the index. An older object at
 * the same address no longer exists: it is marked dead, and its channel closed
 * when that was all of it.
 */
int unix_describe(struct model *m, struct obj *o, const struct ev_obj *ev);

/* The living object at this address, or NULL. */
struct obj *unix_at(const struct model *m, uint64_t self);

/* Forgets o in the index. */
void unix_gone(struct model *m, struct obj *o);

/* "unix:" and the bound name, or the inode number of o. */
int unix_set_name(struct chan *c, const struct obj *o);

/* Length of a name without the terminating NUL that some callers include. */
unsigned int unix_name_len(const struct ev_addr_un *name);

/* As struct chan_class says: by the name, which a socket has of the one it connected to. */
uint64_t unix_accept_key(const struct obj *o);
bool unix_accepts(const struct obj *listener, const struct obj *o);

/* Row for closed ones: by name where there is one. */
const char *unix_fold_name(const struct chan *c, char *buf, size_t len);

#endif
