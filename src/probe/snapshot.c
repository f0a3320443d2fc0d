/* SPDX-License-Identifier: BSD-2-Clause */
/* snapshot.c - runs the iterators of bpf/snap.bpf.c and bpf/life.bpf.c. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "probe/envoy.h"
#include "probe/internal.h"

#define ITER_BUF 32768

/* A record of an iterator: what stands behind descriptors is kept, what tasks do is made of more.
 */
static int take_record(struct probe *p, const struct ev_hdr *raw)
{
	const struct ev_hdr *h = probe_own_pids(p, raw, raw->len);
	int err;

	if (h->kind == LOOK_FILE) {
		if (h->len != sizeof(struct look_file))
			return -EBADMSG;
		files_count(p->files, (const void *)h);
		return 0;
	}
	if (h->kind == LOOK_TASK)
		return h->len == sizeof(struct look_task) ? task_emit(p, (const void *)h)
							  : -EBADMSG;
	err = held_see(&p->held, h);
	return err ? err : probe_deliver(p, h, h->len);
}

/* Hands over the whole records at the start of buf; returns how many bytes they were. */
static ssize_t deliver_records(struct probe *p, const unsigned char *buf, size_t len)
{
	size_t at = 0;

	while (len - at >= sizeof(struct ev_hdr)) {
		const struct ev_hdr *h = (const void *)(buf + at);
		int err;

		if (h->len < sizeof(*h) || h->len % 8)
			return probe_fail(p, -EBADMSG, "malformed record from an iterator");
		if (h->len > len - at)
			break;
		err = take_record(p, h);
		if (err < 0)
			return err;
		at += h->len;
	}
	return at;
}

static int iter_run_over(struct probe *p, struct bpf_program *prog,
			 const struct bpf_iter_attach_opts *over)
{
	unsigned char buf[ITER_BUF] __attribute__((aligned(8)));
	struct bpf_link *link = bpf_program__attach_iter(prog, over);
	size_t have = 0;
	ssize_t n = 0;
	int fd, err = 0;

	if (!link)
		return probe_fail(p, -errno, "cannot run iterator %s: %s", bpf_program__name(prog),
				  strerror(errno));
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		err = probe_fail(p, -errno, "cannot open iterator %s: %s", bpf_program__name(prog),
				 strerror(errno));
	while (!err) {
		n = read(fd, buf + have, sizeof(buf) - have);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0) {
			err = n ? probe_fail(p, -errno, "iterator %s: %s", bpf_program__name(prog),
					     strerror(errno))
				: 0;
			break;
		}
		have += n;
		n = deliver_records(p, buf, have);
		if (n < 0) {
			err = n;
			break;
		}
		have -= n;
		memmove(buf, buf + n, have);
	}
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return err;
}

static int iter_run(struct probe *p, struct bpf_program *prog)
{
	return iter_run_over(p, prog, NULL);
}

int snapshot_own_files(struct probe *p, struct bpf_program *prog)
{
	union bpf_iter_link_info info;
	struct bpf_iter_attach_opts over;

	/* libbpf and the kernel look at what is between the fields, too */
	memset(&info, 0, sizeof(info));
	memset(&over, 0, sizeof(over));
	info.task.pid = (__u32)getpid(); /* since 6.1 */
	over.sz = sizeof(over);
	over.link_info = &info;
	over.link_info_len = sizeof(info);
	return iter_run_over(p, prog, &over);
}

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static int emit_mark(struct probe *p, unsigned int flags)
{
	struct ev_snap e = {
		.hdr = {.kind = EV_SNAP, .len = sizeof(e), .flags = flags, .ts_ns = now_ns()}};

	return probe_deliver(p, &e, sizeof(e));
}

/* Who holds what: by descriptors, and by mappings. */
static int holds(struct probe *p)
{
	int err = iter_run(p, p->skel->progs.snap_files);

	if (!err && (p->skel->rodata->cfg.mech_mask & (1u << MECH_SHM | 1u << MECH_SYSV_SHM)))
		err = iter_run(p, p->skel->progs.snap_maps);
	return err;
}

/*
 * What tasks do. They tell since when by the scheduler's clock, and the reader's own time tells
 * how far that is from CLOCK_MONOTONIC, the better the less it ran since it last slept.
 */
static int run_tasks(struct probe *p, struct bpf_program *prog)
{
	const struct timespec shortest = {.tv_nsec = 1};

	p->skel->bss->look_ahead_ns = ~0ull;
	nanosleep(&shortest, NULL);
	return iter_run(p, prog);
}

/* Of a look: no process is a target before the others, and nothing is watched. */
static int look_take(struct probe *p)
{
	struct ipcspy_bpf *skel = p->skel;
	int err;

	skel->bss->snap_obj_flags = OBJF_SNAPSHOT;
	skel->bss->snap_targets = 0;
	skel->bss->snap_look = 1;
	err = snapshot_numbers(p);
	if (!err)
		err = iter_run(p, skel->progs.look_procs);
	if (!err)
		err = holds(p);
	if (!err)
		err = run_tasks(p, skel->progs.look_tasks);
	skel->bss->snap_look = 0;
	if (!err && p->objects)
		err = ipcs_emit(p);
	return err;
}

static int trace_take(struct probe *p, unsigned int snap_flags)
{
	bool first = snap_flags & SNAPF_FIRST;
	struct ipcspy_bpf *skel = p->skel;
	int err = 0;

	if (first)
		err = iter_run(p, skel->progs.mark_targets);
	skel->bss->snap_obj_flags = first ? OBJF_SNAPSHOT : 0;
	if (!err && first) { /* what targets hold becomes watched before peers are looked at */
		skel->bss->snap_targets = 1;
		err = holds(p);
	}
	skel->bss->snap_targets = 0;
	if (!err && (snap_flags & SNAPF_HOLDS))
		err = holds(p);
	if (!err)
		err = iter_run(p, skel->progs.snap_signals);
	skel->bss->snap_begin_ns = now_ns();
	if (!err)
		err = run_tasks(p, skel->progs.snap_tasks);
	if (!err && skel->bss->reached_cnt)
		err = run_tasks(p, skel->progs.look_tasks);
	return err;
}

int snapshot_numbers(struct probe *p)
{
	return p->pid_ns_ino ? iter_run(p, p->skel->progs.number_tasks) : 0;
}

/* It is no more to be traced than ipcspy itself. */
static void own_envoy(void *arg, __u32 pid)
{
	struct probe *p = arg;

	__atomic_store_n(&p->skel->bss->envoy_tgid, pid, __ATOMIC_RELAXED);
}

static int take(struct probe *p, unsigned int snap_flags, bool look)
{
	int err = emit_mark(p, snap_flags);

	if (err)
		return err;
	envoy_begin(p->pid_ns_ino ? pidns_self : NULL, own_envoy, p);
	held_reset(&p->held);
	p->locks_known = false;
	p->polled_cnt = 0;
	err = look ? look_take(p) : trace_take(p, snap_flags);
	held_reset(&p->held);
	locks_fini(&p->locks);
	if (!err)
		err = words_emit(p);
	envoy_end();
	words_fini(&p->words);
	if (!err)
		err = loss_emit(p);
	return err ? err : emit_mark(p, snap_flags | SNAPF_END);
}

int snapshot_take(struct probe *p, unsigned int snap_flags)
{
	return take(p, snap_flags, p->look);
}

int probe_look(struct probe *p, int (*on_record)(void *arg, const void *data, size_t len),
	       void *arg)
{
	int (*const trace)(void *arg, const void *data, size_t len) = p->on_record;
	void *const trace_arg = p->on_record_arg;
	int err;

	p->on_record = on_record;
	p->on_record_arg = arg;
	err = take(p, SNAPF_FIRST | SNAPF_HOLDS, true);
	p->on_record = trace;
	p->on_record_arg = trace_arg;
	return err;
}
