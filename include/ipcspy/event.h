/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * event.h - the records that the kernel side emits and everything else reads.
 *
 * One record per finished operation, plus descriptions of objects and
 * processes, emitted before the first operation that names them. Records from
 * the ring buffer, from iterators (snapshots) and from recordings are the same.
 * Fields are fixed-width and naturally aligned, padding is named, and sizes
 * are asserted below, so a record can be written to a file as it is.
 *
 * Times: CLOCK_MONOTONIC, nanoseconds. Object ids: a keyed hash of what
 * identifies the kernel object (address and inode number; device, inode and
 * generation for a FIFO), so that a reused address or inode is a new id and no
 * kernel address leaves the kernel.
 */
#ifndef IPCSPY_EVENT_H
#define IPCSPY_EVENT_H

#include "types.h"

#define IPCSPY_COMM_LEN 16
#define IPCSPY_SUN_LEN  108

enum ipcspy_ev_kind {
	EV_NONE = 0,
	EV_OP = 1,   /* struct ev_op, maybe followed by struct ev_addr_in, ev_addr_un or ev_vals,
			and by struct ev_payload */
	EV_OBJ = 2,  /* struct ev_obj: what an object id is; repeated when it changes */
	EV_PROC = 3, /* struct ev_proc: a process, before its first operation; at fork and exec */
	EV_EXIT = 4, /* struct ev_exit: a thread ended */
	EV_SNAP = 5, /* struct ev_snap: a snapshot begins or ends */
	EV_INFLIGHT =
		6,   /* struct ev_inflight: an operation entered and not returned (in a snapshot) */
	EV_HOLD = 7, /* struct ev_hold: a process holds an end of an object open (in a snapshot) */
	EV_NAME = 8, /* struct ev_name: text found by the collector (path, exe) */
	EV_LOSS = 9, /* struct ev_loss: what the kernel side could not deliver */
	EV_MAP = 10, /* struct ev_map: a range of a process's memory that others may share */
	EV_PASS = 11, /* struct ev_pass: a descriptor is handed to another process */
	EV_TASK = 12, /* struct ev_task: what a task is doing (in a snapshot) */
	EV_SET = 13,  /* struct ev_set: the channels that a task polls (in a snapshot) */
	EV_IPC = 14,  /* struct ev_ipc: an object that stays without anybody who uses it (in a look)
		       */
	EV_WORD = 15, /* struct ev_word: the futex word that a task sleeps on has changed */
	EV_MAX = 16,
};

/* First bytes of every record. ts is when the thing happened: for an operation, its exit. */
struct ev_hdr {
	__u16 kind; /* enum ipcspy_ev_kind */
	__u16 len;  /* bytes of the whole record */
	__u32 pid;  /* thread group id; 0 where no process is meant */
	__u32 tid;
	__u32 flags; /* by kind: OPF_*, OBJF_*, PROCF_*, ... */
	__u64 ts_ns;
};

/* flags of EV_OP and EV_INFLIGHT */
#define OPF_TARGET        0x0001 /* by a target; else by a peer */
#define OPF_BEFORE_ATTACH 0x0002 /* entered before ipcspy looked: enter_ns is when it looked */
#define OPF_FULL          0x0004 /* the channel had no room when the call returned */
#define OPF_EMPTY         0x0008 /* byte stream: nothing was in it when the call returned */
#define OPF_PEEK          0x0010 /* MSG_PEEK, tee: the bytes stay in the channel */
#define OPF_MORE          0x0020 /* a further message of the same call (sendmmsg): not another call */
#define OPF_BACKLOG       0x0040 /* backlog holds a value */
#define OPF_SEQ           0x0080 /* seq holds a value */
#define OPF_FP            0x0100 /* fp holds a value */
#define OPF_ADDR_IN       0x0200 /* struct ev_addr_in follows */
#define OPF_ADDR_UN       0x0400 /* struct ev_addr_un follows */
#define OPF_ERRQUEUE      0x0800 /* MSG_ERRQUEUE: not data */
#define OPF_TRUNC         0x1000 /* a packet was cut, or may have been: ret bytes or more were sent */
#define OPF_ASLEEP        0x2000  /* EV_INFLIGHT: asleep now, waiting for the channel */
#define OPF_VALS          0x4000  /* struct ev_vals follows */
#define OPF_ASYNC         0x8000  /* an io_uring request: tid submitted it, nobody slept in it */
#define OPF_PAYLOAD       0x10000 /* struct ev_payload follows, behind all else */

struct ev_op {
	struct ev_hdr hdr;
	__u64 chan; /* object id; 0 for OP_WAIT */
	__u64 enter_ns;
	__u64 blocked_ns; /* asleep inside the call, waiting; not runnable, not copying */
	__s32 ret; /* bytes, or -errno; -512 ... -516 = interrupted, will restart or become EINTR */
	__u32 backlog;   /* after the call, in the channel's unit (see struct ev_obj) */
	__u32 seq;       /* TCP: write_seq (send) or copied_seq (recv) after the call; sysv-msg:
			    messages in the queue */
	__u32 fp;        /* hash of the first min(ret, 32) bytes of the caller's buffer */
	__u32 waker_tid; /* who ended the last sleep, 0 unknown */
	__u16 nr;        /* system call number */
	__u8 op;         /* enum ipcspy_op */
	__u8 mech;       /* enum ipcspy_mech */
};

/* Where a datagram goes (send) or came from (recv). */
struct ev_addr_in {
	__u16 family; /* AF_INET, AF_INET6 */
	__u16 port;   /* host order */
	__u32 scope;
	__u8 addr[16]; /* network order; IPv4 in the first four */
};

struct ev_addr_un {
	__u16 len; /* of name; 0 = unnamed. name[0] == 0: abstract */
	__u8 pad[6];
	__u8 name[IPCSPY_SUN_LEN + 4]; /* not terminated */
};

/* What a pseudoterminal does to the bytes: ev_op.seq of its operations, half of ev_obj.vals[0]. */
#define PTYF_CANONICAL 0x01 /* ICANON: input is read by lines */
#define PTYF_ECHO      0x02 /* ECHO: input comes back to the master */
#define PTYF_OUTPUT    0x04 /* OPOST: output is changed on its way */
#define PTYF_SPECIAL   0x08 /* some bytes of the input are not read but obeyed, or doubled */
#define PTYF_PACKET    0x10 /* TIOCPKT: the master reads a byte more each time */
#define PTYF_MASTER    0x20 /* ev_obj: this end is the master */

/* What else is to be known of an operation; the mechanism says what. */
struct ev_vals {
	__u64 v[2];
};

#define PAYLOAD_MAX 4096 /* power of two; PIPE_BUF: all of a write that is never divided */

/*
 * The first bytes of what a call moved, as they lay in the caller's memory when it returned.
 * len of them follow, and zeros up to a multiple of 8.
 */
struct ev_payload {
	__u32 len;
	__u32 pad;
};

#define MQ_PRIO_KNOWN 0x1 /* posix-mq: v[0] is the message's priority */

/*
 * A futex or semaphore wait that a wake ended: v[0] is when the call began that woke it
 * (without WAKEF_CALL: when it was woken), v[1] the waker's pid, WAKEF_* from bit 32 on, and
 * from bit 48 on the number of the semaphore in its set. A wake returns how many it
 * woke; behind one that cannot tell there is a struct ev_vals, too: it has the semaphore's
 * number only. Operations on semaphores have its value in seq (OPF_SEQ).
 */
#define WAKEF_CALL    0x1 /* the waker was inside a call that wakes */
#define WAKEF_COUNTED 0x2 /* ... whose own record says how many it woke here */
#define WAKE_FLAGS(v) ((__u32)((v) >> 32) & 0xffff)
#define WAKE_INDEX(v) ((__u32)((v) >> 48))

/*
 * A signal (MECH_SIGNAL): v[0] = signal number | si_code << 32, v[1] = tid of the
 * thread it is sent to or was taken by | the SIGV_* below.
 * OP_SEND: it was generated, hdr.tid is 0 where no process sent it. OP_RECV: it
 * was delivered or taken. OP_HANDLED: its handler returned, blocked_ns of its
 * time other handlers ran.
 */
#define SIGV_TID       0xffffffffull
#define SIGV_RESULT(v) ((v) >> 32 & 0xf) /* OP_SEND: TRACE_SIGNAL_*, trace/events/signal.h */
#define SIGV_GROUP     (1ull << 36)      /* OP_SEND: to the process, any of its threads */
#define SIGV_MASKED    (1ull << 37)      /* OP_SEND: the receiver blocks it now */
#define SIGV_IGNORED   (1ull << 38)      /* OP_RECV: disposition SIG_IGN */
#define SIGV_HANDLER   (1ull << 39)      /* OP_RECV: a handler is going to run; none: SIG_DFL */
#define SIGV_TAKEN     (1ull << 40)      /* OP_RECV: by sigwaitinfo(2) or a signalfd */
#define SIGV_DEATH     (1ull << 41)      /* OP_RECV: it ends the process; told by every thread */

enum ipcspy_signal_result {
	SIGNAL_QUEUED = 0,
	SIGNAL_IGNORED = 1,
	SIGNAL_ALREADY_PENDING = 2,
	SIGNAL_OVERFLOW = 3,  /* nothing was sent */
	SIGNAL_LOSE_INFO = 4, /* marked pending, without a place in the queue */
};

/* flags of EV_OBJ */
#define OBJF_LISTEN    0x01  /* a listening socket */
#define OBJF_CONNECTED 0x02  /* peer / raddr hold the other end */
#define OBJF_PEER_NAME 0x04  /* name is the peer's, because the object has none of its own */
#define OBJF_BACKLOG   0x08  /* backlog holds what is in the object's receive side now */
#define OBJF_SEQ       0x10  /* snd_seq and rcv_seq hold values */
#define OBJF_SNAPSHOT  0x20  /* seen at attach: it existed, and held backlog, before the trace */
#define OBJF_CREATED   0x40  /* created in front of our eyes: it was empty */
#define OBJF_FULL      0x80  /* no room now */
#define OBJF_REACHED   0x100 /* no target uses it, but the wait of one leads to who waits here */

struct ev_obj {
	struct ev_hdr hdr; /* pid, tid: in whose hands it was seen */
	__u64 chan;        /* object id */
	__u64 self;        /* keyed hash of the socket's address; pipes: same as chan */
	__u64 peer;        /* unix: `self` of the connected peer, 0 none */
	__u64 ino;         /* inode number of the object's file */
	__u64 vals[2];     /* by mechanism, as its class in src/model says */
	__u32 netns;       /* inode number of its network (sockets) or IPC namespace */
	__u32 capacity;    /* pipe: bytes; stream, TCP: sk_sndbuf; unix datagram: messages; UDP:
			      sk_rcvbuf */
	__u32 backlog;     /* pipe: bytes in it; socket: bytes (unix-dgram: messages) in its receive
			      queue */
	__u32 rcvbuf;      /* sk_rcvbuf */
	__u32 snd_seq;     /* TCP write_seq */
	__u32 rcv_seq;     /* TCP copied_seq */
	__s32 fd;          /* descriptor it was seen through, -1 none */
	__u8 mech;         /* enum ipcspy_mech */
	__u8 pad[3];
	struct ev_addr_in laddr;
	struct ev_addr_in raddr;
	struct ev_addr_un name; /* unix: bound name */
};

/* flags of EV_PROC */
#define PROCF_TARGET 0x1
#define PROCF_FORK   0x2 /* just forked by ppid */
#define PROCF_EXEC   0x4 /* just executed a new program */
#define PROCF_VM     0x8 /* runs in its parent's memory, until it executes a program */

struct ev_proc {
	struct ev_hdr hdr; /* pid, tid of the task */
	__u64 start_ns;    /* start of the thread group leader: with pid, the identity */
	__u32 ppid;
	__u32 ns_pid;               /* its pid in its own pid namespace, 0 unknown */
	__u8 comm[IPCSPY_COMM_LEN]; /* of the thread group leader; any bytes */
};

#define EXITF_GROUP 0x1 /* the last thread: the process ended */

struct ev_exit {
	struct ev_hdr hdr;
	__s32 code; /* as in wait(2) status */
	__u32 pad;
};

#define SNAPF_END   0x1
#define SNAPF_FIRST 0x2 /* the one taken at attach */
#define SNAPF_LAST  0x4 /* the one taken at the end of the trace */
#define SNAPF_HOLDS 0x8 /* lists every holder of watched objects: what is not listed is closed */

struct ev_snap {
	struct ev_hdr hdr;
};

struct ev_inflight {
	struct ev_hdr hdr; /* ts: when the snapshot looked */
	__u64 chan;
	__u64 enter_ns;
	__u64 blocked_ns; /* asleep so far, the current sleep included */
	__u16 nr;
	__u8 op;
	__u8 mech;
	/* Where the kernel knows, else 0: who has the lock that it waits for; who received last
	 * from the full System V queue. */
	__u32 owner_pid;
};

#define HOLDF_READ  0x1
#define HOLDF_WRITE 0x2

#define HOLD_REFS_MAX 0xffff /* so many, or more */

struct ev_hold {
	struct ev_hdr hdr;
	__u64 chan;
	__s32 fd;
	__u16 refs; /* to the open file: descriptors, and whoever else keeps it; 0 not known */
	__u16 file; /* tells the open files of one channel apart */
};

/* flags of EV_MAP */
#define MAPF_READ     0x01
#define MAPF_WRITE    0x02
#define MAPF_GONE     0x04 /* nothing shared is there any more: chan is 0 */
#define MAPF_RIGHTS   0x08 /* what is there has these rights from now on: chan is 0 */
#define MAPF_SNAPSHOT 0x10 /* seen by a snapshot: mapped at that time, or earlier */

/*
 * A new mapping takes the place of whatever was there. One that is gone and has
 * len 0 is a whole System V segment that was attached at start.
 */
struct ev_map {
	struct ev_hdr hdr; /* ts of one that is gone: before the call */
	__u64 chan;        /* object id */
	__u64 start, len;  /* bytes, whole pages */
	__u64 offset;      /* in the object, of start */
	__u64 from;        /* mremap: where it was ... */
	__u64 from_len;    /* ... and what is there no more */
	__u8 mech;
	__u8 pad[7];
};

/* Why a task does not go on, where no channel says it. */
enum ipcspy_why {
	WHY_NONE = 0,  /* it runs or can run, or EV_INFLIGHT or EV_SET says what it waits for */
	WHY_SLEEP = 1, /* nanosleep and its like: until_ns */
	WHY_CHILD = 2, /* wait4, waitid: who is the child, 0 any, -GROUP any of a process group */
	WHY_LOCK = 3,  /* flock, fcntl(F_SETLKW): who holds the lock, 0 unknown */
	WHY_OPEN = 4,  /* open of a FIFO whose other end nobody has opened: who is that end, HOLDF_*
			* or 0 unknown; its path in an EV_NAME */
	WHY_DISK = 5,  /* uninterruptible: a disk, a network file system, a page */
	WHY_STOPPED = 6, /* SIGSTOP and its like, or by a tracer: who, 0 none */
	WHY_VFORK = 7,   /* until the child executes a program or ends: who */
	WHY_OTHER = 8,   /* a call of which nothing is known: nr */
	WHY_MAX = 9,
};

/* flags of EV_TASK */
#define TASKF_SHARED                                                                               \
	0x1 /* WHY_LOCK: the lock is an open file's, and who made it is not sure to be alone in it \
	     */
#define TASKF_TRACES 0x2 /* it traces others, so wait4 and its like are not for children alone */
#define TASKF_CHILDREN                                                                             \
	0x4 /* it polls, and has children and a handler that runs when one of them ends: that ends \
	       the call, too */

struct ev_task {
	struct ev_hdr hdr; /* ts: when it was looked at */
	__u64 since_ns;    /* it sleeps at least since then, 0 unknown */
	__u64 until_ns;    /* it goes on by itself then (CLOCK_MONOTONIC), 0 never or unknown */
	__s32 who;         /* a process, see enum ipcspy_why */
	__u16 nr;          /* system call it is in; 0xffff none */
	__u8 state;        /* letter, as in proc_pid_stat(5): R S D T t Z X I */
	__u8 why;          /* enum ipcspy_why */
};

#define SETF_OTHERS                                                                            \
	0x1           /* it also waits for what is no channel: a timer, a device, a listener's \
			 new connections */
#define SETF_MORE 0x2 /* a further record of the same task follows the last one */

struct ev_set_member {
	__u64 chan;
	__s32 fd;
	__u32 events; /* POLLIN, POLLOUT: what for */
};

#define EV_SET_LEN 16
struct ev_set {
	struct ev_hdr hdr;
	__u64 until_ns; /* the call's time-out ends then, 0 never or unknown */
	__u32 cnt;      /* members that are used */
	__u32 pad;
	struct ev_set_member of[EV_SET_LEN];
};

/* flags of EV_IPC */
#define IPCF_UNSEEN \
	0x1 /* not all objects of this mechanism could be looked at: mech alone is said */

/*
 * System V objects, POSIX message queues and files in /dev/shm. hdr.pid: of those who used
 * it the one that is known best, maybe ended; 0 none.
 */
struct ev_ipc {
	struct ev_hdr hdr;
	__u64 bytes; /* of memory, when it is all used; queues: in it now */
	__u64 messages;
	__u32 users; /* who have it open, mapped or attached; System V queues and semaphores, which
			nobody has: who made or used it last, and lives */
	__s32 id;    /* System V */
	__u32 key;
	__u8 mech; /* enum ipcspy_mech */
	__u8 pad[3];
	__u8 name[256]; /* POSIX: in its directory, NUL-terminated */
};

/*
 * A task sleeps in futex(2), which it entered because the word had the expected value; twice,
 * some time apart, the word was seen to have another, and the task to sleep on.
 */
struct ev_word {
	struct ev_hdr hdr;
	__u32 expected, found;
};

/* vals[1] of an EV_OBJ of shared memory; vals[0] is its size in bytes. */
#define SHMV_CREATOR 0x00ffffffull /* System V: pid */
#define SHMV_REMOVED 0x01000000ull /* System V: marked for destruction; else: unlinked */
#define SHMV_KEY(v)  ((__u32)((v) >> 32))

#define NAME_MAX_LEN 256
#define NAMEF_EXE    0x1 /* executable of hdr.pid */
#define NAMEF_CHAN   0x2 /* path of chan */
#define NAMEF_OPEN \
	0x4 /* path that hdr.tid opens (WHY_OPEN); chan: its id, 0 when nobody holds it */

struct ev_name {
	struct ev_hdr hdr;
	__u64 chan;
	__u8 text[NAME_MAX_LEN]; /* NUL-terminated */
};

/* flags of EV_PASS */
#define PASSF_TARGET 0x1 /* by a target; else by a peer */
#define PASSF_RECV   0x2 /* it was received; else it was sent */
#define PASSF_GETFD  0x4 /* it was taken with pidfd_getfd(2) */

struct ev_pass {
	struct ev_hdr hdr; /* who passes or gets it */
	__u64 chan;        /* object id of what is passed */
	__u64 via;         /* object id of the socket it goes through; 0: none */
	__s32 fd;          /* hdr.pid's descriptor of it */
	__u32 cnt;         /* descriptors in the message, what is no channel included */
	__u32 from;        /* PASSF_GETFD: whose it was */
	__u8 mech;         /* enum ipcspy_mech */
	__u8 via_mech;
	__u16 pad;
};

#define LOSSF_EVENTS 0x1  /* records that the ring could not take; mech and maybe chan */
#define LOSSF_CHAN   0x2  /* chan lost cnt records: mark it incomplete */
#define LOSSF_COMPAT 0x4  /* 32-bit system calls of targets, not decoded */
#define LOSSF_TABLE  0x8  /* an in-flight or watch entry could not be created */
#define LOSSF_URING  0x10 /* io_uring requests that move data on a channel, not followed */

struct ev_loss {
	struct ev_hdr hdr;
	__u64 chan;
	__u64 cnt; /* total since the start, not a difference */
	__u8 mech;
	__u8 pad[7];
};

#define IPCSPY_SIZE_IS(type, n) _Static_assert(sizeof(type) == (n), #type " has padding or moved")
IPCSPY_SIZE_IS(struct ev_hdr, 24);
IPCSPY_SIZE_IS(struct ev_op, 72);
IPCSPY_SIZE_IS(struct ev_addr_in, 24);
IPCSPY_SIZE_IS(struct ev_addr_un, 120);
IPCSPY_SIZE_IS(struct ev_vals, 16);
IPCSPY_SIZE_IS(struct ev_payload, 8);
IPCSPY_SIZE_IS(struct ev_obj, 24 + 48 + 32 + 24 + 24 + 120);
IPCSPY_SIZE_IS(struct ev_proc, 56);
IPCSPY_SIZE_IS(struct ev_exit, 32);
IPCSPY_SIZE_IS(struct ev_snap, 24);
IPCSPY_SIZE_IS(struct ev_inflight, 56);
IPCSPY_SIZE_IS(struct ev_hold, 40);
IPCSPY_SIZE_IS(struct ev_map, 80);
IPCSPY_SIZE_IS(struct ev_task, 48);
IPCSPY_SIZE_IS(struct ev_set, 40 + 16 * EV_SET_LEN);
IPCSPY_SIZE_IS(struct ev_ipc, 24 + 32 + 256);
IPCSPY_SIZE_IS(struct ev_word, 32);
IPCSPY_SIZE_IS(struct ev_name, 288);
IPCSPY_SIZE_IS(struct ev_loss, 48);
IPCSPY_SIZE_IS(struct ev_pass, 56);

#endif
