// SPDX-License-Identifier: BSD-2-Clause
#include "probe/fdinfo.h"

#include <stdio.h>
#include <string.h>

#include "probe/envoy.h"

bool fdinfo_number(__u32 tid, __s32 fd, const char *name, long long *out)
{
	size_t len = strlen(name);
	bool found = false;
	char line[256];
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%u/fdinfo/%d", tid, fd);
	f = envoy_open((pid_t)tid, line);
	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = !strncmp(line, name, len) && sscanf(line + len, "%lld", out) == 1;
	fclose(f);
	return found;
}
