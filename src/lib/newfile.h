/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * newfile.h - a file that is made, and takes the place of another only when it is worth it.
 *
 * Private to the user (0600). Never follows a symbolic link, never writes into
 * a file that was there. With force, an existing regular file stays what it is until
 * newfile_commit(). Without a commit, closing leaves everything as it was. A FIFO or
 * a device is written to as it is. Owner: who calls newfile_open(); ends with newfile_close().
 */
#ifndef IPCSPY_NEWFILE_H
#define IPCSPY_NEWFILE_H

#include <stdbool.h>

struct newfile {
	int fd;           /* -1: not open */
	const char *path; /* borrowed */
	char *temp;       /* what to rename, NULL: path itself was made */
	bool made;        /* and not yet committed */
};

/*
 * Returns 0, -EEXIST (a regular file is there, and no force), -ELOOP (a symbolic
 * link), or another -errno of open(2).
 */
int newfile_open(struct newfile *f, const char *path, bool force);

/* The file stays. Returns 0 or -errno of rename(2). */
int newfile_commit(struct newfile *f);

/* Returns 0 or -errno of close(2). */
int newfile_close(struct newfile *f);

#endif
