// SPDX-License-Identifier: BSD-2-Clause
#include "cmd/privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(cap) (1ull << (cap))

/* No CAP_DAC_*: they open files by any name. */
static const uint64_t needed = BIT(CAP_BPF) | BIT(CAP_PERFMON) | BIT(CAP_SYS_ADMIN) |
			       BIT(CAP_SYS_PTRACE) | BIT(CAP_SYS_NICE);

/* The dynamic linker's sign that an exec raised privileges: getauxval(3), AT_SECURE. */
bool privileges_are_borrowed(void)
{
	return getauxval(AT_SECURE) != 0;
}

/* capset(2); glibc has no wrapper. Inheritable ones are the caller's. */
static int keep(uint64_t caps)
{
	struct __user_cap_header_struct hdr = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &hdr, data))
		return -errno;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted &= (uint32_t)(caps >> 32 * i);
		data[i].effective &= (uint32_t)(caps >> 32 * i);
	}
	return syscall(SYS_capset, &hdr, data) ? -errno : 0;
}

int privileges_limit(void)
{
	if (!privileges_are_borrowed())
		return 0;
	if (getuid() != geteuid() || getgid() != getegid())
		return -EPERM;
	return keep(needed);
}

int privileges_drop(void)
{
	return privileges_are_borrowed() ? keep(0) : 0;
}
