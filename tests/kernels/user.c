/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user.c - what a guest does next, as an ordinary user.
 *
 *     user FILE COMMAND...
 *
 * FILE is given the capabilities of the README's setcap line, as setcap(8), which a guest
 * has not, would; then COMMAND is executed as nobody.
 */
#include <endian.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/xattr.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NOBODY 65534

int main(int argc, char **argv)
{
	/* capabilities(7), "File capability extended attribute versioning" */
	struct vfs_cap_data caps = {
		.magic_etc = htole32(VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE),
		.data[1].permitted = htole32(CAP_TO_MASK(CAP_BPF) | CAP_TO_MASK(CAP_PERFMON)),
	};

	if (argc < 3) {
		fprintf(stderr, "usage: user FILE COMMAND...\n");
		return 2;
	}
	if (setxattr(argv[1], XATTR_NAME_CAPS, &caps, sizeof(caps), 0)) {
		perror(argv[1]);
		return 1;
	}
	if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY)) {
		perror("nobody");
		return 1;
	}
	execvp(argv[2], &argv[2]);
	perror(argv[2]);
	return 1;
}
