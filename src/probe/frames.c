// SPDX-License-Identifier: BSD-2-Clause
/* frames.c - from the samples of one task to the stack that is shown. */
#include <string.h>

#include "probe/calls.h"
#include "probe/callsite.h"
#include "probe/sample.h"
#include "probe/stacks.h"
#include "probe/symbols.h"

#define KERNEL_SHOWN 3 /* the innermost: the program's own functions are to be seen, too */

struct naming {
	const struct sample_set *set;
	bool with_kernel;
	struct symbols user, kernel;
};

/* Between what returns to an address and what is said to be called from there. */
enum link { LINK_NONE = 0, LINK_MAYBE = 1, LINK_SURE = 2 };

struct frame {
	__u64 addr;
	const struct symbol *sym;
	bool caller, kernel;
};

struct trail {
	struct frame of[STACK_FRAMES_MAX];
	size_t cnt;
};

static enum callsite call_before(__u32 tid, __u64 ret, __u64 *target)
{
	unsigned char code[CALLSITE_BYTES];

	if (!task_memory((pid_t)tid, ret - sizeof(code), code, sizeof(code)))
		return CALLSITE_NONE;
	return callsite_parse(code, ret, target);
}

/* What returns to ret, and what it calls. */
static int want_caller(struct naming *n, __u64 ret)
{
	__u64 target;
	int err = symbols_want(&n->user, ret - 1);

	if (!err && call_before(n->set->tid, ret, &target) == CALLSITE_DIRECT)
		err = symbols_want(&n->user, target);
	return err;
}

static int want_sample(struct naming *n, const struct sample *s)
{
	int err = s->top ? want_caller(n, s->top) : 0;

	if (!err && s->user_cnt)
		err = symbols_want(&n->user, s->user[0]);
	for (size_t i = 1; !err && i < s->user_cnt && i < STACK_FRAMES_MAX; i++)
		err = want_caller(n, s->user[i]);
	for (size_t i = 0; n->with_kernel && !err && i < s->kernel_cnt && i < KERNEL_SHOWN; i++)
		err = symbols_want(&n->kernel, s->kernel[i] - (i ? 1 : 0));
	return err;
}

/* A part of a function that the compiler put elsewhere, like "f.cold", is entered by a jump. */
static bool is_part_of(const struct symbol *part, const struct symbol *whole)
{
	size_t len = strlen(whole->name);

	return !strncmp(part->name, whole->name, len) && part->name[len] == '.';
}

/* Does what returns to ret call the function that inner is in? Else ret is just some number. */
static enum link linked(const struct naming *n, __u64 ret, const struct symbol *inner)
{
	const struct symbol *called;
	__u64 target;

	switch (call_before(n->set->tid, ret, &target)) {
	case CALLSITE_NONE:
		return LINK_NONE;
	case CALLSITE_INDIRECT:
		return LINK_MAYBE;
	case CALLSITE_DIRECT:
		break;
	}
	called = symbols_find(&n->user, target);
	if (!called || !inner)
		return LINK_NONE;
	if (!called->start) /* a stub that leads to another library, or all names are gone */
		return LINK_MAYBE;
	return called->start == inner->start || is_part_of(inner, called) ? LINK_SURE : LINK_NONE;
}

static const struct symbol *put_user(const struct naming *n, struct trail *t, __u64 addr)
{
	bool caller = t->cnt > 0;
	const struct symbol *sym = symbols_find(&n->user, addr - (caller ? 1 : 0));

	if (t->cnt < STACK_FRAMES_MAX)
		t->of[t->cnt++] = (struct frame){.addr = addr, .sym = sym, .caller = caller};
	return sym;
}

/*
 * A function that calls no other need not keep the frame pointer, and then its caller's is
 * missing in the chain: it is on top of the stack.
 */
static bool is_skipped(const struct naming *n, const struct sample *s, const struct symbol *inner)
{
	enum link next = s->user_cnt > 1 ? linked(n, s->user[1], inner) : LINK_NONE, top;

	if (!s->top || next == LINK_SURE || (s->user_cnt > 1 && s->top == s->user[1]))
		return false;
	top = linked(n, s->top, inner);
	return top != LINK_NONE && top >= next;
}

static void follow(const struct naming *n, const struct sample *s, struct trail *t)
{
	const struct symbol *inner;

	t->cnt = 0;
	if (!s->user_cnt)
		return;
	inner = put_user(n, t, s->user[0]);
	if (is_skipped(n, s, inner))
		inner = put_user(n, t, s->top);
	for (size_t i = 1; i < s->user_cnt && linked(n, s->user[i], inner) != LINK_NONE; i++)
		inner = put_user(n, t, s->user[i]);
}

static void follow_kernel(const struct naming *n, const struct sample *s, struct trail *t)
{
	t->cnt = 0;
	for (size_t i = 0; i < s->kernel_cnt && i < KERNEL_SHOWN; i++)
		t->of[t->cnt++] = (struct frame){
			.addr = s->kernel[i],
			.sym = symbols_find(&n->kernel, s->kernel[i] - (i ? 1 : 0)),
			.caller = i > 0,
			.kernel = true,
		};
}

/* In the same function; where there are no names, of the same file, and back to the same place. */
static bool is_alike(const struct frame *a, const struct frame *b)
{
	if (a->caller != b->caller || !a->sym != !b->sym)
		return false;
	if (!a->sym || (!a->sym->start && !b->sym->start))
		return a->addr == b->addr || (a->sym && !a->caller && a->sym->module[0] &&
					      !strcmp(a->sym->module, b->sym->module));
	return a->sym->start == b->sym->start;
}

static bool is_same(const struct trail *a, const struct trail *b)
{
	if (a->cnt != b->cnt)
		return false;
	for (size_t i = 0; i < a->cnt; i++)
		if (!is_alike(&a->of[i], &b->of[i]))
			return false;
	return true;
}

/* The first of those that are alike and most; how many they are in *seen. */
static size_t most_often(const struct trail *trails, size_t cnt, uint32_t *seen)
{
	size_t best = 0;

	*seen = 0;
	for (size_t i = 0; i < cnt; i++) {
		uint32_t same = 0;

		for (size_t k = 0; k < cnt; k++)
			same += is_same(&trails[i], &trails[k]);
		if (same > *seen) {
			*seen = same;
			best = i;
		}
	}
	return best;
}

static void put_frame(struct stack *st, const struct frame *f)
{
	struct stack_frame *out = &st->frames[st->cnt];

	if (st->cnt >= STACK_FRAMES_MAX)
		return;
	st->cnt++;
	*out = (struct stack_frame){.kernel = f->kernel, .offset = f->addr};
	if (!f->sym)
		return;
	memcpy(out->module, f->sym->module, sizeof(out->module));
	memcpy(out->symbol, f->sym->name, sizeof(out->symbol));
	out->offset =
		f->sym->start ? f->addr - f->sym->start : f->sym->offset + (f->addr - f->sym->addr);
}

static void put_trail(struct stack *st, const struct trail *t)
{
	for (size_t i = 0; i < t->cnt; i++)
		put_frame(st, &t->of[i]);
}

/*
 * Within a system call the kernel's functions change from sample to sample, so what the
 * program is in decides; the kernel's are shown if most of those samples have the same.
 */
static bool choose(struct stack *st, const struct naming *n)
{
	struct trail trails[SAMPLES_MAX] = {0}, kernel[SAMPLES_MAX] = {0};
	size_t cnt = n->set->cnt, best, in_kernel = 0, alike = 0;
	uint32_t seen = 0;

	for (size_t i = 0; i < cnt; i++)
		follow(n, &n->set->of[i], &trails[i]);
	best = most_often(trails, cnt, &st->seen);
	for (size_t i = 0; i < cnt; i++) {
		if (!is_same(&trails[best], &trails[i]))
			continue;
		follow_kernel(n, &n->set->of[i], &kernel[alike++]);
		in_kernel += n->set->of[i].kernel_cnt > 0;
	}
	if (n->with_kernel && 2 * in_kernel > alike) {
		size_t often = most_often(kernel, alike, &seen);

		if (2 * seen > alike)
			put_trail(st, &kernel[often]);
	}
	put_trail(st, &trails[best]);
	st->samples = (uint32_t)cnt;
	return 2 * in_kernel > alike;
}

bool stack_from_samples(struct stack *st, const struct sample_set *set, bool with_kernel)
{
	struct naming n = {.set = set, .with_kernel = with_kernel};
	bool in_kernel = false;
	int err = 0;

	st->seen = st->cnt = 0;
	for (size_t i = 0; !err && i < set->cnt; i++)
		err = want_sample(&n, &set->of[i]);
	if (!err && set->cnt) {
		symbols_of_process(&n.user, set->tid);
		symbols_of_kernel(&n.kernel);
		in_kernel = choose(st, &n);
	}
	symbols_fini(&n.user);
	symbols_fini(&n.kernel);
	return in_kernel;
}
