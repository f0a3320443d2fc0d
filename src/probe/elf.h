/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elf.h - which function of a file an address is in: elf(5), .symtab and .dynsym.
 *
 * The file is the traced process's, and it may change while it is read: so nothing is
 * mapped, all is copied with pread(2) in pieces and checked, and no size that the file names
 * makes anything allocate. 64-bit files of this machine's byte order are understood.
 */
#ifndef IPCSPY_PROBE_ELF_H
#define IPCSPY_PROBE_ELF_H

#include <elf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/stack.h"

#define ELF_SEGMENTS_MAX 64
#define ELF_FILE_MAX     (512ull << 20) /* longer files are not looked at */

struct elf_file {
	int fd; /* the caller's */
	__u64 size;
	Elf64_Ehdr eh;
	Elf64_Phdr ph[ELF_SEGMENTS_MAX];
};

/* An address that is sought, and what was found. */
struct elf_symbol {
	__u64 vaddr;
	__u64 start, size; /* of the function; size 0: none has it */
	char name[sizeof(((struct stack_frame *)NULL)->symbol)]; /* "": none */

	/* elf.c's own */
	__u64 name_at, name_max;
	bool plain;
};

/* Reads the headers. Returns 0, or -EINVAL for what is no such file, or the -errno of reading. */
int elf_open(struct elf_file *f, int fd);

/* The address at which the byte at this offset of the file was linked. False: none of its code. */
bool elf_vaddr(const struct elf_file *f, __u64 off, __u64 *out);

/* Finds the functions of cnt addresses, which are in ascending order. What is broken is left out.
 */
void elf_symbols(const struct elf_file *f, struct elf_symbol *syms, size_t cnt);

#endif
