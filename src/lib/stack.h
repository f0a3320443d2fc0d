/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack.h - what a few tasks are doing right now: the functions they are in.
 *
 * Plain data of a fixed size, so that it can pass through a pipe and needs no freeing.
 * Who wants stacks names the tasks; src/probe fills in the rest (see probe/stacks.h).
 * Names are those of traced processes' files: any bytes but NUL, longer ones cut.
 */
#ifndef IPCSPY_STACK_H
#define IPCSPY_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STACKS_MAX       8 /* tasks whose stacks are taken at the same time */
#define STACK_FRAMES_MAX 8

struct stack_frame {
	char symbol[128]; /* "" unknown */
	char module[64];  /* file or kernel module that the code is of, "" none */
	uint64_t offset;  /* from the symbol, or in the module, or the address itself */
	bool kernel;
};

struct stack {
	uint32_t tid;
	bool runs;              /* sampled; else it sleeps, and only the kernel's part is known */
	uint32_t samples, seen; /* how often it was looked at, and found so */
	uint32_t cnt;           /* frames, the innermost first; 0: not known */
	struct stack_frame frames[STACK_FRAMES_MAX];
};

struct stacks {
	struct stack of[STACKS_MAX];
	uint32_t cnt;
};

/* The stack of this task, NULL: there is none, or s is NULL. */
const struct stack *stack_of(const struct stacks *s, uint32_t tid);

/* Names a task whose stack is wanted. False: there is no more room. */
bool stacks_want(struct stacks *s, uint32_t tid, bool runs);

/* The innermost function of the program itself that has a name, NULL: none has. */
const struct stack_frame *stack_function(const struct stack *s);

/* Copies len bytes of src, up to a NUL; what is too long ends in "...". */
void stack_name(char *dst, size_t size, const char *src, size_t len);

#endif
