// SPDX-License-Identifier: BSD-2-Clause
#include "cmd/targets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_one(struct targets *t, pid_t pid, struct strbuf *why)
{
	int fd, err;

	if (pid == getpid()) {
		strbuf_puts(why, "cannot trace ipcspy itself");
		return -EINVAL;
	}
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd >= 0) {
		t->fds[t->cnt++] = (struct pollfd){.fd = fd, .events = POLLIN};
		return 0;
	}
	err = -errno;
	if (err == -ESRCH)
		strbuf_printf(
			why,
			"no process with pid %d: it has ended, or is not in this pid namespace",
			pid);
	else if (err == -EINVAL || err == -ENOENT)
		/* pidfd_open(2): what is no thread group leader; ENOENT since Linux 6.15 */
		strbuf_printf(
			why,
			"%d is a thread; give the process it belongs to, Tgid in /proc/%d/status",
			pid, pid);
	else
		strbuf_printf(why, "cannot watch process %d: %s", pid, strerror(-err));
	return err;
}

int targets_open(struct targets *t, const pid_t *pids, size_t cnt, struct strbuf *why)
{
	int err = 0;

	*t = (struct targets){0};
	if (!cnt)
		return 0;
	t->fds = calloc(cnt, sizeof(*t->fds));
	if (!t->fds)
		return -ENOMEM;
	for (size_t i = 0; i < cnt && !err; i++)
		err = open_one(t, pids[i], why);
	t->left = t->cnt;
	return err;
}

void targets_close(struct targets *t)
{
	for (size_t i = 0; i < t->cnt; i++) {
		if (t->fds[i].fd >= 0)
			close(t->fds[i].fd);
	}
	free(t->fds);
	*t = (struct targets){0};
}

bool targets_gone(struct targets *t)
{
	if (!t->left || poll(t->fds, t->cnt, 0) <= 0)
		return t->cnt && !t->left;
	for (size_t i = 0; i < t->cnt; i++) {
		if (t->fds[i].fd < 0 || !t->fds[i].revents)
			continue;
		close(t->fds[i].fd);
		t->fds[i].fd = -1; /* poll(2) skips it from now on */
		t->left--;
	}
	return !t->left;
}
