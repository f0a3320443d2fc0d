// SPDX-License-Identifier: BSD-2-Clause
#include "cmd/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/privileges.h"
#include "cmd/signals.h"

#define STATUS_NO_EXEC 127

struct command_page {
	int go;    /* set before the lock is let go: it is also free when we die */
	int execs; /* the child has the lock, which it loses when the new program begins */
	int error; /* errno of the child's exec, 0 none */
};

static int lock(int fd, int cmd, short type)
{
	struct flock fl = {.l_type = type, .l_whence = SEEK_SET};

	return fcntl(fd, cmd, &fl) ? -errno : 0;
}

static void __attribute__((noreturn)) child(struct command *c)
{
	int err;

	do
		err = lock(c->lock_fd, F_SETLKW, F_WRLCK);
	while (err == -EINTR);
	if (err || !c->page->go)
		_exit(STATUS_NO_EXEC);
	c->page->execs = 1;
	signals_restore_write();
	err = privileges_drop(); /* the program is looked for, and opened, by the caller's rights */
	if (!err)
		execvp(c->argv[0], c->argv);
	c->page->error = err ? -err : errno;
	_exit(STATUS_NO_EXEC);
}

int command_start(struct command *c, char *const *argv)
{
	int err;

	*c = (struct command){.argv = argv, .pid = -1, .page = MAP_FAILED};
	c->lock_fd = memfd_create("ipcspy-command", MFD_CLOEXEC);
	if (c->lock_fd < 0)
		return -errno;
	if (ftruncate(c->lock_fd, (off_t)sizeof(*c->page)))
		return -errno;
	c->page = mmap(NULL, sizeof(*c->page), PROT_READ | PROT_WRITE, MAP_SHARED, c->lock_fd, 0);
	if (c->page == MAP_FAILED)
		return -errno;
	err = lock(c->lock_fd, F_SETLK, F_WRLCK);
	if (err)
		return err;
	c->pid = fork();
	if (c->pid < 0)
		return -errno;
	if (!c->pid)
		child(c);
	return 0;
}

int command_go(struct command *c)
{
	c->page->go = 1;
	return lock(c->lock_fd, F_SETLK, F_UNLCK);
}

/* fcntl(2): closing a file, here because of O_CLOEXEC, lets go of the locks on it. */
bool command_runs(const struct command *c)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (!c->argv)
		return true;
	return c->page->execs && !fcntl(c->lock_fd, F_GETLK, &fl) && fl.l_type == F_UNLCK &&
	       !c->page->error;
}

static void reap(struct command *c, int flags)
{
	pid_t pid;

	if (c->ended || c->pid <= 0)
		return;
	do
		pid = waitpid(c->pid, &c->status, flags);
	while (pid < 0 && errno == EINTR);
	c->ended = pid == c->pid;
}

void command_poll(struct command *c)
{
	reap(c, WNOHANG);
}

int command_exec_error(const struct command *c)
{
	return c->ended ? c->page->error : 0;
}

void command_signal(const struct command *c, int sig)
{
	if (c->pid > 0 && !c->ended)
		kill(c->pid, sig);
}

void command_fini(struct command *c)
{
	if (!c->argv)
		return;
	if (c->page != MAP_FAILED) {
		if (!c->page->go) {
			command_signal(c, SIGKILL);
			reap(c, 0);
		}
		munmap((void *)c->page, sizeof(*c->page));
	}
	if (c->lock_fd >= 0)
		close(c->lock_fd);
	*c = (struct command){0};
}
