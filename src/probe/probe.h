/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe.h - the kernel side as one object: load, attach, drain, snapshot, stop.
 *
 *   probe_new -> probe_attach -> (probe_drain | probe_snapshot)* -> probe_stop -> probe_free
 *
 * Owns the BPF object, its links and the ring buffer. Every record, whether it
 * came from the ring, from a snapshot or from the probe itself (names, loss),
 * goes to the one on_record callback, in order, on the caller's thread. Knows
 * nothing about what records mean. Functions return 0 or -errno; the reason in
 * words is in probe_error().
 */
#ifndef IPCSPY_PROBE_H
#define IPCSPY_PROBE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct probe_opts {
	const pid_t *pids; /* targets (thread group ids), borrowed during probe_new */
	size_t pid_cnt;
	const char *comm;   /* glob over comm names, or NULL */
	uint64_t cgroup_id; /* inode number of a cgroup v2 directory: all that is in it; 0: none */
	bool all;           /* every process is a target */
	bool follow;        /* children of targets are targets */
	bool no_peers;      /* record only operations of targets */
	bool objects;       /* to look: also at IPC objects that stay unused, see struct ev_ipc */
	bool look; /* one look at the whole machine, see probe_attach(); needs no targets */
	uint16_t payload_bytes; /* to be kept of each message, up to PAYLOAD_MAX; 0: none */
	uint32_t mech_mask;     /* 1u << MECH_*; 0: MECHS_BY_DEFAULT; to look: all */
	size_t ring_bytes;      /* 0: the default; rounded up to a power of two */
	/* Record in the stream; data is 8-byte aligned and lives for the call. Returns 0 or -errno.
	 */
	int (*on_record)(void *arg, const void *data, size_t len);
	void *on_record_arg;
};

struct probe;

/*
 * Loads the programs. On failure *out is a probe on which only probe_error()
 * and probe_free() may be called, or NULL when out of memory. -EPERM: missing
 * privileges, -EOPNOTSUPP: this kernel cannot run it, -ESRCH: no such target.
 */
int probe_new(struct probe **out, const struct probe_opts *opts);
void probe_free(struct probe *p);

/* Why the last call failed: one line, with what to do. Never NULL. */
const char *probe_error(const struct probe *p);

/* Adds a process to the targets before or after attach; takes a snapshot of it when attached. */
int probe_add_target(struct probe *p, pid_t pid);

/*
 * Attaches the programs and emits the start-up snapshot. To look, nothing is attached: that
 * snapshot has every process, who holds which end of every channel, who maps shared
 * memory, and what every task that does not run waits for. probe_snapshot() repeats it.
 */
int probe_attach(struct probe *p);

/*
 * Waits up to timeout_ms for records and hands over what is there. Returns the
 * number of records, or -errno (-EINTR when a signal came first), or what
 * on_record returned when that was negative.
 */
int probe_drain(struct probe *p, int timeout_ms);

/*
 * Emits EV_SNAP(begin), EV_INFLIGHT*, with holds also EV_HOLD* and EV_OBJ*, the
 * EV_LOSS totals, EV_SNAP(end). snap_flags: SNAPF_LAST | SNAPF_HOLDS.
 */
int probe_snapshot(struct probe *p, unsigned int snap_flags);

/*
 * Beside a trace: what a look finds (see probe_attach()) goes to on_record instead, and the
 * trace goes on as if there had been none. The ids of objects are those of the trace.
 */
int probe_look(struct probe *p, int (*on_record)(void *arg, const void *data, size_t len),
	       void *arg);

/*
 * Snapshots to come tell of these objects and processes, too, without their being traced; in
 * place of those of the last call. Beyond REACHED_MAX they are left out.
 */
int probe_reach(struct probe *p, const uint64_t *objects, size_t object_cnt, const uint32_t *pids,
		size_t pid_cnt);

/*
 * The owner knows this object (id of an EV_OBJ) no more: the kernel side forgets
 * it, too, stops watching it, and describes it anew should it be used again.
 * Call it at any time; from within on_record, too.
 */
void probe_forget(struct probe *p, uint64_t id);

/* Detaches, so that no further record appears; what is in the ring can still be drained. */
void probe_stop(struct probe *p);

/* For -v and make bench. */
struct probe_stats {
	uint64_t records, bytes, lost;
	size_t ring_bytes;
};
void probe_stats(const struct probe *p, struct probe_stats *out);

/* What this kernel and these privileges give: one row per thing ipcspy can use. */
enum probe_need { NEED_REQUIRED = 0, NEED_OPTIONAL = 1 };

struct probe_feature {
	const char *name; /* "BTF", "tp_btf/sys_enter", "CAP_BPF", ... */
	enum probe_need need;
	bool ok;
	char detail[160]; /* what was found, or what is lost without it and what to do */
};

/* Fills at most max rows and returns how many there are. Needs no privileges to answer. */
size_t probe_features(struct probe_feature *out, size_t max);

#endif
