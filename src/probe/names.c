/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * names.c - what only /proc can tell: a process's program. The process may be
 * gone by now, and another have its pid; then it has no name.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "probe/internal.h"

#define NSEC_PER_SEC   1000000000ull
#define STARTTIME_AT   22 /* the field of /proc/PID/stat, counted from 1 */
#define BEHIND_COMM_AT 3

static __u64 clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* starttime of proc(5), in clock ticks of CLOCK_BOOTTIME. False: there is no such process. */
static bool start_ticks(__u32 pid, unsigned long long *out)
{
	char path[64], buf[1024], *s;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	s = strrchr(buf, ')'); /* comm may hold any bytes, spaces and brackets among them */
	for (int i = BEHIND_COMM_AT; s && i <= STARTTIME_AT; i++)
		s = strchr(s + 1, ' ');
	if (!s)
		return false;
	*out = strtoull(s + 1, NULL, 10);
	return true;
}

/*
 * The kernel side gives a start by CLOCK_MONOTONIC, /proc by CLOCK_BOOTTIME,
 * which is ahead by the time the machine was suspended until then: not longer
 * than until now. Whoever else has the pid started later than that allows, save
 * within one tick or with a suspend since.
 */
bool names_same_process(__u32 pid, __u64 start_ns)
{
	__u64 tick_ns = NSEC_PER_SEC / (__u64)sysconf(_SC_CLK_TCK), mono_ns, ahead_ns;
	unsigned long long ticks;

	mono_ns = clock_ns(CLOCK_MONOTONIC);
	ahead_ns = clock_ns(CLOCK_BOOTTIME) - mono_ns;
	return start_ticks(pid, &ticks) && ticks <= (start_ns + ahead_ns) / tick_ns;
}

int names_emit(struct probe *p, const struct ev_hdr *hdr)
{
	const struct ev_proc *proc = (const void *)hdr;
	struct ev_name e = {
		.hdr = {.kind = EV_NAME,
			.len = sizeof(e),
			.pid = hdr->pid,
			.tid = hdr->tid,
			.flags = NAMEF_EXE,
			.ts_ns = hdr->ts_ns},
	};
	char link[64];

	if (hdr->kind != EV_PROC || (hdr->pid != hdr->tid && !(hdr->flags & PROCF_EXEC)))
		return 0;
	snprintf(link, sizeof(link), "/proc/%u/exe", hdr->pid);
	if (readlink(link, (char *)e.text, sizeof(e.text) - 1) <= 0)
		return 0;
	/* It lives, so it did when the link was read. */
	if (!names_same_process(hdr->pid, proc->start_ns))
		return 0;
	p->stats.records++;
	return p->on_record(p->on_record_arg, &e, sizeof(e));
}
