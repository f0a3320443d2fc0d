// SPDX-License-Identifier: BSD-2-Clause
#include "probe/elf.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTIONS_MAX 4096
#define TABLES_MAX   4          /* of symbols */
#define SYMBOLS_MAX  (2u << 20) /* of one table */
#define CHUNK        512        /* symbols that are read at once */
#define NAMES_MAX    65536      /* that are compared, of one file */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NATIVE_ORDER ELFDATA2LSB
#else
#define NATIVE_ORDER ELFDATA2MSB
#endif

struct search {
	const struct elf_file *f;
	struct elf_symbol *syms; /* cnt, in order */
	size_t cnt;
	unsigned int names_left; /* that may be looked at */
};

/* All of it or nothing. */
static bool read_at(const struct elf_file *f, __u64 at, void *buf, size_t len)
{
	if (at > f->size || len > f->size - at)
		return false;
	return pread(f->fd, buf, len, (off_t)at) == (ssize_t)len;
}

int elf_open(struct elf_file *f, int fd)
{
	struct stat st;

	f->fd = fd;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < 0 || (__u64)st.st_size > ELF_FILE_MAX)
		return -EINVAL;
	f->size = (__u64)st.st_size;
	if (!read_at(f, 0, &f->eh, sizeof(f->eh)))
		return -EINVAL;
	if (memcmp(f->eh.e_ident, ELFMAG, SELFMAG) || f->eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    f->eh.e_ident[EI_DATA] != NATIVE_ORDER || f->eh.e_phentsize != sizeof(Elf64_Phdr) ||
	    f->eh.e_phnum > ELF_SEGMENTS_MAX)
		return -EINVAL;
	return read_at(f, f->eh.e_phoff, f->ph, f->eh.e_phnum * sizeof(f->ph[0])) ? 0 : -EINVAL;
}

bool elf_vaddr(const struct elf_file *f, __u64 off, __u64 *out)
{
	for (unsigned int i = 0; i < f->eh.e_phnum; i++) {
		const Elf64_Phdr *ph = &f->ph[i];

		if (ph->p_type == PT_LOAD && ph->p_flags & PF_X && off >= ph->p_offset &&
		    off - ph->p_offset < ph->p_filesz) {
			*out = ph->p_vaddr + (off - ph->p_offset);
			return true;
		}
	}
	return false;
}

static bool section(const struct elf_file *f, unsigned int i, Elf64_Shdr *out)
{
	return i < f->eh.e_shnum &&
	       read_at(f, f->eh.e_shoff + (__u64)i * sizeof(*out), out, sizeof(*out)) &&
	       out->sh_offset <= f->size && out->sh_size <= f->size - out->sh_offset;
}

static bool is_function(const Elf64_Sym *sym)
{
	unsigned int type = ELF64_ST_TYPE(sym->st_info);

	/* without a size there is no telling where it ends */
	return (type == STT_FUNC || type == STT_GNU_IFUNC) && sym->st_shndx != SHN_UNDEF &&
	       sym->st_size && sym->st_size <= UINT64_MAX - sym->st_value;
}

/* The first that is not below vaddr. */
static size_t first_from(const struct elf_symbol *syms, size_t cnt, __u64 vaddr)
{
	size_t low = 0;

	while (low < cnt) {
		size_t mid = low + (cnt - low) / 2;

		if (syms[mid].vaddr < vaddr)
			low = mid + 1;
		else
			cnt = mid;
	}
	return low;
}

/* Of several names for the same code that which programs call it by: "write", not "__write". */
static bool is_plain(const struct elf_file *f, __u64 name_at)
{
	char first;

	return read_at(f, name_at, &first, 1) && first != '_';
}

static void match(struct search *in, const Elf64_Sym *sym, const Elf64_Shdr *names)
{
	__u64 name_at = names->sh_offset + sym->st_name;
	bool plain;

	if (!is_function(sym) || sym->st_name >= names->sh_size)
		return;
	for (size_t i = first_from(in->syms, in->cnt, sym->st_value); i < in->cnt; i++) {
		struct elf_symbol *s = &in->syms[i];

		if (s->vaddr - sym->st_value >= sym->st_size || !in->names_left)
			return;
		if (s->size &&
		    (sym->st_value < s->start || (sym->st_value == s->start && s->plain)))
			continue;
		in->names_left--;
		plain = is_plain(in->f, name_at);
		if (s->size && sym->st_value == s->start && !plain)
			continue;
		s->start = sym->st_value;
		s->size = sym->st_size;
		s->plain = plain;
		s->name_at = name_at;
		s->name_max = names->sh_size - sym->st_name;
	}
}

static void match_table(struct search *in, const Elf64_Shdr *table)
{
	__u64 left = table->sh_size / sizeof(Elf64_Sym), at = table->sh_offset;
	Elf64_Sym chunk[CHUNK];
	Elf64_Shdr names;

	if (table->sh_entsize != sizeof(Elf64_Sym) || !section(in->f, table->sh_link, &names) ||
	    names.sh_type != SHT_STRTAB)
		return;
	left = left < SYMBOLS_MAX ? left : SYMBOLS_MAX;
	while (left) {
		size_t n = left < CHUNK ? (size_t)left : CHUNK;

		if (!read_at(in->f, at, chunk, n * sizeof(chunk[0])))
			return;
		for (size_t i = 0; i < n; i++)
			match(in, &chunk[i], &names);
		at += n * sizeof(chunk[0]);
		left -= n;
	}
}

static void read_name(const struct elf_file *f, struct elf_symbol *s)
{
	char buf[sizeof(s->name) + 1];
	size_t len = s->name_max < sizeof(buf) ? (size_t)s->name_max : sizeof(buf);

	if (s->size && read_at(f, s->name_at, buf, len))
		stack_name(s->name, sizeof(s->name), buf, len);
}

void elf_symbols(const struct elf_file *f, struct elf_symbol *syms, size_t cnt)
{
	struct search in = {.f = f, .syms = syms, .cnt = cnt, .names_left = NAMES_MAX};
	unsigned int tables = 0;
	Elf64_Shdr sh;

	for (size_t i = 0; i < cnt; i++)
		syms[i] = (struct elf_symbol){.vaddr = syms[i].vaddr};
	if (f->eh.e_shentsize != sizeof(sh))
		return;
	for (unsigned int i = 0; i < f->eh.e_shnum && i < SECTIONS_MAX; i++) {
		if (!section(f, i, &sh) || (sh.sh_type != SHT_SYMTAB && sh.sh_type != SHT_DYNSYM))
			continue;
		if (tables++ >= TABLES_MAX)
			break;
		match_table(&in, &sh);
	}
	for (size_t i = 0; i < cnt; i++)
		read_name(f, &syms[i]);
}
