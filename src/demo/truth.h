/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * truth.h - what a run knows about itself, as one JSON document.
 *
 * Schema 1. Add fields, never rename. All times are integers in nanoseconds by
 * CLOCK_MONOTONIC; *_ns that name a moment are that clock's value.
 *
 * { "truth": 1, "workload": "pipe", "pid": parent,
 *   "options": { "messages", "size", "senders", "receivers", "rate", "receiver_delay_ns",
 *                "sender_delay_ns", "hold_ns", "seed", "chunk", "vary", "priorities", "types" },
 *   "messages": received by all receivers, "bytes": of them,
 *   "start_ns": when all began, "elapsed_ns": from there to the end of the last process,
 *   "blocked_method": "asleep" (see meter.h) or "duration" (upper bound: the kernel keeps no
 * account), "senders":   [{ "pid", "comm", "messages", "bytes", "calls", "blocked_ns",
 * "blocked_calls", "longest_call_ns", "planned_blocked_ns", "waited_ns" }], "receivers": [ the
 * same; a stage that does both is in both lists ], "channels":  [{ "mechanism", "name", "capacity"
 * (bytes, absent when not known), "inodes": [file] or [sending end, receiving end], "dropped" }],
 *   "flows":     [{ "src_pid", "dst_pid", "src_comm", "dst_comm", "channel": name,
 *                   "channel_index": in "channels" (names need not differ), "mechanism",
 *                   "messages", "bytes", "send_blocked_ns",
 *                   "latency_exact": bool,
 *                   "latency_ns": { "count", "min", "mean", "p50", "p90", "p99", "p999", "max" },
 *                   "since_send_ns": the same }],
 *   "shared":  { "mechanism", "name", "size", "maps": [{ "pid", "comm", "offset", "bytes",
 *              "rights" }] }: memory that all map, only where the workload is about it,
 *   "planned": { "send_blocked_ns", "recv_blocked_ns" },
 *   "stuck":   [{ "pid", "comm", "operation": "send"|"recv", "channel", "channel_index",
 *                 "since_ns", "waits_for": [pid] }],
 *   "finding": { "kind", "pids": [pid] } or null }
 *
 * messages, bytes   What a sender sent, what a receiver received. Flows are the receivers' count.
 * calls             Calls that moved data or saw the end of it, on all the process's channels.
 * blocked_ns        Asleep inside those calls. waited_ns: asleep in poll(2).
 * planned_blocked_ns  From stamps alone. Sender: from the start of each send during which a receive
 *                   made room, to the start of that receive (with a hold and no receiver delay the
 *                   first receive of all, else the latest begun). Receiver: from the start of each
 *                   receive to the send it waited for. Meaningful with one sender and one receiver
 *                   per channel.
 * latency_ns        End of the receive that completed the message - (stamp before the send + time
 *                   that send was asleep). since_send_ns: the sleep not taken off.
 * latency_exact     The sleep is known (blocked_method "asleep") or there was none.
 * count             May be below messages: at most 4 Mi messages are kept, evenly over the senders,
 *                   the first of each. Quantiles are sample values (nearest rank).
 *
 * stuck             Who is inside a call for as long as the run lasts, and who would have to move.
 * finding           What a look at them has to say, and the processes that it has to name; null:
 *                   all is as it should be, however long they wait.
 *
 * A truth is written whole or not at all: to a temporary file that is renamed,
 * unless FILE is something else than a regular file.
 */
#ifndef DEMO_TRUTH_H
#define DEMO_TRUTH_H

#include <stddef.h>

struct demo_run;
struct truth_file;

/* A process that will stay inside a call for ever. */
struct truth_stuck {
	unsigned int proc, chan, waits_for; /* indices on the board */
	const char *operation;
};

/* What is wrong, as ipcspy spells it. Both borrowed. */
struct truth_finding {
	const char *kind;
	const unsigned int *procs; /* proc_cnt indices on the board */
	unsigned int proc_cnt;
};

/* Opens for writing, before anything runs. path is borrowed. Returns 0 or -errno. */
int truth_open(struct truth_file **out, const char *path);

/* Without truth_write() before, leaves no file. NULL does nothing. */
void truth_close(struct truth_file *t);

/* True when the truth goes to stdout, which then must carry nothing else. */
int truth_on_stdout(const struct truth_file *t);

/*
 * The same for a run that consists of others: { "truth": 1, "workload", "pid",
 * "parts": [ the truths of cnt files, whose paths path_of() tells ] }.
 */
int truth_write_parts(struct demo_run *run, unsigned int cnt,
		      void (*path_of)(const struct demo_run *run, unsigned int i, char *path,
				      size_t len));

/* Writes and closes run->truth, if any; children may still run. Returns 0 or -errno, why set. */
int truth_write(struct demo_run *run, const struct truth_stuck *stuck, size_t stuck_cnt);

#endif
