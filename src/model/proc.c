// SPDX-License-Identifier: BSD-2-Clause
/*
 * Processes. A pid leads to its live process or the last that had it. Exited
 * ones stay, for late records and for reports, until they are too many; see
 * fold.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/maps.h"
#include "model/task.h"

static struct proc *proc_new(struct model *m, uint32_t pid, uint64_t start_ns)
{
	struct proc *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->pid = pid;
	p->start_ns = start_ns;
	strcpy(p->comm, "?");
	list_init(&p->endpoints);
	list_init(&p->tasks);
	if (hmap_put(&m->procs_by_pid, pid, p)) {
		free(p);
		return NULL;
	}
	list_add_tail(&m->procs, &p->in_model);
	m->last_proc = p;
	return p;
}

void proc_free(struct model *m, struct proc *p)
{
	if (hmap_get(&m->procs_by_pid, p->pid) == p)
		hmap_del(&m->procs_by_pid, p->pid);
	if (m->last_proc == p)
		m->last_proc = NULL;
	if (p->in_gone.next) {
		list_del(&p->in_gone);
		m->gone_cnt--;
	}
	list_del(&p->in_model);
	maps_free(p);
	free(p->exe);
	free(p);
}

struct proc *proc_get(struct model *m, uint32_t pid)
{
	struct proc *p = m->last_proc;

	if (p && p->pid == pid)
		return p;
	p = hmap_get(&m->procs_by_pid, pid);
	if (!p)
		return proc_new(m, pid, 0);
	m->last_proc = p;
	return p;
}

/* Channels where every process that did something is gone are closed, until an operation on one;
 * so are those about this one. */
static void close_deserted(struct model *m, struct proc *gone)
{
	list_for_each (mine, &gone->endpoints, struct endpoint, in_proc) {
		struct chan *c = mine->chan;
		bool deserted = true;

		list_for_each (ep, &c->endpoints, struct endpoint, in_chan)
			deserted = deserted && ep->proc->exited;
		list_for_each (h, &c->holders, struct holder, in_chan)
			deserted = deserted && h->proc->exited;
		if (deserted || (c->cls->ends_with && c->cls->ends_with(c, gone)))
			chan_close(m, c);
	}
}

static void mark_gone(struct model *m, struct proc *p)
{
	if (p->exited)
		return;
	maps_drop(m, p, m->now_ns, false);
	maps_free(p);
	p->exited = true;
	tasks_drop(m, p);
	p->waits.now_ns = 0;
	list_for_each (ep, &p->endpoints, struct endpoint, in_proc)
		if (ep->chan->cls->on_exit && ep->chan->priv)
			ep->chan->cls->on_exit(m, ep->chan, p);
	list_add_tail(&m->gone, &p->in_gone);
	m->gone_cnt++;
	close_deserted(m, p);
}

struct proc *proc_new_standin(struct model *m, const char *comm)
{
	struct proc *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	memcpy(p->comm, comm, sizeof(p->comm));
	p->exited = true;
	list_init(&p->endpoints);
	list_init(&p->tasks);
	list_add_tail(&m->procs, &p->in_model);
	return p;
}

void proc_put(struct proc *p)
{
	p->refs--;
}

int proc_describe(struct model *m, const struct ev_proc *ev)
{
	struct proc *p = proc_get(m, ev->hdr.pid);

	if (!p)
		return -ENOMEM;
	if (p->start_ns && p->start_ns != ev->start_ns) {
		mark_gone(m, p);
		p = proc_new(m, ev->hdr.pid, ev->start_ns);
		if (!p)
			return -ENOMEM;
	}
	p->start_ns = ev->start_ns;
	p->ppid = ev->ppid;
	p->ns_pid = ev->ns_pid;
	memcpy(p->comm, ev->comm, IPCSPY_COMM_LEN);
	p->comm[IPCSPY_COMM_LEN] = '\0';
	if (ev->hdr.flags & PROCF_TARGET)
		p->target = true;
	if (ev->hdr.flags & PROCF_EXEC) {
		free(p->exe);
		p->exe = NULL;
		return maps_drop(m, p, ev->hdr.ts_ns, true);
	}
	if ((ev->hdr.flags & (PROCF_FORK | PROCF_VM)) == PROCF_FORK)
		return maps_fork(m, p, ev->hdr.ts_ns);
	return 0;
}

void proc_exit(struct model *m, const struct ev_exit *ev)
{
	struct proc *p;

	if (!(ev->hdr.flags & EXITF_GROUP))
		return;
	p = hmap_get(&m->procs_by_pid, ev->hdr.pid);
	if (!p)
		return;
	p->exit_status = ev->code;
	p->exited_ns = ev->hdr.ts_ns;
	p->status_known = true;
	mark_gone(m, p);
}

int proc_set_exe(struct model *m, uint32_t pid, const char *path)
{
	struct proc *p = proc_get(m, pid);
	char *copy;

	if (!p)
		return -ENOMEM;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	free(p->exe);
	p->exe = copy;
	return 0;
}

void procs_fini(struct model *m)
{
	list_for_each_safe (p, &m->procs, struct proc, in_model)
		proc_free(m, p);
}
