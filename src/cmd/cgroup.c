// SPDX-License-Identifier: BSD-2-Clause
#include "cmd/cgroup.h"

#include <errno.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

static int id_of(uint64_t *id, const char *dir)
{
	struct statfs fs;
	struct stat st;

	if (statfs(dir, &fs) || stat(dir, &st))
		return -errno;
	if (fs.f_type != CGROUP2_SUPER_MAGIC || !S_ISDIR(st.st_mode))
		return -ENOTDIR;
	*id = st.st_ino;
	return 0;
}

static int id_below(uint64_t *id, const char *mount, const char *name)
{
	struct strbuf path;
	int err;

	strbuf_init(&path);
	strbuf_puts(&path, mount);
	strbuf_putc(&path, '/');
	strbuf_puts(&path, name);
	err = path.err ? path.err : id_of(id, path.s);
	strbuf_fini(&path);
	return err;
}

int cgroup_find(uint64_t *id, const char *name, struct strbuf *why)
{
	bool mounted = false, found = !id_of(id, name);
	FILE *mounts = found ? NULL : setmntent("/proc/self/mounts", "re");
	const struct mntent *m;

	while (mounts && !found && (m = getmntent(mounts)))
		if (!strcmp(m->mnt_type, "cgroup2")) {
			mounted = true;
			found = !id_below(id, m->mnt_dir, name);
		}
	if (mounts)
		endmntent(mounts);
	if (found)
		return 0;
	if (!mounted) {
		strbuf_puts(why, "-c needs cgroup v2, and none is mounted here");
		return -ENOENT;
	}
	strbuf_puts(why, "no cgroup '");
	strbuf_put_escaped(why, name, strlen(name));
	strbuf_puts(why, "'; /proc/PID/cgroup tells that of a process, behind 0::");
	return -ENOENT;
}
