// SPDX-License-Identifier: BSD-2-Clause
/* look.c - which programs a look at the machine needs: the fewer, the sooner they are loaded. */
#include <bpf/libbpf.h>

#include "probe/internal.h"

#define TABLE_MIN 64 /* entries of a table that is not used */

void look_select(struct probe *p)
{
	const struct bpf_program *always[] = {p->skel->progs.look_procs, p->skel->progs.look_tasks,
					      p->skel->progs.snap_files, p->skel->progs.snap_maps,
					      p->pid_ns_ino ? p->skel->progs.number_tasks : NULL};
	struct bpf_program *prog;
	struct bpf_map *map;

	bpf_program__set_autoload(p->skel->progs.number_tasks, p->pid_ns_ino);
	bpf_program__set_autoload(p->skel->progs.look_files, p->objects);
	if (!p->look)
		return;
	bpf_object__for_each_program (prog, p->skel->obj) {
		bool needed = false;

		for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
			needed = needed || prog == always[i];
		needed = needed || (p->objects && prog == p->skel->progs.look_files);
		bpf_program__set_autoload(prog, needed);
	}
	/* their memory is given out when they are made */
	bpf_object__for_each_map(map, p->skel->obj) if (bpf_map__type(map) == BPF_MAP_TYPE_HASH ||
							bpf_map__type(map) == BPF_MAP_TYPE_LRU_HASH)
		bpf_map__set_max_entries(map, TABLE_MIN);
}
