/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * look.bpf.c - one look at every task of the machine, without tracing.
 *
 * Nothing is parked and nothing is watched, and everything goes to the reader of the
 * iterator. Who holds what is told by snap_files() and snap_maps(). In a trace, too, where
 * user space asks for it (snap_look).
 */
#include "look.bpf.h"
#include "reach.bpf.h"
#include "splice.bpf.h"

/* Every process. */
SEC("iter/task")
int ITER_PROG(look_procs, struct bpf_iter__task)
{
	struct task_struct *task = ctx->task;
	struct ev_proc e;

	if (!task || task->pid != task->tgid || task->flags & PF_KTHREAD || is_own(task->tgid))
		return 0;
	task_note(task);
	proc_fill(&e, task, PROCF_TARGET);
	bpf_seq_write(ctx->meta->seq, &e, sizeof(e));
	return 0;
}

/*
 * Who else refers to the files that the reader has open, each once: that counts descriptors,
 * mappings and what is on its way through a socket. Such a file has one reference more as
 * long as it has a name (shmem_mknod() in mm/shmem.c, mqueue_create_attr() in
 * ipc/mqueue.c). Another name, or one that it had when it was opened, is another entry.
 */
SEC("iter/task_file")
int ITER_PROG(look_files, struct bpf_iter__task_file)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct dentry *dentry = NULL;
	struct inode *inode = NULL;
	struct look_file e = {};
	int entries = 0, refs = 0;

	if (!task || !file || (__u32)task->tgid != cfg.self_tgid)
		return 0;
	if (KREAD(&dentry, &file->f_path.dentry) || KREAD(&inode, &file->f_inode) ||
	    KREAD(&refs, &dentry->d_lockref.count) || KREAD(&entries, &inode->i_count.counter))
		return 0;
	hdr_init(&e.hdr, LOOK_FILE, sizeof(e), task->tgid, task->pid, 0, bpf_ktime_get_ns());
	e.fd = ctx->fd;
	e.users = (refs > 2 ? refs - 2 : 0) + (entries > 1 ? entries - 1 : 0);
	bpf_seq_write(ctx->meta->seq, &e, sizeof(e));
	return 0;
}

/* A file as a number, without a reference: see file_of_fd(). */
static __noinline __u64 look_file(struct task_struct *task, __u32 fd)
{
	struct files_struct *files = NULL;
	struct fdtable *fdt = NULL;
	__u64 table = 0, file = 0;
	__u32 max = 0;

	if (KREAD(&files, &task->files) || !files || KREAD(&fdt, &files->fdt) ||
	    KREAD(&max, &fdt->max_fds) || fd >= max || KREAD(&table, (__u64 *)&fdt->fd))
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), (void *)(table + (__u64)fd * sizeof(file)));
	return file;
}

static __always_inline bool look_fd(struct objref *o, struct task_struct *task, __u32 fd)
{
	__u64 file = look_file(task, fd);

	return file && object_resolve(o, file);
}

/* A futex call's word; of a wait for one of many it is not known here which. */
static __always_inline bool look_futex(struct objref *o, struct task_struct *task, __u8 how,
				       const struct look_task *l)
{
	__u64 flags = how == FUTEX_CLASSIC ? l->args[1] : l->args[3];

	if (how != FUTEX_CLASSIC && how != FUTEX_ONE)
		return false;
	return !futex_resolve(o, task, l->args[0], flags & FUTEX_PRIVATE_FLAG);
}

/* An argument of which the table of system calls says the number: one of the first three. */
static __always_inline __u64 look_arg(const struct look_task *l, __u8 i)
{
	return i == 2 ? l->args[2] : i == 1 ? l->args[1] : l->args[0];
}

/* As enter_splice() has it. */
static __always_inline bool look_splice(struct objref *o, struct task_struct *task,
					const struct look_task *l,
					const volatile struct ipcspy_sys *row, __u8 *op)
{
	bool both = row->out_arg != ARG_NONE;
	__u64 in = look_arg(l, row->in_arg);

	*op = both || !file_writable(look_file(task, in)) ? OP_RECV : OP_SEND;
	if (look_fd(o, task, in) && (!both || !has_data(o)))
		return true;
	if (both && look_fd(o, task, look_arg(l, row->out_arg))) {
		*op = OP_SEND;
		return true;
	}
	return both && look_fd(o, task, in);
}

#define LOOK_NOTHING 0 /* it waits for no channel that is known here */
#define LOOK_HELD    1 /* for one that a descriptor stands for: described with who holds it */
#define LOOK_OTHER   2 /* for one that is still to be described */

/* What the task waits for; *op is what it does there. */
static __always_inline int look_object(struct objref *o, struct task_struct *task,
				       const struct look_task *l,
				       const volatile struct ipcspy_sys *row, __u8 *op)
{
	__u64 file;

	*op = row->op;
	switch (row->fam) {
	case FAM_WAIT:
		return LOOK_HELD;
	case FAM_MQ:
		file = row->how == MQ_FD ? look_file(task, l->args[0]) : 0;
		return file && mqueue_resolve(o, file) ? LOOK_HELD : LOOK_NOTHING;
	case FAM_MSG:
		return row->how == MSGQ_ID && sysv_resolve(o, sysv_ns(task), SYSV_MSG, l->args[0],
							   MECH_SYSV_MSG)
			       ? LOOK_OTHER
			       : LOOK_NOTHING;
	case FAM_SEM:
		return row->how == SEM_OP && sysv_resolve(o, sysv_ns(task), SYSV_SEM, l->args[0],
							  MECH_SYSV_SEM)
			       ? LOOK_OTHER
			       : LOOK_NOTHING;
	case FAM_FUTEX:
		return look_futex(o, task, row->how, l) ? LOOK_OTHER : LOOK_NOTHING;
	case FAM_SIGNAL:
		signal_resolve(o, task);
		return row->op == OP_RECV ? LOOK_OTHER : LOOK_NOTHING;
	case FAM_CTL:
		return row->how <= CTL_RET && look_fd(o, task, l->args[0]) ? LOOK_HELD
									   : LOOK_NOTHING;
	case FAM_FDIO:
	case FAM_MMSG:
		return look_fd(o, task, l->args[0]) ? LOOK_HELD : LOOK_NOTHING;
	case FAM_SPLICE:
		return look_splice(o, task, l, row, op) ? LOOK_HELD : LOOK_NOTHING;
	}
	return LOOK_NOTHING;
}

/* Is it to be told of at all? A poll in a trace is told by what it polls alone. */
static __always_inline bool look_takes(const struct objref *o)
{
	return looking() || (o->id && is_reached(o->id));
}

/*
 * What the task of the scratch look_task waits for, if it sleeps; nothing is written where
 * that is no channel.
 */
static __noinline int look_inflight(struct seq_file *seq, struct task_struct *task)
{
	const volatile struct ipcspy_sys *row;
	struct scratch *s = get_scratch();
	struct look_task *l;
	struct ev_inflight e = {};
	struct objref o = {};
	int what;

	if (!s)
		return 0;
	l = &s->look;
	if (l->task.state != 'S' || l->task.nr == LOOK_NO_NR || l->task.hdr.flags & LOOKF_SLEEP)
		return 0;
	row = &syscalls[l->task.nr & (IPCSPY_NR_SYSCALLS - 1)];
	what = look_object(&o, task, l, row, &e.op);
	if (what == LOOK_NOTHING || !look_takes(&o))
		return 0;
	if (what == LOOK_OTHER && (!object_describe(&o, pid_tgid_of(task), -1, look_obj_flags()) ||
				   bpf_seq_write(seq, &s->obj, sizeof(s->obj))))
		return 0;
	hdr_init(&e.hdr, EV_INFLIGHT, sizeof(e), task->tgid, task->pid,
		 (looking() || is_target(task_find(task)) ? OPF_TARGET : 0) | OPF_BEFORE_ATTACH |
			 OPF_ASLEEP,
		 l->task.hdr.ts_ns);
	e.chan = o.id;
	e.enter_ns = e.hdr.ts_ns;
	e.nr = l->task.nr;
	e.mech = o.mech;
	if (o.mech == MECH_SYSV_MSG && e.op == OP_SEND) /* whereas anybody may send */
		e.owner_pid = msgqueue_receiver(&o);
	else
		e.owner_pid = lock_owner(task, is_futex(o.mech));
	l->task.hdr.flags |= LOOKF_INFLIGHT;
	bpf_seq_write(seq, &e, sizeof(e));
	return 0;
}

/* One that a target waits for, as a child or for its lock, may hold nothing of interest. */
static __always_inline void tell_reached(struct seq_file *seq, struct task_struct *task,
					 struct scratch *s)
{
	struct task_ctx *t = task_find(task);

	if (!cfg.peers || !is_reached_process(task) || (t && t->flags & TF_DESCRIBED))
		return;
	proc_fill(&s->proc, task, 0);
	if (bpf_seq_write(seq, &s->proc, sizeof(s->proc)))
		return;
	if (!t)
		t = task_make(task);
	if (t)
		task_flag(t, TF_DESCRIBED);
}

/* Told by snap_tasks() before, with the call that it is inside of. */
static __always_inline bool is_told(struct task_struct *task)
{
	const struct task_ctx *t = task_find(task);

	return t && t->in.active && t->in.enter_ns < snap_begin_ns;
}

/* Every task: what it waits for, or that it runs. In a trace those that are of interest. */
SEC("iter/task")
int ITER_PROG(look_tasks, struct bpf_iter__task)
{
	struct task_struct *task = ctx->task;
	struct scratch *s = get_scratch();

	if (!task || !s || is_own(task->tgid))
		return 0;
	if (!looking()) {
		tell_reached(ctx->meta->seq, task, s);
		if (!is_of_interest(task) || is_told(task))
			return 0;
	}
	if (!look_at(&s->look, task))
		return 0;
	look_inflight(ctx->meta->seq, task);
	bpf_seq_write(ctx->meta->seq, &s->look, sizeof(s->look));
	return 0;
}
