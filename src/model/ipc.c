// SPDX-License-Identifier: BSD-2-Clause
/*
 * Objects with a life of their own: System V IPC, POSIX message queues, files in
 * /dev/shm. Those of the latest snapshot that told of them, used or not.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/internal.h"

#define IPCS_MAX (1u << 16)

/* As the channel classes name them. */
static const struct {
	enum ipcspy_mech mech;
	const char *prefix;
	int key_digits;
} by_key[] = {
	{MECH_SYSV_MSG, "msg", 1},
	{MECH_SYSV_SEM, "sem", 1},
	{MECH_SYSV_SHM, "shm", 8},
};

/* NULL: out of memory. */
static char *name_of(const struct ev_ipc *ev)
{
	char *text = NULL;
	int n;

	for (size_t i = 0; i < sizeof(by_key) / sizeof(by_key[0]); i++) {
		if (by_key[i].mech != (enum ipcspy_mech)ev->mech)
			continue;
		n = asprintf(&text, "%s:0x%0*x/%u", by_key[i].prefix, by_key[i].key_digits, ev->key,
			     (uint32_t)ev->id);
		return n < 0 ? NULL : text;
	}
	n = asprintf(&text, "%s%s", ev->mech == MECH_SHM ? "/dev/shm/" : "/",
		     (const char *)ev->name);
	return n < 0 ? NULL : text;
}

int ipc_event(struct model *m, const struct ev_ipc *ev)
{
	struct ipc *ipc;

	if (ev->hdr.flags & IPCF_UNSEEN || m->ipc_cnt >= IPCS_MAX) {
		m->ipc_unseen |= 1u << ev->mech;
		return 0;
	}
	ipc = calloc(1, sizeof(*ipc));
	if (!ipc)
		return -ENOMEM;
	ipc->name = name_of(ev);
	if (!ipc->name) {
		free(ipc);
		return -ENOMEM;
	}
	ipc->mech = (enum ipcspy_mech)ev->mech;
	ipc->bytes = ev->bytes;
	ipc->messages = ev->messages;
	ipc->users = ev->users;
	ipc->last_pid = ev->hdr.pid;
	ipc->id = ev->id;
	list_add_tail(&m->ipcs, &ipc->in_model);
	m->ipc_cnt++;
	return 0;
}

void ipcs_clear(struct model *m)
{
	list_for_each_safe (ipc, &m->ipcs, struct ipc, in_model) {
		list_del(&ipc->in_model);
		free(ipc->name);
		free(ipc);
	}
	m->ipc_cnt = 0;
	m->ipc_unseen = 0;
}

const struct list_head *model_ipcs(const struct model *m)
{
	return &m->ipcs;
}

uint32_t model_ipcs_unseen(const struct model *m)
{
	return m->ipc_unseen;
}
