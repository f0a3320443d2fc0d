/* SPDX-License-Identifier: BSD-2-Clause */
/* forget.c - takes objects that are over out of the kernel side's tables. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "probe/internal.h"

/* A key made of an address may be a later object's by now: its value then says another inode. */
static void unwatch(struct probe *p, const struct ipcspy_object *o)
{
	int fd = bpf_map__fd(p->skel->maps.watched);
	__u64 ino;

	if (o->wkey && !bpf_map_lookup_elem(fd, &o->wkey, &ino) && (!ino || ino == o->ino))
		bpf_map_delete_elem(fd, &o->wkey);
}

void probe_forget(struct probe *p, uint64_t id)
{
	int fd = bpf_map__fd(p->skel->maps.objects);
	struct ipcspy_object o;
	__u64 key = id;

	if (p->stopped || bpf_map_lookup_elem(fd, &key, &o))
		return;
	unwatch(p, &o);
	bpf_map_delete_elem(fd, &key);
	p->forgot = true;
}

/*
 * A task that remembers a forgotten object behind a descriptor would go on
 * without describing and watching it. Which task does is not known: all look
 * their descriptors up once more. The kernel side counts in the same memory.
 */
void forget_descriptors(struct probe *p)
{
	__u32 *gens = p->skel->bss->fd_gens;

	if (!p->forgot)
		return;
	p->forgot = false;
	for (size_t i = 0; i < sizeof(p->skel->bss->fd_gens) / sizeof(*gens); i++)
		__atomic_fetch_add(&gens[i], 1, __ATOMIC_RELAXED);
}
