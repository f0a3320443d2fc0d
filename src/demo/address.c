/* SPDX-License-Identifier: BSD-2-Clause */
#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What unix_dgram_sendmsg() of net/unix/af_unix.c keeps of the send buffer for itself. */
#define UNIX_SNDBUF_SPARE 32

int address_socket(struct demo_run *run, int family, int type)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	return fd < 0 ? run_fail_errno(run, -errno, "cannot make a socket") : fd;
}

static int make_unix(struct demo_run *run, unsigned int idx, struct address *a)
{
	char *path = a->un.sun_path;
	size_t room = sizeof(a->un.sun_path);
	int n, err;

	a->un.sun_family = AF_UNIX;
	if (run->opts.abstract) {
		n = snprintf(path + 1, room - 1, "ipcspy-demo.%d.%u", (int)run->parent, idx);
		a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
		return 0;
	}
	if (!run->dir[0]) {
		err = run_make_dir(run);
		if (err)
			return err;
	}
	n = snprintf(path, room, "%s/%u", run->dir, idx);
	if (n < 0 || (size_t)n >= room)
		return run_fail(run, -ENAMETOOLONG,
				"TMPDIR is too long for a socket's path; use --abstract");
	a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n + 1);
	return 0;
}

int address_bind(struct demo_run *run, int family, int type, unsigned int idx, struct address *a)
{
	int fd, err = 0;

	*a = (struct address){0};
	if (family == AF_UNIX) {
		err = make_unix(run, idx, a);
	} else {
		a->in.sin_family = AF_INET;
		a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		a->len = sizeof(a->in);
	}
	if (err)
		return err;
	fd = address_socket(run, family, type);
	if (fd < 0)
		return fd;
	if (bind(fd, &a->any, a->len))
		err = -errno;
	/* Which port it became. A unix address is kept as asked for: it comes back the same. */
	if (!err && family == AF_INET && getsockname(fd, &a->any, &a->len))
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return run_fail_errno(run, err, "cannot bind a socket");
}

void address_name(const struct address *a, const char *prefix, char *buf, size_t len)
{
	char ip[INET_ADDRSTRLEN] = "?";

	if (a->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->in.sin_addr, ip, sizeof(ip));
		snprintf(buf, len, "%s:%s:%u", prefix, ip, ntohs(a->in.sin_port));
	} else if (!a->un.sun_path[0]) {
		snprintf(buf, len, "unix:@%s", a->un.sun_path + 1);
	} else {
		snprintf(buf, len, "unix:%s", a->un.sun_path);
	}
}

int address_check_size(struct demo_run *run, int type)
{
	int fd = address_socket(run, AF_UNIX, type), sndbuf = 0, err = 0;
	socklen_t len = sizeof(sndbuf);

	if (fd < 0)
		return fd;
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, &len))
		err = run_fail_errno(run, -errno, "cannot ask for a socket's send buffer");
	else if (run->opts.size + UNIX_SNDBUF_SPARE > (uint64_t)sndbuf)
		err = run_usage(run, "--size is at most %d: a message must fit the send buffer",
				sndbuf - UNIX_SNDBUF_SPARE);
	close(fd);
	return err;
}
