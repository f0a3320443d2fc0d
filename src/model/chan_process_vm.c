// SPDX-License-Identifier: BSD-2-Clause
/*
 * Memory that one process reads of another or writes to it: process_vm_readv(2),
 * process_vm_writev(2), a word with ptrace(2). One channel for each process that
 * is reached into. That process executes nothing, so the record of the call is the
 * whole message: there is no queue, no latency, and its endpoint counts no calls.
 *
 * Control that moves no memory (other requests of ptrace, pidfd_getfd) counts as a
 * call of its caller.
 *
 * EV_OBJ: vals[0] the pid, vals[1] its start; both 0: there was no such process.
 * EV_OP: v[0] not 0: control; v[1] the bytes that were asked for.
 */
#include <errno.h>
#include <stdio.h>

#include "model/internal.h"

struct process_vm {
	uint32_t pid;
	uint64_t start_ns;
	uint64_t control, partial; /* calls */
	bool named;
};

static struct chan *vm_chan(struct model *m, struct obj *o)
{
	struct chan *c = o->chan;

	if (c)
		return c;
	c = chan_new(m, o->mech, sizeof(struct process_vm), m->now_ns);
	if (!c)
		return NULL;
	obj_join(o, c, 0);
	return chan_set_name(c, "process-vm:?", 12) ? NULL : c;
}

static int vm_on_obj(struct model *m, struct obj *o, const struct ev_obj *ev, bool first)
{
	struct chan *c = vm_chan(m, o);
	struct process_vm *vm;
	char text[32];
	int n;

	(void)first;
	if (!c)
		return -ENOMEM;
	vm = c->priv;
	if (vm->named || !ev->vals[0])
		return 0;
	vm->named = true;
	vm->pid = (uint32_t)ev->vals[0];
	vm->start_ns = ev->vals[1];
	n = snprintf(text, sizeof(text), "process-vm:%s%u", vm->pid & PID_OUTSIDE ? "outside:" : "",
		     vm->pid & ~PID_OUTSIDE);
	return chan_set_name(c, text, (size_t)n);
}

/* The process that is reached into; NULL when its pid is another's by now. */
static struct proc *vm_proc(struct model *m, const struct process_vm *vm)
{
	struct proc *p = vm->named ? proc_get(m, vm->pid) : NULL;

	return p && (!p->start_ns || p->start_ns == vm->start_ns) ? p : NULL;
}

static int vm_message(struct model *m, struct endpoint *ep, struct endpoint *other,
		      const struct ev_op *op)
{
	bool send = ep->role == EP_SEND;
	struct flow *f =
		send ? flow_get(m, ep, NULL, other, NULL) : flow_get(m, other, NULL, ep, NULL);
	struct xfer x;

	if (!f)
		return -ENOMEM;
	xfer_init(m, &x, ep, op);
	f->bytes += x.len;
	return flow_message(m, f, send ? &x : NULL, send ? NULL : &x, PAIR_EXACT);
}

static int vm_on_op(struct model *m, struct obj *o, struct proc *p, const struct event *ev)
{
	const struct ev_op *op = ev->op;
	enum ep_role role = op->op == OP_SEND ? EP_SEND : EP_RECV;
	struct chan *c = vm_chan(m, o);
	struct endpoint *ep = c ? ep_of_obj(m, o, c, p, role) : NULL, *other = NULL;
	struct process_vm *vm;
	struct proc *passive;

	if (!ep)
		return -ENOMEM;
	vm = c->priv;
	if (ev->vals && ev->vals->v[0])
		vm->control++;
	else if (ev->vals && op->ret >= 0 && (uint32_t)op->ret < ev->vals->v[1])
		vm->partial++;
	passive = vm_proc(m, vm);
	if (passive) {
		other = ep_get(m, c, passive, role == EP_SEND ? EP_RECV : EP_SEND, 1);
		if (!other)
			return -ENOMEM;
	}
	return ep_count(ep, op, false) ? vm_message(m, ep, other, op) : 0;
}

static bool vm_ends_with(const struct chan *c, const struct proc *p)
{
	const struct process_vm *vm = c->priv;

	return vm && vm->named && vm->pid == p->pid && vm->start_ns == p->start_ns;
}

static const char *vm_fold_name(const struct chan *c, char *buf, size_t len)
{
	(void)c;
	(void)buf;
	(void)len;
	return "process-vm:[exited]";
}

static void vm_facts(const struct model *m, const struct chan *c,
		     void (*put)(void *arg, const struct fact *f), void *arg)
{
	const struct process_vm *vm = c->priv;

	(void)m;
	if (!vm)
		return;
	put(arg, &(struct fact){.name = "pid", .value = vm->pid});
	put(arg, &(struct fact){.name = "control_calls", .value = vm->control});
	put(arg, &(struct fact){.name = "partial_calls", .value = vm->partial});
}

const struct chan_class process_vm_class = {
	.unit = "bytes",
	.shape = SHAPE_CALL,
	.unheld = true,
	.on_obj = vm_on_obj,
	.on_op = vm_on_op,
	.ends_with = vm_ends_with,
	.fold_name = vm_fold_name,
	.facts = vm_facts,
};
