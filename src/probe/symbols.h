/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbols.h - the names of addresses, in a process and in the kernel.
 *
 * A process's come from the files that it has mapped, opened as it sees them; they may
 * be made to mislead or to keep their reader waiting, so they are read by somebody who can be
 * given up (see stacks.c). The owner frees the list with symbols_fini().
 */
#ifndef IPCSPY_PROBE_SYMBOLS_H
#define IPCSPY_PROBE_SYMBOLS_H

#include <stdio.h>

#include "probe/elf.h"

struct symbol {
	__u64 addr;   /* sought */
	__u64 start;  /* of the function, among the same addresses; 0: it has no name */
	__u64 offset; /* without a name: where in the module, as linked; without that: addr */
	char name[sizeof(((struct stack_frame *)NULL)->symbol)];
	char module[sizeof(((struct stack_frame *)NULL)->module)]; /* "": none */
};

struct symbols {
	struct symbol *of;
	size_t cnt, cap;
};

void symbols_fini(struct symbols *s);

/* Before they are looked up. Returns 0 or -ENOMEM. */
int symbols_want(struct symbols *s, __u64 addr);

/* Look up what is wanted: then the list is in order. Names that cannot be had are left out. */
void symbols_of_process(struct symbols *s, __u32 tid);
void symbols_of_kernel(struct symbols *s);

/* The same from the text of /proc/PID/maps and of /proc/kallsyms. */
void symbols_from_maps(struct symbols *s, __u32 tid, FILE *maps);
void symbols_from_kallsyms(struct symbols *s, FILE *kallsyms);

/* Only then. NULL: it was not wanted. */
const struct symbol *symbols_find(const struct symbols *s, __u64 addr);

#endif
