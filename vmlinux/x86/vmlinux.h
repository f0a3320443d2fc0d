/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* vmlinux.h - the kernel types of x86_64 that the programs in bpf/ touch, see ../kernel.h. */
#ifndef IPCSPY_VMLINUX_H
#define IPCSPY_VMLINUX_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
	unsigned long r10, r9, r8, ax, dx, si, di, orig_ax;
};

struct thread_info {
	unsigned int status;
};

#pragma clang attribute pop

#include "../kernel.h"

#endif
