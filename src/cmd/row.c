// SPDX-License-Identifier: BSD-2-Clause
#include "cmd/row.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/parse.h"

#define DIGITS     6
#define NUMBER_MAX 999999999u

char *row_name(const char *path, unsigned int number)
{
	char *name;

	return asprintf(&name, "%s.%0*u", path, DIGITS, number) < 0 ? NULL : name;
}

/* The number in the name of a file of the row, 0: it is none. */
static unsigned int number_of(const char *name, const char *base)
{
	size_t len = strlen(base);
	uint64_t number;

	if (strncmp(name, base, len) != 0 || name[len] != '.' || strlen(name + len + 1) < DIGITS ||
	    parse_u64(name + len + 1, 1, NUMBER_MAX, &number))
		return 0;
	return (unsigned int)number;
}

int row_last(const char *path, unsigned int *number)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	unsigned int last = 0;
	struct dirent *e;
	DIR *d;
	int err;

	if (!dir)
		return -ENOMEM;
	d = opendir(dir);
	err = d ? 0 : -errno;
	while (d && (e = readdir(d))) {
		unsigned int n = number_of(e->d_name, base);

		last = n > last ? n : last;
	}
	if (d)
		closedir(d);
	free(dir);
	if (!err)
		*number = last;
	return err;
}

void row_remove(const char *path, unsigned int number)
{
	char *name = row_name(path, number);

	if (name)
		unlink(name);
	free(name);
}
