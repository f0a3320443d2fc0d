/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * regs.bpf.h - what each architecture does in its own way at a system call.
 *
 * SYS_NR() and SYS_ARG0() to SYS_ARG5() hold from the call's entry to its exit, also for
 * the registers of another task that is inside of it (in_syscall()).
 */
#ifndef IPCSPY_REGS_BPF_H
#define IPCSPY_REGS_BPF_H

#if defined(__TARGET_ARCH_x86)

#define SYS_NR(regs)   ((regs)->orig_ax)
#define SYS_ARG0(regs) ((regs)->di)
#define SYS_ARG1(regs) ((regs)->si)
#define SYS_ARG2(regs) ((regs)->dx)
#define SYS_ARG3(regs) ((regs)->r10)
#define SYS_ARG4(regs) ((regs)->r8)
#define SYS_ARG5(regs) ((regs)->r9)

#define ENOSYS 38
#define TS_COMPAT \
	2 /* thread_info.status inside a 32-bit call, arch/x86/include/asm/thread_info.h */

/* The result register still has what entry put there, arch/x86/entry/entry_64.S. */
static __always_inline bool in_syscall(struct pt_regs *regs)
{
	return (int)regs->ax == -ENOSYS;
}

static __always_inline bool is_compat(struct task_struct *task)
{
	return task->thread_info.status & TS_COMPAT;
}

#elif defined(__TARGET_ARCH_arm64)

#define SYS_NR(regs)   ((__u64)(regs)->syscallno)
#define SYS_ARG0(regs) ((regs)->orig_x0)
#define SYS_ARG1(regs) ((regs)->regs[1])
#define SYS_ARG2(regs) ((regs)->regs[2])
#define SYS_ARG3(regs) ((regs)->regs[3])
#define SYS_ARG4(regs) ((regs)->regs[4])
#define SYS_ARG5(regs) ((regs)->regs[5])

#define TIF_32BIT (1ul << 22) /* arch/arm64/include/asm/thread_info.h */

/* Any other way into the kernel puts NO_SYSCALL there, arch/arm64/kernel/entry.S. */
static __always_inline bool in_syscall(struct pt_regs *regs)
{
	return regs->syscallno >= 0;
}

static __always_inline bool is_compat(struct task_struct *task)
{
	return task->thread_info.flags & TIF_32BIT;
}

#else
#error "which registers hold a call's number and arguments?"
#endif

/* The i-th argument of the call that regs belong to, counted from 0. */
static __always_inline unsigned long sys_arg(struct pt_regs *regs, __u32 i)
{
	switch (i) {
	case 1:
		return SYS_ARG1(regs);
	case 2:
		return SYS_ARG2(regs);
	case 3:
		return SYS_ARG3(regs);
	case 4:
		return SYS_ARG4(regs);
	case 5:
		return SYS_ARG5(regs);
	default:
		return SYS_ARG0(regs);
	}
}

#endif
