// SPDX-License-Identifier: BSD-2-Clause
#include "probe/words.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "lib/vec.h"
#include "probe/calls.h"
#include "probe/internal.h"

#define LONG_NS   1000000000ull /* asleep for less is no reason to look closer */
#define AGAIN_NS  30000000ull   /* between two looks at a word */
#define WORDS_MAX 4096

#ifndef __NR_futex_wait
#define __NR_futex_wait 455
#endif
#define FUTEX2_SIZE_MASK_ 0x3
#define FUTEX2_SIZE_32    0x2

/* The word that the call compared before it slept, and with what. False: it did not. */
static bool compared(const struct look_task *l, struct word_wait *w)
{
	__u32 cmd = (__u32)l->args[1] & FUTEX_CMD_MASK;

	w->addr = l->args[0];
	if (l->task.nr == __NR_futex && (cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET)) {
		w->expected = (__u32)l->args[2];
		return true;
	}
	w->expected = (__u32)l->args[1];
	return l->task.nr == __NR_futex_wait && (l->args[3] & FUTEX2_SIZE_MASK_) == FUTEX2_SIZE_32;
}

/* How often a task that sleeps has fallen asleep, by proc_pid_status(5). False: it does not. */
static bool asleep(__u32 pid, __u32 tid, __u64 *switches)
{
	unsigned long long cnt;
	char line[256], state = '?';
	bool found = false;
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%u/task/%u/status", pid, tid);
	f = fopen(line, "re");
	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f)) {
		sscanf(line, "State: %c", &state);
		found = sscanf(line, "voluntary_ctxt_switches: %llu", &cnt) == 1;
	}
	fclose(f);
	if (!found || state != 'S')
		return false;
	*switches = cnt;
	return true;
}

static bool has_changed(struct word_wait *w)
{
	return task_memory((pid_t)w->look.task.hdr.tid, w->addr, &w->found, sizeof(w->found)) &&
	       w->found != w->expected;
}

int words_look(struct words *words, const struct look_task *l, bool timed)
{
	struct word_wait w = {.look = *l};
	struct timespec now;

	if (timed || !l->task.since_ns || l->task.hdr.ts_ns - l->task.since_ns < LONG_NS ||
	    words->cnt >= WORDS_MAX || !compared(l, &w) || !has_changed(&w) ||
	    !asleep(l->task.hdr.pid, l->task.hdr.tid, &w.switches))
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	w.seen_ns = (__u64)now.tv_sec * 1000000000ull + (__u64)now.tv_nsec;
	if (vec_room((void **)&words->v, &words->cap, words->cnt, sizeof(w)))
		return -ENOMEM;
	words->v[words->cnt++] = w;
	return 0;
}

void words_fini(struct words *words)
{
	free(words->v);
	*words = (struct words){0};
}

/* Until the last that was noted can be looked at again. */
static void wait_again(const struct words *words)
{
	__u64 at = words->v[words->cnt - 1].seen_ns + AGAIN_NS;
	const struct timespec until = {.tv_sec = (time_t)(at / 1000000000),
				       .tv_nsec = (long)(at % 1000000000)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

int words_emit(struct probe *p)
{
	struct words *words = &p->words;
	__u64 switches;
	int err = 0;

	if (words->cnt)
		wait_again(words);
	for (size_t i = 0; !err && i < words->cnt; i++) {
		struct word_wait *w = &words->v[i];
		struct ev_word e = {.hdr = w->look.task.hdr, .expected = w->expected};

		if (!has_changed(w) || !asleep(e.hdr.pid, e.hdr.tid, &switches) ||
		    switches != w->switches)
			continue;
		e.hdr.kind = EV_WORD;
		e.hdr.len = sizeof(e);
		e.hdr.flags = 0;
		e.found = w->found;
		err = probe_deliver(p, &e, sizeof(e));
	}
	return err;
}
