/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * signal.bpf.c - signals: generated, delivered, handled, and waited for.
 *
 * The kernel traces where it puts a signal into a pending set (signal_generate,
 * __send_signal_locked() in kernel/signal.c) and where it takes one out to act on
 * it (signal_deliver, get_signal()). Both happen under the receiver's siglock, so
 * their records are in order. What sigwaitinfo(2) and signalfd(2) take out is not
 * traced: their system calls tell.
 *
 * A timer's signal is generated in its interrupt, upon any program that runs just then, and so
 * may others be that come from no task: on_generate() uses nothing that belongs to the
 * processor, and of the task it came upon only what it reads.
 */
#include "op.bpf.h"

#define PF_KTHREAD        0x00200000
#define SIGNAL_GROUP_EXIT 0x4
#define SIGKILL           9
#define SIGCHLD           17

#define SI_USER  0
#define SI_QUEUE -1
#define SI_MESGQ -3
#define SI_TKILL -6

/* What stands for a siginfo where there is none (include/linux/signal_types.h). */
#define SEND_SIG_NOINFO 0 /* on behalf of the current task */
#define SEND_SIG_PRIV   1 /* from the kernel */
#define SI_KERNEL       0x80

/*
 * The siginfo as a number: the verifier takes the argument for a pointer to one,
 * and removes the question whether it is.
 */
static __always_inline __u64 info_of(unsigned long long *arg)
{
	__u64 info = 0;

	KREAD(&info, (__u64 *)arg);
	return info;
}

static __always_inline int code_of(__u64 info_ptr)
{
	struct kernel_siginfo *info = (void *)info_ptr;
	int code = 0;

	if (info_ptr == SEND_SIG_NOINFO)
		return SI_USER;
	if (info_ptr == SEND_SIG_PRIV)
		return SI_KERNEL;
	KREAD(&code, &info->si_code);
	return code;
}

/* Tells of the signals of a process. Not in the scratch: an interrupt may need it. */
GLOBAL int signal_tell(const struct objref *o, __u64 pid_tgid)
{
	struct ev_obj *e;

	if (!o)
		return 0;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		lose(o->mech, o->id);
		return 0;
	}
	object_head(e, o, pid_tgid, -1, 0);
	signal_describe(e, o);
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	object_note(o);
	return 1;
}

/* As object_admit(). */
static __always_inline bool signal_admit(const struct objref *o, struct task_struct *task,
					 bool target)
{
	if (!(cfg.mech_mask & (1u << MECH_SIGNAL)))
		return false;
	if (target)
		watch_key(o->wkey, 0);
	else if (!is_watched(o->wkey, 0))
		return false;
	return bpf_map_lookup_elem(&objects, &o->id) || signal_tell(o, pid_tgid_of(task));
}

/* The row of the call that a task is inside of, if it is one that sends signals. */
static __always_inline const volatile struct ipcspy_sys *sending_call(struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	const volatile struct ipcspy_sys *row;

	if (!regs || SYS_NR(regs) >= IPCSPY_NR_SYSCALLS)
		return NULL;
	row = &syscalls[SYS_NR(regs) & (IPCSPY_NR_SYSCALLS - 1)];
	return row->fam == FAM_SIGNAL && row->op == OP_SEND ? row : NULL;
}

/*
 * Whether the current task sends it. Else it is the kernel's own, and the
 * current task is merely the one that a timer, a terminal or an exit met.
 */
static __always_inline bool sent_by_current(struct task_struct *self, struct task_struct *to,
					    __u64 info, int code, int sig)
{
	const volatile struct ipcspy_sys *row;
	struct pt_regs *regs;

	if (self->flags & PF_KTHREAD)
		return false;
	/* to another: the parent's death (prctl(2), PR_SET_PDEATHSIG); to itself: SIGPIPE */
	if (info == SEND_SIG_NOINFO)
		return self->tgid != to->tgid;
	if (code == SI_USER || code == SI_QUEUE || code == SI_TKILL || code == SI_MESGQ)
		return true;
	if (code >= 0 && self->tgid != to->tgid)
		return false;
	row = sending_call(self);
	if (!row || !(row->sys_flags & SYSF_SIGINFO))
		return false;
	/* a timer's, which came upon that call, has another number */
	regs = (struct pt_regs *)bpf_task_pt_regs(self);
	return regs && (int)(row->how == SIGCALL_TID ? SYS_ARG2(regs) : SYS_ARG1(regs)) == sig;
}

struct thread_walk {
	struct list_head *head, *at;
	__u64 bit;
	__u32 open; /* a thread that does not block it */
	__u32 pad;
};

static long thread_look(__u32 i, void *arg)
{
	struct thread_walk *w = arg;
	struct task_struct *thread;
	__u64 blocked = 0;

	if (w->at == w->head)
		return 1;
	thread = (void *)w->at - bpf_core_field_offset(struct task_struct, thread_node);
	KREAD(&blocked, &thread->blocked.sig[0]);
	w->open = !(blocked & w->bit);
	KREAD(&w->at, &w->at->next);
	return w->open;
}

#define THREADS_MAX 1024 /* looked at: they are a list */

/* A signal for the process is blocked when every thread blocks it. */
GLOBAL int blocked_by_all(__u64 signal_ptr, __u64 bit)
{
	struct signal_struct *signal = (void *)signal_ptr;
	struct thread_walk w = {.bit = bit};

	w.head = (void *)signal + bpf_core_field_offset(struct signal_struct, thread_head);
	KREAD(&w.at, &w.head->next);
	bpf_loop(THREADS_MAX, thread_look, &w, 0);
	return !w.open;
}

static __always_inline bool is_masked(struct task_struct *task, int sig, bool group)
{
	struct signal_struct *signal = (void *)TASK_PTR(task, signal);
	__u64 bit = 1ull << ((sig - 1) & 63);
	int threads = 0;

	if (!(task->blocked.sig[0] & bit))
		return false;
	if (!group || KREAD(&threads, &signal->nr_threads) || threads <= 1)
		return true;
	return blocked_by_all((__u64)signal, bit);
}

/* A record about a signal, but for what hdr, vals and op are; NULL: it was lost. */
static __always_inline struct op_vals *signal_record(const struct objref *o, __u8 op)
{
	struct op_vals *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	__u64 now_ns;

	if (!e) {
		lose(o->mech, o->id);
		return NULL;
	}
	now_ns = bpf_ktime_get_ns();
	hdr_init(&e->op.hdr, EV_OP, sizeof(*e), 0, 0, 0, now_ns);
	e->op.chan = o->id;
	e->op.enter_ns = now_ns;
	e->op.blocked_ns = 0;
	e->op.ret = 0;
	e->op.backlog = 0;
	e->op.seq = 0;
	e->op.fp = 0;
	e->op.waker_tid = 0;
	e->op.nr = 0;
	e->op.op = op;
	e->op.mech = MECH_SIGNAL;
	return e;
}

static __always_inline __u64 signo_and_code(int sig, int code)
{
	return (__u32)sig | (__u64)(__u32)code << 32;
}

static __always_inline struct task_ctx *described(struct task_ctx *t, struct task_struct *task)
{
	if (!t)
		t = task_make(task);
	if (t)
		task_describe(t, task);
	return t;
}

/*
 * The first signal of a call counts the call, and began with it: the kernel traces a
 * signal only when it has woken the receiver. The others of kill(0) or kill(-pgid) do not.
 */
static __always_inline bool counts_call(struct ev_op *op, struct task_ctx *t,
					struct task_struct *self)
{
	if (!sending_call(self))
		return false;
	if (!t || !t->in.active || t->in.op != OP_SEND ||
	    syscalls[t->in.nr & (IPCSPY_NR_SYSCALLS - 1)].fam != FAM_SIGNAL)
		return true;
	if (t->in.arg++)
		return false;
	op->enter_ns = t->in.enter_ns;
	return true;
}

/* Under the receiver's siglock, which PREEMPT_RT lets be preempted. */
SEC("tp_btf/signal_generate")
int HOOK_PROG(on_generate, int sig, struct kernel_siginfo *info, struct task_struct *task,
	      int group, int result)
{
	struct task_struct *self = bpf_get_current_task_btf();
	struct task_ctx *to = task_find(task), *from = NULL;
	bool sent, to_target = is_target(to), from_target = false;
	__u64 info_ptr = info_of(&ctx[1]);
	int code = code_of(info_ptr);
	struct objref o = {};
	struct op_vals *e;

	/* SIGCHLD that nobody is to notice: wait(2) is what tells the parent */
	if (result == SIGNAL_IGNORED && sig == SIGCHLD)
		return 0;
	if (task->flags & PF_KTHREAD)
		return 0;
	sent = sent_by_current(self, task, info_ptr, code, sig);
	if (sent) {
		from = task_find(self);
		from_target = is_target(from);
	}
	if (is_ignored(task, to_target || from_target))
		return 0;
	signal_resolve(&o, task);
	if (!signal_admit(&o, task, to_target || from_target))
		return 0;
	described(to, task);
	if (sent)
		from = described(from, self);
	e = signal_record(&o, OP_SEND);
	if (!e)
		return 0;
	e->op.hdr.pid = sent ? self->tgid : task->tgid;
	e->op.hdr.tid = sent ? self->pid : 0;
	e->op.hdr.flags = OPF_VALS | ((sent ? from_target : to_target) ? OPF_TARGET : 0) |
			  (sent && counts_call(&e->op, from, self) ? 0 : OPF_MORE);
	e->op.ret = result == SIGNAL_OVERFLOW ? -EAGAIN : 0;
	e->vals.v[0] = signo_and_code(sig, code);
	e->vals.v[1] = (__u32)task->pid | (__u64)(result & 0xf) << 32 | (group ? SIGV_GROUP : 0) |
		       (is_masked(task, sig, group) ? SIGV_MASKED : 0);
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 0;
}

/* What a handler is going to do with it; SIG_DFL is 0, SIG_IGN is 1. */
static __always_inline __u64 disposition(struct task_ctx *t, struct k_sigaction *ka, int sig,
					 __u64 now_ns)
{
	__u64 handler = (__u64)ka->sa.sa_handler;
	struct handler_run *run;

	if (handler <= 1)
		return handler ? SIGV_IGNORED : 0;
	if (t) {
		run = &t->handlers[t->handler_cnt++ & (HANDLERS_MAX - 1)];
		run->begin_ns = now_ns;
		run->nested_ns = 0;
		run->signo = sig;
	}
	return SIGV_HANDLER;
}

/*
 * A process that ends is told to every thread as SIGKILL, whatever ends it: the
 * signal is in the exit code. 0: none does, it ends or executes another program
 * by itself.
 */
static __always_inline int ending_signal(struct task_struct *task)
{
	struct signal_struct *signal = (void *)TASK_PTR(task, signal);
	__u32 flags = 0;
	int code = 0;

	if (KREAD(&flags, &signal->flags) || !(flags & SIGNAL_GROUP_EXIT))
		return 0;
	KREAD(&code, &signal->group_exit_code);
	return code & 0x7f;
}

SEC("tp_btf/signal_deliver")
int HOOK_PROG(on_deliver, int sig, struct kernel_siginfo *info, struct k_sigaction *ka)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_ctx *t = task_find(task);
	bool target = is_target(t), death = sig == SIGKILL;
	int code = code_of(info_of(&ctx[1]));
	struct objref o = {};
	struct op_vals *e;

	if (death)
		sig = ending_signal(task);
	if (!sig || is_ignored(task, target))
		return 0;
	signal_resolve(&o, task);
	if (!signal_admit(&o, task, target))
		return 0;
	t = described(t, task);
	e = signal_record(&o, OP_RECV);
	if (!e)
		return 0;
	e->op.hdr.pid = task->tgid;
	e->op.hdr.tid = task->pid;
	e->op.hdr.flags = OPF_VALS | OPF_MORE | (target ? OPF_TARGET : 0);
	e->vals.v[0] = signo_and_code(sig, code);
	e->vals.v[1] =
		(__u32)task->pid | (death ? SIGV_DEATH : disposition(t, ka, sig, e->op.hdr.ts_ns));
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 0;
}

/* rt_sigreturn(2) ends the handler that began last and still runs. */
static __always_inline void handler_returns(struct task_struct *task, struct task_ctx *t, __u16 nr)
{
	struct handler_run *run, *outer;
	struct objref o = {};
	struct op_vals *e;

	if (!t || !t->handler_cnt)
		return;
	run = &t->handlers[--t->handler_cnt & (HANDLERS_MAX - 1)];
	if (!run->begin_ns) /* more of them at once than are remembered */
		return;
	signal_resolve(&o, task);
	e = signal_record(&o, OP_HANDLED);
	if (e) {
		e->op.hdr.pid = task->tgid;
		e->op.hdr.tid = task->pid;
		e->op.hdr.flags = OPF_VALS | (is_target(t) ? OPF_TARGET : 0);
		e->op.nr = nr;
		e->op.enter_ns = run->begin_ns;
		e->op.blocked_ns = run->nested_ns;
		e->vals.v[0] = run->signo;
		e->vals.v[1] = (__u32)task->pid;
		outer = &t->handlers[(t->handler_cnt - 1) & (HANDLERS_MAX - 1)];
		if (t->handler_cnt)
			outer->nested_ns += e->op.hdr.ts_ns - run->begin_ns;
		bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	}
	run->begin_ns = 0;
}

/* pause and its like: the task's own signals are what it waits for. */
static __always_inline void enter_wait_signal(struct task_struct *task, struct task_ctx *t,
					      const volatile struct ipcspy_sys *row, __u16 nr)
{
	struct objref o = {};
	struct inflight *in;

	signal_resolve(&o, task);
	if (!signal_admit(&o, task, is_target(t)))
		return;
	in = op_begin(t, task, nr, OP_RECV, 0);
	if (!in)
		return;
	in->how = row->how;
	in->a = o;
}

SEC("tp_btf/sys_enter")
int CALL_PROG(enter_signal, struct pt_regs *regs, long nr)
{
	const volatile struct ipcspy_sys *row = &syscalls[nr & (IPCSPY_NR_SYSCALLS - 1)];
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_ctx *t = task_find(task);
	struct inflight *in;

	if (!(cfg.mech_mask & (1u << MECH_SIGNAL)) || is_ignored(task, is_target(t)))
		return 0;
	if (row->how == SIGCALL_RETURN) {
		handler_returns(task, t, nr);
		return 0;
	}
	if (row->op == OP_RECV) {
		enter_wait_signal(task, t, row, nr);
		return 0;
	}
	if (!t && !cfg.all)
		return 0;
	in = op_begin(t, task, nr, OP_SEND, 0);
	if (!in)
		return 0;
	in->how = row->how;
	in->buf = row->how == SIGCALL_TID ? SYS_ARG1(regs) : SYS_ARG0(regs);
	in->room = row->how == SIGCALL_TID ? SYS_ARG2(regs) : SYS_ARG1(regs);
	return 0;
}

/*
 * A call that sent nothing: nobody has that pid, or it may not. Its channel is
 * named by what it was to be sent to.
 */
static __always_inline void send_failed(struct inflight *in, struct task_struct *task, __s32 ret)
{
	struct objref o = {};
	struct sample s = {};

	if (!in->room) /* kill(pid, 0) only asks */
		return;
	signal_named(&o, in->how == SIGCALL_PIDFD ? 0 : in->buf, 0);
	if (signal_admit(&o, task, in->flags & OPF_TARGET))
		op_emit(in, &o, &s, OP_SEND, ret, 0);
}

SEC("tp_btf/sys_exit")
int CALL_PROG(exit_signal, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct inflight *in = op_end(task_find(task), SYS_NR(regs));
	struct sample s = {};

	if (!in)
		return 0;
	if (in->op == OP_SEND) {
		if (ret < 0 && !in->arg)
			send_failed(in, task, ret);
	} else if (in->how == SIGCALL_TAKE && ret > 0) {
		op_emit_vals(in, &in->a, &s, OP_RECV, 0, 0, ret, (__u32)in->pid_tgid | SIGV_TAKEN);
	} else {
		op_emit(in, &in->a, &s, OP_RECV, ret, 0);
	}
	return 0;
}

/* Signals in a pending set: entries of its queue, or where there are none, its marks. */
struct queue_walk {
	struct list_head *head, *at;
	__u32 cnt;
	__u32 pad;
};

static long queue_step(__u32 i, void *arg)
{
	struct queue_walk *w = arg;

	if (!w->at || w->at == w->head)
		return 1;
	w->cnt++;
	return KREAD(&w->at, &w->at->next) != 0;
}

/* Without a loop, whose every step the verifier would follow. */
static __always_inline __u32 bits_set(__u64 v)
{
	v -= v >> 1 & 0x5555555555555555ull;
	v = (v & 0x3333333333333333ull) + (v >> 2 & 0x3333333333333333ull);
	v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return v * 0x0101010101010101ull >> 56;
}

#define QUEUE_MAX 65536

GLOBAL int pending_cnt(__u64 pending_ptr)
{
	struct sigpending *pending = (void *)pending_ptr;
	struct queue_walk w = {};
	__u64 set = 0;
	__u32 bits;

	KREAD(&set, &pending->signal.sig[0]);
	bits = bits_set(set);
	w.head = (void *)pending + bpf_core_field_offset(struct sigpending, list);
	KREAD(&w.at, &w.head->next);
	bpf_loop(QUEUE_MAX, queue_step, &w, 0);
	return w.cnt > bits ? w.cnt : bits;
}

extern volatile __u32 snap_targets;
extern volatile __u32 snap_obj_flags;

/*
 * Which signals wait for each watched process: the main thread tells its own and
 * the process's, every other thread its own.
 */
SEC("iter/task")
int ITER_PROG(snap_signals, struct bpf_iter__task)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct scratch *s = get_scratch();
	struct signal_struct *signal;
	struct objref o = {};
	struct task_ctx *t;
	struct ev_proc p;
	__u64 at = 0, shared = 0;
	bool leader;

	if (!task || !s || is_own(task->tgid) || (task->flags & PF_KTHREAD))
		return 0;
	t = task_find(task);
	if (!is_target(t) && !cfg.peers)
		return 0;
	leader = task->pid == task->tgid;
	signal = (void *)TASK_PTR(task, signal);
	if (!signal || KREAD(&shared, &signal->shared_pending.signal.sig[0]) ||
	    (!leader && !task->pending.signal.sig[0]))
		return 0;
	signal_resolve(&o, task);
	if (!is_target(t) && !is_watched(o.wkey, 0))
		return 0;
	/* without signals, and without any so far, it is no channel yet */
	if (leader && !task->pending.signal.sig[0] && !shared &&
	    !bpf_map_lookup_elem(&objects, &o.id))
		return 0;
	if (!object_describe(&o, pid_tgid_of(task), -1, snap_obj_flags | OBJF_BACKLOG))
		return 0;
	s->obj.vals[0] = task->pending.signal.sig[0];
	/* the verifier passes no typed pointer to a global function: fetch it as a number */
	KREAD(&at, (__u64 *)&ctx->task);
	s->obj.backlog = pending_cnt(at + bpf_core_field_offset(struct task_struct, pending));
	if (leader) {
		at = (__u64)signal + bpf_core_field_offset(struct signal_struct, shared_pending);
		s->obj.vals[0] |= shared;
		s->obj.backlog += pending_cnt(at);
	}
	proc_fill(&p, task, is_target(t) ? PROCF_TARGET : 0);
	if ((!(t && (t->flags & TF_DESCRIBED)) && bpf_seq_write(seq, &p, sizeof(p))) ||
	    bpf_seq_write(seq, &s->obj, sizeof(s->obj)))
		return 0;
	if (!t)
		t = task_make(task);
	if (t)
		task_flag(t, TF_DESCRIBED);
	if (is_target(t))
		watch_key(o.wkey, 0);
	object_note(&o);
	return 0;
}
