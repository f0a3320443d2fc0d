/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * accepts.h - connections that nobody has accepted yet.
 *
 * Who connected goes on before the other side accepts, and may send and wait for an answer. The
 * other end is nobody's then: it is up to whoever has the listening socket. Owns its vectors;
 * accepts_fini() frees them, after a failure, too. Borrows channels from the model.
 */
#ifndef IPCSPY_ANALYSIS_ACCEPTS_H
#define IPCSPY_ANALYSIS_ACCEPTS_H

#include "lib/hmap.h"
#include "model/model.h"

struct accepts {
	struct hmap by_key;  /* the first listening socket of a key, plus 1, in of[] */
	struct hmap one_end; /* by key: connections of which one end is nobody's */
	struct acceptor *of; /* cnt listening sockets at which somebody waits */
	size_t cnt, cap;
};

/* Returns 0 or -ENOMEM. */
int accepts_index(struct accepts *a, const struct model *m);
void accepts_fini(struct accepts *a);

/* Where c may wait to be accepted: *at is 0 for the first one, NULL after the last. */
const struct chan *accepts_next(const struct accepts *a, const struct chan *c, uint32_t *at);

/*
 * Is it sure that c waits there? No more connections are without another end than wait to be
 * accepted; else that of c may be on its way through a socket.
 */
bool accepts_surely(const struct accepts *a, const struct chan *c);

#endif
