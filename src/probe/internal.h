/* SPDX-License-Identifier: BSD-2-Clause */
/* internal.h - what the files of src/probe share; nobody else includes it. */
#ifndef IPCSPY_PROBE_INTERNAL_H
#define IPCSPY_PROBE_INTERNAL_H

#include "ipcspy/config.h"
#include "ipcspy/event.h"
#include "ipcspy/look.h"
#include "probe/held.h"
#include "probe/ipcs.h"
#include "probe/locks.h"
#include "probe/pidns.h"
#include "probe/probe.h"
#include "probe/words.h"

#include "ipcspy.skel.h" /* its read-only data are the types of config.h */

struct probe {
	struct ipcspy_bpf *skel;
	struct ring_buffer *ring;
	int (*on_record)(void *arg, const void *data, size_t len);
	void *on_record_arg;
	__u32 self_tgid;  /* as the machine has it */
	__u32 pid_ns_ino; /* 0: the machine's own pid namespace */
	struct pidns pidns;
	__u64 translated[PIDNS_RECORD_MAX / 8]; /* the record at hand, with the caller's pids */
	int wake_fd; /* epoll on the ring: readable when the kernel side asks to be looked at */
	bool attached, stopped;
	bool look;            /* see struct probe_opts */
	bool forgot;          /* an object, since descriptors were last looked up anew */
	int nap_ms;           /* how long the next drain sleeps: adapts to the traffic */
	__u32 moved_in;       /* bss->moved_in when that was last heeded */
	size_t batch_records; /* handed over by the current drain */
	size_t batch_bytes;
	struct probe_stats stats;
	/* of the snapshot that is being taken */
	struct held_table held;
	struct lock_table locks;
	bool locks_known;    /* read, as soon as somebody was found to wait for one */
	size_t polled_cnt;   /* descriptors of calls like poll that were looked at */
	bool objects;        /* see struct probe_opts */
	struct files *files; /* whose users are being counted, else NULL */
	struct words words;
	char error[256];
};

/* Sets the reason and returns err (negative). */
int probe_fail(struct probe *p, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Hands one record to the owner; records that name a path or program are followed by EV_NAME. */
int probe_deliver(struct probe *p, const void *data, size_t len);

/* snapshot.c: emits a whole snapshot; see probe_snapshot(). */
int snapshot_take(struct probe *p, unsigned int snap_flags);

/* snapshot.c: lists the caller's numbers of all tasks, where they are not the machine's. */
int snapshot_numbers(struct probe *p);

/* snapshot.c: runs an iterator over the files that this process has open. */
int snapshot_own_files(struct probe *p, struct bpf_program *prog);

/* ipcs.c: EV_IPC for what may stay behind when nobody uses it any more. */
int ipcs_emit(struct probe *p);

/* Whether queues that nobody has open can be looked at. */
bool ipcs_sees_queues(void);

/* look.c: before loading: takes the programs that a look needs, or those that a trace needs. */
void look_select(struct probe *p);

/* task.c: EV_TASK, and EV_SET and EV_NAME where they belong to it. */
int task_emit(struct probe *p, const struct look_task *l);

/* sets.c: whether this call waits for any of many; if so emits its EV_SETs. */
struct wait_call;
int set_emit(struct probe *p, const struct look_task *l, const struct wait_call *call,
	     struct ev_task *t);

/* forget.c: what tasks remember of their descriptors counts no more, if an object was forgotten. */
void forget_descriptors(struct probe *p);

/* loss.c: emits EV_LOSS totals for what the kernel side lost so far. */
int loss_emit(struct probe *p);

/* names.c: emits EV_NAME for what this record mentions, when /proc knows it. */
int names_emit(struct probe *p, const struct ev_hdr *hdr);

/* names.c: whether the process with this pid is the one that started then (CLOCK_MONOTONIC). */
bool names_same_process(__u32 pid, __u64 start_ns);

/* probe.c: a record of the kernel side with the caller's pids, as long; good until the next one. */
const void *probe_own_pids(struct probe *p, const void *data, size_t len);

/* uring.c: the hooks of io_uring that a kernel has. */
struct uring_hooks {
	bool submit_req, submit_sqe;     /* one of them */
	bool complete_cqe, complete_res; /* one of them */
	bool overflow;
};
struct btf;

/* Whether requests can be followed at all. */
bool uring_hooks(const struct btf *btf, struct uring_hooks *h);

/* Before loading: takes the programs that fit this kernel. */
void uring_select(struct probe *p, const struct btf *btf);

/* steady.c: whether programs at system calls can be preempted here, and whether they can forbid it.
 */
bool steady_needed(const struct btf *btf);
bool steady_possible(const struct btf *btf);

/* features.c: what programs need and this kernel has not, NULL nothing that is known of. */
const char *missing_feature(void);

/* features.c: the capabilities that this process lacks, as text; "" none. */
void missing_capabilities(char *buf, size_t len);
/* features.c: whether it may look into other processes' memory. */
bool may_read_memory(void);

#endif
