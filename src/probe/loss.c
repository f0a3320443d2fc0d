/* SPDX-License-Identifier: BSD-2-Clause */
/* loss.c - what the kernel side could not deliver, as records of the same stream. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "probe/internal.h"

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static int emit(struct probe *p, __u32 flags, __u8 mech, __u64 chan, __u64 cnt)
{
	struct ev_loss e = {
		.hdr = {.kind = EV_LOSS, .len = sizeof(e), .flags = flags, .ts_ns = now_ns()},
		.chan = chan,
		.cnt = cnt,
		.mech = mech,
	};

	return probe_deliver(p, &e, sizeof(e));
}

/* Sum over all processors, -errno when the map cannot be read. */
static int read_counter(struct probe *p, __u32 i, __u64 *sum)
{
	int cpus = libbpf_num_possible_cpus();
	__u64 *v;
	int err;

	if (cpus < 0)
		return cpus;
	v = calloc(cpus, sizeof(*v));
	if (!v)
		return -ENOMEM;
	*sum = 0;
	err = bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.lost), &i, v) ? -errno : 0;
	for (int c = 0; !err && c < cpus; c++)
		*sum += v[c];
	free(v);
	return err;
}

/* Behind the mechanisms' counters, in the order of bpf/ipcspy.bpf.h. */
static const __u32 others[] = {LOSSF_COMPAT, LOSSF_TABLE, LOSSF_URING};

#define LOST_CAUGHT (MECH_MAX + sizeof(others) / sizeof(others[0]))

/*
 * What the hooks did not see: a program that was preempted on a processor does not run
 * there again until it is done (bpf_prog_get_stats() in kernel/bpf/syscall.c). Whose calls
 * they were is not known. What the second programs of a hook miss, the first ones had.
 */
static int missed_runs(struct probe *p, __u64 *sum)
{
	struct bpf_program *prog;
	__u64 caught;
	int err = read_counter(p, LOST_CAUGHT, &caught);

	*sum = 0;
	if (err)
		return err;
	bpf_object__for_each_program (prog, p->skel->obj) {
		struct bpf_prog_info info = {0};
		__u32 len = sizeof(info);

		if (bpf_program__autoload(prog) && prog != p->skel->progs.sys_enter_again &&
		    prog != p->skel->progs.sys_exit_again &&
		    !bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len))
			*sum += info.recursion_misses;
	}
	*sum -= caught < *sum ? caught : *sum;
	return 0;
}

static int emit_channels(struct probe *p)
{
	__u32 left = bpf_map__max_entries(p->skel->maps.objects);
	int fd = bpf_map__fd(p->skel->maps.objects), err = 0;
	struct ipcspy_object o;
	void *prev = NULL;
	__u64 key, next;

	/*
	 * The kernel starts again with the first key when `prev` is gone: what the owner forgets
	 * while it is told. No more steps than there is room for keys, then; totals may repeat.
	 */
	while (!err && left-- && !bpf_map_get_next_key(fd, prev, &next)) {
		if (!bpf_map_lookup_elem(fd, &next, &o) && o.lost)
			err = emit(p, LOSSF_CHAN, MECH_NONE, next, o.lost);
		key = next;
		prev = &key;
	}
	return err;
}

int loss_emit(struct probe *p)
{
	__u64 n, missed, total = 0;
	int err = missed_runs(p, &missed);

	for (__u32 i = 0; i < LOST_CAUGHT; i++) {
		if (!err)
			err = read_counter(p, i, &n);
		if (err)
			return probe_fail(p, err, "cannot read the loss counters");
		if (i >= MECH_MAX && others[i - MECH_MAX] == LOSSF_TABLE)
			n += missed;
		if (!n)
			continue;
		if (i < MECH_MAX)
			total += n;
		err = i < MECH_MAX ? emit(p, LOSSF_EVENTS, i, 0, n)
				   : emit(p, others[i - MECH_MAX], 0, 0, n);
		if (err)
			return err;
	}
	if (total == p->stats.lost)
		return 0;
	p->stats.lost = total;
	return emit_channels(p);
}
