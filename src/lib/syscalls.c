/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/syscalls.h"

#include <stdio.h>
#include <sys/syscall.h>

#define A ARG_NONE

#define IO(name, op, how, flags, addr)                          \
	{                                                       \
		__NR_##name, #name,                             \
		{                                               \
			FAM_FDIO, op, how, flags, addr, A, A, 0 \
		}                                               \
	}
#define MMSG(name, op)                                       \
	{                                                    \
		__NR_##name, #name,                          \
		{                                            \
			FAM_MMSG, op, BUF_MSG, 3, A, A, A, 0 \
		}                                            \
	}
#define SPLICE(name, in, out, sys_flags)                                        \
	{                                                                       \
		__NR_##name, #name,                                             \
		{                                                               \
			FAM_SPLICE, OP_SEND, BUF_NONE, A, A, in, out, sys_flags \
		}                                                               \
	}
#define WAIT(name, sys_flags)                                       \
	{                                                           \
		__NR_##name, #name,                                 \
		{                                                   \
			FAM_WAIT, OP_WAIT, 0, A, A, A, A, sys_flags \
		}                                                   \
	}
#define MQ(name, op, how)                              \
	{                                              \
		__NR_##name, #name,                    \
		{                                      \
			FAM_MQ, op, how, A, A, A, A, 0 \
		}                                      \
	}
#define MSG(name, op, how)                              \
	{                                               \
		__NR_##name, #name,                     \
		{                                       \
			FAM_MSG, op, how, A, A, A, A, 0 \
		}                                       \
	}
#define CTL(name, op, how, sys_flags)                           \
	{                                                       \
		__NR_##name, #name,                             \
		{                                               \
			FAM_CTL, op, how, A, A, A, A, sys_flags \
		}                                               \
	}
#define SIGNAL(name, op, how, sys_flags)                           \
	{                                                          \
		__NR_##name, #name,                                \
		{                                                  \
			FAM_SIGNAL, op, how, A, A, A, A, sys_flags \
		}                                                  \
	}

#define FUTEX(name, op, how)                              \
	{                                                 \
		__NR_##name, #name,                       \
		{                                         \
			FAM_FUTEX, op, how, A, A, A, A, 0 \
		}                                         \
	}

#define SEM(name, op, how)                              \
	{                                               \
		__NR_##name, #name,                     \
		{                                       \
			FAM_SEM, op, how, A, A, A, A, 0 \
		}                                       \
	}

#define VM(name, op, how)                              \
	{                                              \
		__NR_##name, #name,                    \
		{                                      \
			FAM_VM, op, how, A, A, A, A, 0 \
		}                                      \
	}

/* Not in every libc's headers; the same on every architecture. */
#ifndef __NR_futex_wake
#define __NR_futex_wake 454
#endif
#ifndef __NR_futex_wait
#define __NR_futex_wait 455
#endif
#ifndef __NR_futex_requeue
#define __NR_futex_requeue 456
#endif

#define SHM(name, how)                                       \
	{                                                    \
		__NR_##name, #name,                          \
		{                                            \
			FAM_SHM, OP_NONE, how, A, A, A, A, 0 \
		}                                            \
	}

/* Arguments are counted from 0; who is a buffer and who a flag word is in each call's man page. */
static const struct syscall_row rows[] = {
	IO(read, OP_RECV, BUF_PLAIN, A, A),
	IO(write, OP_SEND, BUF_PLAIN, A, A),
	IO(readv, OP_RECV, BUF_IOV, A, A),
	IO(writev, OP_SEND, BUF_IOV, A, A),
	IO(preadv2, OP_RECV, BUF_IOV, A, A),
	IO(pwritev2, OP_SEND, BUF_IOV, A, A),
	IO(recvfrom, OP_RECV, BUF_PLAIN, 3, 4),
	IO(sendto, OP_SEND, BUF_PLAIN, 3, 4),
	IO(recvmsg, OP_RECV, BUF_MSG, 2, A),
	IO(sendmsg, OP_SEND, BUF_MSG, 2, A),
	MMSG(recvmmsg, OP_RECV),
	MMSG(sendmmsg, OP_SEND),
	SPLICE(splice, 0, 2, 0),
	SPLICE(tee, 0, 1, SYSF_PEEK),
	SPLICE(vmsplice, 0, A, 0),
	SPLICE(sendfile, 1, 0, 0),
	SPLICE(copy_file_range, 0, 2, 0),
	WAIT(ppoll, 0),
	WAIT(pselect6, 0),
	WAIT(epoll_pwait, 0),
	WAIT(epoll_pwait2, 0),
	WAIT(restart_syscall, SYSF_RESTART),
	WAIT(io_uring_enter, 0),
	CTL(accept, OP_ACCEPT, CTL_RET, 0),
	CTL(accept4, OP_ACCEPT, CTL_RET, 0),
	CTL(connect, OP_CONNECT, CTL_FD, SYSF_RENUMBER),
	CTL(bind, OP_CREATE, CTL_FD, 0),
	CTL(listen, OP_CREATE, CTL_FD, 0),
	CTL(shutdown, OP_SHUTDOWN, CTL_FD, 0),
	CTL(close, OP_CLOSE, CTL_FD, SYSF_RENUMBER),
	CTL(close_range, OP_NONE, CTL_FD, SYSF_RENUMBER),
	CTL(dup3, OP_NONE, CTL_FD, SYSF_RENUMBER),
	CTL(fcntl, OP_RESIZE, CTL_FD, SYSF_FCNTL),
	CTL(pipe2, OP_CREATE, CTL_PAIR0, 0),
	CTL(socketpair, OP_CREATE, CTL_PAIR3, 0),
	MQ(mq_open, OP_CREATE, MQ_OPEN),
	MQ(mq_timedsend, OP_SEND, MQ_FD),
	MQ(mq_timedreceive, OP_RECV, MQ_FD),
	MQ(mq_notify, OP_NOTIFY, MQ_FD),
	MQ(mq_getsetattr, OP_CREATE, MQ_FD),
	MQ(mq_unlink, OP_REMOVE, MQ_UNLINK),
	MSG(msgget, OP_CREATE, MSGQ_GET),
	MSG(msgsnd, OP_SEND, MSGQ_ID),
	MSG(msgrcv, OP_RECV, MSGQ_ID),
	MSG(msgctl, OP_REMOVE, MSGQ_CTL),
	SEM(semget, OP_CREATE, SEM_GET),
	SEM(semop, OP_RECV, SEM_OP),
	SEM(semtimedop, OP_RECV, SEM_OP),
	SEM(semctl, OP_SEND, SEM_CTL),
	FUTEX(futex, OP_RECV, FUTEX_CLASSIC), /* the command says what it does */
	FUTEX(futex_waitv, OP_RECV, FUTEX_WAITV),
	FUTEX(futex_wait, OP_RECV, FUTEX_ONE),
	FUTEX(futex_wake, OP_SEND, FUTEX_ONE),
	FUTEX(futex_requeue, OP_SEND, FUTEX_MOVE),
	VM(process_vm_readv, OP_RECV, VM_IOV),
	VM(process_vm_writev, OP_SEND, VM_IOV),
	VM(ptrace, OP_SEND, VM_PTRACE),
	VM(pidfd_getfd, OP_RECV, VM_PIDFD),
	CTL(eventfd2, OP_CREATE, CTL_NEW, SYSF_EVENTFD),
	SHM(mmap, SHM_MAP),
	SHM(munmap, SHM_UNMAP),
	SHM(mremap, SHM_REMAP),
	SHM(mprotect, SHM_PROTECT),
	SHM(pkey_mprotect, SHM_PROTECT),
	SHM(shmat, SHM_ATTACH),
	SHM(shmdt, SHM_DETACH),
	SHM(shmctl, SHM_CONTROL),
	SHM(ftruncate, SHM_RESIZE),
	SIGNAL(kill, OP_SEND, SIGCALL_PID, 0),
	SIGNAL(tkill, OP_SEND, SIGCALL_PID, 0),
	SIGNAL(tgkill, OP_SEND, SIGCALL_TID, 0),
	SIGNAL(rt_sigqueueinfo, OP_SEND, SIGCALL_PID, SYSF_SIGINFO),
	SIGNAL(rt_tgsigqueueinfo, OP_SEND, SIGCALL_TID, SYSF_SIGINFO),
	SIGNAL(pidfd_send_signal, OP_SEND, SIGCALL_PIDFD, SYSF_SIGINFO),
	SIGNAL(rt_sigreturn, OP_HANDLED, SIGCALL_RETURN, 0),
	SIGNAL(rt_sigtimedwait, OP_RECV, SIGCALL_TAKE, 0),
	SIGNAL(rt_sigsuspend, OP_RECV, SIGCALL_WAIT, 0),
/* newer architectures have only the later forms */
#ifdef __NR_pause
	SIGNAL(pause, OP_RECV, SIGCALL_WAIT, 0),
#endif
#ifdef __NR_poll
	WAIT(poll, 0),
#endif
#ifdef __NR_select
	WAIT(select, 0),
#endif
#ifdef __NR_epoll_wait
	WAIT(epoll_wait, 0),
#endif
#ifdef __NR_dup2
	CTL(dup2, OP_NONE, CTL_FD, SYSF_RENUMBER),
#endif
#ifdef __NR_eventfd
	CTL(eventfd, OP_CREATE, CTL_NEW, SYSF_EVENTFD),
#endif
#ifdef __NR_pipe
	CTL(pipe, OP_CREATE, CTL_PAIR0, 0),
#endif
};

/* Calls in which tasks wait for what is no channel: only their names are known. */
#define NAME(name)                  \
	{                           \
		__NR_##name, #name, \
	}
static const struct {
	unsigned int nr;
	const char *name;
} others[] = {
	NAME(clock_nanosleep),
	NAME(nanosleep),
	NAME(wait4),
	NAME(waitid),
	NAME(flock),
	NAME(openat),
	NAME(ioctl),
	NAME(rt_sigsuspend),
	NAME(restart_syscall),
	NAME(fsync),
	NAME(fdatasync),
	NAME(clone),
	NAME(clone3),
	NAME(execve),
	NAME(io_getevents),
	NAME(io_uring_enter),
	NAME(unlinkat),
	NAME(getdents64),
#ifdef __NR_open
	NAME(open),
#endif
#ifdef __NR_vfork
	NAME(vfork),
#endif
};

const struct syscall_row *syscall_rows(size_t *cnt)
{
	*cnt = sizeof(rows) / sizeof(rows[0]);
	return rows;
}

const char *syscall_name(unsigned int nr, char *buf, size_t len)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].nr == nr)
			return rows[i].name;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i].nr == nr)
			return others[i].name;
	snprintf(buf, len, "syscall_%u", nr);
	return buf;
}
