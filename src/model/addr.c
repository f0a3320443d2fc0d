// SPDX-License-Identifier: BSD-2-Clause
/* Internet addresses: comparing, hashing and writing them down. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "model/internal.h"

static size_t host_len(const struct ev_addr_in *a)
{
	return a->family == AF_INET6 ? 16 : 4;
}

bool addr_is_loopback(const struct ev_addr_in *a)
{
	static const uint8_t one[16] = {[15] = 1};

	if (a->family == AF_INET)
		return a->addr[0] == 127;
	return a->family == AF_INET6 && memcmp(a->addr, one, 16) == 0;
}

bool addr_is_any(const struct ev_addr_in *a)
{
	static const uint8_t zero[16];

	return memcmp(a->addr, zero, host_len(a)) == 0;
}

bool addr_same_host(const struct ev_addr_in *a, const struct ev_addr_in *b)
{
	return a->family == b->family && memcmp(a->addr, b->addr, host_len(a)) == 0;
}

bool addr_equal(const struct ev_addr_in *a, const struct ev_addr_in *b)
{
	return a->port == b->port && addr_same_host(a, b);
}

/* By port, then by address: the ephemeral port, so the connecting side, is the greater one. */
int addr_compare(const struct ev_addr_in *a, const struct ev_addr_in *b)
{
	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->addr, b->addr, host_len(a));
}

uint64_t addr_hash(const struct ev_addr_in *a)
{
	uint64_t w[2] = {0, 0};

	memcpy(w, a->addr, host_len(a));
	return hmap_mix(hmap_mix(w[0], w[1]), (uint64_t)a->family << 16 | a->port);
}

const char *addr_text(const struct ev_addr_in *a, char buf[ADDR_TEXT_LEN])
{
	char host[INET6_ADDRSTRLEN];

	if ((a->family != AF_INET && a->family != AF_INET6) ||
	    !inet_ntop(a->family, a->addr, host, sizeof(host)))
		snprintf(buf, ADDR_TEXT_LEN, "?");
	else if (a->family == AF_INET6)
		snprintf(buf, ADDR_TEXT_LEN, "[%s]:%u", host, a->port);
	else
		snprintf(buf, ADDR_TEXT_LEN, "%s:%u", host, a->port);
	return buf;
}
