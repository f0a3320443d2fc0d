// SPDX-License-Identifier: BSD-2-Clause
/* Who maps what memory: ranges cut, joined, inherited, dropped; what is a channel then. */
#include "feed.h"

#include <string.h>

#define PAGE  4096ull
#define AT    0x7f0000000000ull
#define READ  MAPF_READ
#define RW    (MAPF_READ | MAPF_WRITE)
#define SEG   0x51ull
#define OTHER 0x52ull

static struct ev_map map_make(uint32_t pid, uint64_t id, uint64_t page, uint64_t pages,
			      uint32_t flags, uint64_t ts_ns)
{
	return (struct ev_map){
		.hdr = {.kind = EV_MAP,
			.len = sizeof(struct ev_map),
			.pid = pid,
			.tid = pid,
			.flags = flags,
			.ts_ns = ts_ns},
		.chan = id,
		.start = AT + page * PAGE,
		.len = pages * PAGE,
		.mech = MECH_SHM,
	};
}

static void feed_map(struct feed *f, uint32_t pid, uint64_t id, uint64_t page, uint64_t pages,
		     uint32_t flags, uint64_t ts_ns)
{
	struct ev_map e = map_make(pid, id, page, pages, flags, ts_ns);

	feed_raw(f, &e);
}

static void feed_gone(struct feed *f, uint32_t pid, uint64_t page, uint64_t pages, uint64_t ts_ns)
{
	feed_map(f, pid, 0, page, pages, MAPF_GONE, ts_ns);
}

static void feed_memory(struct feed *f, enum ipcspy_mech mech, uint64_t id, uint64_t pages)
{
	struct ev_obj o = obj_make(mech, id, T0);

	o.capacity = 0;
	o.vals[0] = pages * PAGE;
	o.vals[1] = 0x1234ull << 32 | 77;
	feed_obj(f, &o);
}

static void feed_child(struct feed *f, uint32_t ppid, uint32_t pid, uint32_t flags, uint64_t ts_ns)
{
	struct ev_proc p = {
		.hdr = {.kind = EV_PROC,
			.len = sizeof(p),
			.pid = pid,
			.tid = pid,
			.flags = flags,
			.ts_ns = ts_ns},
		.start_ns = T0 + pid,
		.ppid = ppid,
		.comm = "child",
	};

	feed_raw(f, &p);
}

static void begin(struct feed *f)
{
	feed_init(f);
	feed_proc(f, 10, "ten");
	feed_proc(f, 11, "eleven");
	feed_memory(f, MECH_SHM, SEG, 64);
}

static const struct attach *attach_of(const struct chan *c, uint32_t pid)
{
	list_for_each (a, model_attaches(c), struct attach, in_chan)
		if (a->ep->proc->pid == pid)
			return a;
	return NULL;
}

static const struct attached *now_of(const struct feed *f, uint32_t pid)
{
	const struct attach *a = attach_of(feed_chan(f, 0), pid);

	assert_non_null(a);
	return &a->now;
}

static void one_process_is_no_channel(void **state)
{
	struct feed f;

	(void)state;
	begin(&f);
	feed_map(&f, 10, SEG, 0, 4, RW, T0 + MS);
	assert_int_equal(feed_chan_cnt(&f), 1);
	assert_false(chan_is_channel(feed_chan(&f, 0)));
	feed_map(&f, 11, SEG, 9, 4, READ, T0 + 2 * MS);
	assert_true(chan_is_channel(feed_chan(&f, 0)));
	assert_int_equal(model_shared_ns(f.m, feed_chan(&f, 0)), 0);
	feed_fini(&f);
}

static void readers_alone_are_no_channel(void **state)
{
	struct feed f;

	(void)state;
	begin(&f);
	feed_map(&f, 10, SEG, 0, 4, READ, T0 + MS);
	feed_map(&f, 11, SEG, 0, 4, READ, T0 + MS);
	assert_false(chan_is_channel(feed_chan(&f, 0)));
	/* mprotect makes one of them a writer, and takes it back: it may have written */
	feed_map(&f, 11, 0, 1, 1, RW | MAPF_RIGHTS, T0 + 2 * MS);
	assert_int_equal(now_of(&f, 11)->cnt, 3);
	assert_int_equal(now_of(&f, 11)->can, RW);
	feed_map(&f, 11, 0, 0, 4, READ | MAPF_RIGHTS, T0 + 3 * MS);
	assert_int_equal(now_of(&f, 11)->cnt, 1);
	assert_int_equal(now_of(&f, 11)->can, READ);
	assert_true(chan_is_channel(feed_chan(&f, 0)));
	feed_fini(&f);
}

static void unmapping_a_part_splits(void **state)
{
	struct feed f;

	(void)state;
	begin(&f);
	feed_map(&f, 10, SEG, 0, 10, RW, T0 + MS);
	feed_gone(&f, 10, 3, 2, T0 + 2 * MS);
	assert_int_equal(now_of(&f, 10)->cnt, 2);
	assert_int_equal(now_of(&f, 10)->bytes, 8 * PAGE);
	feed_gone(&f, 10, 0, 4, T0 + 3 * MS);
	assert_int_equal(now_of(&f, 10)->cnt, 1);
	assert_int_equal(now_of(&f, 10)->offset, 5 * PAGE);
	assert_true(feed_chan(&f, 0)->open);
	feed_gone(&f, 10, 0, 64, T0 + 4 * MS);
	assert_int_equal(now_of(&f, 10)->cnt, 0);
	assert_false(feed_chan(&f, 0)->open);
	assert_int_equal(attach_of(feed_chan(&f, 0), 10)->most.bytes, 10 * PAGE);
	assert_int_equal(attach_of(feed_chan(&f, 0), 10)->until_ns, T0 + 4 * MS);
	feed_map(&f, 10, SEG, 0, 1, RW, T0 + 5 * MS);
	assert_true(feed_chan(&f, 0)->open);
	feed_fini(&f);
}

static void mremap_keeps_since(void **state)
{
	struct ev_map e = map_make(10, SEG, 20, 8, RW, T0 + 9 * MS);
	struct feed f;

	(void)state;
	begin(&f);
	feed_map(&f, 10, SEG, 0, 4, RW, T0 + MS);
	e.from = AT;
	e.from_len = 4 * PAGE;
	feed_raw(&f, &e);
	assert_int_equal(now_of(&f, 10)->cnt, 1);
	assert_int_equal(now_of(&f, 10)->bytes, 8 * PAGE);
	assert_int_equal(attach_of(feed_chan(&f, 0), 10)->since_ns, T0 + MS);
	/* a call that began before does not end what came later */
	feed_gone(&f, 10, 20, 8, T0 + MS / 2);
	assert_int_equal(now_of(&f, 10)->bytes, 8 * PAGE);
	feed_fini(&f);
}

static void shmdt_takes_the_whole_segment(void **state)
{
	struct feed f;

	(void)state;
	feed_init(&f);
	feed_memory(&f, MECH_SYSV_SHM, SEG, 8);
	feed_memory(&f, MECH_SHM, OTHER, 8);
	feed_map(&f, 10, SEG, 0, 8, RW, T0 + MS);
	feed_gone(&f, 10, 2, 2, T0 + 2 * MS);
	feed_map(&f, 10, OTHER, 2, 1, RW, T0 + 3 * MS);
	feed_map(&f, 10, 0, 0, 0, MAPF_GONE, T0 + 4 * MS);
	assert_int_equal(now_of(&f, 10)->cnt, 0);
	assert_int_equal(attach_of(feed_chan(&f, 1), 10)->now.bytes, PAGE);
	assert_string_equal(feed_chan(&f, 0)->name, "shm:0x00001234/81");
	feed_fini(&f);
}

static void children_inherit(void **state)
{
	struct feed f;

	(void)state;
	begin(&f);
	feed_map(&f, 10, SEG, 0, 4, RW, T0 + MS);
	feed_child(&f, 10, 20, PROCF_FORK, T0 + 2 * MS);
	assert_int_equal(now_of(&f, 20)->bytes, 4 * PAGE);
	assert_true(chan_is_channel(feed_chan(&f, 0)));
	/* it lives in its parent's memory: what it has is the parent's */
	feed_child(&f, 10, 21, PROCF_FORK | PROCF_VM, T0 + 3 * MS);
	assert_null(attach_of(feed_chan(&f, 0), 21));
	feed_exit(&f, 20, T0 + 5 * MS);
	assert_int_equal(now_of(&f, 20)->cnt, 0);
	assert_int_equal(now_of(&f, 10)->bytes, 4 * PAGE);
	assert_int_equal(model_shared_ns(f.m, feed_chan(&f, 0)), 3 * MS);
	feed_fini(&f);
}

static void who_executes_at_once_never_shared(void **state)
{
	struct feed f;

	(void)state;
	begin(&f);
	feed_map(&f, 10, SEG, 0, 4, RW, T0 + MS);
	feed_child(&f, 10, 20, PROCF_FORK, T0 + 2 * MS);
	feed_child(&f, 10, 20, PROCF_EXEC, T0 + 3 * MS);
	assert_int_equal(now_of(&f, 20)->cnt, 0);
	assert_false(chan_is_channel(feed_chan(&f, 0)));
	/* unlike one that mapped it by itself before */
	feed_map(&f, 11, SEG, 0, 4, RW, T0 + 4 * MS);
	feed_child(&f, 1, 11, PROCF_EXEC, T0 + 5 * MS);
	assert_true(chan_is_channel(feed_chan(&f, 0)));
	feed_fini(&f);
}

static void snapshots_add_and_take_away(void **state)
{
	struct feed f;

	(void)state;
	begin(&f);
	feed_snap(&f, SNAPF_FIRST | SNAPF_HOLDS, T0 + MS);
	feed_map(&f, 10, SEG, 0, 4, RW | MAPF_SNAPSHOT, T0 + MS);
	feed_map(&f, 11, SEG, 0, 4, RW | MAPF_SNAPSHOT, T0 + MS);
	feed_snap(&f, SNAPF_FIRST | SNAPF_HOLDS | SNAPF_END, T0 + MS);
	assert_true(attach_of(feed_chan(&f, 0), 10)->before_attach);
	/* ahead of the records: 10 is gone, 11 has more, one is newer than the snapshot */
	feed_map(&f, 10, SEG, 30, 1, RW, T0 + 20 * MS);
	feed_snap(&f, SNAPF_HOLDS, T0 + 10 * MS);
	feed_map(&f, 11, SEG, 0, 8, RW | MAPF_SNAPSHOT, T0 + 10 * MS);
	feed_map(&f, 11, SEG, 40, 2, RW | MAPF_SNAPSHOT, T0 + 10 * MS);
	feed_snap(&f, SNAPF_HOLDS | SNAPF_END, T0 + 10 * MS);
	assert_int_equal(now_of(&f, 10)->bytes, PAGE);
	assert_int_equal(now_of(&f, 11)->bytes, 10 * PAGE);
	/* the record of what the snapshot already showed, and part of which was unmapped since */
	feed_gone(&f, 11, 41, 1, T0 + 11 * MS);
	feed_map(&f, 11, SEG, 40, 2, RW, T0 + 5 * MS);
	assert_int_equal(now_of(&f, 11)->bytes, 9 * PAGE);
	feed_fini(&f);
}

static void nameless_objects_count_too(void **state)
{
	struct feed f;

	(void)state;
	feed_init(&f);
	feed_map(&f, 10, SEG, 0, 4, RW, T0 + MS); /* its EV_OBJ was lost */
	feed_map(&f, 11, SEG, 0, 4, RW, T0 + MS);
	assert_string_equal(feed_chan(&f, 0)->name, "shm:[?]");
	assert_true(chan_is_channel(feed_chan(&f, 0)));
	feed_map(&f, 10, OTHER, ~0ull / PAGE - AT / PAGE - 1, 1, RW, T0 + MS); /* the last page */
	feed_gone(&f, 10, 0, 1ull << 40, T0 + 2 * MS);
	feed_fini(&f);
}

static void semaphores_are_known_by_name(void **state)
{
	struct ev_name name = {.hdr = {.kind = EV_NAME, .len = sizeof(name), .flags = NAMEF_CHAN},
			       .chan = SEG,
			       .text = "/dev/shm/sem.door"};
	struct feed f;

	(void)state;
	begin(&f);
	assert_null(model_posix_semaphore(feed_chan(&f, 0)));
	feed_raw(&f, &name);
	assert_string_equal(model_posix_semaphore(feed_chan(&f, 0)), "door");
	feed_fini(&f);
}

/* --- random ranges against an array with an entry for each page --- */

#define PAGES 96
#define PROCS 2
#define IDS   3

struct page {
	unsigned int id; /* 0: none */
	uint64_t offset;
	uint32_t can;
};

struct naive {
	struct page at[PROCS][PAGES];
};

static struct attached naive_sum(const struct naive *n, unsigned int p, unsigned int id)
{
	struct attached sum = {.offset = ~0ull};

	for (unsigned int i = 0; i < PAGES; i++) {
		const struct page *a = &n->at[p][i], *prev = i ? a - 1 : NULL;

		if (a->id != id)
			continue;
		sum.bytes += PAGE;
		sum.can |= a->can;
		if (a->offset < sum.offset)
			sum.offset = a->offset;
		if (!prev || prev->id != id || prev->can != a->can ||
		    prev->offset + PAGE != a->offset)
			sum.cnt++;
	}
	return sum;
}

static void compare(const struct feed *f, const struct naive *n)
{
	for (unsigned int p = 0; p < PROCS; p++) {
		for (unsigned int id = 1; id <= IDS; id++) {
			const struct attach *a = attach_of(feed_chan(f, id - 1), 10 + p);
			struct attached want = naive_sum(n, p, id);

			assert_int_equal(a ? a->now.cnt : 0, want.cnt);
			if (!want.cnt)
				continue;
			assert_int_equal(a->now.bytes, want.bytes);
			assert_int_equal(a->now.offset, want.offset);
			assert_int_equal(a->now.can, want.can);
		}
	}
}

static void naive_set(struct naive *n, unsigned int p, uint64_t page, uint64_t cnt,
		      const struct page *to)
{
	for (uint64_t i = 0; i < cnt; i++) {
		n->at[p][page + i] = *to;
		n->at[p][page + i].offset += i * PAGE;
	}
}

static void random_step(struct feed *f, struct naive *n, struct rnd *r, uint64_t ts_ns)
{
	unsigned int p = (unsigned int)rnd_below(r, PROCS);
	uint64_t page = rnd_below(r, PAGES), cnt = 1 + rnd_below(r, PAGES - page);
	struct page to = {.id = 1 + (unsigned int)rnd_below(r, IDS),
			  .offset = rnd_below(r, 8) * PAGE,
			  .can = rnd_below(r, 2) ? RW : READ};
	struct ev_map e;

	switch (rnd_below(r, 4)) {
	case 0:
		naive_set(n, p, page, cnt, &(struct page){0});
		feed_gone(f, 10 + p, page, cnt, ts_ns);
		break;
	case 1:
		for (uint64_t i = page; i < page + cnt; i++)
			if (n->at[p][i].id)
				n->at[p][i].can = to.can;
		feed_map(f, 10 + p, 0, page, cnt, MAPF_RIGHTS | to.can, ts_ns);
		break;
	default:
		e = map_make(10 + p, SEG + to.id - 1, page, cnt, to.can, ts_ns);
		e.offset = to.offset;
		if (rnd_below(r, 4) == 0) { /* mremap */
			uint64_t from = rnd_below(r, PAGES), len = rnd_below(r, PAGES - from);

			e.from = AT + from * PAGE;
			e.from_len = len * PAGE;
			naive_set(n, p, from, len, &(struct page){0});
		}
		naive_set(n, p, page, cnt, &to);
		feed_raw(f, &e);
	}
}

static void ranges_as_an_array_has_them(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct rnd r = {seed};
		struct naive n = {0};
		struct feed f;

		feed_init(&f);
		feed_proc(&f, 10, "ten");
		feed_proc(&f, 11, "eleven");
		for (unsigned int id = 0; id < IDS; id++)
			feed_memory(&f, MECH_SHM, SEG + id, PAGES);
		for (uint64_t i = 0; i < 200; i++) {
			random_step(&f, &n, &r, T0 + (i + 1) * MS);
			compare(&f, &n);
		}
		feed_fini(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_process_is_no_channel),
		cmocka_unit_test(readers_alone_are_no_channel),
		cmocka_unit_test(unmapping_a_part_splits),
		cmocka_unit_test(mremap_keeps_since),
		cmocka_unit_test(shmdt_takes_the_whole_segment),
		cmocka_unit_test(children_inherit),
		cmocka_unit_test(who_executes_at_once_never_shared),
		cmocka_unit_test(snapshots_add_and_take_away),
		cmocka_unit_test(nameless_objects_count_too),
		cmocka_unit_test(semaphores_are_known_by_name),
		cmocka_unit_test(ranges_as_an_array_has_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
