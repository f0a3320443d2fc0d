/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ends.h - who is at the other end of a channel, the one place that knows.
 *
 * A waiter is a role (EP_SEND waits for room, EP_RECV for something to read) on
 * a side of the channel. Private to src/analysis; owns nothing.
 */
#ifndef IPCSPY_ENDS_H
#define IPCSPY_ENDS_H

#include <stdbool.h>

#include "model/model.h"

/* What one side does the other undoes: EP_SEND and EP_RECV. */
enum ep_role role_opposite(enum ep_role role);

/* Could what h holds open end the wait? side: the waiter's, -1 unknown. */
bool holder_is_opposite(const struct chan *c, enum ep_role role, int side, const struct holder *h);

/* The same of one that used the channel. */
bool endpoint_is_opposite(const struct chan *c, enum ep_role role, int side,
			  const struct endpoint *ep);

/* Does who reads it see an end, once nobody has it open for writing? */
bool has_end_of_file(const struct chan *c);

/* Can anybody who knows its name come to use it? */
bool end_has_name(const struct chan *c);

/* May anybody, known or not, end a wait in this role? */
bool end_is_open(const struct chan *c, enum ep_role role);

/* The side that p is on, as it waits in this role; -1 not known. */
int end_side(const struct chan *c, const struct proc *p, enum ep_role role);

/* The descriptor through which p waits so, -1 not known. */
int end_fd(const struct chan *c, const struct proc *p, enum ep_role role, int side);

/* How much is in the direction that is waited at so; of the whole channel where there is but one.
 */
uint64_t end_backlog(const struct chan *c, enum ep_role role, int side);

/* Does p's poll of this wait for room (EP_SEND), or for something to read (EP_RECV)? */
bool polls_as(const struct chan *c, const struct proc *p, const struct polled *of,
	      enum ep_role role);

#endif
