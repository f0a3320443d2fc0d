/* SPDX-License-Identifier: BSD-2-Clause */
/* steady.c - whether programs can be preempted, and can forbid it: bpf/steady.bpf.h. */
#include <bpf/btf.h>

#include "probe/internal.h"

static bool has_function(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;
}

/* Functions that programs may call: Linux 6.10, and 6.14 those for interrupts. */
bool steady_possible(const struct btf *btf)
{
	return has_function(btf, "bpf_preempt_disable") && has_function(btf, "bpf_local_irq_save");
}

/*
 * Came with what lets programs at system calls be preempted: Linux 7.2, "bpf: Add
 * sleepable support for raw tracepoint programs" (439ebd5b5708) and "... classic ...".
 */
bool steady_needed(const struct btf *btf)
{
	return has_function(btf, "trace_call_bpf_faultable");
}
