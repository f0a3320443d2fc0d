// SPDX-License-Identifier: BSD-2-Clause
#include "export/packets.h"

#include <string.h>

#include "lib/syscalls.h"
#include "model/mech.h"

#define SEQUENCE_ID 1
#define CALL_IID    100 /* of system call number 0 in event names */

static const char *const arg_names[ARG_MAX] = {
	[ARG_CHANNEL] = "channel",
	[ARG_BYTES] = "bytes",
	[ARG_ERROR] = "errno",
	[ARG_BLOCKED_NS] = "blocked_ns",
	[ARG_WAKER_TID] = "waker_tid",
	[ARG_PEER_PID] = "peer_pid",
	[ARG_PEER_ADDR] = "peer_addr",
	[ARG_LATENCY_NS] = "latency_ns",
	[ARG_SEND_BLOCKED_NS] = "send_blocked_ns",
	[ARG_RECV_BLOCKED_NS] = "recv_blocked_ns",
	[ARG_WHAT] = "what",
	[ARG_DURATION_NS] = "duration_ns",
	[ARG_STILL_BLOCKED] = "still_blocked",
	[ARG_SEVERITY] = "severity",
	[ARG_TEXT] = "text",
	[ARG_PIDS] = "pids",
};

static const char *const event_names[EVENT_NAME_MAX] = {
	[NAME_BLOCKED] = "blocked",
	[NAME_MESSAGE] = "message",
	[NAME_SIGNAL_SENT] = "signal sent",
	[NAME_SIGNAL_TAKEN] = "signal taken",
	[NAME_SIGNAL_HANDLER] = "signal handler",
	[NAME_URING_SEND] = "io_uring send",
	[NAME_URING_RECV] = "io_uring receive",
};

/* Field 1 of a Trace: tag, length, packet. */
static int put(struct packets *p, Perfetto__TracePacket *packet, bool first)
{
	struct strbuf *sb = sink_buf(p->out);
	size_t len, at;

	packet->has_trusted_packet_sequence_id = true;
	packet->trusted_packet_sequence_id = SEQUENCE_ID;
	packet->has_sequence_flags = true;
	packet->sequence_flags = PERFETTO__SEQUENCE_FLAGS__SEQ_NEEDS_INCREMENTAL_STATE;
	if (first)
		packet->sequence_flags |= PERFETTO__SEQUENCE_FLAGS__SEQ_INCREMENTAL_STATE_CLEARED;
	len = perfetto__trace_packet__get_packed_size(packet);
	strbuf_putc(sb, 1 << 3 | 2);
	for (at = len; at >= 0x80; at >>= 7)
		strbuf_putc(sb, (char)(at | 0x80));
	strbuf_putc(sb, (char)at);
	at = sb->len;
	strbuf_fill(sb, 0, len);
	if (!sb->err)
		perfetto__trace_packet__pack(packet, (uint8_t *)sb->s + at);
	return sink_spill(p->out);
}

static int put_clocks(struct packets *p, uint64_t start_ns, uint64_t start_realtime_ns)
{
	Perfetto__ClockSnapshot__Clock mono = PERFETTO__CLOCK_SNAPSHOT__CLOCK__INIT, real = mono;
	Perfetto__ClockSnapshot__Clock *clocks[] = {&mono, &real};
	Perfetto__ClockSnapshot snapshot = PERFETTO__CLOCK_SNAPSHOT__INIT;
	Perfetto__TracePacketDefaults defaults = PERFETTO__TRACE_PACKET_DEFAULTS__INIT;
	Perfetto__TracePacket packet = PERFETTO__TRACE_PACKET__INIT;

	mono.has_clock_id = mono.has_timestamp = real.has_clock_id = real.has_timestamp = true;
	mono.clock_id = PERFETTO__BUILTIN_CLOCK__CLOCK_MONOTONIC;
	mono.timestamp = start_ns;
	real.clock_id = PERFETTO__BUILTIN_CLOCK__CLOCK_REALTIME;
	real.timestamp = start_realtime_ns;
	snapshot.n_clocks = 2;
	snapshot.clocks = clocks;
	snapshot.has_primary_trace_clock = true;
	snapshot.primary_trace_clock = PERFETTO__BUILTIN_CLOCK__CLOCK_MONOTONIC;
	packet.clock_snapshot = &snapshot;
	defaults.has_timestamp_clock_id = true;
	defaults.timestamp_clock_id = mono.clock_id;
	packet.trace_packet_defaults = &defaults;
	return put(p, &packet, true);
}

enum index { INDEX_CATEGORY, INDEX_EVENT, INDEX_ARG };

/* A packet for each name: how many there are matters to nobody. */
static int put_name(struct packets *p, enum index index, uint64_t iid, const char *name)
{
	Perfetto__InternedName entry = PERFETTO__INTERNED_NAME__INIT, *entries[] = {&entry};
	Perfetto__InternedData data = PERFETTO__INTERNED_DATA__INIT;
	Perfetto__TracePacket packet = PERFETTO__TRACE_PACKET__INIT;

	entry.has_iid = true;
	entry.iid = iid;
	entry.name = (char *)name;
	if (index == INDEX_CATEGORY) {
		data.n_event_categories = 1;
		data.event_categories = entries;
	} else if (index == INDEX_EVENT) {
		data.n_event_names = 1;
		data.event_names = entries;
	} else {
		data.n_debug_annotation_names = 1;
		data.debug_annotation_names = entries;
	}
	packet.interned_data = &data;
	return put(p, &packet, false);
}

static int put_names(struct packets *p)
{
	enum ipcspy_mech mech;
	int err = 0;

	for (unsigned int i = 0; !err && (mech = mech_at(i)) != MECH_NONE; i++)
		err = put_name(p, INDEX_CATEGORY, mech, mech_name(mech));
	for (unsigned int i = 1; !err && i < EVENT_NAME_MAX; i++)
		err = put_name(p, INDEX_EVENT, i, event_names[i]);
	for (unsigned int i = 1; !err && i < ARG_MAX; i++)
		err = put_name(p, INDEX_ARG, i, arg_names[i]);
	return err;
}

int packets_begin(struct packets *p, struct sink *out, uint64_t start_ns,
		  uint64_t start_realtime_ns)
{
	int err;

	*p = (struct packets){.out = out};
	err = put_clocks(p, start_ns, start_realtime_ns);
	return err ? err : put_names(p);
}

void event_init(struct track_event *e, enum event_type type, uint64_t track, uint64_t ts_ns)
{
	perfetto__trace_packet__init(&e->packet);
	perfetto__track_event__init(&e->event);
	e->packet.has_timestamp = true;
	e->packet.timestamp = ts_ns;
	e->packet.track_event = &e->event;
	e->event.has_type = true;
	e->event.type = (Perfetto__TrackEvent__Type)type;
	e->event.has_track_uuid = true;
	e->event.track_uuid = track;
}

void event_set_name(struct track_event *e, enum event_name name)
{
	e->event.has_name_iid = true;
	e->event.name_iid = name;
}

void event_set_text_name(struct track_event *e, const char *name)
{
	e->event.name = (char *)name;
}

int event_set_call(struct packets *p, struct track_event *e, unsigned int nr)
{
	char buf[32];
	int err = 0;

	if (nr >= CALLS_MAX)
		nr = CALLS_MAX - 1;
	if (!p->told[nr])
		err = put_name(p, INDEX_EVENT, CALL_IID + nr, syscall_name(nr, buf, sizeof(buf)));
	p->told[nr] = true;
	e->event.has_name_iid = true;
	e->event.name_iid = CALL_IID + nr;
	return err;
}

void event_set_category(struct track_event *e, enum ipcspy_mech mech)
{
	e->category = mech;
	e->event.n_category_iids = 1;
	e->event.category_iids = &e->category;
}

static Perfetto__DebugAnnotation *add_arg(struct track_event *e, enum arg_name name)
{
	size_t i = e->event.n_debug_annotations;
	Perfetto__DebugAnnotation *arg = &e->arg[i];

	if (i == ARGS_MAX)
		return NULL;
	perfetto__debug_annotation__init(arg);
	arg->has_name_iid = true;
	arg->name_iid = name;
	e->args[i] = arg;
	e->event.debug_annotations = e->args;
	e->event.n_debug_annotations++;
	return arg;
}

void event_add_u64(struct track_event *e, enum arg_name name, uint64_t v)
{
	Perfetto__DebugAnnotation *arg = add_arg(e, name);

	if (!arg)
		return;
	arg->value_case = PERFETTO__DEBUG_ANNOTATION__VALUE_UINT_VALUE;
	arg->uint_value = v;
}

void event_add_bool(struct track_event *e, enum arg_name name)
{
	Perfetto__DebugAnnotation *arg = add_arg(e, name);

	if (!arg)
		return;
	arg->value_case = PERFETTO__DEBUG_ANNOTATION__VALUE_BOOL_VALUE;
	arg->bool_value = true;
}

void event_add_str(struct track_event *e, enum arg_name name, const char *str)
{
	Perfetto__DebugAnnotation *arg = add_arg(e, name);

	if (!arg)
		return;
	arg->value_case = PERFETTO__DEBUG_ANNOTATION__VALUE_STRING_VALUE;
	arg->string_value = (char *)str;
}

void event_add_interned(struct track_event *e, enum arg_name name, uint64_t iid, const char *str)
{
	Perfetto__DebugAnnotation *arg = add_arg(e, name);

	if (!arg)
		return;
	arg->value_case = PERFETTO__DEBUG_ANNOTATION__VALUE_STRING_VALUE_IID;
	arg->string_value_iid = iid;
	if (!str)
		return;
	perfetto__interned_data__init(&e->interned);
	perfetto__interned_string__init(&e->string);
	e->string.has_iid = e->string.has_str = true;
	e->string.iid = iid;
	e->string.str.data = (uint8_t *)str;
	e->string.str.len = strlen(str);
	e->strings[0] = &e->string;
	e->interned.n_debug_annotation_string_values = 1;
	e->interned.debug_annotation_string_values = e->strings;
	e->packet.interned_data = &e->interned;
}

void event_add_flow(struct track_event *e, uint64_t id)
{
	if (e->event.n_flow_ids == FLOWS_MAX)
		return;
	e->event.flow_ids = e->flows;
	e->flows[e->event.n_flow_ids++] = id;
}

void event_end_flow(struct track_event *e, uint64_t id)
{
	e->flows[0] = id;
	e->event.terminating_flow_ids = e->flows;
	e->event.n_terminating_flow_ids = 1;
}

int packets_put_event(struct packets *p, struct track_event *e)
{
	return put(p, &e->packet, false);
}

int packets_put_track(struct packets *p, Perfetto__TrackDescriptor *track)
{
	Perfetto__TracePacket packet = PERFETTO__TRACE_PACKET__INIT;

	track->has_uuid = true;
	packet.track_descriptor = track;
	return put(p, &packet, false);
}

int packets_put_counter(struct packets *p, uint64_t track, uint64_t ts_ns, uint64_t value)
{
	struct track_event e;

	event_init(&e, EVENT_COUNTER, track, ts_ns);
	e.event.has_counter_value = true;
	e.event.counter_value = (int64_t)value;
	return packets_put_event(p, &e);
}
