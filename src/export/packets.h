/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packets.h - Perfetto packets, one after the other, into a sink.
 *
 * One packet sequence: times are CLOCK_MONOTONIC, names that occur often are
 * interned and named by number from then on. Strings are
 * made valid UTF-8. Packets may come in any order of time; those of one time on
 * one track are taken in the order in which they are written. The caller owns
 * the sink. Functions return 0 or -errno.
 */
#ifndef IPCSPY_PACKETS_H
#define IPCSPY_PACKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "export/sink.h"
#include "ipcspy/event.h"
#include "perfetto.pb-c.h"

/* Names of arguments: their numbers in the trace. */
enum arg_name {
	ARG_CHANNEL = 1,
	ARG_BYTES,
	ARG_ERROR,
	ARG_BLOCKED_NS,
	ARG_WAKER_TID,
	ARG_PEER_PID,
	ARG_PEER_ADDR,
	ARG_LATENCY_NS,
	ARG_SEND_BLOCKED_NS,
	ARG_RECV_BLOCKED_NS,
	ARG_WHAT,
	ARG_DURATION_NS,
	ARG_STILL_BLOCKED,
	ARG_SEVERITY,
	ARG_TEXT,
	ARG_PIDS,
	ARG_MAX,
};

enum event_type {
	EVENT_BEGIN = PERFETTO__TRACK_EVENT__TYPE__TYPE_SLICE_BEGIN,
	EVENT_END = PERFETTO__TRACK_EVENT__TYPE__TYPE_SLICE_END,
	EVENT_INSTANT = PERFETTO__TRACK_EVENT__TYPE__TYPE_INSTANT,
	EVENT_COUNTER = PERFETTO__TRACK_EVENT__TYPE__TYPE_COUNTER,
};

/* Names of events that are no system call. */
enum event_name {
	NAME_BLOCKED = 1,
	NAME_MESSAGE,
	NAME_SIGNAL_SENT,
	NAME_SIGNAL_TAKEN,
	NAME_SIGNAL_HANDLER,
	NAME_URING_SEND,
	NAME_URING_RECV,
	EVENT_NAME_MAX,
};

#define ARGS_MAX  8
#define FLOWS_MAX 8

/* An event that is being put together; strings are borrowed until it is put. */
struct track_event {
	Perfetto__TracePacket packet;
	Perfetto__TrackEvent event;
	Perfetto__InternedData interned;
	Perfetto__InternedString string, *strings[1];
	Perfetto__DebugAnnotation arg[ARGS_MAX], *args[ARGS_MAX];
	uint64_t category, flows[FLOWS_MAX];
};

#define CALLS_MAX 1024 /* system call numbers */

struct packets {
	struct sink *out;
	bool told[CALLS_MAX]; /* names of system calls, each when it occurs first */
};

/* Writes the clocks and the names. start_ns and start_realtime_ns are the same moment. */
int packets_begin(struct packets *p, struct sink *out, uint64_t start_ns,
		  uint64_t start_realtime_ns);

void event_init(struct track_event *e, enum event_type type, uint64_t track, uint64_t ts_ns);
void event_set_name(struct track_event *e, enum event_name name);
void event_set_text_name(struct track_event *e, const char *name);
/* The name of a system call; writes it where it is the first time. */
int event_set_call(struct packets *p, struct track_event *e, unsigned int nr);
void event_set_category(struct track_event *e, enum ipcspy_mech mech);
void event_add_u64(struct track_event *e, enum arg_name name, uint64_t v);
void event_add_bool(struct track_event *e, enum arg_name name);
/* str must be valid UTF-8. */
void event_add_str(struct track_event *e, enum arg_name name, const char *str);
/* A string by its number; str, where not NULL, tells what that is: once for each number. */
void event_add_interned(struct track_event *e, enum arg_name name, uint64_t iid, const char *str);
void event_add_flow(struct track_event *e, uint64_t id);
void event_end_flow(struct track_event *e, uint64_t id);
int packets_put_event(struct packets *p, struct track_event *e);

int packets_put_track(struct packets *p, Perfetto__TrackDescriptor *track);
int packets_put_counter(struct packets *p, uint64_t track, uint64_t ts_ns, uint64_t value);

#endif
