/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conn.h - connected sockets for every workload that uses some.
 */
#ifndef DEMO_CONN_H
#define DEMO_CONN_H

#include "worker.h"

/* send(2) and recv(2) on a byte stream. */
extern const struct port_ops conn_stream_port;

/*
 * Creates a pair of unix sockets of that type, close-on-exec, and describes it on the
 * board: fds[0] is the sending end. The caller owns both. Returns 0 or -errno, why set.
 */
int conn_pair(struct demo_run *run, struct demo_chan *c, int type, int fds[2]);

#endif
