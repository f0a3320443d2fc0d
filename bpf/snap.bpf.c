/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * snap.bpf.c - what is so at this moment, by iterators: who holds which end of
 * a watched channel, and who is inside a call. Records go to the reader of the
 * iterator, not to the ring.
 */
#include "look.bpf.h"
#include "reach.bpf.h"
#include "splice.bpf.h"
#include "wake.bpf.h"

/* 1: only targets, and what they hold becomes watched; 0: everybody, what is watched. */
volatile __u32 snap_targets;
volatile __u32 snap_obj_flags;

/*
 * References to a file, but for the iterator's own: its descriptors, calls of processes with
 * several threads that are inside of it (fdget()), polls that sleep (__pollwait()), and
 * whoever has it without a descriptor: a message on its way through a socket, io_uring.
 */
static __always_inline __u16 file_refs(struct file *file)
{
	const struct file___count *old = (const void *)file;
	__s64 n = 0;

	if (bpf_core_field_exists(file->f_ref)) /* counts from 0 */
		KREAD(&n, (__s64 *)&file->f_ref.refcnt.counter);
	else if (!KREAD(&n, (__s64 *)&old->f_count.counter))
		n--;
	return n < 0 ? 0 : n > HOLD_REFS_MAX ? HOLD_REFS_MAX : n;
}

SEC("iter/task_file")
int ITER_PROG(snap_files, struct bpf_iter__task_file)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct scratch *s = get_scratch();
	struct task_ctx *t;
	struct objref o = {};
	struct dest_keys dest = {};
	struct ev_hold h;
	struct ev_proc p;
	__u64 file_ptr = 0;
	bool target, reached = false;
	__u32 fd = ctx->fd;

	if (!task || !file || !s || is_own(task->tgid))
		return 0;
	t = looking() ? NULL : task_find(task);
	target = looking() || is_target(t);
	if (snap_targets && !target)
		return 0;
	/* the verifier passes no typed pointer to a global function: fetch it as a number */
	KREAD(&file_ptr, (__u64 *)&ctx->file);
	if (!object_resolve(&o, file_ptr) && !mqueue_resolve(&o, file_ptr))
		return 0;
	if (o.mech == MECH_SIGNAL) /* a signalfd: snap_signals() tells what it could give */
		return 0;
	if (target) {
		if (!looking())
			object_watch(&o);
	} else {
		reached = is_reached(o.id);
		if (!cfg.peers || (!reached && !object_watched(&o, &dest)))
			return 0;
	}
	if (snap_targets)
		return 0;
	if (!object_describe(&o, pid_tgid_of(task), fd,
			     snap_obj_flags | (reached ? OBJF_REACHED : 0)))
		return 0;
	proc_fill(&p, task, target ? PROCF_TARGET : 0);
	hdr_init(&h.hdr, EV_HOLD, sizeof(h), task->tgid, task->pid,
		 (file->f_mode & FMODE_READ ? HOLDF_READ : 0) |
			 (file->f_mode & FMODE_WRITE ? HOLDF_WRITE : 0),
		 bpf_ktime_get_ns());
	h.chan = o.id;
	h.fd = fd;
	h.refs = file_refs(file);
	h.file = mix(file_ptr, 0) >> 48;
	/* Without room for all of them the program is called again for this file: nothing is kept
	 * that says a record is out until all are. */
	if (!looking() && !(t && (t->flags & TF_DESCRIBED)) && bpf_seq_write(seq, &p, sizeof(p)))
		return 0;
	if (bpf_seq_write(seq, &s->obj, sizeof(s->obj)) ||
	    (object_path(&o, file_ptr, pid_tgid_of(task)) &&
	     bpf_seq_write(seq, &s->path, sizeof(s->path))) ||
	    bpf_seq_write(seq, &h, sizeof(h)) || looking())
		return 0;
	if (!t)
		t = task_make(task);
	if (t)
		task_flag(t, TF_DESCRIBED);
	if (o.mech != MECH_POSIX_MQ) /* what is in it is told when it is first used */
		object_note(&o);
	return 0;
}

static __always_inline void seq_inflight(struct seq_file *seq, struct task_struct *task,
					 const struct inflight *in, const struct objref *o, __u8 op)
{
	__u64 now = bpf_ktime_get_ns(), slept = in->sleep_ns;
	struct ev_inflight e;

	/* sleep_ns of a task that was woken just before it slept is stale: ask the task itself */
	if (!(task->__state & TASK_INTERRUPTIBLE))
		slept = 0;
	hdr_init(&e.hdr, EV_INFLIGHT, sizeof(e), task->tgid, task->pid,
		 in->flags | (slept ? OPF_ASLEEP : 0), now);
	e.chan = o->id;
	e.enter_ns = in->enter_ns;
	e.blocked_ns = in->blocked_ns + (slept && now > slept ? now - slept : 0);
	e.nr = in->nr;
	e.op = op;
	e.mech = o->mech;
	if (o->mech == MECH_SYSV_MSG && op == OP_SEND) /* whereas anybody may send */
		e.owner_pid = msgqueue_receiver(o);
	else
		e.owner_pid = lock_owner(task, is_futex(o->mech));
	bpf_seq_write(seq, &e, sizeof(e));
}

/* A task asleep in a futex call waits for a word; of one among many it is not known here which. */
static __always_inline bool adopt_futex(struct objref *o, struct task_struct *task, bool target,
					__u8 how, struct pt_regs *regs)
{
	__u64 flags = how == FUTEX_CLASSIC ? SYS_ARG1(regs) : SYS_ARG3(regs);
	bool private = flags & FUTEX_PRIVATE_FLAG;

	if (how == FUTEX_WAITV || (private && !takes_private()))
		return false;
	return !futex_resolve(o, task, SYS_ARG0(regs), private) && futex_admit(o, task, target);
}

/* What a splice waits for: as enter_splice() has it. */
static __always_inline bool adopt_splice(struct objref *o, struct task_struct *task,
					 struct task_ctx *t, const volatile struct ipcspy_sys *row,
					 struct pt_regs *regs, bool *out_side)
{
	struct fd_ref in = fd_ref(task, sys_arg(regs, row->in_arg)), out;

	if (object_of_fd(o, task, t, &in, NULL) && (row->out_arg == ARG_NONE || !has_data(o)))
		return true;
	if (row->out_arg == ARG_NONE)
		return false;
	out = fd_ref(task, sys_arg(regs, row->out_arg));
	*out_side = object_of_fd(o, task, t, &out, NULL);
	return *out_side || object_of_fd(o, task, t, &in, NULL);
}

/* What it does there. */
static __always_inline __u8 adopted_op(struct task_struct *task,
				       const volatile struct ipcspy_sys *row, struct pt_regs *regs)
{
	if (row->fam != FAM_SPLICE)
		return row->op;
	return row->out_arg == ARG_NONE &&
			       file_writable(file_of_fd(task, sys_arg(regs, row->in_arg)))
		       ? OP_SEND
		       : OP_RECV;
}

/* The object that the call waits for. */
static __always_inline bool adopt_object(struct objref *o, struct task_struct *task,
					 struct task_ctx *t, const volatile struct ipcspy_sys *row,
					 struct pt_regs *regs, bool *out_side)
{
	struct fd_ref at = fd_ref(task, SYS_ARG0(regs));

	if (row->fam == FAM_WAIT)
		return t != NULL;
	if (row->fam == FAM_MQ)
		return row->how == MQ_FD && mq_of_fd(o, task, t, &at);
	if (row->fam == FAM_MSG)
		return row->how == MSGQ_ID && msgq_of_id(o, task, SYS_ARG0(regs), is_target(t));
	if (row->fam == FAM_SEM)
		return row->how == SEM_OP && sem_of_id(o, task, SYS_ARG0(regs), is_target(t));
	if (row->fam == FAM_FUTEX)
		return adopt_futex(o, task, is_target(t), row->how, regs);
	if (row->fam == FAM_SIGNAL) {
		signal_resolve(o, task);
		return row->op == OP_RECV && object_admit(o, task, is_target(t));
	}
	if (row->fam == FAM_SPLICE)
		return adopt_splice(o, task, t, row, regs, out_side);
	return object_of_fd(o, task, t, &at, NULL);
}

/*
 * A task that was inside a call before the hooks were there: its registers say
 * which. Parks it as if its entry had been seen now.
 */
static __always_inline bool adopt(struct task_struct *task, struct task_ctx *t)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	const volatile struct ipcspy_sys *row;
	struct objref o = {};
	bool out_side = false;
	struct inflight *in;
	__u64 nr, began;

	if (!regs || !(task->__state & TASK_INTERRUPTIBLE) || (task->flags & PF_KTHREAD))
		return false;
	nr = SYS_NR(regs);
	/* inside a call the result register still holds what entry put there (x86 entry code) */
	if (nr >= IPCSPY_NR_SYSCALLS || !in_syscall(regs))
		return false;
	row = &syscalls[nr & (IPCSPY_NR_SYSCALLS - 1)];
	if (row->fam == FAM_NONE || (row->fam == FAM_CTL && row->how >= CTL_PAIR0) ||
	    !adopt_object(&o, task, t, row, regs, &out_side))
		return false;
	in = op_begin(t, task, nr, adopted_op(task, row, regs), OPF_BEFORE_ATTACH);
	if (!in)
		return false;
	began = in->enter_ns;
	in->how = row->how;
	in->buf = SYS_ARG1(regs);
	in->room = SYS_ARG2(regs);
	if (row->fam == FAM_CTL) {
		in->addr = SYS_ARG0(regs);
	} else if (row->fam == FAM_MQ || row->fam == FAM_MSG) {
		in->addr = SYS_ARG3(regs);
		in->arg = SYS_ARG4(regs);
	} else if (row->addr_arg != ARG_NONE) {
		in->addr = SYS_ARG4(regs);
		in->arg = row->op == OP_SEND ? SYS_ARG5(regs) : SOCKADDR_MAX;
	}
	if (row->fam == FAM_FUTEX || row->fam == FAM_SEM) {
		in->buf = SYS_ARG0(regs);
		in->wake_flags = WAKEF_ASK;
	}
	if (out_side)
		in->b = o;
	else
		in->a = o;
	in->sleep_on_b = out_side;
	in->sleep_ns = began;
	/* it may have gone on while we looked */
	if ((task->__state & TASK_INTERRUPTIBLE) && SYS_NR(regs) == nr && in_syscall(regs))
		return true;
	if (in->enter_ns == began) {
		in->active = 0;
	} else { /* ... to another call, of which something was overwritten here */
		in->nr = IPCSPY_NR_SYSCALLS;
		count_lost(LOST_TABLE);
	}
	return false;
}

/* The call that the task is inside of, if it concerns a target. False: none was told. */
static __always_inline bool tell_inflight(struct seq_file *seq, struct task_struct *task)
{
	struct task_ctx *t = task_find(task);

	if (!t || !t->in.active) {
		if (!snap_obj_flags || (!is_target(t) && !cfg.peers) || !adopt(task, t))
			return false;
		t = task_find(task);
	}
	if (!t || !t->in.active)
		return false;
	if (t->in.b.id && t->in.sleep_on_b)
		seq_inflight(seq, task, &t->in, &t->in.b, OP_SEND);
	else
		seq_inflight(seq, task, &t->in, &t->in.a, t->in.op);
	return true;
}

SEC("iter/task")
int ITER_PROG(snap_tasks, struct bpf_iter__task)
{
	struct task_struct *task = ctx->task;
	struct scratch *s = get_scratch();
	bool told;

	if (!task || !s || is_own(task->tgid))
		return 0;
	told = tell_inflight(ctx->meta->seq, task);
	if (!told && reached_cnt) /* look_tasks() tells of it */
		return 0;
	if (!is_of_interest(task) || !look_at(&s->look, task))
		return 0;
	if (told)
		s->look.task.hdr.flags |= LOOKF_INFLIGHT;
	bpf_seq_write(ctx->meta->seq, &s->look, sizeof(s->look));
	return 0;
}
