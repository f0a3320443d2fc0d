// SPDX-License-Identifier: BSD-2-Clause
/* From samples to the stack that is shown, and how it is shown. */
#include "feed.h"

#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/doing.h"
#include "export/why_json.h"
#include "probe/callsite.h"
#include "probe/sample.h"
#include "probe/stacks.h"
#include "scene.h"
#include "view/why.h"

#define A 10
#define B 20

static void names_are_cut(void **state)
{
	char s[8];

	(void)state;
	stack_name(s, sizeof(s), "1234567", 7);
	assert_string_equal(s, "1234567");
	stack_name(s, sizeof(s), "12345678", 8);
	assert_string_equal(s, "1234...");
	stack_name(s, sizeof(s), "12\0!!!!!", 8);
	assert_string_equal(s, "12");
	stack_name(s, sizeof(s), "", 0);
	assert_string_equal(s, "");
}

static void so_many_and_each_once(void **state)
{
	struct stacks s = {.cnt = 0};

	(void)state;
	for (uint32_t tid = 1; tid <= STACKS_MAX; tid++) {
		assert_true(stacks_want(&s, tid, true));
		assert_true(stacks_want(&s, tid, true));
	}
	assert_false(stacks_want(&s, STACKS_MAX + 1, true));
	assert_int_equal(s.cnt, STACKS_MAX);
	assert_null(stack_of(&s, 1)); /* nothing is known of it yet */
	s.of[0].cnt = 1;
	assert_non_null(stack_of(&s, 1));
	assert_null(stack_of(&s, STACKS_MAX + 1));
	assert_null(stack_of(NULL, 1));
}

static void text_of_the_kernel(void **state)
{
	char text[] = "\n[<0>]\n[<0>] \n[<0>] noplus\n"
		      "[<0>] wait_woken+0x89/0xa0\n"
		      "[<0>] of_module+0x1/0x2 [ext4]\n"
		      "[<0>] x+zz/\n"
		      "[<0>] a+0x1/0x2\n[<0>] b+0x1/0x2\n[<0>] c+0x1/0x2";
	FILE *f = fmemopen(text, strlen(text), "r");
	struct stack st = {.cnt = 0};

	(void)state;
	assert_non_null(f);
	stack_from_text(&st, f);
	fclose(f);
	assert_int_equal(st.cnt, 4);
	assert_string_equal(st.frames[0].symbol, "wait_woken");
	assert_int_equal(st.frames[0].offset, 0x89);
	assert_true(st.frames[0].kernel);
	assert_string_equal(st.frames[1].symbol, "of_module");
	assert_string_equal(st.frames[1].module, "ext4");
	assert_string_equal(st.frames[3].symbol, "a");
}

struct record {
	struct perf_event_header hdr;
	uint32_t pid, tid;
	uint64_t nr, words[100];
};

static size_t record_of(struct record *r, const uint64_t *words, size_t nr, size_t cnt)
{
	*r = (struct record){.hdr = {.type = PERF_RECORD_SAMPLE}, .tid = A, .nr = nr};
	memcpy(r->words, words, cnt * sizeof(words[0]));
	return offsetof(struct record, words) + cnt * sizeof(words[0]);
}

static void records(void **state)
{
	const uint64_t words[] = {1,
				  PERF_CONTEXT_KERNEL,
				  0xff01,
				  0xff02,
				  (uint64_t)PERF_CONTEXT_USER,
				  0x11,
				  0x12,
				  8,
				  0x77,
				  8};
	struct record r;
	struct sample s;
	size_t len = record_of(&r, words, 7, 10);

	(void)state;
	assert_true(sample_parse(&r, len, A, &s));
	assert_int_equal(s.kernel_cnt, 2); /* what is of nobody is left out */
	assert_int_equal(s.kernel[0], 0xff01);
	assert_int_equal(s.user_cnt, 2);
	assert_int_equal(s.user[1], 0x12);
	assert_int_equal(s.top, 0x77);
	assert_false(sample_parse(&r, len, B, &s));
	assert_true(sample_parse(&r, len - 8, A, &s));
	assert_int_equal(s.top, 0);
	r.words[9] = 0; /* the stack could not be read */
	assert_true(sample_parse(&r, len, A, &s));
	assert_int_equal(s.top, 0);
	r.hdr.type = PERF_RECORD_LOST;
	assert_false(sample_parse(&r, len, A, &s));
}

static void broken_records(void **state)
{
	uint64_t words[100];
	struct record r;
	struct sample s;
	size_t len;

	(void)state;
	for (size_t i = 0; i < 100; i++)
		words[i] = i ? i : (uint64_t)PERF_CONTEXT_USER;
	len = record_of(&r, words, 100, 100);
	assert_true(sample_parse(&r, len, A, &s));
	assert_int_equal(s.user_cnt, SAMPLE_USER);
	for (size_t n = 0; n < len; n++) { /* no more than n bytes are there */
		void *copy = malloc(n ? n : 1);

		assert_non_null(copy);
		memcpy(copy, &r, n);
		assert_false(sample_parse(copy, n, A, &s));
		free(copy);
	}
	r.nr = UINT64_MAX;
	assert_false(sample_parse(&r, len, A, &s));
	r.nr = UINT64_MAX / 8 + 2;
	assert_false(sample_parse(&r, len, A, &s));
	r.nr = 0;
	assert_false(sample_parse(&r, len, A, &s));
}

static void calls(void **state)
{
	static const struct {
		unsigned char code[CALLSITE_BYTES];
		enum callsite is;
		__u64 target;
	} rows[] = {
#if defined(__x86_64__)
		{{0, 0, 0, 0xe8, 0x10, 0, 0, 0}, CALLSITE_DIRECT, 0x1010},
		{{0, 0, 0, 0xe8, 0xf0, 0xff, 0xff, 0xff}, CALLSITE_DIRECT, 0xff0},
		{{0, 0, 0, 0, 0, 0, 0xff, 0xd0}, CALLSITE_INDIRECT, 0},    /* *%rax */
		{{0, 0, 0, 0, 0, 0xff, 0x50, 0x08}, CALLSITE_INDIRECT, 0}, /* *8(%rax) */
		{{0, 0, 0, 0, 0, 0xff, 0x14, 0xc3}, CALLSITE_INDIRECT, 0}, /* *(%rbx,%rax,8) */
		{{0, 0, 0, 0, 0xff, 0x54, 0x24, 8}, CALLSITE_INDIRECT, 0}, /* *8(%rsp) */
		{{0, 0, 0xff, 0x15, 1, 2, 3, 4}, CALLSITE_INDIRECT, 0},    /* *x(%rip) */
		{{0, 0xff, 0x14, 0xc5, 1, 2, 3, 4}, CALLSITE_INDIRECT, 0}, /* *x(,%rax,8) */
		{{0, 0, 0, 0, 0, 0, 0xff, 0xe0}, CALLSITE_NONE, 0},        /* jmp *%rax */
		{{0, 0, 0, 0, 0, 0xff, 0xd0, 0x90}, CALLSITE_NONE, 0},     /* and a nop */
		{{0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90}, CALLSITE_NONE, 0},
#elif defined(__aarch64__)
		{{0, 0, 0, 0, 0x04, 0, 0, 0x94}, CALLSITE_DIRECT, 0x100c},
		{{0, 0, 0, 0, 0xff, 0xff, 0xff, 0x97}, CALLSITE_DIRECT, 0xff8},
		{{0, 0, 0, 0, 0x20, 0x00, 0x3f, 0xd6}, CALLSITE_INDIRECT, 0}, /* blr x1 */
		{{0, 0, 0, 0, 0x00, 0x0a, 0x3f, 0xd7}, CALLSITE_INDIRECT, 0}, /* blraa x16, x0 */
		{{0, 0, 0, 0, 0x20, 0x00, 0x1f, 0xd6}, CALLSITE_NONE, 0},     /* br x1 */
		{{0, 0, 0, 0, 0x04, 0, 0, 0x14}, CALLSITE_NONE, 0},           /* b */
#endif
		{{0}, CALLSITE_NONE, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		__u64 target = 0;

		assert_int_equal(callsite_parse(rows[i].code, 0x1000, &target), rows[i].is);
		assert_int_equal(target, rows[i].target);
	}
}

/* Functions to be in; what they return is behind the call that is still going on. */
static volatile __u64 behind;

static __attribute__((noinline)) void callee(void)
{
	behind = (__u64)(uintptr_t)__builtin_extract_return_addr(__builtin_return_address(0));
}

static __attribute__((noinline)) void stranger(void)
{
	behind = 0;
}

static __attribute__((noinline)) __u64 caller(void)
{
	callee();
	return behind;
}

static __u64 inside(void (*func)(void))
{
	return (__u64)(uintptr_t)func + 1;
}

static struct stack stack_by(const struct sample *samples, size_t cnt)
{
	struct sample_set *set = calloc(1, sizeof(*set));
	struct stack st = {.tid = (uint32_t)getpid(), .runs = true};

	assert_non_null(set);
	set->tid = st.tid;
	set->cnt = cnt;
	memcpy(set->of, samples, cnt * sizeof(samples[0]));
	stack_from_samples(&st, set, false);
	free(set);
	return st;
}

static void a_caller(void **state)
{
	struct sample s = {.user_cnt = 2, .user = {inside(callee), caller()}};
	struct stack st = stack_by(&s, 1);

	(void)state;
	assert_int_equal(st.cnt, 2);
	assert_string_equal(st.frames[0].symbol, "callee");
	assert_int_equal(st.frames[0].offset, 1);
	assert_string_equal(st.frames[0].module, "test_stacks");
	assert_string_equal(st.frames[1].symbol, "caller");
	assert_false(st.frames[0].kernel);
}

/* Without frame pointers the register has something else, and anything may be where it leads. */
static void nothing_is_invented(void **state)
{
	const struct sample rows[] = {
		{.user_cnt = 2, .user = {inside(callee), 42}},
		{.user_cnt = 2, .user = {inside(callee), UINT64_MAX}},
		{.user_cnt = 2, .user = {inside(callee), 0}},
		{.user_cnt = 2, .user = {inside(callee), inside(stranger)}},  /* no call */
		{.user_cnt = 2, .user = {inside(stranger), caller()}},        /* calls another */
		{.user_cnt = 1, .user = {inside(stranger)}, .top = caller()}, /* the same */
		{.user_cnt = 1, .user = {inside(stranger)}, .top = 42},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(stack_by(&rows[i], 1).cnt, 1);
}

/* It has no frame of its own: the chain goes on with its caller's caller. */
static void a_caller_on_top_of_the_stack(void **state)
{
	struct sample s = {.user_cnt = 1, .user = {inside(callee)}, .top = caller()};
	struct stack st = stack_by(&s, 1);

	(void)state;
	assert_int_equal(st.cnt, 2);
	assert_string_equal(st.frames[1].symbol, "caller");
	s.user_cnt = 2;
	s.user[1] = s.top; /* it is in the chain already */
	assert_int_equal(stack_by(&s, 1).cnt, 2);
}

static void what_is_seen_most(void **state)
{
	struct sample s[5] = {
		{.user_cnt = 1, .user = {inside(stranger)}},
		{.user_cnt = 1, .user = {inside(callee)}},
		{.user_cnt = 1, .user = {inside(callee) + 1}},
		{.user_cnt = 1, .user = {inside(callee) + 2}},
		{.user_cnt = 2, .user = {inside(callee), caller()}},
	};
	struct stack st = stack_by(s, 5);

	(void)state;
	assert_string_equal(st.frames[0].symbol, "callee");
	assert_int_equal(st.cnt, 1);
	assert_int_equal(st.seen, 3);
	assert_int_equal(st.samples, 5);
}

static void where_nothing_is_mapped(void **state)
{
	struct sample s = {.user_cnt = 1, .user = {0x10}};
	struct stack st = stack_by(&s, 1);

	(void)state;
	assert_int_equal(st.cnt, 1);
	assert_int_equal(st.frames[0].offset, 0x10);
	assert_string_equal(st.frames[0].symbol, "");
	assert_string_equal(st.frames[0].module, "");
}

/* How it is shown: A reads from B, which runs. */

static struct stacks shown = {
	.cnt = 1,
	.of = {{.tid = B,
		.runs = true,
		.samples = 20,
		.seen = 18,
		.cnt = 4,
		.frames = {{.symbol = "sink", .offset = 1, .kernel = true},
			   {.symbol = "hop", .module = "ext4", .offset = 2, .kernel = true},
			   {.symbol = "e\033[31m", .module = "li\nb", .offset = 0x12},
			   {.module = "lib", .offset = 0x1234}}}},
};

static void build(struct feed *f, struct graph *g)
{
	feed_init(f);
	feed_proc(f, A, "a");
	feed_proc(f, B, "b");
	scene_begin(f);
	scene_pipe(f, 1, B, A);
	scene_blocked(f, MECH_PIPE, OP_RECV, 1, A);
	feed_task(f, B, 'R', WHY_NONE, 0, T0, SEEN);
	scene_end(f);
	assert_int_equal(graph_build(g, f->m), 0);
}

static void who_is_looked_at(void **state)
{
	struct stacks s = {.cnt = 0};
	struct feed f;
	struct graph g;

	(void)state;
	build(&f, &g);
	assert_int_equal(doing_want(&s, &g, graph_wait(&g, A)), 0);
	assert_int_equal(s.cnt, 1);
	assert_int_equal(s.of[0].tid, B);
	assert_true(s.of[0].runs);
	graph_fini(&g);
	feed_fini(&f);
}

static void for_people(void **state)
{
	static const char want[] = "  waits for b[20], which is running\n"
				   "    in: sink+0x1 (kernel), 18 of 20 samples\n"
				   "        hop+0x2 (kernel, ext4)\n"
				   "        e\\x1b[31m+0x12 (li\\nb)\n"
				   "        lib+0x1234\n"
				   "It is up to b[20], which is running in e\\x1b[31m().\n";
	const struct text_opts opts = {.style.width = TEXT_WIDTH_ENDLESS};
	struct sink out;
	struct graph g;
	struct feed f;
	const char *second;

	(void)state;
	build(&f, &g);
	sink_init_mem(&out);
	g.stacks = &shown;
	assert_int_equal(why_text(&out, &opts, &g, graph_wait(&g, A)), 0);
	second = strchr(sink_buf(&out)->s, '\n');
	assert_non_null(second);
	assert_string_equal(second + 1, want);
	sink_fini(&out);
	graph_fini(&g);
	feed_fini(&f);
}

static void for_programs(void **state)
{
	static const char want[] =
		"\"stack\":{\"samples\":20,\"seen\":18,\"frames\":["
		"{\"symbol\":\"sink\",\"module\":null,\"offset\":1,\"kernel\":true},"
		"{\"symbol\":\"hop\",\"module\":\"ext4\",\"offset\":2,\"kernel\":true},"
		"{\"symbol\":\"e\\u001b[31m\",\"module\":\"li\\nb\",\"offset\":18,"
		"\"kernel\":false},"
		"{\"symbol\":null,\"module\":\"lib\",\"offset\":4660,\"kernel\":false}]}";
	struct sink out;
	struct graph g;
	struct json j;
	struct feed f;

	(void)state;
	build(&f, &g);
	sink_init_mem(&out);
	g.stacks = &shown;
	json_init(&j, &out, 0);
	assert_int_equal(why_json(&j, &g, graph_wait(&g, A)), 0);
	assert_non_null(strstr(sink_buf(&out)->s, want));
	assert_non_null(strstr(sink_buf(&out)->s, "\"stack\":null"));
	sink_fini(&out);
	graph_fini(&g);
	feed_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_cut),
		cmocka_unit_test(so_many_and_each_once),
		cmocka_unit_test(text_of_the_kernel),
		cmocka_unit_test(records),
		cmocka_unit_test(broken_records),
		cmocka_unit_test(calls),
		cmocka_unit_test(a_caller),
		cmocka_unit_test(nothing_is_invented),
		cmocka_unit_test(a_caller_on_top_of_the_stack),
		cmocka_unit_test(what_is_seen_most),
		cmocka_unit_test(where_nothing_is_mapped),
		cmocka_unit_test(who_is_looked_at),
		cmocka_unit_test(for_people),
		cmocka_unit_test(for_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
