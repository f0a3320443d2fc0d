// SPDX-License-Identifier: BSD-2-Clause
/* What one task does, by itself: the nodes of the graph. */
#include "analysis/graph.h"

enum wait_kind wait_kind_of(const struct task *t, const struct inflight *i)
{
	static const enum wait_kind by_why[WHY_MAX] = {
		[WHY_SLEEP] = WAIT_SLEEP,     [WHY_CHILD] = WAIT_CHILD, [WHY_LOCK] = WAIT_LOCK,
		[WHY_OPEN] = WAIT_OPEN,       [WHY_DISK] = WAIT_DISK,   [WHY_VFORK] = WAIT_CHILD,
		[WHY_STOPPED] = WAIT_STOPPED, [WHY_OTHER] = WAIT_OTHER,
	};

	if (t && (t->state == 'Z' || t->state == 'X'))
		return WAIT_ENDED;
	if (t && (t->why == WHY_STOPPED || t->state == 'T' || t->state == 't'))
		return WAIT_STOPPED;
	if (t && t->why == WHY_CHILD && i && i->mech == MECH_SIGNAL)
		return WAIT_CHILD; /* in sigsuspend, for nothing but their ends */
	if (i && i->asleep && !(t && (t->state == 'R' || t->why == WHY_DISK)))
		return i->op == OP_WAIT ? WAIT_POLL : WAIT_CHAN;
	if (!t)
		return i ? WAIT_RUNS : WAIT_UNKNOWN;
	if (t->why != WHY_NONE)
		return by_why[t->why];
	if (t->state == 'R')
		return WAIT_RUNS;
	if (t->polls)
		return WAIT_POLL;
	/* asleep, and nobody says why: a call on what is no channel of ours */
	return t->state == 'S' || t->state == '?' || t->state == 'I' ? WAIT_OTHER : WAIT_RUNS;
}

const char *wait_kind_name(enum wait_kind kind)
{
	static const char *const names[WAIT_KIND_MAX] = {
		[WAIT_RUNS] = "running",
		[WAIT_CHAN] = "blocked",
		[WAIT_POLL] = "waiting",
		[WAIT_SLEEP] = "asleep",
		[WAIT_CHILD] = "waits for a child",
		[WAIT_LOCK] = "waits for a file lock",
		[WAIT_OPEN] = "waits to open a FIFO",
		[WAIT_DISK] = "in disk wait",
		[WAIT_STOPPED] = "stopped",
		[WAIT_OTHER] = "in a call",
		[WAIT_ENDED] = "zombie",
		[WAIT_UNKNOWN] = "unknown",
	};

	return kind < WAIT_KIND_MAX ? names[kind] : "?";
}

const char *wait_partner(const struct wait *w)
{
	int32_t end = w->task ? w->task->who : 0;

	return end == HOLDF_READ ? "reader" : end == HOLDF_WRITE ? "writer" : "partner";
}

uint64_t wait_since_ns(const struct wait *w, bool *at_least)
{
	const struct inflight *in = w->in;

	*at_least = false;
	if (w->kind == WAIT_RUNS || w->kind == WAIT_UNKNOWN)
		return 0;
	if (in && !in->before_attach && (w->kind == WAIT_CHAN || w->kind == WAIT_POLL))
		return in->seen_ns - (in->blocked_ns < in->seen_ns ? in->blocked_ns : 0);
	*at_least = true;
	if (w->task && w->task->since_ns)
		return w->task->since_ns;
	return in ? in->enter_ns : 0;
}
