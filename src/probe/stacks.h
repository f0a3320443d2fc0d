/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stacks.h - the functions that a few tasks are in.
 *
 * Tasks that run are sampled (sample.h); of one that sleeps the kernel tells where, to who
 * may know: its stack with CAP_SYS_ADMIN, or else one function. What cannot be had is left
 * out without a word: `ipcspy doctor` says why.
 */
#ifndef IPCSPY_PROBE_STACKS_H
#define IPCSPY_PROBE_STACKS_H

#include <stdio.h>

#include "lib/stack.h"

/*
 * Fills in the stacks of the tasks that are named, in SAMPLE_LONG_MS and STACKS_NAME_MS at
 * most. Keeps no process waiting. To be called while this process has one thread.
 */
#define STACKS_NAME_MS 200 /* for files and names: who keeps us waiting for longer has none */
void stacks_take(struct stacks *s);

/* From the text of /proc/PID/task/TID/stack. */
void stack_from_text(struct stack *st, FILE *f);

struct sample_set;

/*
 * Finds names for samples, and keeps the stack that was found most often. The kernel's part
 * takes longer. Returns whether the task was in the kernel then.
 */
bool stack_from_samples(struct stack *st, const struct sample_set *set, bool with_kernel);

#endif
