// SPDX-License-Identifier: BSD-2-Clause
/* Decoding of records as a hostile file would hold them. */
#include "feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const size_t sizes[EV_MAX] = {
	[EV_OP] = sizeof(struct ev_op),     [EV_OBJ] = sizeof(struct ev_obj),
	[EV_PROC] = sizeof(struct ev_proc), [EV_EXIT] = sizeof(struct ev_exit),
	[EV_SNAP] = sizeof(struct ev_snap), [EV_INFLIGHT] = sizeof(struct ev_inflight),
	[EV_HOLD] = sizeof(struct ev_hold), [EV_NAME] = sizeof(struct ev_name),
	[EV_LOSS] = sizeof(struct ev_loss), [EV_MAP] = sizeof(struct ev_map),
	[EV_TASK] = sizeof(struct ev_task), [EV_SET] = sizeof(struct ev_set),
	[EV_IPC] = sizeof(struct ev_ipc),   [EV_WORD] = sizeof(struct ev_word),
};

/* A record of this kind that is in order. */
static void valid(void *buf, size_t room, unsigned int kind)
{
	struct ev_hdr *hdr = buf;

	memset(buf, 0, room);
	hdr->kind = (uint16_t)kind;
	hdr->len = (uint16_t)sizes[kind];
	if (kind == EV_OP)
		((struct ev_op *)buf)->op = OP_SEND;
	if (kind == EV_INFLIGHT)
		((struct ev_inflight *)buf)->op = OP_RECV;
	if (kind == EV_OBJ)
		((struct ev_obj *)buf)->mech = MECH_PIPE;
	if (kind == EV_IPC)
		((struct ev_ipc *)buf)->mech = MECH_SYSV_MSG;
}

static void test_valid_and_truncated(void **state)
{
	uint64_t buf[128];
	struct ev_hdr *hdr = (void *)buf;
	struct event ev;

	(void)state;
	for (unsigned int kind = EV_OP; kind < EV_MAX; kind++) {
		if (!sizes[kind]) /* a number that is not in use */
			continue;
		valid(buf, sizeof(buf), kind);
		assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), sizes[kind]);
		assert_ptr_equal(ev.hdr, buf);
		for (size_t len = 0; len < sizes[kind]; len++)
			assert_int_equal(event_decode(buf, len, &ev, NULL), -ENODATA);
		/* A length that does not reach to the end of the fields. */
		hdr->len = (uint16_t)(sizes[kind] - 8);
		assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), -EBADMSG);
		hdr->len = (uint16_t)(sizes[kind] + 4);
		assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), -EBADMSG);
	}
}

static void test_unknown_kind_is_skipped(void **state)
{
	struct ev_hdr hdr = {.kind = EV_MAX, .len = 4096};
	struct event ev;
	size_t skip = 0;

	(void)state;
	assert_int_equal(event_decode(&hdr, sizeof(hdr), &ev, &skip), -EOPNOTSUPP);
	assert_int_equal(skip, 4096);
	hdr.len = 8;
	assert_int_equal(event_decode(&hdr, sizeof(hdr), &ev, &skip), -EBADMSG);
	hdr.len = 0;
	assert_int_equal(event_decode(&hdr, sizeof(hdr), &ev, &skip), -EBADMSG);
}

static void test_ranges(void **state)
{
	uint64_t buf[128];
	struct ev_op *op = (void *)buf;
	struct ev_obj *obj = (void *)buf;
	struct ev_inflight *in = (void *)buf;
	struct ev_name *name = (void *)buf;
	struct ev_loss *loss = (void *)buf;
	struct ev_map *map = (void *)buf;
	struct event ev;

	(void)state;
#define EXPECT_BAD(kind, set)                                                          \
	do {                                                                           \
		valid(buf, sizeof(buf), kind);                                         \
		set;                                                                   \
		assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), -EBADMSG); \
	} while (0)
	EXPECT_BAD(EV_OP, op->op = OP_MAX);
	EXPECT_BAD(EV_OP, op->op = OP_NONE);
	EXPECT_BAD(EV_OP, op->mech = MECH_MAX);
	EXPECT_BAD(EV_INFLIGHT, in->op = 200);
	EXPECT_BAD(EV_INFLIGHT, in->mech = 200);
	EXPECT_BAD(EV_OBJ, obj->mech = MECH_NONE);
	EXPECT_BAD(EV_OBJ, obj->mech = MECH_MAX);
	EXPECT_BAD(EV_OBJ, obj->name.len = sizeof(obj->name.name) + 1);
	EXPECT_BAD(EV_NAME, memset(name->text, 'x', sizeof(name->text)));
	EXPECT_BAD(EV_LOSS, loss->mech = MECH_MAX);
	EXPECT_BAD(EV_MAP, map->mech = MECH_MAX);
	EXPECT_BAD(EV_MAP, (map->start = ~0ull, map->len = 1));
	EXPECT_BAD(EV_MAP, (map->from = 4096, map->from_len = ~0ull));
	EXPECT_BAD(EV_MAP, (map->offset = ~0ull - 4095, map->len = 8192));
}

static void test_addresses(void **state)
{
	uint64_t buf[128];
	struct ev_op *op = (void *)buf;
	struct ev_addr_in *in = (void *)(op + 1);
	struct ev_addr_un *un = (void *)(op + 1);
	struct event ev;

	(void)state;
	valid(buf, sizeof(buf), EV_OP);
	op->hdr.flags = OPF_ADDR_IN;
	assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), -EBADMSG);
	op->hdr.len = sizeof(*op) + sizeof(*in);
	in->family = AF_INET6;
	assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), op->hdr.len);
	assert_ptr_equal(ev.addr_in, in);
	assert_null(ev.addr_un);
	in->family = AF_UNIX;
	assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), -EBADMSG);

	op->hdr.flags = OPF_ADDR_UN;
	assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), -EBADMSG);
	op->hdr.len = sizeof(*op) + sizeof(*un);
	un->len = sizeof(un->name);
	assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), op->hdr.len);
	assert_ptr_equal(ev.addr_un, un);
	un->len++;
	assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), -EBADMSG);

	un->len = 0;
	op->hdr.flags = OPF_ADDR_UN | OPF_ADDR_IN;
	assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), -EBADMSG);
}

static void test_payload(void **state)
{
	uint64_t buf[1024];
	struct ev_op *op = (void *)buf;
	struct ev_payload *pl = (void *)(op + 1);
	struct event ev;

	(void)state;
	valid(buf, sizeof(buf), EV_OP);
	op->hdr.flags = OPF_PAYLOAD;
	assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), -EBADMSG);
	op->hdr.len = sizeof(*op) + sizeof(*pl);
	assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), op->hdr.len);
	assert_ptr_equal(ev.payload, pl);
	pl->len = 1;
	assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), -EBADMSG);
	op->hdr.len += 8;
	for (pl->len = 0; pl->len <= 8; pl->len++)
		assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), op->hdr.len);
	assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), -EBADMSG);
	pl->len = UINT32_MAX;
	assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), -EBADMSG);

	/* no more than anybody ever wrote, although the record is long enough */
	op->hdr.len = sizeof(*op) + sizeof(*pl) + PAYLOAD_MAX + 8;
	pl->len = PAYLOAD_MAX;
	assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), op->hdr.len);
	pl->len++;
	assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), -EBADMSG);

	/* behind what else there is */
	op->hdr.flags = OPF_PAYLOAD | OPF_VALS;
	op->hdr.len = sizeof(*op) + sizeof(struct ev_vals);
	assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), -EBADMSG);
	pl = (void *)((struct ev_vals *)(op + 1) + 1);
	pl->len = 8;
	op->hdr.len += sizeof(*pl) + 8;
	assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), op->hdr.len);
	assert_ptr_equal(ev.payload, pl);
	op->hdr.flags = OPF_VALS;
	assert_int_equal(event_decode(buf, sizeof(buf), &ev, NULL), op->hdr.len);
	assert_null(ev.payload);
}

/* What it says that there is can be read. */
static void look_at(void *arg, const struct message *msg)
{
	(void)arg;
	for (uint32_t i = 0; msg->payload_is == PAYLOAD_KEPT && i < msg->payload_len; i++)
		assert_in_range(msg->payload[i], 0, 255);
}

/*
 * Random bytes with a plausible header go through decoding and the model: no
 * crash, no endless loop, and what was decoded fits the bytes that were given.
 */
static void test_noise(void **state)
{
	struct rnd r = {.s = 99};
	struct feed f;

	(void)state;
	feed_init_opts(&f, &(struct model_opts){.start_ns = T0, .on_message = look_at});
	for (int i = 0; i < 200000; i++) {
		size_t len = 24 + 8 * rnd_below(&r, 42), w;
		uint64_t *buf = malloc(len);
		struct ev_hdr *hdr = (void *)buf;
		struct event ev;
		int got;

		assert_non_null(buf);
		for (w = 0; w < len / 8; w++)
			buf[w] = rnd_below(&r, 4) ? rnd_below(&r, 8) : rnd_next(&r);
		hdr->kind = (uint16_t)rnd_below(&r, EV_MAX + 1);
		hdr->len = (uint16_t)(rnd_below(&r, 8) ? len : rnd_next(&r));
		got = event_decode(buf, len, &ev, NULL);
		if (got > 0) {
			assert_true((size_t)got <= len);
			assert_int_equal(model_feed(f.m, &ev), 0);
		}
		free(buf);
	}
	assert_int_equal(model_finish(f.m, UINT64_MAX), 0);
	feed_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid_and_truncated),
		cmocka_unit_test(test_unknown_kind_is_skipped),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_payload),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
