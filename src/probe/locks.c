// SPDX-License-Identifier: BSD-2-Clause
#include "probe/locks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCKS_MAX 65536 /* waiters that are kept: of the rest it is not known who blocks them */

void locks_init(struct lock_table *t)
{
	*t = (struct lock_table){0};
}

void locks_fini(struct lock_table *t)
{
	free(t->rows);
	locks_init(t);
}

static const struct {
	const char *name;
	enum lock_class class;
} classes[] = {{"FLOCK", LOCK_FLOCK}, {"POSIX", LOCK_POSIX}, {"OFDLCK", LOCK_OFD}};

static enum lock_class class_of(const char *name)
{
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (!strcmp(classes[i].name, name))
			return classes[i].class;
	return 0;
}

static int add(struct lock_table *t, const struct lock_wait *w)
{
	if (t->cnt >= LOCKS_MAX)
		return 0;
	if (t->cnt == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 16;
		struct lock_wait *rows = realloc(t->rows, cap * sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		t->rows = rows;
		t->cap = cap;
	}
	t->rows[t->cnt++] = *w;
	return 0;
}

/* "3: POSIX  ADVISORY  WRITE 812 fd:00:2531 0 EOF"; "3: -> POSIX ..." waits for the one before. */
int locks_line(struct lock_table *t, const char *line)
{
	struct lock_wait w = {0};
	unsigned long long ino;
	char class[16];
	int at = 0;

	if (sscanf(line, "%*u:%n", &at) < 0 || !at)
		return 0;
	line += at + strspn(line + at, " ");
	at = strncmp(line, "->", 2) ? 0 : 2;
	if (sscanf(line + at, "%15s %*15s %*15s %d %*x:%*x:%llu", class, &w.pid, &ino) != 3)
		return 0;
	w.class = class_of(class);
	w.ino = ino;
	if (!at) {
		t->head = w;
		return 0;
	}
	if (!w.class || w.ino != t->head.ino)
		return 0;
	w.holder = t->head.pid > 0 ? t->head.pid : 0;
	return add(t, &w);
}

int locks_read(struct lock_table *t)
{
	FILE *f = fopen("/proc/locks", "re");
	char line[256];
	int err = 0;

	if (!f)
		return -errno;
	while (!err && fgets(line, sizeof(line), f))
		err = locks_line(t, line);
	if (!err && ferror(f))
		err = -EIO;
	fclose(f);
	return err;
}

__s32 locks_holder(const struct lock_table *t, enum lock_class class, __s32 pid, __u64 ino)
{
	for (size_t i = 0; i < t->cnt; i++) {
		const struct lock_wait *w = &t->rows[i];

		if (w->class == class && (class == LOCK_OFD || w->pid == pid) &&
		    (!ino || w->ino == ino))
			return w->holder;
	}
	return 0;
}
