// SPDX-License-Identifier: BSD-2-Clause
/* The timeline, packet by packet: what is drawn where, and in which order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "export/format.h"
#include "export/packets.h"
#include "feed.h"
#include "golden_scene.h"

#define BEGIN   PERFETTO__TRACK_EVENT__TYPE__TYPE_SLICE_BEGIN
#define END     PERFETTO__TRACK_EVENT__TYPE__TYPE_SLICE_END
#define INSTANT PERFETTO__TRACK_EVENT__TYPE__TYPE_INSTANT
#define COUNTER PERFETTO__TRACK_EVENT__TYPE__TYPE_COUNTER

struct drawn {
	struct exporter x;
	struct sink out;
	struct report_info info;
	struct feed f;
	Perfetto__Trace *trace;
};

static void begin(struct drawn *d, uint64_t start_ns)
{
	*d = (struct drawn){.info = {.start_realtime_ns = 42, .host = "", .filter = ""}};
	sink_init_mem(&d->out);
	exporter_init(&d->x, format_by_name("perfetto"), &d->out);
	d->x.info = &d->info;
	d->x.start_ns = start_ns;
	assert_int_equal(exporter_begin(&d->x), 0);
	d->f.m = model_new(&(struct model_opts){
		.start_ns = start_ns,
		.on_message = exporter_on_message,
		.on_message_arg = &d->x,
		.on_op = exporter_on_op,
		.on_op_arg = &d->x,
	});
	assert_non_null(d->f.m);
}

static void end(struct drawn *d, uint64_t end_ns)
{
	assert_int_equal(model_finish(d->f.m, end_ns), 0);
	assert_int_equal(exporter_end(&d->x, d->f.m), 0);
	d->trace = perfetto__trace__unpack(NULL, d->out.buf.len, (const uint8_t *)d->out.buf.s);
	assert_non_null(d->trace);
}

static void fini(struct drawn *d)
{
	perfetto__trace__free_unpacked(d->trace, NULL);
	exporter_fini(&d->x);
	model_free(d->f.m);
	sink_fini(&d->out);
}

/* Two processes and a pipe between them. */
static void begin_pipe(struct drawn *d)
{
	begin(d, T0);
	feed_proc(&d->f, 10, "writer");
	feed_proc(&d->f, 11, "reader");
	feed_pipe(&d->f, 5);
}

/* The n-th event of a type, counted from 0; NULL past the end. */
static const Perfetto__TracePacket *event(const struct drawn *d, Perfetto__TrackEvent__Type type,
					  size_t n)
{
	for (size_t i = 0; i < d->trace->n_packet; i++) {
		const Perfetto__TracePacket *p = d->trace->packet[i];

		if (p->track_event && p->track_event->type == type && !n--)
			return p;
	}
	return NULL;
}

static size_t event_cnt(const struct drawn *d, Perfetto__TrackEvent__Type type)
{
	size_t n = 0;

	while (event(d, type, n))
		n++;
	return n;
}

#define ON_TRACK_MAX 1024

/* Begins and ends on a track, in order of time, those of one time as they were written. */
static size_t on_track(const struct drawn *d, uint64_t track, const Perfetto__TracePacket **out)
{
	size_t cnt = 0, at;

	for (size_t i = 0; i < d->trace->n_packet; i++) {
		const Perfetto__TracePacket *p = d->trace->packet[i];

		if (!p->track_event || p->track_event->track_uuid != track ||
		    (p->track_event->type != BEGIN && p->track_event->type != END))
			continue;
		assert_true(cnt < ON_TRACK_MAX);
		for (at = cnt++; at && out[at - 1]->timestamp > p->timestamp; at--)
			out[at] = out[at - 1];
		out[at] = p;
	}
	return cnt;
}

/* On each track nothing lies within a slice but the time it was blocked. */
static void assert_nested(const struct drawn *d, size_t without_end)
{
	static const Perfetto__TracePacket *on[ON_TRACK_MAX];
	const Perfetto__TracePacket *p;

	assert_int_equal(event_cnt(d, BEGIN), event_cnt(d, END) + without_end);
	for (size_t i = 0; (p = event(d, BEGIN, i)); i++) {
		size_t cnt = on_track(d, p->track_event->track_uuid, on), depth = 0;

		for (size_t k = 0; k < cnt; k++) {
			bool blocked = on[k]->track_event->name_iid == NAME_BLOCKED;

			if (on[k]->track_event->type == END)
				assert_true(depth--);
			else
				assert_int_equal(depth++, blocked);
		}
		assert_true(depth <= without_end);
	}
}

static void every_packet_says_what_it_needs(void **state)
{
	struct drawn d;

	(void)state;
	begin_pipe(&d);
	feed_send(&d.f, MECH_PIPE, 5, 10, T0 + 10 * US, T0 + 20 * US, 7);
	feed_recv(&d.f, MECH_PIPE, 5, 11, T0 + 30 * US, T0 + 40 * US, 7);
	end(&d, T0 + MS);
	assert_int_equal(d.trace->packet[0]->sequence_flags, 3);
	assert_int_equal(d.trace->packet[0]->clock_snapshot->clocks[0]->timestamp, T0);
	assert_int_equal(d.trace->packet[0]->clock_snapshot->clocks[1]->timestamp, 42);
	assert_int_equal(d.trace->packet[0]->trace_packet_defaults->timestamp_clock_id, 3);
	for (size_t i = 1; i < d.trace->n_packet; i++) {
		assert_int_equal(d.trace->packet[i]->sequence_flags, 2);
		assert_int_equal(d.trace->packet[i]->trusted_packet_sequence_id, 1);
	}
	assert_nested(&d, 0);
	fini(&d);
}

static void an_arrow_leads_from_the_send_to_the_message(void **state)
{
	const Perfetto__TracePacket *sent, *message;
	struct drawn d;

	(void)state;
	begin_pipe(&d);
	feed_send(&d.f, MECH_PIPE, 5, 10, T0 + 10 * US, T0 + 20 * US, 7);
	feed_recv(&d.f, MECH_PIPE, 5, 11, T0 + 30 * US, T0 + 40 * US, 7);
	end(&d, T0 + MS);
	sent = event(&d, BEGIN, 0);
	message = event(&d, INSTANT, 0);
	assert_int_equal(event_cnt(&d, INSTANT), 1);
	assert_int_equal(sent->track_event->n_flow_ids, 1);
	assert_int_equal(message->track_event->n_terminating_flow_ids, 1);
	assert_int_equal(sent->track_event->flow_ids[0],
			 message->track_event->terminating_flow_ids[0]);
	assert_int_equal(message->timestamp, T0 + 40 * US);
	/* in the slice of the read, whose end is written behind it */
	assert_int_equal(message->track_event->track_uuid,
			 event(&d, BEGIN, 1)->track_event->track_uuid);
	for (size_t i = 0, seen = 0; i < d.trace->n_packet; i++) {
		const Perfetto__TracePacket *p = d.trace->packet[i];

		seen |= p == message;
		if (p->track_event && p->track_event->type == END &&
		    p->track_event->track_uuid == message->track_event->track_uuid)
			assert_true(seen);
	}
	fini(&d);
}

/* The read's record comes before the write's: the message is told when its slice is long drawn. */
static void a_message_told_late_is_still_inside(void **state)
{
	const Perfetto__TracePacket *message;
	struct drawn d;

	(void)state;
	begin_pipe(&d);
	feed_recv(&d.f, MECH_PIPE, 5, 11, T0 + 5 * US, T0 + 40 * US, 7);
	feed_send(&d.f, MECH_PIPE, 5, 10, T0 + 10 * US, T0 + 50 * US, 7);
	end(&d, T0 + MS);
	message = event(&d, INSTANT, 0);
	assert_non_null(message);
	assert_int_equal(message->track_event->track_uuid,
			 event(&d, BEGIN, 0)->track_event->track_uuid);
	assert_int_equal(event_cnt(&d, END), 2);
	assert_int_equal(event(&d, END, 0)->track_event->track_uuid,
			 message->track_event->track_uuid);
	fini(&d);
}

static void what_overlaps_has_a_track_of_its_own(void **state)
{
	uint64_t main_track, first, second;
	struct ev_op op;
	struct drawn d;

	(void)state;
	begin_pipe(&d);
	feed_send(&d.f, MECH_PIPE, 5, 10, T0 + 10 * US, T0 + 20 * US, 7);
	for (int i = 0; i < 2; i++) { /* two requests of io_uring, under way at one time */
		op = op_make(MECH_PIPE, OP_SEND, 5, 10, T0 + 30 * US, T0 + (50 + 10 * i) * US, 7);
		op.hdr.flags |= OPF_ASYNC;
		feed_op(&d.f, &op);
	}
	feed_send(&d.f, MECH_PIPE, 5, 10, T0 + 55 * US, T0 + 58 * US, 7);
	end(&d, T0 + MS);
	main_track = event(&d, BEGIN, 0)->track_event->track_uuid;
	first = event(&d, BEGIN, 1)->track_event->track_uuid;
	second = event(&d, BEGIN, 2)->track_event->track_uuid;
	assert_int_not_equal(first, main_track);
	assert_int_not_equal(second, main_track);
	assert_int_not_equal(first, second);
	assert_int_equal(event(&d, BEGIN, 3)->track_event->track_uuid, main_track);
	assert_nested(&d, 0);
	fini(&d);
}

static void blocked_time_is_a_slice_within(void **state)
{
	struct drawn d;
	struct ev_op op;

	(void)state;
	begin_pipe(&d);
	op = op_make(MECH_PIPE, OP_RECV, 5, 11, T0 + 10 * US, T0 + 100 * US, 7);
	op.blocked_ns = 70 * US;
	feed_op(&d.f, &op);
	end(&d, T0 + MS);
	assert_int_equal(event_cnt(&d, BEGIN), 2);
	assert_int_equal(event(&d, BEGIN, 1)->timestamp, T0 + 10 * US);
	assert_int_equal(event(&d, END, 0)->timestamp, T0 + 80 * US);
	assert_int_equal(event(&d, END, 1)->timestamp, T0 + 100 * US);
	assert_nested(&d, 0);
	fini(&d);
}

/* sendmmsg(2): one slice, and for each further message an instant that an arrow begins at. */
static void further_messages_of_a_call_are_instants(void **state)
{
	uint64_t flows[3];
	struct ev_op op;
	struct drawn d;

	(void)state;
	begin_pipe(&d);
	for (int i = 0; i < 3; i++) {
		op = op_make(MECH_PIPE, OP_SEND, 5, 10, T0 + 10 * US, T0 + 50 * US, 7);
		op.hdr.flags |= i ? OPF_MORE : 0;
		feed_op(&d.f, &op);
	}
	for (unsigned int i = 0; i < 3; i++)
		feed_recv(&d.f, MECH_PIPE, 5, 11, T0 + (100 + 10 * i) * US,
			  T0 + (105 + 10 * i) * US, 7);
	end(&d, T0 + MS);
	assert_int_equal(event_cnt(&d, BEGIN), 4);
	assert_int_equal(event_cnt(&d, INSTANT), 2 + 3);
	flows[0] = event(&d, BEGIN, 0)->track_event->flow_ids[0];
	flows[1] = event(&d, INSTANT, 0)->track_event->flow_ids[0];
	flows[2] = event(&d, INSTANT, 1)->track_event->flow_ids[0];
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(flows[i],
				 event(&d, INSTANT, 2 + i)->track_event->terminating_flow_ids[0]);
	assert_nested(&d, 0);
	fini(&d);
}

static void backlogs_are_counted_when_they_change(void **state)
{
	struct drawn d;
	struct ev_op op;

	(void)state;
	begin_pipe(&d);
	for (unsigned int i = 0; i < 4; i++) {
		op = op_make(MECH_PIPE, OP_SEND, 5, 10, T0 + (10 + i) * US, T0 + (11 + i) * US, 7);
		op.hdr.flags |= OPF_BACKLOG;
		op.backlog = i / 2 * 14;
		feed_op(&d.f, &op);
	}
	end(&d, T0 + MS);
	assert_int_equal(event_cnt(&d, COUNTER), 1);
	assert_int_equal(event(&d, COUNTER, 0)->timestamp, T0 + 13 * US);
	assert_int_equal(event(&d, COUNTER, 0)->track_event->counter_value, 14);
	fini(&d);
}

/* Names are those of the end: a process that starts a program has another one by then. */
static void names_are_told_at_the_end(void **state)
{
	const char *process = NULL, *thread = NULL;
	struct drawn d;

	(void)state;
	begin_pipe(&d);
	feed_send(&d.f, MECH_PIPE, 5, 10, T0 + 10 * US, T0 + 20 * US, 7);
	feed_proc(&d.f, 10, "other\xff");
	feed_send(&d.f, MECH_PIPE, 5, 10, T0 + 30 * US, T0 + 40 * US, 7);
	end(&d, T0 + MS);
	for (size_t i = 0; i < d.trace->n_packet; i++) {
		const Perfetto__TrackDescriptor *t = d.trace->packet[i]->track_descriptor;

		if (t && t->process && t->process->process_name)
			process = t->process->process_name;
		if (t && t->thread && t->thread->thread_name)
			thread = t->thread->thread_name;
	}
	assert_string_equal(process, "other\xef\xbf\xbd");
	assert_string_equal(thread, process);
	fini(&d);
}

static void any_scene_is_well_formed(void **state)
{
	struct player player;
	struct drawn d;

	(void)state;
	for (const struct scene *s = scenes; s->name; s++) {
		begin(&d, SCENE_START_NS);
		player = (struct player){.model = d.f.m};
		s->play(&player);
		end(&d, SCENE_START_NS + s->duration_us * US);
		assert_true(event_cnt(&d, BEGIN) >= event_cnt(&d, END));
		assert_nested(&d, event_cnt(&d, BEGIN) - event_cnt(&d, END));
		fini(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_packet_says_what_it_needs),
		cmocka_unit_test(an_arrow_leads_from_the_send_to_the_message),
		cmocka_unit_test(a_message_told_late_is_still_inside),
		cmocka_unit_test(what_overlaps_has_a_track_of_its_own),
		cmocka_unit_test(blocked_time_is_a_slice_within),
		cmocka_unit_test(further_messages_of_a_call_are_instants),
		cmocka_unit_test(backlogs_are_counted_when_they_change),
		cmocka_unit_test(names_are_told_at_the_end),
		cmocka_unit_test(any_scene_is_well_formed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
