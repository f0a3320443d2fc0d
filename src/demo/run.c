/* SPDX-License-Identifier: BSD-2-Clause */
#include "run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "truth.h"

#define POLL_MS       50
#define GATE_POLL_NS  (200 * DEMO_NS_PER_US)
#define GATE_CHILD_NS (20 * DEMO_NS_PER_US) /* per child, so that many do not eat the machine */

__attribute__((format(printf, 3, 0))) static int run_vfail(struct demo_run *run, int err,
							   const char *fmt, va_list ap)
{
	vsnprintf(run->why, RUN_WHY_LEN, fmt, ap);
	return err;
}

int run_fail(struct demo_run *run, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	run_vfail(run, err, fmt, ap);
	va_end(ap);
	return err;
}

int run_usage(struct demo_run *run, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	run_vfail(run, -EINVAL, fmt, ap);
	va_end(ap);
	run->usage = true;
	return -EINVAL;
}

int run_fail_errno(struct demo_run *run, int err, const char *what)
{
	return run_fail(run, err, "%s: %s", what, strerror(-err));
}

/*
 * The parent takes these by sigtimedwait(2), so that no handler runs and no
 * clean-up is missed. What it was started to ignore (nohup, a script's
 * background job) stays ignored: once blocked, it would be reported.
 */
static void watch_signals(sigset_t *set)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction sa;

	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (!sigaction(ends[i], NULL, &sa) && sa.sa_handler != SIG_IGN)
			sigaddset(set, ends[i]);
}

int run_init(struct demo_run *run, const struct demo_workload *w, const struct demo_opts *o)
{
	int err;

	*run = (struct demo_run){.workload = w, .opts = *o, .parent = getpid()};
	run->why = run->why_buf;
	run->spec = (struct msg_spec){.seed = o->seed, .size = (uint32_t)o->size, .vary = o->vary};
	watch_signals(&run->watched);
	sigprocmask(SIG_BLOCK, &run->watched, &run->old_mask);
	/* An ignored SIGCHLD is inherited through exec and would let children vanish unreaped. */
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	if (!o->truth)
		return 0;
	err = truth_open(&run->truth, o->truth);
	return err ? run_fail_errno(run, err, "cannot write the truth file") : 0;
}

static void remove_dir(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *d;

	while (dir && (d = readdir(dir)))
		unlinkat(dirfd(dir), d->d_name, 0); /* "." and "..": fails, as it should */
	if (dir)
		closedir(dir);
	rmdir(path);
}

void run_fini(struct demo_run *run)
{
	run_kill(run);
	if (run->dir[0])
		remove_dir(run->dir);
	truth_close(run->truth);
	if (run->board)
		munmap(run->board, run->board_bytes);
	run->board = NULL;
}

/* Each array starts on a cache line of its own. */
static size_t take(size_t *total, size_t cnt, size_t size)
{
	size_t at = *total;

	*total = (at + cnt * size + 63) & ~(size_t)63;
	return at;
}

int run_board(struct demo_run *run, const struct run_shape *shape)
{
	size_t total = 0, procs, chans, flows, samples;
	char *base;

	run->lane_samples = RUN_MAX_SAMPLES / shape->lanes;
	if (run->lane_samples > shape->lane_messages)
		run->lane_samples = shape->lane_messages;
	take(&total, 1, sizeof(struct demo_board));
	procs = take(&total, shape->procs, sizeof(struct demo_proc));
	chans = take(&total, shape->chans, sizeof(struct demo_chan));
	flows = take(&total, shape->flows, sizeof(struct demo_flow));
	samples = take(&total, shape->lanes * run->lane_samples, sizeof(struct demo_sample));
	/* Pages come when first touched: a run pays for the messages it sends. */
	base = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
		    -1, 0);
	if (base == MAP_FAILED)
		return run_fail_errno(run, -errno, "cannot map shared memory");
	run->board = (struct demo_board *)base;
	run->board_bytes = total;
	run->procs = (struct demo_proc *)(base + procs);
	run->chans = (struct demo_chan *)(base + chans);
	run->flows = (struct demo_flow *)(base + flows);
	run->samples = (struct demo_sample *)(base + samples);
	run->proc_cnt = shape->procs;
	run->chan_cnt = shape->chans;
	run->flow_cnt = shape->flows;
	run->lane_cnt = shape->lanes;
	return 0;
}

int run_make_dir(struct demo_run *run)
{
	const char *tmp = getenv("TMPDIR");
	char path[RUN_DIR_LEN];
	int n;

	n = snprintf(path, sizeof(path), "%s/ipcspy-demo.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (n < 0 || (size_t)n >= sizeof(path))
		return run_fail(run, -ENAMETOOLONG, "TMPDIR is too long");
	if (!mkdtemp(path))
		return run_fail_errno(run, -errno, "cannot make a directory in TMPDIR");
	memcpy(run->dir, path, sizeof(path));
	return 0;
}

static void child_main(struct demo_run *run, unsigned int idx,
		       int (*fn)(struct demo_run *run, unsigned int idx, void *arg), void *arg)
{
	struct demo_proc *p = &run->procs[idx];
	int err;

	run->why = p->why;
	atomic_store(&p->pid, getpid());
	prctl(PR_SET_NAME, p->comm);
	/* The default slack of 50 us would show up as latency of every paced message. */
	prctl(PR_SET_TIMERSLACK, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != run->parent)
		_exit(1); /* it died before the line above */
	signal(SIGINT, SIG_IGN);
	sigprocmask(SIG_SETMASK, &run->old_mask, NULL);
	err = fn(run, idx, arg);
	p->end_ns = demo_now_ns();
	_exit(err ? 1 : 0);
}

int run_spawn(struct demo_run *run, unsigned int idx, const char *name,
	      int (*fn)(struct demo_run *run, unsigned int idx, void *arg), void *arg)
{
	struct demo_proc *p = &run->procs[idx];
	pid_t pid;

	snprintf(p->comm, sizeof(p->comm), "%s", name);
	pid = fork();
	if (pid < 0)
		return run_fail_errno(run, -errno, "cannot fork");
	if (!pid)
		child_main(run, idx, fn, arg);
	atomic_store(&p->pid, pid);
	p->running = true;
	return 0;
}

void run_sleep_until(uint64_t when_ns)
{
	struct timespec ts = {.tv_sec = (time_t)(when_ns / DEMO_NS_PER_S),
			      .tv_nsec = (long)(when_ns % DEMO_NS_PER_S)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

static uint64_t gate_poll_ns(const struct demo_run *run)
{
	return GATE_POLL_NS + run->proc_cnt * GATE_CHILD_NS;
}

int run_gate(struct demo_run *run)
{
	uint64_t go_ns;

	atomic_fetch_add(&run->board->ready, 1);
	/* Sleeping and looking, not a futex or a pipe: the gate must be no channel of its own. */
	while (!(go_ns = atomic_load(&run->board->go_ns)))
		run_sleep_until(demo_now_ns() + gate_poll_ns(run));
	run_sleep_until(go_ns);
	return 0;
}

int run_start(struct demo_run *run)
{
	int err;

	while (atomic_load(&run->board->ready) < run->proc_cnt) {
		err = run_poll(run, 1);
		if (err)
			return err;
		if (!run_alive(run))
			return run_fail(run, -ECHILD, "every process ended before the start");
	}
	/* Far enough ahead for every child to have looked. */
	atomic_store(&run->board->go_ns, demo_now_ns() + 10 * gate_poll_ns(run));
	return 0;
}

static struct demo_proc *proc_by_pid(struct demo_run *run, pid_t pid)
{
	for (unsigned int i = 0; i < run->proc_cnt; i++)
		if (run->procs[i].running && run->procs[i].pid == pid)
			return &run->procs[i];
	return NULL;
}

static int child_failed(struct demo_run *run, const struct demo_proc *p, int status)
{
	if (WIFSIGNALED(status))
		return run_fail(run, -ECHILD, "%s (pid %d) was killed by signal %d", p->comm,
				(int)p->pid, WTERMSIG(status));
	return run_fail(run, -ECHILD, "%s (pid %d): %s", p->comm, (int)p->pid,
			p->why[0] ? p->why : "failed");
}

/*
 * Reaps what has ended. When one fails, others soon fail for its sake (EPIPE):
 * the first in time is the one told. A killed one had no time to say when.
 */
static int reap(struct demo_run *run)
{
	const struct demo_proc *culprit = NULL;
	int status, culprit_status = 0;
	struct demo_proc *p;
	pid_t pid;

	/* -1 may also find children that were there before exec(2): not ours to judge. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		p = proc_by_pid(run, pid);
		if (!p)
			continue;
		p->running = false;
		if (status && (!culprit || p->end_ns < culprit->end_ns)) {
			culprit = p;
			culprit_status = status;
		}
	}
	return culprit ? child_failed(run, culprit, culprit_status) : 0;
}

int run_poll(struct demo_run *run, int timeout_ms)
{
	struct timespec ts = {.tv_sec = timeout_ms / 1000,
			      .tv_nsec = (long)(timeout_ms % 1000) * 1000000};
	int sig = sigtimedwait(&run->watched, NULL, &ts);

	if (sig <= 0)
		return 0;
	return sig == SIGCHLD ? reap(run) : run_fail(run, -EINTR, "interrupted by signal %d", sig);
}

unsigned int run_alive(const struct demo_run *run)
{
	unsigned int cnt = 0;

	for (unsigned int i = 0; i < run->proc_cnt; i++)
		cnt += run->procs[i].running;
	return cnt;
}

int run_join(struct demo_run *run, int (*tick)(struct demo_run *run, void *arg), void *arg)
{
	int err;

	while (run_alive(run)) {
		err = run_poll(run, POLL_MS);
		if (!err && tick)
			err = tick(run, arg);
		if (err)
			return err;
	}
	return 0;
}

void run_kill(struct demo_run *run)
{
	for (unsigned int i = 0; i < run->proc_cnt; i++)
		if (run->procs[i].running)
			kill(run->procs[i].pid, SIGKILL);
	for (unsigned int i = 0; i < run->proc_cnt; i++) {
		struct demo_proc *p = &run->procs[i];

		while (p->running && waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
			;
		p->running = false;
	}
}

char run_proc_state(pid_t pid)
{
	char path[32], buf[256], *paren;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	buf[n] = '\0';
	paren = strrchr(buf, ')'); /* the comm may hold anything, but what follows may not */
	return paren && paren[1] == ' ' ? paren[2] : 0;
}
