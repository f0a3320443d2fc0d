// SPDX-License-Identifier: BSD-2-Clause
#include "probe/epoll.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "probe/envoy.h"

bool epoll_member_parse(const char *line, struct epoll_member *m)
{
	unsigned long long ino = 0;
	unsigned int events;
	const char *at;
	int fd;

	if (sscanf(line, "tfd:%d events:%x", &fd, &events) != 2 || fd < 0)
		return false;
	/* what the program keeps beside the member is printed before it, as a number */
	at = strstr(line, " ino:");
	if (at && sscanf(at, " ino:%llx", &ino) != 1)
		ino = 0;
	*m = (struct epoll_member){.fd = fd, .events = events, .ino = ino};
	return true;
}

int epoll_members(__u32 tid, __s32 fd, int (*take)(void *arg, const struct epoll_member *m),
		  void *arg)
{
	struct epoll_member m;
	char line[256];
	int err = 0;
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%u/fdinfo/%d", tid, fd);
	f = envoy_open((pid_t)tid, line);
	if (!f)
		return -errno;
	while (!err && fgets(line, sizeof(line), f))
		if (epoll_member_parse(line, &m))
			err = take(arg, &m);
	if (!err && ferror(f))
		err = -EIO;
	fclose(f);
	return err;
}
