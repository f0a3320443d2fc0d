// SPDX-License-Identifier: BSD-2-Clause
/* stacks.c - who asks whom: samples and /proc here, names in a process that can be given up. */
#include "probe/stacks.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "probe/envoy.h"
#include "probe/sample.h"

/* What is sent by who finds the names. */
struct naming {
	struct stacks stacks;
	bool last; /* no better ones follow */
};

#define SLEEPER_FRAMES 4 /* the rest is how any call gets into the kernel */

/* "[<0>] do_wait+0x5a/0xe0 [module]" */
static bool frame_from_text(struct stack_frame *f, const char *line)
{
	const char *name = strstr(line, "] "), *module;
	char *end;
	size_t len;

	if (line[0] != '[' || !name)
		return false;
	name += 2;
	len = strcspn(name, "+ \n");
	if (!len || name[len] != '+')
		return false;
	*f = (struct stack_frame){.kernel = true};
	stack_name(f->symbol, sizeof(f->symbol), name, len);
	f->offset = strtoull(name + len + 1, &end, 16);
	module = strstr(end, " [");
	if (module)
		stack_name(f->module, sizeof(f->module), module + 2, strcspn(module + 2, "]\n"));
	return true;
}

void stack_from_text(struct stack *st, FILE *f)
{
	char line[512];

	st->cnt = 0;
	while (st->cnt < SLEEPER_FRAMES && fgets(line, sizeof(line), f))
		st->cnt += frame_from_text(&st->frames[st->cnt], line);
}

/* The one function that everybody may know. */
static void stack_from_wchan(struct stack *st, FILE *f)
{
	struct stack_frame *frame = &st->frames[0];
	char name[128];
	size_t len = fread(name, 1, sizeof(name) - 1, f);

	name[len] = '\0';
	if (!len || !strcmp(name, "0"))
		return;
	*frame = (struct stack_frame){.kernel = true};
	stack_name(frame->symbol, sizeof(frame->symbol), name, len);
	st->cnt = 1;
}

/* What it does meanwhile is not known: one look. */
static void ask_sleeper(struct stack *st)
{
	static void (*const reads[])(struct stack * st, FILE * f) = {stack_from_text,
								     stack_from_wchan};
	char path[64];
	FILE *f;

	for (size_t i = 0; !st->cnt && i < sizeof(reads) / sizeof(reads[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%u/%s", st->tid, i ? "wchan" : "stack");
		f = envoy_open((pid_t)st->tid, path);
		if (!f)
			continue;
		reads[i](st, f);
		fclose(f);
	}
	st->samples = st->seen = st->cnt ? 1 : 0;
}

static __u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000 + (__u64)ts.tv_nsec / 1000000;
}

/* All of it in time, or false. */
static bool receive(int fd, struct naming *m, __u64 until_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t have = 0;
	__u64 now;
	ssize_t n;

	while (have < sizeof(*m)) {
		now = now_ms();
		if (now >= until_ms)
			return false;
		if (poll(&p, 1, (int)(until_ms - now)) <= 0)
			continue;
		n = read(fd, (char *)m + have, sizeof(*m) - have);
		if (n <= 0)
			return false;
		have += (size_t)n;
	}
	return true;
}

static bool send_all(int fd, const struct naming *m)
{
	size_t sent = 0;
	ssize_t n;

	while (sent < sizeof(*m)) {
		n = write(fd, (const char *)m + sent, sizeof(*m) - sent);
		if (n <= 0)
			return false;
		sent += (size_t)n;
	}
	return true;
}

/* First what comes quickly. Holds nothing open by which it could be noticed if it stays. */
static void __attribute__((noreturn))
name_and_exit(struct naming *m, const struct sample_set *sets, int fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fd > 0)
		syscall(SYS_close_range, 0, fd - 1, 0);
	syscall(SYS_close_range, fd + 1, ~0u, 0);
	envoy_be();
	m->last = true;
	for (uint32_t i = 0; i < m->stacks.cnt; i++)
		if (sets[i].cnt && stack_from_samples(&m->stacks.of[i], &sets[i], false))
			m->last = false;
	if (!send_all(fd, m) || m->last)
		_exit(0);
	m->last = true;
	for (uint32_t i = 0; i < m->stacks.cnt; i++)
		if (sets[i].cnt)
			stack_from_samples(&m->stacks.of[i], &sets[i], true);
	send_all(fd, m);
	_exit(0);
}

/* Who does not end in time, though it was told to, is left behind. */
static void reap(pid_t pid, __u64 until_ms)
{
	const struct timespec nap = {.tv_nsec = 1000000};

	while (!waitpid(pid, NULL, WNOHANG) && now_ms() < until_ms)
		nanosleep(&nap, NULL);
}

/*
 * In a process of its own: who is looked at can see to it that reading its files takes for
 * ever, with a file system of its own even so that no signal ends it. Then it is left behind.
 */
static void name_samples(struct stacks *s, const struct sample_set *sets)
{
	struct naming m = {.stacks = *s};
	__u64 until_ms = now_ms() + STACKS_NAME_MS;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return;
	pid = fork();
	if (!pid)
		name_and_exit(&m, sets, fds[1]);
	close(fds[1]);
	while (pid > 0 && !m.last && receive(fds[0], &m, until_ms))
		*s = m.stacks;
	close(fds[0]);
	if (pid < 0)
		return;
	kill(pid, SIGKILL);
	reap(pid, until_ms);
}

void stacks_take(struct stacks *s)
{
	struct sample_set *sets = calloc(STACKS_MAX, sizeof(*sets));
	bool any = false;

	if (!sets)
		return;
	for (uint32_t i = 0; i < s->cnt; i++)
		sets[i].tid = s->of[i].runs ? s->of[i].tid : 0;
	samples_take(sets, s->cnt);
	for (uint32_t i = 0; i < s->cnt; i++) {
		any |= sets[i].cnt;
		if (!s->of[i].runs)
			ask_sleeper(&s->of[i]);
	}
	envoy_end();
	if (any)
		name_samples(s, sets);
	free(sets);
}
