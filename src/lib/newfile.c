// SPDX-License-Identifier: BSD-2-Clause
#include "lib/newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_excl(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);

	return fd < 0 ? -errno : fd;
}

/* A FIFO, a terminal, /dev/null: there is nothing in it that could be lost. */
static int open_stream(const char *path)
{
	/* O_NONBLOCK: a FIFO nobody reads is an error, not a wait without end */
	int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || S_ISREG(st.st_mode)) {
		close(fd);
		return -EEXIST;
	}
	return fd;
}

/* A name beside path that is nobody's. */
static int open_temp(struct newfile *f, const char *path)
{
	int fd;

	if (asprintf(&f->temp, "%s.%d.tmp", path, (int)getpid()) < 0) {
		f->temp = NULL;
		return -ENOMEM;
	}
	fd = open_excl(f->temp);
	if (fd < 0) {
		free(f->temp);
		f->temp = NULL;
	}
	return fd;
}

int newfile_open(struct newfile *f, const char *path, bool force)
{
	struct stat st;
	int fd;

	*f = (struct newfile){.fd = -1, .path = path};
	fd = open_excl(path);
	f->made = fd >= 0;
	if (fd == -EEXIST) {
		if (lstat(path, &st))
			return -errno;
		if (S_ISLNK(st.st_mode))
			return -ELOOP;
		if (S_ISDIR(st.st_mode))
			return -EISDIR;
		if (!S_ISREG(st.st_mode))
			fd = open_stream(path);
		else if (force)
			fd = open_temp(f, path);
		f->made = f->temp != NULL;
	}
	if (fd < 0)
		return fd;
	f->fd = fd;
	return 0;
}

int newfile_commit(struct newfile *f)
{
	if (f->made && f->temp && rename(f->temp, f->path))
		return -errno;
	f->made = false;
	return 0;
}

int newfile_close(struct newfile *f)
{
	int err = 0;

	if (f->fd >= 0 && close(f->fd))
		err = -errno;
	f->fd = -1;
	if (f->made)
		unlink(f->temp ? f->temp : f->path);
	f->made = false;
	free(f->temp);
	f->temp = NULL;
	return err;
}
