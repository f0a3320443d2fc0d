// SPDX-License-Identifier: BSD-2-Clause
/* What a file says first that does not begin with the trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ipcspy/event.h"
#include "store/dict.h"

#define ITEMS_MAX 16

struct seen {
	const struct rec_item *items[ITEMS_MAX];
	size_t cnt;
};

static int note(void *arg, const struct rec_item *item)
{
	struct seen *s = arg;

	assert_true(s->cnt < ITEMS_MAX);
	s->items[s->cnt++] = item;
	return 0;
}

static struct seen all(const struct rec_dict *d)
{
	struct seen s = {.cnt = 0};

	assert_int_equal(rec_dict_each(d, note, &s), 0);
	return s;
}

#define TAKE(d, rec) assert_int_equal(rec_dict_take(d, (const struct rec_item *)&(rec)), 0)

#define HDR(kind_, type, ...) .hdr = {.kind = kind_, .len = sizeof(type), __VA_ARGS__}

static void proc(struct rec_dict *d, uint32_t pid, uint64_t start_ns, uint32_t flags)
{
	const struct ev_proc ev = {HDR(EV_PROC, ev, .pid = pid, .flags = flags),
				   .start_ns = start_ns};

	TAKE(d, ev);
}

static void obj(struct rec_dict *d, uint64_t chan, enum ipcspy_mech mech, uint32_t flags,
		uint32_t backlog, uint64_t peer)
{
	const struct ev_obj ev = {HDR(EV_OBJ, ev, .flags = flags, .ts_ns = 100),
				  .chan = chan,
				  .self = chan + 1000,
				  .peer = peer ? peer + 1000 : 0,
				  .mech = (__u8)mech,
				  .backlog = backlog};

	TAKE(d, ev);
}

static void op(struct rec_dict *d, uint64_t chan, enum ipcspy_op what, int ret, uint64_t enter_ns,
	       uint32_t backlog)
{
	const struct ev_op ev = {HDR(EV_OP, ev, .ts_ns = enter_ns + 10, .flags = OPF_BACKLOG),
				 .chan = chan,
				 .enter_ns = enter_ns,
				 .ret = ret,
				 .backlog = backlog,
				 .op = (__u8)what,
				 .mech = MECH_PIPE};

	TAKE(d, ev);
}

static uint32_t inside(const struct rec_dict *d, uint64_t chan)
{
	const struct seen s = all(d);

	for (size_t i = 0; i < s.cnt; i++) {
		const struct ev_obj *o = (const struct ev_obj *)s.items[i];

		if (o->hdr.kind != EV_OBJ || o->chan != chan)
			continue;
		assert_int_equal(o->hdr.ts_ns, 0);
		assert_true(o->hdr.flags & OBJF_BACKLOG && o->hdr.flags & OBJF_SNAPSHOT);
		assert_false(o->hdr.flags & OBJF_CREATED);
		return o->backlog;
	}
	fail_msg("no object %llu", (unsigned long long)chan);
	return 0;
}

static void processes_that_live(void **state)
{
	const struct ev_name exe = {HDR(EV_NAME, exe, .pid = 7, .flags = NAMEF_EXE), .text = "/x"};
	const struct ev_exit thread = {HDR(EV_EXIT, thread, .pid = 7)},
			     gone = {HDR(EV_EXIT, gone, .pid = 7, .flags = EXITF_GROUP)};
	struct rec_dict d;
	struct seen s;

	(void)state;
	rec_dict_init(&d);
	proc(&d, 7, 1, PROCF_TARGET | PROCF_FORK);
	proc(&d, 8, 1, 0);
	proc(&d, 7, 1, PROCF_EXEC);
	TAKE(&d, exe);
	TAKE(&d, thread);
	s = all(&d);
	assert_int_equal(s.cnt, 3);
	assert_int_equal(((const struct ev_proc *)s.items[0])->hdr.pid, 8);
	/* still a target, and neither forked nor executed just now */
	assert_int_equal(((const struct ev_proc *)s.items[1])->hdr.flags, PROCF_TARGET);
	assert_int_equal(s.items[2]->kind, EV_NAME);
	proc(&d, 7, 2, 0); /* another one: neither target nor that program */
	s = all(&d);
	assert_int_equal(s.cnt, 2);
	assert_int_equal(((const struct ev_proc *)s.items[1])->hdr.flags, 0);
	TAKE(&d, gone);
	assert_int_equal(all(&d).cnt, 1);
	rec_dict_fini(&d);
}

static void bytes_in_a_pipe(void **state)
{
	const struct rec_forget forget = {.item = {.kind = REC_FORGET, .len = sizeof(forget)},
					  .id = 1};
	struct rec_dict d;

	(void)state;
	rec_dict_init(&d);
	obj(&d, 1, MECH_PIPE, OBJF_CREATED, 0, 0);
	op(&d, 1, OP_SEND, 500, 10, 500);
	op(&d, 1, OP_RECV, 200, 30, 9999); /* what the record says is not asked */
	op(&d, 1, OP_RECV, -11, 40, 0);
	assert_int_equal(inside(&d, 1), 300);
	op(&d, 1, OP_RECV, 400, 50, 0); /* its write comes later */
	assert_int_equal(inside(&d, 1), 0);
	op(&d, 1, OP_SEND, 150, 45, 0);
	assert_int_equal(inside(&d, 1), 50);
	obj(&d, 1, MECH_PIPE, 0, 7777, 0); /* described anew, say for its size */
	assert_int_equal(inside(&d, 1), 50);
	TAKE(&d, forget);
	assert_int_equal(all(&d).cnt, 0);
	/* found in the middle: what ended before is in the backlog, also a part of a call */
	obj(&d, 2, MECH_PIPE, OBJF_SNAPSHOT | OBJF_BACKLOG, 600, 0);
	op(&d, 2, OP_SEND, 50, 80, 600);
	assert_int_equal(inside(&d, 2), 600);
	op(&d, 2, OP_SEND, 1000, 95, 700);
	assert_int_equal(inside(&d, 2), 700);
	rec_dict_fini(&d);
}

static void bytes_in_a_socket_pair(void **state)
{
	struct rec_dict d;

	(void)state;
	rec_dict_init(&d);
	obj(&d, 1, MECH_UNIX_STREAM, OBJF_CREATED, 0, 2);
	obj(&d, 2, MECH_UNIX_STREAM, OBJF_CREATED, 0, 1);
	op(&d, 1, OP_SEND, 100, 200, 0);
	op(&d, 2, OP_SEND, 30, 200, 0);
	op(&d, 2, OP_RECV, 60, 220, 0);
	assert_int_equal(inside(&d, 2), 40);
	assert_int_equal(inside(&d, 1), 30);
	rec_dict_fini(&d);
}

/* The latest whole one with holders, and what was mapped since. */
static void the_latest_snapshot(void **state)
{
	const struct ev_snap begin = {HDR(EV_SNAP, begin, .flags = SNAPF_HOLDS)},
			     end = {HDR(EV_SNAP, end, .flags = SNAPF_HOLDS | SNAPF_END)},
			     bare = {HDR(EV_SNAP, bare)},
			     bare_end = {HDR(EV_SNAP, bare_end, .flags = SNAPF_END)};
	struct ev_hold hold = {HDR(EV_HOLD, hold), .fd = 1};
	const struct ev_map map = {HDR(EV_MAP, map)};
	struct rec_dict d;
	struct seen s;

	(void)state;
	rec_dict_init(&d);
	TAKE(&d, begin);
	TAKE(&d, hold);
	TAKE(&d, end);
	TAKE(&d, map);
	TAKE(&d, bare);
	TAKE(&d, hold);
	TAKE(&d, bare_end);
	TAKE(&d, begin);
	hold.fd = 2;
	TAKE(&d, hold);
	s = all(&d); /* the second one is not whole */
	assert_int_equal(s.cnt, 4);
	assert_int_equal(((const struct ev_hold *)s.items[1])->fd, 1);
	assert_int_equal(s.items[3]->kind, EV_MAP);
	TAKE(&d, end);
	s = all(&d);
	assert_int_equal(s.cnt, 3);
	assert_int_equal(((const struct ev_hold *)s.items[1])->fd, 2);
	rec_dict_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processes_that_live),
		cmocka_unit_test(bytes_in_a_pipe),
		cmocka_unit_test(bytes_in_a_socket_pair),
		cmocka_unit_test(the_latest_snapshot),
	};

	return cmocka_run_group_tests_name("dict", tests, NULL, NULL);
}
