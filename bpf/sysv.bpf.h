/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * sysv.bpf.h - from a System V id to the kernel object: struct ipc_namespace,
 * struct kern_ipc_perm (ipc/util.c).
 *
 * An id is a slot of its IPC namespace's table and a sequence number above it,
 * so a slot that is used again has another id. The object is known by its
 * address and that id. Nothing is locked: what is read is checked by the id that
 * the object itself carries.
 */
#ifndef IPCSPY_SYSV_BPF_H
#define IPCSPY_SYSV_BPF_H

#define SYSV_SHIFT     15 /* IPCMNI_SHIFT: bits of an id that name the slot ... */
#define SYSV_SHIFT_EXT 24 /* ... and with ipcmni_extend on the kernel's command line */
#define SYSV_LEVELS    4  /* 64 slots a level: enough for 24 bits */

/* Which table of a namespace (ipc/util.h). */
enum { SYSV_SEM = 0, SYSV_MSG = 1, SYSV_SHM = 2 };

/*
 * The IPC namespace of a task, as a number: the verifier passes no typed pointer
 * to a global function. 0 when the task is exiting.
 */
static __always_inline __u64 sysv_ns(struct task_struct *task)
{
	struct nsproxy *proxy = (void *)TASK_PTR(task, nsproxy);
	__u64 ns = 0;

	KREAD(&ns, (__u64 *)&proxy->ipc_ns);
	return ns;
}

static __always_inline __u32 ipc_ns_inum(__u64 ipc_ns)
{
	struct ipc_namespace *ns = (void *)ipc_ns;
	__u32 inum = 0;

	KREAD(&inum, &ns->ns.inum);
	return inum;
}

/* The entry at index of an idr, a tree of struct xa_node (lib/xarray.c); 0: none. */
static __always_inline __u64 idr_entry(struct idr *idr, __u32 index)
{
	const __u32 chunk = bpf_core_field_size(struct xa_node, slots) / sizeof(void *);
	struct xa_node *node;
	unsigned char shift;
	__u64 entry = 0;

	KREAD(&entry, &idr->idr_rt.xa_head);
	for (__u32 i = 0; i <= SYSV_LEVELS; i++) {
		if ((entry & 3) !=
		    2) /* no node: a pointer to the object, at index 0 if at the root */
			return !(entry & 3) && (i || !index) ? entry : 0;
		node = (void *)(entry - 2);
		if (KREAD(&shift, &node->shift) || shift > 30 || (!i && index >> shift >= chunk))
			return 0;
		if (bpf_probe_read_kernel(&entry, sizeof(entry),
					  (void *)node +
						  bpf_core_field_offset(struct xa_node, slots) +
						  (index >> shift & (chunk - 1)) * sizeof(entry)))
			return 0;
	}
	return 0;
}

/*
 * Fills o for the object with this id in one table of a namespace. o->ptr is its
 * struct kern_ipc_perm, with which struct sem_array, msg_queue and shmid_kernel
 * begin; o->ino the inode number of the namespace. 0: there is none.
 */
GLOBAL int sysv_resolve(struct objref *o, __u64 ipc_ns, __u32 table, __s32 id, __u32 mech)
{
	struct ipc_namespace *ns = (void *)ipc_ns;
	struct kern_ipc_perm *perm;
	__s32 has = -1;
	struct ipc_ids *ids;

	if (!o || !ipc_ns || id < 0 || table > SYSV_SHM)
		return 0;
	ids = (void *)&ns->ids + table * bpf_core_type_size(struct ipc_ids);
	perm = (void *)idr_entry(&ids->ipcs_idr, id & ((1 << SYSV_SHIFT) - 1));
	if (!perm || KREAD(&has, &perm->id) || has != id) {
		perm = (void *)idr_entry(&ids->ipcs_idr, id & ((1 << SYSV_SHIFT_EXT) - 1));
		if (!perm || KREAD(&has, &perm->id) || has != id)
			return 0;
	}
	o->ptr = (__u64)perm;
	o->ino = ipc_ns_inum(ipc_ns);
	o->id = mix(o->ptr, id);
	o->wkey = o->id;
	o->mech = mech;
	o->connected = true;
	o->family = 0;
	return 1;
}

/*
 * What the three kinds have in common: vals[0] = key << 32 | id, vals[1] =
 * creator's uid << 32 | mode. False: the object was removed meanwhile.
 */
static __always_inline bool sysv_describe(struct ev_obj *e, const struct objref *o)
{
	struct kern_ipc_perm *perm = (void *)o->ptr;
	__u32 key = 0, uid = 0;
	__u16 mode = 0;
	__s32 id = -1;

	KREAD(&id, &perm->id);
	KREAD(&key, &perm->key);
	KREAD(&uid, &perm->cuid.val);
	KREAD(&mode, &perm->mode);
	e->ino = 0;
	e->netns = o->ino;
	if (mix(o->ptr, id) != o->id)
		return false;
	e->vals[0] = (__u64)key << 32 | (__u32)id;
	e->vals[1] = (__u64)uid << 32 | mode;
	return true;
}

#endif
