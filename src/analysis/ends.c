// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/ends.h"

#include <poll.h>

#define FOR_INPUT (POLLIN | POLLPRI | POLLRDNORM | POLLRDBAND)
#define FOR_ROOM  (POLLOUT | POLLWRNORM | POLLWRBAND)

enum ep_role role_opposite(enum ep_role role)
{
	return role == EP_SEND ? EP_RECV : EP_SEND;
}

bool holder_is_opposite(const struct chan *c, enum ep_role role, int side, const struct holder *h)
{
	switch (chan_shape(c)) {
	case SHAPE_PIPE:
		return h->can & (role == EP_SEND ? HOLDF_READ : HOLDF_WRITE);
	case SHAPE_PAIR:
		return h->side != side;
	default: /* of a queue only the receivers hold a descriptor */
		return role == EP_SEND;
	}
}

bool endpoint_is_opposite(const struct chan *c, enum ep_role role, int side,
			  const struct endpoint *ep)
{
	if (chan_shape(c) == SHAPE_PAIR)
		return ep->side != side;
	return ep->role == role_opposite(role);
}

bool has_end_of_file(const struct chan *c)
{
	return c->mech == MECH_PIPE || c->mech == MECH_FIFO;
}

bool end_has_name(const struct chan *c)
{
	return c->mech == MECH_FIFO || c->mech == MECH_POSIX_MQ || c->mech == MECH_SYSV_MSG ||
	       c->mech == MECH_SYSV_SEM;
}

bool end_is_open(const struct chan *c, enum ep_role role)
{
	switch (chan_shape(c)) {
	case SHAPE_INBOX:
	case SHAPE_CALL:
	case SHAPE_MEMORY:
		return true;
	case SHAPE_QUEUE:
		return role == EP_RECV && !chan_is_unheld(c);
	default:
		return false;
	}
}

int end_side(const struct chan *c, const struct proc *p, enum ep_role role)
{
	list_for_each (ep, &c->endpoints, struct endpoint, in_chan)
		if (ep->proc == p && ep->role == role)
			return ep->side;
	list_for_each (h, &c->holders, struct holder, in_chan)
		if (h->proc == p)
			return h->side;
	return -1;
}

static bool is_own_end(const struct chan *c, enum ep_role role, int side, const struct holder *h)
{
	if (chan_shape(c) == SHAPE_PAIR)
		return h->side == side;
	return h->can & (role == EP_SEND ? HOLDF_WRITE : HOLDF_READ);
}

int end_fd(const struct chan *c, const struct proc *p, enum ep_role role, int side)
{
	list_for_each (h, &c->holders, struct holder, in_chan)
		if (h->proc == p && is_own_end(c, role, side, h))
			return h->fd;
	return -1;
}

uint64_t end_backlog(const struct chan *c, enum ep_role role, int side)
{
	if (chan_shape(c) != SHAPE_PAIR || side < 0)
		return c->backlog.now;
	return c->dir_now[role == EP_SEND ? side & 1 : !side];
}

/* What a descriptor of p allows: HOLDF_*, 0 not known. */
static unsigned int rights_of(const struct chan *c, const struct proc *p, int fd)
{
	list_for_each (h, &c->holders, struct holder, in_chan)
		if (h->proc == p && h->fd == fd)
			return h->can;
	return 0;
}

/* Of a pipe's one end nothing comes but its other end's close: pipe_poll() in fs/pipe.c. */
bool polls_as(const struct chan *c, const struct proc *p, const struct polled *of,
	      enum ep_role role)
{
	unsigned int can = has_end_of_file(c) ? rights_of(c, p, of->fd) : 0;

	if (can == HOLDF_WRITE || can == HOLDF_READ)
		return (role == EP_SEND) == (can == HOLDF_WRITE);
	if (role == EP_SEND)
		return of->events & FOR_ROOM;
	return of->events & FOR_INPUT || !(of->events & FOR_ROOM);
}
