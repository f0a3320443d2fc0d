/* SPDX-License-Identifier: BSD-2-Clause */
/* snapshot.c - runs the iterators of bpf/snap.bpf.c and bpf/life.bpf.c. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "probe/internal.h"

#define ITER_BUF 32768

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
		err = probe_deliver(p, h, h->len);
		if (err < 0)
			return err;
		at += h->len;
	}
	return at;
}

static int iter_run(struct probe *p, struct bpf_program *prog)
{
	unsigned char buf[ITER_BUF] __attribute__((aligned(8)));
	struct bpf_link *link = bpf_program__attach_iter(prog, NULL);
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

static int emit_mark(struct probe *p, unsigned int flags)
{
	struct ev_snap e = {.hdr = {.kind = EV_SNAP, .len = sizeof(e), .flags = flags}};
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	e.hdr.ts_ns = ts.tv_sec * 1000000000ull + ts.tv_nsec;
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

int snapshot_take(struct probe *p, unsigned int snap_flags)
{
	bool first = snap_flags & SNAPF_FIRST;
	struct ipcspy_bpf *skel = p->skel;
	int err;

	err = emit_mark(p, snap_flags);
	if (err)
		return err;
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
	if (!err)
		err = iter_run(p, skel->progs.snap_tasks);
	if (!err)
		err = loss_emit(p);
	return err ? err : emit_mark(p, snap_flags | SNAPF_END);
}
