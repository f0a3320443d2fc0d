// SPDX-License-Identifier: BSD-2-Clause
#include "probe/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/vec.h"

#define LINES_MAX    (1u << 20)   /* of maps, or of kallsyms */
#define FILES_MAX    32           /* of one process */
#define FUNCTION_MAX (256u << 10) /* of the kernel, bytes */

struct mapping {
	unsigned long long start, end, off, ino;
	const char *path;
};

void symbols_fini(struct symbols *s)
{
	free(s->of);
	*s = (struct symbols){0};
}

int symbols_want(struct symbols *s, __u64 addr)
{
	if (vec_room((void **)&s->of, &s->cap, s->cnt, sizeof(*s->of)))
		return -ENOMEM;
	s->of[s->cnt++] = (struct symbol){.addr = addr, .offset = addr};
	return 0;
}

static int by_addr(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* In order, each once. */
static void arrange(struct symbols *s)
{
	size_t kept = 0;

	if (!s->cnt)
		return;
	qsort(s->of, s->cnt, sizeof(*s->of), by_addr);
	for (size_t i = 1; i < s->cnt; i++)
		if (s->of[i].addr != s->of[kept].addr)
			s->of[++kept] = s->of[i];
	s->cnt = kept + 1;
}

const struct symbol *symbols_find(const struct symbols *s, __u64 addr)
{
	const struct symbol key = {.addr = addr};

	return s->cnt ? bsearch(&key, s->of, s->cnt, sizeof(*s->of), by_addr) : NULL;
}

/* "7f01-7f02 r-xp 00001000 fe:01 1234    /usr/lib/x.so"; proc_pid_maps(5) */
static bool parse_mapping(char *line, struct mapping *m)
{
	char perms[5];
	int at = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%llx-%llx %4s %llx %*x:%*x %llu %n", &m->start, &m->end, perms, &m->off,
		   &m->ino, &at) != 5 ||
	    !at)
		return false;
	m->path = line + at;
	return strlen(perms) == 4 && perms[2] == 'x' && m->start < m->end;
}

/* Its last part, without what the kernel says of a file that has no name any more. */
static void put_module(char *dst, size_t size, const char *path)
{
	static const char deleted[] = " (deleted)";
	const char *slash = strrchr(path, '/');
	size_t len;

	path = slash ? slash + 1 : path;
	len = strlen(path);
	if (len > strlen(deleted) && !strcmp(path + len - strlen(deleted), deleted))
		len -= strlen(deleted);
	stack_name(dst, size, path, len);
}

/*
 * The file itself, for which CAP_CHECKPOINT_RESTORE is needed, or else what has its name in
 * the process's root now, if it is the same one. Nothing but that: to open a FIFO waits
 * for its writer, and to open a device may do anything.
 */
static int locate(__u32 tid, const struct mapping *m)
{
	char path[PATH_MAX + 64];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/map_files/%llx-%llx", tid, m->start, m->end);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0) {
		if (snprintf(path, sizeof(path), "/proc/%u/root%s", tid, m->path) >=
		    (int)sizeof(path))
			return -ENAMETOOLONG;
		fd = open(path, O_PATH | O_CLOEXEC);
	}
	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_ino == m->ino)
		return fd;
	close(fd);
	return -EINVAL;
}

static int open_mapped(__u32 tid, const struct mapping *m)
{
	char path[64];
	int where, fd;

	if (m->path[0] != '/')
		return -ENOENT;
	where = locate(tid, m);
	if (where < 0)
		return where;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", where);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	close(where);
	return fd < 0 ? -errno : fd;
}

/* Those of the list that are in this mapping, and so next to each other. */
static void name_from_file(struct symbol *syms, size_t cnt, const struct mapping *m,
			   const struct elf_file *f)
{
	struct elf_symbol *found = calloc(cnt, sizeof(*found));
	size_t known = 0;

	if (!found)
		return;
	while (known < cnt &&
	       elf_vaddr(f, syms[known].addr - m->start + m->off, &found[known].vaddr))
		known++;
	elf_symbols(f, found, known);
	for (size_t i = 0; i < known; i++) {
		syms[i].offset = found[i].vaddr;
		if (!found[i].name[0])
			continue;
		syms[i].start = syms[i].addr - (found[i].vaddr - found[i].start);
		memcpy(syms[i].name, found[i].name, sizeof(syms[i].name));
	}
	free(found);
}

static void name_in_mapping(struct symbol *syms, size_t cnt, __u32 tid, const struct mapping *m)
{
	struct elf_file f;
	int fd;

	if (!m->path[0])
		return;
	for (size_t i = 0; i < cnt; i++) {
		put_module(syms[i].module, sizeof(syms[i].module), m->path);
		syms[i].offset = syms[i].addr - m->start + m->off;
	}
	fd = open_mapped(tid, m);
	if (fd < 0)
		return;
	if (!elf_open(&f, fd))
		name_from_file(syms, cnt, m, &f);
	close(fd);
}

void symbols_from_maps(struct symbols *s, __u32 tid, FILE *maps)
{
	size_t room = 0, at, cnt;
	unsigned int files = 0;
	char *line = NULL;
	struct mapping m;

	arrange(s);
	for (unsigned int i = 0; i < LINES_MAX && getline(&line, &room, maps) > 0; i++) {
		if (!parse_mapping(line, &m))
			continue;
		for (at = 0; at < s->cnt && s->of[at].addr < m.start; at++)
			;
		for (cnt = 0; at + cnt < s->cnt && s->of[at + cnt].addr < m.end; cnt++)
			;
		if (!cnt)
			continue;
		if (files++ >= FILES_MAX)
			break;
		name_in_mapping(s->of + at, cnt, tid, &m);
	}
	free(line);
}

void symbols_of_process(struct symbols *s, __u32 tid)
{
	char path[64];
	FILE *f;

	arrange(s);
	if (!s->cnt)
		return;
	snprintf(path, sizeof(path), "/proc/%u/maps", tid);
	f = fopen(path, "re");
	if (!f)
		return;
	symbols_from_maps(s, tid, f);
	fclose(f);
}

/*
 * The nearest below an address is what it is in: the table has no sizes, and is not all in
 * order. It is kept with the first address that is not below; see spread().
 */
static void offer(struct symbols *s, __u64 addr, const char *name, size_t len, const char *module)
{
	size_t low = 0, high = s->cnt;
	struct symbol *sym;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->of[mid].addr < addr)
			low = mid + 1;
		else
			high = mid;
	}
	sym = &s->of[low];
	if (low == s->cnt || addr <= sym->start)
		return;
	sym->start = addr;
	stack_name(sym->name, sizeof(sym->name), name, len);
	stack_name(sym->module, sizeof(sym->module), module, strcspn(module, "]\n"));
}

/* What is nearest to the address before may be so to the next, too; too far is in no function. */
static void spread(struct symbols *s)
{
	for (size_t i = 1; i < s->cnt; i++) {
		struct symbol *to = &s->of[i], *from = &s->of[i - 1];

		if (from->start <= to->start)
			continue;
		to->start = from->start;
		memcpy(to->name, from->name, sizeof(to->name));
		memcpy(to->module, from->module, sizeof(to->module));
	}
	for (size_t i = 0; i < s->cnt; i++) {
		if (s->of[i].addr - s->of[i].start <= FUNCTION_MAX)
			continue;
		s->of[i].start = 0;
		s->of[i].name[0] = s->of[i].module[0] = '\0';
	}
}

/*
 * "ffffffff81000000 T startup_64", "ffffffffc0001000 t f\t[module]". A caller that may
 * not see the addresses gets zeroes.
 */
void symbols_from_kallsyms(struct symbols *s, FILE *kallsyms)
{
	size_t room = 0, len;
	char *line = NULL, *at;
	__u64 addr;

	arrange(s);
	for (unsigned int i = 0; i < LINES_MAX && getline(&line, &room, kallsyms) > 0; i++) {
		addr = strtoull(line, &at, 16);
		if (!addr || at[0] != ' ' || !strchr("tTwW", at[1]) || !at[1] || at[2] != ' ')
			continue;
		len = strcspn(at + 3, "\t\n");
		offer(s, addr, at + 3, len,
		      at[3 + len] == '\t' && at[4 + len] == '[' ? at + 5 + len : "");
	}
	spread(s);
	free(line);
}

void symbols_of_kernel(struct symbols *s)
{
	FILE *f = s->cnt ? fopen("/proc/kallsyms", "re") : NULL;

	arrange(s);
	if (!f)
		return;
	symbols_from_kallsyms(s, f);
	fclose(f);
}
