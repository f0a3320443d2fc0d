/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * eventfd.bpf.h - eventfds: struct eventfd_ctx (fs/eventfd.c).
 *
 * All anonymous files share one inode, so an eventfd is known by its context's
 * address and id. Both are given out again as soon as one is closed: what was
 * made while we looked has a serial number besides, kept by address. Of too many the
 * ones not used for longest are forgotten: they are closed, and nobody told.
 */
#ifndef IPCSPY_EVENTFD_BPF_H
#define IPCSPY_EVENTFD_BPF_H

#include "anon.bpf.h"

#define EVENTFD_MAX (~0ull - 1) /* a write that would go beyond waits: eventfd(2) */

__u64 eventfd_fops __weak;   /* struct file_operations of all eventfds, once one was seen */
__u64 eventfd_serial __weak; /* counts those made while we looked */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 14);
	__type(key, __u64);
	__type(value, __u64);
} eventfd_made __weak SEC(".maps");

static __always_inline bool eventfd_resolve(struct objref *o, struct file *file,
					    struct super_block *sb)
{
	struct eventfd_ctx *ctx = (void *)o->ptr;
	const char name[ANON_NAME_LEN] = "[eventfd]";
	__u64 key = o->ptr, *made;
	__u32 id = 0;

	if (!anon_is(file, sb, &eventfd_fops, name) || KREAD(&id, (__u32 *)&ctx->id))
		return false;
	made = bpf_map_lookup_elem(&eventfd_made, &key);
	o->ino = id;
	o->mech = MECH_EVENTFD;
	o->id = mix(o->ptr, (made ? *made << 32 : 0) | id);
	o->wkey = o->id;
	o->connected = true;
	o->family = 0;
	return true;
}

/* Somebody, whoever it is, has just made the eventfd behind this file. */
GLOBAL int eventfd_note(__u64 file_ptr)
{
	__u64 key = 0, serial = __sync_fetch_and_add(&eventfd_serial, 1) + 1;
	struct file *file = (void *)file_ptr;

	if (KREAD(&key, (__u64 *)&file->private_data) || !key)
		return 0;
	bpf_map_update_elem(&eventfd_made, &key, &serial, BPF_ANY);
	return 0;
}

static __always_inline __u64 eventfd_count(const struct objref *o)
{
	struct eventfd_ctx *ctx = (void *)o->ptr;
	__u64 count = 0;

	KREAD(&count, &ctx->count);
	return count;
}

static __always_inline void eventfd_sample(struct sample *s, const struct objref *o)
{
	__u64 count = eventfd_count(o);

	s->backlog = count > 0xffffffff ? 0xffffffff : count;
	s->flags |= OPF_BACKLOG | (count ? 0 : OPF_EMPTY) | (count >= EVENTFD_MAX ? OPF_FULL : 0);
}

/* vals[0] = the count, vals[1] = flags, as eventfd2(2) took them. */
static __always_inline void eventfd_describe(struct ev_obj *e, const struct objref *o)
{
	struct eventfd_ctx *ctx = (void *)o->ptr;
	__u32 flags = 0;

	KREAD(&flags, &ctx->flags);
	e->vals[0] = eventfd_count(o);
	e->vals[1] = flags;
	e->backlog = e->vals[0] > 0xffffffff ? 0xffffffff : e->vals[0];
	e->hdr.flags |= OBJF_BACKLOG | (e->vals[0] >= EVENTFD_MAX ? OBJF_FULL : 0);
}

#endif
