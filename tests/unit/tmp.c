// SPDX-License-Identifier: BSD-2-Clause
#include "tmp.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

int tmp_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char *dir;

	if (asprintf(&dir, "%s/ipcspy-unit.XXXXXX", tmp && *tmp ? tmp : "/tmp") < 0)
		return -ENOMEM;
	if (!mkdtemp(dir)) {
		free(dir);
		return -errno;
	}
	*state = dir;
	return 0;
}

static int discard(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

int tmp_teardown(void **state)
{
	int err = nftw(*state, discard, 4, FTW_DEPTH | FTW_PHYS);

	free(*state);
	return err;
}

void tmp_path(char path[PATH_MAX], void **state, const char *name)
{
	assert_in_range(snprintf(path, PATH_MAX, "%s/%s", (const char *)*state, name), 1,
			PATH_MAX - 1);
}
