/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * steady.bpf.h - programs that are not preempted. A part of ipcspy.bpf.h.
 *
 * The kernel does not run a program on a processor where it runs already, which
 * is so until a task that was preempted in it is back: meanwhile nobody's calls are
 * seen there. Nor is what belongs to a processor, the scratch, still a program's own
 * when it goes on. Iterators always were preemptible, hooks at system calls are since
 * Linux 7.2, all others since 7.0; where user space says so in cfg, programs forbid it.
 *
 * They permit it with interrupts off: what became due meanwhile does not happen there,
 * inside of the program, but with the next interrupt or when the task leaves the kernel.
 */
#ifndef IPCSPY_STEADY_BPF_H
#define IPCSPY_STEADY_BPF_H

/* bpftool 7.1 links no two objects that both say of a function that it is the kernel's. */
#ifdef STEADY_KSYMS
#define STEADY_KFUNC __ksym __weak
#else
#define STEADY_KFUNC __weak
#endif

extern void bpf_preempt_disable(void) STEADY_KFUNC;
extern void bpf_preempt_enable(void) STEADY_KFUNC;
extern void bpf_local_irq_save(unsigned long *flags) STEADY_KFUNC;
extern void bpf_local_irq_restore(unsigned long *flags) STEADY_KFUNC;

static __always_inline void steady_begin(bool wanted)
{
	if (wanted)
		bpf_preempt_disable();
}

static __always_inline void steady_end(bool wanted)
{
	unsigned long flags;

	if (!wanted)
		return;
	bpf_local_irq_save(&flags);
	bpf_preempt_enable();
	bpf_local_irq_restore(&flags);
}

/* The rest of a program is another one. */
#define steady_tail_call(ctx, progs, i)              \
	do {                                         \
		steady_end(cfg.steady_calls);        \
		bpf_tail_call_static(ctx, progs, i); \
		steady_begin(cfg.steady_calls);      \
	} while (0)

/* What BPF_PROG does, between the two. */
#define STEADY_PROG(wanted, name, type, call, args...)                               \
	name(type *ctx);                                                             \
	static __always_inline int ____##name(type *ctx, ##args);                    \
	int name(type *ctx)                                                          \
	{                                                                            \
		steady_begin(wanted);                                                \
		_Pragma("GCC diagnostic push")                                       \
			_Pragma("GCC diagnostic ignored \"-Wint-conversion\"") call; \
		_Pragma("GCC diagnostic pop") steady_end(wanted);                    \
		return 0;                                                            \
	}                                                                            \
	static __always_inline int ____##name(type *ctx, ##args)

/* The programs of a family of system calls; of another hook; an iterator. */
#define CALL_PROG(name, args...)                                                                   \
	STEADY_PROG(cfg.steady_calls, name, unsigned long long, ____##name(___bpf_ctx_cast(args)), \
		    ##args)
#define HOOK_PROG(name, args...) \
	STEADY_PROG(cfg.steady, name, unsigned long long, ____##name(___bpf_ctx_cast(args)), ##args)
#define ITER_PROG(name, type) STEADY_PROG(cfg.steady, name, type, ____##name(ctx))

#endif
