// SPDX-License-Identifier: BSD-2-Clause
/* The bytes of messages that wait for their receive, and which message gets which. */
#include "feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipcspy/event.h"
#include "model/payload.h"

static void keeps_what_was_put_in(void **state)
{
	struct payloads p = {0};
	const uint8_t *bytes;
	uint32_t a, b, len;

	(void)state;
	assert_false(payloads_get(&p, 1, &bytes, &len));
	a = payloads_put(&p, "", 0);
	b = payloads_put(&p, "hello", 5);
	assert_true(a && b && a != b);
	assert_true(payloads_get(&p, a, &bytes, &len));
	assert_int_equal(len, 0);
	assert_true(payloads_get(&p, b, &bytes, &len));
	assert_int_equal(len, 5);
	assert_memory_equal(bytes, "hello", 5);
	assert_false(payloads_get(&p, b + 1, &bytes, &len));
	payloads_fini(&p);
}

static void fill(char *buf, uint32_t n, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		buf[i] = (char)(n + i);
}

/* Twice around; the oldest go, and none of those that are there has another's bytes. */
static void forgets_the_oldest(uint32_t len, uint32_t cnt)
{
	uint32_t first = 0, id = 0, got, there = 0;
	struct payloads p = {0};
	char buf[PAYLOAD_MAX];
	const uint8_t *bytes;

	for (uint32_t i = 1; i <= cnt; i++) {
		fill(buf, i, len);
		id = payloads_put(&p, buf, len);
		first = first ? first : id;
	}
	for (uint32_t i = first; i <= id; i++) {
		if (!payloads_get(&p, i, &bytes, &got)) {
			assert_int_equal(there,
					 0); /* those that are gone are older than all others */
			continue;
		}
		there++;
		fill(buf, i - first + 1, len);
		assert_int_equal(got, len);
		assert_memory_equal(bytes, buf, len);
	}
	assert_true(there >= (PAYLOADS_BYTES / (len + 1) < PAYLOADS_SLOTS
				      ? PAYLOADS_BYTES / (len + 1)
				      : PAYLOADS_SLOTS));
	assert_true(there < cnt);
	payloads_fini(&p);
}

static void goes_around(void **state)
{
	(void)state;
	forgets_the_oldest(3, 2 * PAYLOADS_SLOTS + 5);
	forgets_the_oldest(1000, 2 * PAYLOADS_BYTES / 1000);
	forgets_the_oldest(PAYLOAD_MAX, 3 * PAYLOADS_BYTES / PAYLOAD_MAX);
}

struct seen {
	struct feed f;
	char text[256]; /* one word for each message */
};

static void on_message(void *arg, const struct message *msg)
{
	struct seen *s = arg;
	size_t at = strlen(s->text);

	if (msg->payload_is == PAYLOAD_KEPT)
		snprintf(s->text + at, sizeof(s->text) - at, "%.*s ", (int)msg->payload_len,
			 (const char *)msg->payload);
	else
		snprintf(s->text + at, sizeof(s->text) - at, "%s ",
			 msg->payload_is == PAYLOAD_GONE ? "(gone)" : "(none)");
}

static void begin(struct seen *s)
{
	*s = (struct seen){0};
	feed_init_opts(&s->f, &(struct model_opts){.start_ns = T0,
						   .on_message = on_message,
						   .on_message_arg = s});
}

static void send_text(struct seen *s, enum ipcspy_mech mech, uint64_t id, uint64_t at_us,
		      const char *text)
{
	int len = (int)strlen(text);
	struct ev_op op =
		op_make(mech, OP_SEND, id, 10, T0 + at_us * US, T0 + (at_us + 1) * US, len);

	feed_op_payload(&s->f, &op, text, (uint32_t)len);
}

/* One read has several messages in it, and the last is not whole yet. */
static void goes_with_its_message(void **state)
{
	struct seen s;

	(void)state;
	begin(&s);
	feed_pipe(&s.f, 5);
	send_text(&s, MECH_PIPE, 5, 10, "one");
	feed_send(&s.f, MECH_PIPE, 5, 10, T0 + 12 * US, T0 + 13 * US, 3);
	send_text(&s, MECH_PIPE, 5, 14, "three");
	send_text(&s, MECH_PIPE, 5, 16, "four");
	feed_recv(&s.f, MECH_PIPE, 5, 11, T0 + 20 * US, T0 + 30 * US, 13);
	assert_int_equal(model_advance(s.f.m, T0 + 31 * US), 0);
	assert_string_equal(s.text, "one (none) three ");
	feed_recv(&s.f, MECH_PIPE, 5, 11, T0 + 40 * US, T0 + 50 * US, 2);
	assert_int_equal(model_finish(s.f.m, T0 + MS), 0);
	assert_string_equal(s.text, "one (none) three four ");
	feed_fini(&s.f);
}

/* The receive may come first; its own bytes are not the message's. */
static void waits_for_its_send(void **state)
{
	struct ev_op op = op_make(MECH_PIPE, OP_RECV, 5, 11, T0, T0 + 9 * US, 3);
	struct seen s;

	(void)state;
	begin(&s);
	feed_pipe(&s.f, 5);
	feed_op_payload(&s.f, &op, "xyz", 3);
	feed_send(&s.f, MECH_PIPE, 5, 10, T0, T0 + 10 * US, 3);
	assert_int_equal(model_finish(s.f.m, T0 + MS), 0);
	assert_string_equal(s.text, "(none) ");
	feed_fini(&s.f);
}

/* Nobody here sent it: what the receiver got is all there is. */
static void is_the_receivers_where_nobody_sent(void **state)
{
	struct ev_obj o = obj_make(MECH_UDP, 7, T0);
	struct ev_op op = op_make(MECH_UDP, OP_RECV, 7, 11, T0, T0 + 9 * US, 5);
	const struct ev_addr_in from = addr4("192.0.2.1", 53);
	struct {
		struct ev_op op;
		struct ev_addr_in addr;
		struct ev_payload payload;
		char bytes[8];
	} rec = {op, from, {5, 0}, "reply"};
	struct seen s;

	(void)state;
	begin(&s);
	o.laddr = addr4("192.0.2.9", 4000);
	feed_obj(&s.f, &o);
	rec.op.hdr.len = sizeof(rec);
	rec.op.hdr.flags |= OPF_ADDR_IN | OPF_PAYLOAD;
	feed_raw(&s.f, &rec);
	assert_int_equal(model_finish(s.f.m, T0 + SEC), 0);
	assert_string_equal(s.text, "reply ");
	assert_non_null(feed_flow_from(&s.f, "192.0.2.1:53", 11));
	feed_fini(&s.f);
}

/* What waits too long in a full house is said to be gone, and is no other's. */
static void may_be_gone(void **state)
{
	char big[PAYLOAD_MAX];
	struct seen s;

	(void)state;
	memset(big, 'x', sizeof(big));
	begin(&s);
	feed_pipe(&s.f, 5);
	feed_pipe(&s.f, 6);
	send_text(&s, MECH_PIPE, 5, 10, "early");
	for (uint64_t i = 0; i <= PAYLOADS_BYTES / PAYLOAD_MAX; i++) {
		struct ev_op op = op_make(MECH_PIPE, OP_SEND, 6, 10, T0 + (20 + i) * US,
					  T0 + (21 + i) * US, PAYLOAD_MAX);

		feed_op_payload(&s.f, &op, big, sizeof(big));
	}
	feed_recv(&s.f, MECH_PIPE, 5, 11, T0 + 9 * MS, T0 + 10 * MS, 5);
	assert_int_equal(model_advance(s.f.m, T0 + 11 * MS), 0);
	assert_string_equal(s.text, "(gone) ");
	feed_fini(&s.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_was_put_in),
		cmocka_unit_test(goes_around),
		cmocka_unit_test(goes_with_its_message),
		cmocka_unit_test(waits_for_its_send),
		cmocka_unit_test(is_the_receivers_where_nobody_sent),
		cmocka_unit_test(may_be_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
