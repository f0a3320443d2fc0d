/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * msgqueue.h - a System V message queue for every workload that uses one.
 *
 * A process has at most one, which its children inherit; its maker removes it.
 */
#ifndef DEMO_MSGQUEUE_H
#define DEMO_MSGQUEUE_H

#include "worker.h"

/* msgsnd(2) and msgrcv(2) on the queue; --types says which types. */
extern const struct port_ops sysv_port;

/* Creates the queue and describes it on the board. Returns 0 or -errno, why set. */
int sysv_make(struct demo_run *run, struct demo_chan *c);

/* None: does nothing. */
void sysv_remove(void);

#endif
