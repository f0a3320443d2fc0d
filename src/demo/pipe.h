/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipe.h - pipes for every workload that uses one.
 */
#ifndef DEMO_PIPE_H
#define DEMO_PIPE_H

#include "worker.h"

/* read(2) and write(2) on a byte stream. */
extern const struct port_ops pipe_port;

/* Creates a pipe, close-on-exec, and describes it on the board. The caller owns both ends. */
int pipe_make(struct demo_run *run, struct demo_chan *c, int fds[2]);

#endif
