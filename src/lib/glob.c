/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/glob.h"

#include <errno.h>
#include <string.h>

#include "ipcspy/config.h"

int glob_compile(struct glob *g, const char *pattern)
{
	unsigned int n = 0;

	if (strlen(pattern) > IPCSPY_GLOB_MAX)
		return -EINVAL;
	*g = (struct glob){.gaps = 0};
	for (; *pattern; pattern++) {
		if (*pattern == '*') {
			g->gaps |= 1ull << n;
			continue;
		}
		for (unsigned int c = 1; c < 256; c++)
			if (*pattern == '?' || (unsigned char)*pattern == c)
				g->takes[c] |= 1ull << n;
		n++;
	}
	g->end = 1ull << n;
	return 0;
}

bool glob_match(const struct glob *g, const char *name)
{
	__u64 state = 1;

	for (; *name; name++)
		state = glob_step(g, state, (unsigned char)*name);
	return state & g->end;
}
