/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stuck.c - scenarios in which everybody comes to rest, for good or bad reasons.
 *
 * Once every process is as it is to stay, the truth is written and one line
 * "comm pid comm pid" is printed (to stderr when the truth has stdout). Then
 * nothing happens any more until --hold has passed, a signal comes or all have
 * ended; each ends the run with success.
 */
#include "stuck.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "exchange.h"
#include "pipe.h"

#define LOOK_MS       20
#define LOOKS_TO_REST 3  /* in a row, asleep in the same call */
#define ANNOUNCED_MAX 64 /* processes; the truth has all */
#define ENDLESS       ((uint64_t)1 << 20)

int stuck_init(struct demo_run *run, struct stuck_run *sr, unsigned int procs, unsigned int chans)
{
	struct run_shape shape = {.procs = procs,
				  .chans = chans,
				  .flows = chans,
				  .lanes = procs,
				  .lane_messages = run->opts.messages};

	*sr = (struct stuck_run){.procs = procs, .chans = chans};
	sr->who = calloc(procs, sizeof(*sr->who));
	sr->stuck = calloc(procs, sizeof(*sr->stuck));
	sr->named = calloc(procs, sizeof(*sr->named));
	sr->links = calloc(chans + 1, sizeof(*sr->links));
	if (!sr->who || !sr->stuck || !sr->named || !sr->links)
		return run_fail_errno(run, -ENOMEM, "set-up");
	for (unsigned int i = 0; i < chans; i++)
		sr->links[i].in = sr->links[i].out = -1;
	return run_board(run, &shape);
}

void stuck_keep(struct stuck_run *sr, int out, int in)
{
	for (int i = 0; i < (int)sr->chans; i++) {
		struct stuck_link *l = &sr->links[i];

		if (i != out && l->out >= 0) {
			close(l->out);
			l->out = -1;
		}
		if (i != in && l->in >= 0) {
			close(l->in);
			l->in = -1;
		}
	}
}

void stuck_fini(struct stuck_run *sr)
{
	if (sr->links)
		stuck_keep(sr, -1, -1);
	free(sr->who);
	free(sr->stuck);
	free(sr->named);
	free(sr->links);
}

void stuck_add(struct stuck_run *sr, unsigned int proc, unsigned int chan, unsigned int waits_for,
	       const char *operation)
{
	sr->stuck[sr->stuck_cnt++] = (struct truth_stuck){proc, chan, waits_for, operation};
	sr->who[proc].end = STUCK_BLOCKED;
}

void stuck_name(struct stuck_run *sr, const char *kind, unsigned int proc)
{
	sr->finding.kind = kind;
	sr->finding.procs = sr->named;
	sr->named[sr->finding.proc_cnt++] = proc;
}

int stuck_pipe(struct demo_run *run, struct stuck_run *sr, unsigned int i, unsigned int src,
	       unsigned int dst)
{
	int fds[2], err = pipe_make(run, &run->chans[i], fds);

	if (err)
		return err;
	sr->links[i] = (struct stuck_link){&pipe_port, fds[1], fds[0]};
	run->flows[i] = (struct demo_flow){.src = src, .dst = dst, .chan = i};
	sr->who[src].sends = true;
	sr->who[dst].recvs = true;
	return 0;
}

int stuck_memory(struct demo_run *run, struct stuck_run *sr, unsigned int i)
{
	int fd = memfd_create("ipcspy-demo", MFD_CLOEXEC);
	size_t len = (size_t)sysconf(_SC_PAGESIZE);
	void *at = MAP_FAILED;
	int err = fd < 0 || ftruncate(fd, (off_t)len) ? -errno : 0;

	if (!err)
		at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!err && at == MAP_FAILED)
		err = -errno;
	if (!err)
		run->chans[i].ino[0] = exchange_inode(fd);
	if (fd >= 0)
		close(fd);
	if (err)
		return run_fail_errno(run, err, "cannot share memory");
	sr->priv = at;
	run->chans[i].mechanism = "futex";
	snprintf(run->chans[i].name, RUN_CHAN_NAME, "futex:memfd:ipcspy-demo+0x0");
	return 0;
}

void stuck_memory_unmap(struct stuck_run *sr)
{
	munmap(sr->priv, (size_t)sysconf(_SC_PAGESIZE));
}

static struct port port_of(const struct stuck_run *sr, const struct demo_run *run, unsigned int i,
			   int fd)
{
	return (struct port){.ops = sr->links[i].ops, .fd = fd, .chan = &run->chans[i]};
}

struct port stuck_out(const struct stuck_run *sr, const struct demo_run *run, unsigned int i)
{
	return port_of(sr, run, i, sr->links[i].out);
}

struct port stuck_in(const struct stuck_run *sr, const struct demo_run *run, unsigned int i)
{
	return port_of(sr, run, i, sr->links[i].in);
}

uint64_t stuck_overfull(const struct demo_run *run, const struct demo_chan *c)
{
	return c->capacity ? 2 * (c->capacity / run->opts.size) + 16 : ENDLESS;
}

static int child_main(struct demo_run *run, unsigned int idx, void *arg)
{
	struct stuck_run *sr = arg;
	struct worker w;
	int err = worker_init(&w, run, idx);

	if (err)
		return err;
	err = sr->body(&w, sr);
	worker_fini(&w);
	return err;
}

static int begin(struct demo_run *run, struct stuck_run *sr)
{
	char name[24];
	int err = 0;

	for (unsigned int i = 0; !err && i < sr->procs; i++) {
		run->procs[i].sends = sr->who[i].sends;
		run->procs[i].recvs = sr->who[i].recvs;
		snprintf(name, sizeof(name), "party-%u", i);
		err = run_spawn(run, i, sr->who[i].name ? sr->who[i].name : name, child_main, sr);
	}
	stuck_keep(sr, -1, -1);
	if (sr->forked)
		sr->forked(sr);
	return err ? err : run_start(run);
}

/* Is this one as it is to be, and was so when looked at before? */
static bool rests(const struct demo_run *run, struct stuck_run *sr, unsigned int i)
{
	const struct demo_proc *p = &run->procs[i];
	struct stuck_proc *who = &sr->who[i];
	uint64_t before_ns = who->since_ns;

	if (who->end == STUCK_GONE || who->end == STUCK_BUSY)
		return p->running == (who->end == STUCK_BUSY);
	if (!p->running)
		return false;
	if (who->end == STUCK_STOPPED)
		return run_proc_state(p->pid) == 'T';
	who->since_ns = p->send.call_since_ns ? p->send.call_since_ns : p->recv.call_since_ns;
	return who->since_ns && who->since_ns == before_ns && run_proc_state(p->pid) == 'S';
}

static int await_rest(struct demo_run *run, struct stuck_run *sr)
{
	unsigned int looks = 0;
	int err = 0;

	while (!err && looks < LOOKS_TO_REST) {
		err = run_poll(run, LOOK_MS);
		looks++;
		for (unsigned int i = 0; i < sr->procs; i++)
			if (!rests(run, sr, i))
				looks = 0;
		if (!err && !run_alive(run))
			err = run_fail(run, -ECHILD, "it did not get stuck");
	}
	return err;
}

/* The sign for scripts that everything is in place. */
static int announce(struct demo_run *run)
{
	FILE *to = truth_on_stdout(run->truth) ? stderr : stdout;

	for (unsigned int i = 0; i < run->proc_cnt && i < ANNOUNCED_MAX; i++)
		fprintf(to, "%s%s %d", i ? " " : "", run->procs[i].comm, (int)run->procs[i].pid);
	fputc('\n', to);
	return fflush(to) ? run_fail_errno(run, -errno, "cannot write to stdout") : 0;
}

static int stay(struct demo_run *run)
{
	uint64_t end_ns = demo_now_ns() + run->opts.hold_ns;
	int err = 0;

	while (!err && run_alive(run) && (!run->opts.hold_ns || demo_now_ns() < end_ns))
		err = run_poll(run, LOOK_MS);
	return err == -EINTR ? 0 : err;
}

int stuck_go(struct demo_run *run, struct stuck_run *sr)
{
	int err = begin(run, sr);

	run->finding = sr->finding.kind ? &sr->finding : NULL;
	if (!err)
		err = await_rest(run, sr);
	if (!err)
		err = truth_write(run, sr->stuck, sr->stuck_cnt);
	run->finding = NULL;
	if (!err)
		err = announce(run);
	return err ? err : stay(run);
}
