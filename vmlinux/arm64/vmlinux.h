/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* vmlinux.h - the kernel types of arm64 that the programs in bpf/ touch, see ../kernel.h. */
#ifndef IPCSPY_VMLINUX_H
#define IPCSPY_VMLINUX_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
	unsigned long long regs[31];
	unsigned long long orig_x0;
	int syscallno;
};

struct thread_info {
	unsigned long flags;
};

#pragma clang attribute pop

#include "../kernel.h"

#endif
