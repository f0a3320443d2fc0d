// SPDX-License-Identifier: BSD-2-Clause
#include "probe/held.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "probe/envoy.h"
#include "probe/fdinfo.h"

#define ROWS_MAX (1u << 22) /* 32 bytes each, and as much again to find them by */

void held_init(struct held_table *t)
{
	*t = (struct held_table){.max = ROWS_MAX};
	hmap_init(&t->by_fd);
}

void held_fini(struct held_table *t)
{
	hmap_fini(&t->by_fd);
	free(t->rows);
}

void held_reset(struct held_table *t)
{
	held_fini(t);
	held_init(t);
}

static __u64 key_of(__u32 pid, __s32 fd)
{
	return (__u64)pid << 32 | (__u32)fd;
}

/* Pipes and sockets have an inode each; all anonymous files share one. */
static bool has_inode(__u8 mech)
{
	return mech >= MECH_PIPE && mech <= MECH_UDP;
}

static int add(struct held_table *t, const struct ev_hold *h)
{
	struct held *rows = t->rows;

	if (t->cnt >= t->max)
		return 0;
	if (t->cnt == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 256;

		rows = realloc(t->rows, cap * sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		t->rows = rows;
		t->cap = cap;
	}
	rows[t->cnt] = (struct held){.chan = h->chan};
	if (t->object.chan == h->chan)
		rows[t->cnt] = t->object;
	rows[t->cnt].pid = h->hdr.pid;
	rows[t->cnt].fd = h->fd;
	t->cnt++;
	return hmap_put(&t->by_fd, key_of(h->hdr.pid, h->fd), (void *)(uintptr_t)t->cnt);
}

int held_see(struct held_table *t, const struct ev_hdr *hdr)
{
	const struct ev_obj *o = (const void *)hdr;

	if (hdr->kind == EV_HOLD)
		return add(t, (const void *)hdr);
	if (hdr->kind == EV_OBJ)
		t->object = (struct held){
			.chan = o->chan,
			.ino = has_inode(o->mech) ? o->ino : 0,
			.fifo = o->mech == MECH_FIFO,
			.listens = hdr->flags & OBJF_LISTEN,
		};
	return 0;
}

const struct held *held_find(const struct held_table *t, __u32 pid, __s32 fd)
{
	uintptr_t at = (uintptr_t)hmap_get(&t->by_fd, key_of(pid, fd));

	return at ? &t->rows[at - 1] : NULL;
}

/*
 * /proc/PID/fd is its user's alone, CAP_SYS_PTRACE or not. The number of the mount will do
 * instead, save where a directory is mounted twice.
 */
static bool is_of_file(const struct held *h, const struct statx *file)
{
	long long mnt, ino;
	struct statx at;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/fd/%d", h->pid, h->fd);
	if (!envoy_statx((pid_t)h->pid, path, STATX_INO, &at))
		return at.stx_ino == file->stx_ino && at.stx_dev_major == file->stx_dev_major &&
		       at.stx_dev_minor == file->stx_dev_minor;
	return fdinfo_number(h->pid, h->fd, "mnt_id:", &mnt) &&
	       fdinfo_number(h->pid, h->fd, "ino:", &ino) && (__u64)mnt == file->stx_mnt_id &&
	       (__u64)ino == file->stx_ino;
}

const struct held *held_fifo(const struct held_table *t, __u32 tid, const char *path)
{
	struct statx file;

	if (envoy_statx((pid_t)tid, path, STATX_TYPE | STATX_INO | STATX_MNT_ID, &file) ||
	    !S_ISFIFO(file.stx_mode))
		return NULL;
	for (size_t i = 0; i < t->cnt; i++) {
		const struct held *h = &t->rows[i];

		if (h->fifo && (__u32)h->ino == (__u32)file.stx_ino && is_of_file(h, &file))
			return h;
	}
	return NULL;
}
