// SPDX-License-Identifier: BSD-2-Clause
/* reach.c - the table of what snapshots tell of beside targets, see bpf/reach.bpf.h. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "probe/internal.h"

static void empty(struct probe *p, int fd)
{
	__u64 key;

	p->skel->bss->reached_cnt = 0;
	for (__u32 left = REACHED_MAX; left && !bpf_map_get_next_key(fd, NULL, &key); left--)
		bpf_map_delete_elem(fd, &key);
}

int probe_reach(struct probe *p, const uint64_t *objects, size_t object_cnt, const uint32_t *pids,
		size_t pid_cnt)
{
	int fd = bpf_map__fd(p->skel->maps.reached);
	const __u8 one = 1;
	__u32 cnt = 0;

	if (p->skel->bss->reached_cnt)
		empty(p, fd);
	for (size_t i = 0; i < object_cnt + pid_cnt && cnt < REACHED_MAX; i++) {
		__u64 key = i < object_cnt ? objects[i] : REACHED_PID | pids[i - object_cnt];

		if (bpf_map_update_elem(fd, &key, &one, BPF_ANY))
			return probe_fail(p, -errno, "cannot note who is waited for: %s",
					  strerror(errno));
		cnt++;
	}
	p->skel->bss->reached_cnt = cnt;
	return 0;
}
