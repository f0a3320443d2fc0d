/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * config.h - what user space tells the BPF programs before they are loaded.
 *
 * Lives in read-only data, so the verifier removes what is switched off.
 */
#ifndef IPCSPY_CONFIG_H
#define IPCSPY_CONFIG_H

#include "types.h"

#define IPCSPY_NR_SYSCALLS 512 /* power of two: an index is masked */
#define IPCSPY_GLOB_MAX    63  /* bytes of a pattern */

/*
 * A family of system calls shares one pair of programs, enter_<fam> and
 * exit_<fam>, reached by tail call. A family whose programs are not loaded
 * costs nothing.
 */
enum ipcspy_fam {
	FAM_NONE = 0,
	FAM_FDIO = 1,   /* one descriptor, one direction: read ... sendmsg */
	FAM_MMSG = 2,   /* sendmmsg, recvmmsg */
	FAM_SPLICE = 3, /* two descriptors: splice, tee, sendfile; vmsplice */
	FAM_WAIT = 4,   /* poll, select, epoll_wait */
	FAM_CTL = 5,    /* what makes, joins and ends channels */
	FAM_MQ = 6,     /* POSIX message queues */
	FAM_MSG = 7,    /* System V message queues */
	FAM_SEM = 8,    /* System V semaphores */
	FAM_SHM = 9,    /* what maps and unmaps memory that others may share */
	FAM_FUTEX = 10,
	FAM_SIGNAL = 11,
	FAM_VM = 12,   /* what reads and writes another process: process_vm_readv, ptrace */
	FAM_PASS = 13, /* the second part of calls that pass descriptors, see pass.bpf.c */
	FAM_MAX = 14,
};

/* The families that have programs: enter_<name> and exit_<name>. */
// clang-format off
#define IPCSPY_FAMILIES(row) \
	row(FAM_FDIO, fdio) \
	row(FAM_MMSG, mmsg) \
	row(FAM_SPLICE, splice) \
	row(FAM_WAIT, wait) \
	row(FAM_CTL, ctl) \
	row(FAM_MQ, mq) \
	row(FAM_MSG, msg) \
	row(FAM_SEM, sem) \
	row(FAM_FUTEX, futex) \
	row(FAM_SHM, shm) \
	row(FAM_SIGNAL, signal) \
	row(FAM_VM, vm) \
	row(FAM_PASS, pass)
// clang-format on

/* Where the caller's bytes are, for FAM_FDIO and FAM_SPLICE. */
enum ipcspy_buf {
	BUF_NONE = 0,
	BUF_PLAIN = 1, /* argument 1 is the buffer */
	BUF_IOV = 2,   /* argument 1 is a struct iovec array */
	BUF_MSG = 3,   /* argument 1 is a struct msghdr */
};

/* What a FAM_CTL call gives or changes. */
enum ipcspy_ctl {
	CTL_FD =
		0, /* argument 0 is the descriptor: connect, bind, listen, shutdown, close, fcntl */
	CTL_RET = 1,   /* the result is a new descriptor: accept */
	CTL_PAIR0 = 2, /* argument 0 points to two new descriptors: pipe */
	CTL_PAIR3 = 3, /* argument 3 does: socketpair */
	CTL_NEW = 4,   /* the result is a new descriptor, and no argument is one: eventfd2 */
};

/* How a FAM_MQ call names its queue. */
enum ipcspy_mq {
	MQ_FD = 0,     /* argument 0 is its descriptor */
	MQ_OPEN = 1,   /* the result is */
	MQ_UNLINK = 2, /* argument 0 is its name */
};

/* How a FAM_MSG call names its queue. */
enum ipcspy_msg {
	MSGQ_ID = 0,  /* argument 0 is its id */
	MSGQ_GET = 1, /* the result is */
	MSGQ_CTL = 2, /* argument 0 is its id, argument 1 what to do */
};

/* What a FAM_SEM call does with a set of semaphores. */
enum ipcspy_sem {
	SEM_OP = 0,  /* argument 0 is its id, 1 an array of struct sembuf, 2 how many */
	SEM_GET = 1, /* the result is its id */
	SEM_CTL = 2, /* argument 0 is its id, 1 a semaphore, 2 what to do */
};

/* How a FAM_FUTEX call says which words it is about. */
enum ipcspy_futex {
	FUTEX_CLASSIC = 0, /* futex(2): argument 0 is the word, 1 the command */
	FUTEX_WAITV = 1,   /* argument 0 points to many struct futex_waitv */
	FUTEX_ONE = 2,     /* futex_wait, futex_wake: 0 is the word, 3 the flags */
	FUTEX_MOVE = 3,    /* futex_requeue: argument 0 points to two struct futex_waitv */
};

/* What a FAM_SHM call does to the caller's memory. */
enum ipcspy_shm {
	SHM_MAP = 0,     /* mmap */
	SHM_UNMAP = 1,   /* munmap */
	SHM_REMAP = 2,   /* mremap */
	SHM_PROTECT = 3, /* mprotect */
	SHM_ATTACH = 4,  /* shmat */
	SHM_DETACH = 5,  /* shmdt */
	SHM_CONTROL = 6, /* shmctl */
	SHM_RESIZE = 7,  /* ftruncate */
};

/* How a FAM_VM call names the process that it reaches into. */
enum ipcspy_vm {
	VM_IOV = 0,    /* argument 0 is its pid, argument 3 the parts of its memory */
	VM_PTRACE = 1, /* argument 0 is what to do, argument 1 its pid */
	VM_PIDFD = 2,  /* argument 0 is its descriptor */
};

/* What a FAM_SIGNAL call does; for those that send, how its argument names the receiver. */
enum ipcspy_signal_call {
	SIGCALL_RETURN = 0, /* a handler is over */
	SIGCALL_WAIT = 1,   /* until a handler has run: pause */
	SIGCALL_TAKE = 2,   /* the result is the signal: rt_sigtimedwait */
	SIGCALL_PID = 3,    /* argument 0 is the process, argument 1 the signal */
	SIGCALL_TID = 4,    /* argument 1 is the thread, argument 2 the signal */
	SIGCALL_PIDFD = 5,  /* argument 0 is a descriptor, argument 1 the signal */
};

#define ARG_NONE 0xff

/* One row of the table by system call number. All zero: not ours. */
struct ipcspy_sys {
	__u8 fam; /* enum ipcspy_fam */
	__u8 op;  /* enum ipcspy_op */
	__u8 how; /* FAM_FDIO: enum ipcspy_buf; FAM_CTL: enum ipcspy_ctl; else the family's own */
	__u8 flags_arg; /* which argument holds MSG_* or SPLICE_F_* flags, ARG_NONE */
	__u8 addr_arg;  /* which argument is a struct sockaddr, ARG_NONE */
	__u8 in_arg;    /* FAM_SPLICE: the descriptor read from, ARG_NONE */
	__u8 out_arg;   /* FAM_SPLICE: the descriptor written to, ARG_NONE */
	__u8 sys_flags; /* SYSF_* */
};

#define SYSF_PEEK     0x1  /* leaves the bytes in the source: tee */
#define SYSF_FCNTL    0x2  /* counts only with F_SETPIPE_SZ in argument 1 */
#define SYSF_RESTART  0x8  /* goes on with the call that a signal interrupted */
#define SYSF_RENUMBER 0x4  /* a descriptor may stand for another file or peer afterwards */
#define SYSF_EVENTFD  0x10 /* makes an eventfd: told apart from the last one there */
#define SYSF_SIGINFO  0x40 /* the caller says what the signal claims to be */

/* What the kernel side keeps of an object that it described, by the object's id. */
struct ipcspy_object {
	__u64 lost; /* records of it that the ring could not take */
	__u64 wkey; /* under which it is watched, 0 none */
	__u64 ino;  /* of its file: a key made of an address may be another's by now */
};

/* Keys of the table of what snapshots tell of beside targets: bpf/reach.bpf.h. */
#define REACHED_MAX 16384
#define REACHED_PID (1ull << 63 | 1ull << 32) /* an id of an object is this one time in 2^32 */

#define PID_NUMBERS (1 << 22) /* PID_MAX_LIMIT, include/linux/threads.h */

struct ipcspy_config {
	__u64 seed;          /* key of object ids */
	__u32 self_tgid;     /* never traced; the machine's number */
	__u32 mech_mask;     /* 1u << MECH_* */
	__u8 all;            /* every process is a target */
	__u8 follow;         /* children of targets are targets */
	__u8 peers;          /* operations of others on watched channels count */
	__u8 look;           /* one look at the machine, nothing is attached: look.bpf.c */
	__u32 pid_ns_ino;    /* of the caller's pid namespace; 0: the machine's, see pidns.bpf.h */
	__u8 page_shift;     /* bytes of a page: 1 << page_shift */
	__u8 steady;         /* programs can forbid preemption: steady.bpf.h */
	__u16 payload_bytes; /* to be kept of each message, up to PAYLOAD_MAX; 0: none */
	__u8 steady_calls;   /* those at system calls have to */
	__u8 pad[3];
	__u64 glob_gaps; /* bit n: a star behind the first n elements */
	__u64 glob_end;  /* the bit of a whole match; 0: no filter by comm */
	__u64 cgroup_id; /* what is in it, or in one inside it, is a target; 0: no such filter */
};

#endif
