// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/ends.h"

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
