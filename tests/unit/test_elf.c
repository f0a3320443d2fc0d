// SPDX-License-Identifier: BSD-2-Clause
/* Functions of files that may be anything. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/elf.h"
#include "probe/symbols.h"
#include "tmp.h"

#define BASE  0x401000 /* where the code is linked */
#define CODE  0x1000   /* where it is in the file */
#define SIZE  0x2000
#define NAMES "\0crunch\0__write\0write\0nosize\0extern\0data\0last"

static const char names[] = NAMES;

/* A file as linkers make them, with what is needed of it. */
struct image {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[2];
	Elf64_Shdr sh[3];
	Elf64_Sym sym[8];
	char names[sizeof(names)];
};

static Elf64_Word name(const char *s)
{
	for (size_t i = 1; i < sizeof(names); i += strlen(names + i) + 1)
		if (!strcmp(names + i, s))
			return (Elf64_Word)i;
	fail_msg("no name %s", s);
	return 0;
}

static Elf64_Sym sym(const char *s, unsigned char type, Elf64_Half section, Elf64_Addr at,
		     Elf64_Xword size)
{
	return (Elf64_Sym){.st_name = name(s),
			   .st_info = ELF64_ST_INFO(STB_GLOBAL, type),
			   .st_shndx = section,
			   .st_value = at,
			   .st_size = size};
}

static struct image image_of(void)
{
	struct image m = {
		.eh = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB},
		       .e_phoff = offsetof(struct image, ph),
		       .e_phentsize = sizeof(Elf64_Phdr),
		       .e_phnum = 2,
		       .e_shoff = offsetof(struct image, sh),
		       .e_shentsize = sizeof(Elf64_Shdr),
		       .e_shnum = 3},
		.ph = {{.p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = CODE},
		       {.p_type = PT_LOAD,
			.p_flags = PF_R | PF_X,
			.p_offset = CODE,
			.p_vaddr = BASE,
			.p_filesz = SIZE - CODE}},
		.sh = {{.sh_type = SHT_NULL},
		       {.sh_type = SHT_SYMTAB,
			.sh_offset = offsetof(struct image, sym),
			.sh_size = sizeof(m.sym),
			.sh_entsize = sizeof(Elf64_Sym),
			.sh_link = 2},
		       {.sh_type = SHT_STRTAB,
			.sh_offset = offsetof(struct image, names),
			.sh_size = sizeof(names)}},
		.sym = {sym("crunch", STT_FUNC, 1, BASE, 0x10),
			sym("__write", STT_FUNC, 1, BASE + 0x20, 0x10),
			sym("write", STT_FUNC, 1, BASE + 0x20, 0x10),
			sym("__write", STT_FUNC, 1, BASE + 0x20, 0x10),
			sym("nosize", STT_FUNC, 1, BASE + 0x40, 0),
			sym("extern", STT_FUNC, SHN_UNDEF, BASE + 0x40, 0x10),
			sym("data", STT_OBJECT, 1, BASE + 0x40, 0x10),
			sym("last", STT_FUNC, 1, BASE + 0x60, UINT64_MAX)},
	};

	memcpy(m.names, names, sizeof(names));
	return m;
}

static int file_of(const void *data, size_t len, off_t size)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	assert_int_equal(ftruncate(fd, size), 0);
	return fd;
}

static void look_up(int fd, struct elf_symbol *syms, size_t cnt)
{
	struct elf_file f;

	assert_int_equal(elf_open(&f, fd), 0);
	elf_symbols(&f, syms, cnt);
	close(fd);
}

static void functions(void **state)
{
	struct elf_symbol s[] = {{.vaddr = BASE},        {.vaddr = BASE + 0xf},
				 {.vaddr = BASE + 0x10}, {.vaddr = BASE + 0x2f},
				 {.vaddr = BASE + 0x40}, {.vaddr = BASE + 0x60}};
	static const char *const want[] = {"crunch", "crunch", "", "write", "", ""};
	struct image m = image_of();

	(void)state;
	look_up(file_of(&m, sizeof(m), SIZE), s, 6);
	for (int i = 0; i < 6; i++)
		assert_string_equal(s[i].name, want[i]);
	assert_int_equal(s[1].start, BASE);
	assert_int_equal(s[3].start, BASE + 0x20);
}

/* The one that begins last is the one that it is in. */
static void one_within_another(void **state)
{
	struct elf_symbol s[] = {{.vaddr = BASE + 5}, {.vaddr = BASE + 0x25}};
	struct image m = image_of();

	(void)state;
	m.sym[0].st_size = 0x100;
	look_up(file_of(&m, sizeof(m), SIZE), s, 2);
	assert_string_equal(s[0].name, "crunch");
	assert_string_equal(s[1].name, "write");
}

static void where_code_is_linked(void **state)
{
	struct image m = image_of();
	int fd = file_of(&m, sizeof(m), SIZE);
	struct elf_file f;
	__u64 at = 7;

	(void)state;
	assert_int_equal(elf_open(&f, fd), 0);
	assert_false(elf_vaddr(&f, CODE - 1, &at));
	assert_false(elf_vaddr(&f, SIZE, &at));
	assert_int_equal(at, 7);
	assert_true(elf_vaddr(&f, CODE + 5, &at));
	assert_int_equal(at, BASE + 5);
	close(fd);
}

static void long_names_are_cut(void **state)
{
	struct elf_symbol s = {.vaddr = BASE};
	struct image m = image_of();
	char *file = calloc(1, SIZE);

	(void)state;
	assert_non_null(file);
	m.sh[2].sh_offset = sizeof(m);
	m.sh[2].sh_size = SIZE - sizeof(m); /* and no NUL at its end */
	memcpy(file, &m, sizeof(m));
	memset(file + sizeof(m), 'x', SIZE - sizeof(m));
	look_up(file_of(file, SIZE, SIZE), &s, 1);
	assert_int_equal(strlen(s.name), sizeof(s.name) - 1);
	assert_string_equal(s.name + sizeof(s.name) - 5, "x...");
	free(file);
}

/* Numbers that lead out of the file, or round the end of all numbers. */
static void evil_numbers(void **state)
{
	static const __u64 evil[] = {0,         1,          23,        SIZE,           SIZE + 1,
				     INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX - 1, UINT64_MAX};
	static const size_t places[] = {
		offsetof(struct image, eh.e_phoff),      offsetof(struct image, eh.e_shoff),
		offsetof(struct image, ph[1].p_offset),  offsetof(struct image, ph[1].p_filesz),
		offsetof(struct image, ph[1].p_vaddr),   offsetof(struct image, sh[1].sh_offset),
		offsetof(struct image, sh[1].sh_size),   offsetof(struct image, sh[1].sh_entsize),
		offsetof(struct image, sh[2].sh_offset), offsetof(struct image, sh[2].sh_size),
		offsetof(struct image, sym[0].st_value), offsetof(struct image, sym[0].st_size),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		for (size_t k = 0; k < sizeof(evil) / sizeof(evil[0]); k++) {
			struct elf_symbol s[2] = {{.vaddr = BASE}, {.vaddr = UINT64_MAX}};
			struct image m = image_of();
			struct elf_file f;
			__u64 at;
			int fd;

			memcpy((char *)&m + places[i], &evil[k], sizeof(evil[k]));
			fd = file_of(&m, sizeof(m), SIZE);
			if (!elf_open(&f, fd)) {
				elf_vaddr(&f, CODE, &at);
				elf_symbols(&f, s, 2);
				assert_true(strlen(s[0].name) < sizeof(s[0].name));
			}
			close(fd);
		}
}

/* All bytes that are read: none, each in its turn, and any. */
static void broken_bytes(void **state)
{
	struct image m = image_of();
	unsigned int seed = 1;

	(void)state;
	for (size_t len = 0; len < sizeof(m) + 2000; len++) {
		struct elf_symbol s[2] = {{.vaddr = BASE}, {.vaddr = BASE + 0x25}};
		struct elf_file f;
		__u64 at;
		int fd;

		m = image_of();
		for (size_t i = sizeof(m); i < len; i++)
			((unsigned char *)&m)[(size_t)rand_r(&seed) % sizeof(m)] =
				(unsigned char)rand_r(&seed);
		if (len >= sizeof(m)) /* it is one of these all the same */
			memcpy(&m, &(Elf64_Ehdr){.e_ident = {0x7f, 'E', 'L', 'F', 2, 1}}, 6);
		fd = len < sizeof(m) ? file_of(&m, len, (off_t)len) : file_of(&m, sizeof(m), SIZE);
		if (!elf_open(&f, fd)) {
			elf_vaddr(&f, CODE, &at);
			elf_symbols(&f, s, 2);
		}
		close(fd);
	}
}

static void no_such_file(void **state)
{
	struct image m = image_of();
	struct elf_file f;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(elf_open(&f, fds[0]), -EINVAL);
	close(fds[0]);
	close(fds[1]);
	fds[0] = file_of(&m, sizeof(m), (off_t)ELF_FILE_MAX + 1);
	assert_int_equal(elf_open(&f, fds[0]), -EINVAL);
	close(fds[0]);
	m.eh.e_ident[EI_CLASS] = ELFCLASS32;
	fds[0] = file_of(&m, sizeof(m), SIZE);
	assert_int_equal(elf_open(&f, fds[0]), -EINVAL);
	close(fds[0]);
}

static FILE *text(const char *s)
{
	FILE *f = fmemopen((void *)(uintptr_t)s, strlen(s), "r");

	assert_non_null(f);
	return f;
}

static void name_by_maps(struct symbols *s, const char *maps)
{
	FILE *f = text(maps);

	symbols_from_maps(s, (uint32_t)getpid(), f);
	fclose(f);
}

static void want(struct symbols *s, __u64 addr)
{
	assert_int_equal(symbols_want(s, addr), 0);
}

static void lines_of_maps(void **state)
{
	const char *maps =
		"\n7000-8000 rw-p 00000000 00:00 0 \n"
		"9000-8000 r-xp 00000000 00:00 0 /turned/round\n"
		"zzzz r-xp\n"
		"a000-b000 rw-p 00000000 fe:01 7                  /no/code\n"
		"b000-c000 r-xp 00002000 fe:01 7                  /no/such/lib.so (deleted)\n"
		"c000-d000 r-xp 00000000 00:00 0                  [vdso]\n"
		"e000-f000 r-xp 00000000 00:00 0 ";
	struct symbols s = {0};

	(void)state;
	want(&s, 0xe001);
	want(&s, 0xc004);
	want(&s, 0xb010);
	want(&s, 0xb010);
	want(&s, 0xa000);
	name_by_maps(&s, maps);
	assert_int_equal(s.cnt, 4);
	assert_string_equal(symbols_find(&s, 0xa000)->module, "");
	assert_string_equal(symbols_find(&s, 0xb010)->module, "lib.so");
	assert_int_equal(symbols_find(&s, 0xb010)->offset, 0x2010);
	assert_string_equal(symbols_find(&s, 0xc004)->module, "[vdso]");
	assert_string_equal(symbols_find(&s, 0xe001)->module, "");
	assert_int_equal(symbols_find(&s, 0xe001)->offset, 0xe001);
	assert_null(symbols_find(&s, 0xb011));
	symbols_fini(&s);
}

/* A line that says that this file's code is at 0x5000. */
static void name_by_file(struct symbols *s, const char *path, ino_t ino)
{
	char line[PATH_MAX + 128];

	snprintf(line, sizeof(line), "5000-6000 r-xp %08x 00:00 %lu    %s\n", CODE,
		 (unsigned long)ino, path);
	name_by_maps(s, line);
}

static void a_file_by_its_name(void **state)
{
	struct symbols s = {0}, other = {0};
	struct image m = image_of();
	char path[PATH_MAX];
	struct stat st;
	int fd;

	tmp_path(path, state, "prog");
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(write(fd, &m, sizeof(m)), sizeof(m));
	assert_int_equal(ftruncate(fd, SIZE), 0);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	want(&s, 0x5004);
	want(&s, 0x5050);
	name_by_file(&s, path, st.st_ino);
	assert_string_equal(s.of[0].name, "crunch");
	assert_int_equal(s.of[0].start, 0x5000);
	assert_string_equal(s.of[1].name, "");
	assert_string_equal(s.of[1].module, "prog");
	assert_int_equal(s.of[1].offset, BASE + 0x50);
	symbols_fini(&s);
	want(&other, 0x5004);
	name_by_file(&other, path, st.st_ino + 1); /* the one that was mapped is gone */
	assert_string_equal(other.of[0].name, "");
	symbols_fini(&other);
}

/* Opened for reading, a FIFO keeps who opens it waiting: the alarm ends the test then. */
static void a_fifo_by_its_name(void **state)
{
	struct symbols s = {0};
	char path[PATH_MAX];
	struct stat st;

	tmp_path(path, state, "fifo");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(stat(path, &st), 0);
	want(&s, 0x5004);
	alarm(10);
	name_by_file(&s, path, st.st_ino);
	alarm(0);
	assert_string_equal(s.of[0].name, "");
	assert_string_equal(s.of[0].module, "fifo");
	symbols_fini(&s);
}

static void name_by_kallsyms(struct symbols *s, const char *kallsyms)
{
	FILE *f = text(kallsyms);

	symbols_from_kallsyms(s, f);
	fclose(f);
}

static void functions_of_the_kernel(void **state)
{
	const char *kallsyms = "0000000000000000 A fixed\n"
			       "ffffffff81000000 T first\n"
			       "ffffffff81000100 t second\n"
			       "ffffffff81000108 d data\n"
			       "garbage\n"
			       "ffffffff81000110\n"
			       "ffffffffc0000000 t of_module\t[ext4]\n"
			       "ffffffff81000110 T late\n";
	static const struct {
		__u64 addr;
		const char *name, *module;
	} rows[] = {
		{0xffffffff80ffffff, "", ""},
		{0xffffffff81000000, "first", ""},
		{0xffffffff8100010f, "second", ""},
		{0xffffffff81000118, "late", ""},
		{0xffffffff81000119, "late", ""},
		{0xffffffff82000000, "", ""},
		{0xffffffffc0000001, "of_module", "ext4"},
	};
	struct symbols s = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		want(&s, rows[i].addr);
	name_by_kallsyms(&s, kallsyms);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(symbols_find(&s, rows[i].addr)->name, rows[i].name);
		assert_string_equal(symbols_find(&s, rows[i].addr)->module, rows[i].module);
	}
	symbols_fini(&s);
}

/* What those see who may not know where the kernel is. */
static void a_kernel_that_does_not_say(void **state)
{
	struct symbols s = {0};

	(void)state;
	want(&s, 0xffffffff81000000);
	name_by_kallsyms(&s, "0000000000000000 T first\n0000000000000000 t second\n");
	assert_string_equal(s.of[0].name, "");
	assert_int_equal(s.of[0].offset, 0xffffffff81000000);
	symbols_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions),
		cmocka_unit_test(one_within_another),
		cmocka_unit_test(where_code_is_linked),
		cmocka_unit_test(long_names_are_cut),
		cmocka_unit_test(evil_numbers),
		cmocka_unit_test(broken_bytes),
		cmocka_unit_test(no_such_file),
		cmocka_unit_test(lines_of_maps),
		TMP_TEST(a_file_by_its_name),
		TMP_TEST(a_fifo_by_its_name),
		cmocka_unit_test(functions_of_the_kernel),
		cmocka_unit_test(a_kernel_that_does_not_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
