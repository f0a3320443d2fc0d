/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * address.h - where a workload's sockets live: in the private directory, in the
 * abstract namespace under the parent's pid, or at an ephemeral loopback port.
 */
#ifndef DEMO_ADDRESS_H
#define DEMO_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "run.h"

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_in in;
	};
	socklen_t len;
};

/*
 * Makes a socket of family (AF_UNIX, AF_INET) and type and binds it to an
 * address of its own, number idx, which goes to a. Returns the descriptor or -errno, why set.
 */
int address_bind(struct demo_run *run, int family, int type, unsigned int idx, struct address *a);

/* A socket to talk to a: a plain one, not bound. Returns the descriptor or -errno, why set. */
int address_socket(struct demo_run *run, int family, int type);

/* "unix:/path", "unix:@name" or "PREFIX:127.0.0.1:PORT". */
void address_name(const struct address *a, const char *prefix, char *buf, size_t len);

/* Refuses (run_usage) a --size that one message of this unix socket type cannot have. */
int address_check_size(struct demo_run *run, int type);

#endif
