// SPDX-License-Identifier: BSD-2-Clause
/* Descriptors that processes hand to each other. */
#include "feed.h"

#include <string.h>

#define A    10
#define B    20
#define PIPE 1
#define WAY  2 /* A's end of a socket pair; B's is WAY + 1 */

static int setup(void **state)
{
	static struct feed f;

	feed_init(&f);
	feed_proc(&f, A, "giver");
	feed_proc(&f, B, "taker");
	feed_pipe(&f, PIPE);
	for (uint64_t i = 0; i < 2; i++) {
		struct ev_obj o = obj_make(MECH_UNIX_STREAM, WAY + i, T0);

		o.hdr.flags = OBJF_CONNECTED | OBJF_CREATED;
		o.self = 100 + i;
		o.peer = 101 - i;
		feed_obj(&f, &o);
	}
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	feed_fini(*state);
	return 0;
}

static void pass(struct feed *f, uint32_t flags, uint32_t pid, uint64_t chan, uint64_t via)
{
	const struct ev_pass e = {
		.hdr = {.kind = EV_PASS,
			.len = sizeof(e),
			.pid = pid,
			.tid = pid,
			.flags = flags | PASSF_TARGET,
			.ts_ns = T0 + 10},
		.chan = chan,
		.via = via,
		.cnt = 1,
		.from = flags & PASSF_GETFD ? A : 0,
		.mech = MECH_PIPE,
		.via_mech = via ? MECH_UNIX_STREAM : 0,
	};

	feed_raw(f, &e);
}

static const struct pass *only_pass(const struct feed *f)
{
	const struct pass *only = NULL;

	list_for_each (p, model_passes(f->m), struct pass, in_model) {
		assert_null(only);
		only = p;
	}
	assert_non_null(only);
	return only;
}

/* Which half is told first does not matter; three times is a count of three. */
static void either_half_first(void **state)
{
	struct feed *f = *state;
	const struct pass *p;

	for (int i = 0; i < 3; i++) {
		pass(f, i == 1 ? PASSF_RECV : 0, i == 1 ? B : A, PIPE, i == 1 ? WAY + 1 : WAY);
		pass(f, i == 1 ? 0 : PASSF_RECV, i == 1 ? A : B, PIPE, i == 1 ? WAY : WAY + 1);
	}
	p = only_pass(f);
	assert_true(p->from == A && p->to == B && p->count == 3);
	assert_string_equal(p->from_comm, "giver");
	assert_string_equal(p->to_comm, "taker");
	assert_true(p->chan->mech == MECH_PIPE && p->via->mech == MECH_UNIX_STREAM);
	assert_true(p->via->carries);
}

static void a_half_alone(void **state)
{
	struct feed *f = *state;
	const struct pass *p;

	pass(f, 0, A, PIPE, WAY);
	p = only_pass(f);
	assert_true(p->from == A && p->to == 0 && p->count == 1);
}

static void taken_with_pidfd(void **state)
{
	struct feed *f = *state;
	const struct pass *p;

	pass(f, PASSF_GETFD, B, PIPE, 0);
	p = only_pass(f);
	assert_true(p->from == A && p->to == B && !p->via && p->count == 1);
}

struct seen {
	unsigned int rows;
	uint64_t from, to, cnt, forgotten;
};

static void see(void *arg, const struct fact *fact)
{
	struct seen *s = arg;

	if (!strcmp(fact->name, "passes_forgotten"))
		s->forgotten = fact->value;
	if (!fact->group)
		return;
	assert_string_equal(fact->group, "passed");
	s->rows = fact->row + 1;
	if (!strcmp(fact->name, "from"))
		s->from = fact->value;
	if (!strcmp(fact->name, "to"))
		s->to = fact->value;
	if (!strcmp(fact->name, "count"))
		s->cnt += fact->value;
}

static struct seen facts_of(const struct feed *f, const struct chan *c)
{
	struct seen s = {0};

	model_facts(f->m, c, see, &s);
	return s;
}

static void told_as_facts(void **state)
{
	struct feed *f = *state;
	struct seen s;

	pass(f, 0, A, PIPE, WAY);
	pass(f, PASSF_RECV, B, PIPE, WAY + 1);
	s = facts_of(f, feed_chan_named(f, "pipe:[1]"));
	assert_true(s.rows == 1 && s.from == A && s.to == B && s.cnt == 1);
	s = facts_of(f, feed_chan(f, 1));
	assert_true(s.rows == 0);
}

/* Rows are bounded: of very many the oldest are only counted. */
static void very_many(void **state)
{
	struct feed *f = *state;
	struct seen s;

	for (uint32_t i = 0; i < 5000; i++)
		pass(f, 0, 1000 + i, PIPE, WAY);
	s = facts_of(f, feed_chan_named(f, "pipe:[1]"));
	assert_int_equal(s.rows, 4096);
	assert_true(s.cnt + s.forgotten == 5000);
}

/* The socket goes, what it carried stays counted; the pipe goes, and its rows. */
static void folded(void **state)
{
	const struct model_opts opts = {.start_ns = T0, .keep_closed = 1};
	struct feed *f = *state;
	struct chan *row;

	feed_fini(f);
	feed_init_opts(f, &opts);
	feed_proc(f, A, "giver");
	for (uint64_t id = 1; id <= 5; id++) {
		feed_pipe(f, id);
		feed_send(f, MECH_PIPE, id, A, T0 + 1, T0 + 2, 10);
		pass(f, PASSF_GETFD, B, id, 0);
	}
	feed_exit(f, A, T0 + 100);
	feed_exit(f, B, T0 + 110);
	assert_int_equal(model_advance(f->m, T0 + 100 * SEC), 0);
	row = feed_chan_named(f, "pipe:[closed]");
	assert_non_null(row);
	assert_int_equal(row->passes_forgotten, row->folded);
	assert_int_equal(facts_of(f, row).forgotten, row->folded);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(either_half_first), T(a_half_alone), T(taken_with_pidfd),
		T(told_as_facts),     T(very_many),    T(folded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
