// SPDX-License-Identifier: BSD-2-Clause
#include "lib/stack.h"

#include <string.h>

const struct stack *stack_of(const struct stacks *s, uint32_t tid)
{
	for (uint32_t i = 0; s && i < s->cnt; i++)
		if (s->of[i].tid == tid)
			return s->of[i].cnt ? &s->of[i] : NULL;
	return NULL;
}

bool stacks_want(struct stacks *s, uint32_t tid, bool runs)
{
	for (uint32_t i = 0; i < s->cnt; i++)
		if (s->of[i].tid == tid)
			return true;
	if (s->cnt >= STACKS_MAX)
		return false;
	s->of[s->cnt++] = (struct stack){.tid = tid, .runs = runs};
	return true;
}

const struct stack_frame *stack_function(const struct stack *s)
{
	for (uint32_t i = 0; s && i < s->cnt; i++)
		if (!s->frames[i].kernel && s->frames[i].symbol[0])
			return &s->frames[i];
	return NULL;
}

void stack_name(char *dst, size_t size, const char *src, size_t len)
{
	len = strnlen(src, len);
	if (len < size) {
		memcpy(dst, src, len);
		dst[len] = '\0';
		return;
	}
	memcpy(dst, src, size - 4);
	memcpy(dst + size - 4, "...", 4);
}
