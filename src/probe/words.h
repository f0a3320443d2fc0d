/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * words.h - tasks that sleep on a futex word which has changed: was their wake-up lost?
 *
 * Whoever changes a word wakes those who sleep on it right after, and who was woken may have
 * to wait for a processor: so a word that has changed says something only where the task
 * had slept for long when it was first looked at, and still does when it is looked at again.
 * Waits that end by themselves, and those of which the kernel does not compare the word, are
 * left out. The owner embeds struct words and calls words_fini() after each snapshot.
 */
#ifndef IPCSPY_PROBE_WORDS_H
#define IPCSPY_PROBE_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "ipcspy/look.h"

struct word_wait {
	struct look_task look;
	__u64 addr, seen_ns;
	__u64 switches; /* how often the task had fallen asleep by then */
	__u32 expected, found;
};

struct words {
	struct word_wait *v;
	size_t cnt, cap;
};

/* A task asleep in a call that waits for a channel. Returns 0 or -ENOMEM. */
int words_look(struct words *w, const struct look_task *l, bool timed);
void words_fini(struct words *w);

struct probe;

/* Looks again at those who were noted; EV_WORD for each that has not moved. */
int words_emit(struct probe *p);

#endif
