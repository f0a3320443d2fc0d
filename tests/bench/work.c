// SPDX-License-Identifier: BSD-2-Clause
/*
 * work.c - the workloads whose system calls `make bench` takes the time of.
 *
 *   work NAME:CALLS...	one line each: NAME CALLS ELAPSED_NS CPU_NS
 *   work --list		the names
 *
 * CALLS is about how many IPC calls to make, both ends together; the line says
 * how many there were. The elapsed time is that between the opening of a gate that
 * all processes of the workload wait at and the end of the last one, so that
 * starting, a tracer's own start-up and exits do not count; the CPU time is what
 * all of them took in it. All but the crowd are pinned to one processor: then the
 * two are the same on an idle machine, however many processes take turns, and on
 * a busy one the CPU time still is what the calls cost.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CROWD       40 /* writers, and as many readers */
#define MEMBERS_MAX (2 * CROWD)
#define SMALL_BYTES 64
#define LARGE_BYTES (64 * 1024)

/* What one process of a workload did; in memory shared with the one that started it. */
struct score {
	uint64_t calls, bytes_in, bytes_out, end_ns, cpu_ns;
};

struct team {
	const struct workload *w;
	uint64_t calls; /* of all members, wanted */
	int gate[2];
	int fds[2 * CROWD];
	struct score *scores;
};

/*
 * member: the body of process number `me`; counts into *s. Returns 0 or -errno.
 * prepare: opens what the members share; NULL none.
 */
struct workload {
	const char *name;
	int members;
	bool pinned;
	size_t bytes;
	int (*prepare)(struct team *t);
	int (*member)(struct team *t, int me, struct score *s);
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static int put(int fd, const void *buf, size_t len, struct score *s)
{
	ssize_t n = write(fd, buf, len);

	if (n != (ssize_t)len)
		return n < 0 ? -errno : -EIO;
	s->calls++;
	s->bytes_out += len;
	return 0;
}

/* At most len bytes; returns how many, 0 at the end, or -errno. */
static ssize_t get(int fd, void *buf, size_t len, struct score *s)
{
	ssize_t n = read(fd, buf, len);

	if (n < 0)
		return -errno;
	s->calls += n > 0;
	s->bytes_in += (size_t)n;
	return n;
}

static int get_whole(int fd, void *buf, size_t len, struct score *s)
{
	ssize_t n = get(fd, buf, len, s);

	return n == (ssize_t)len ? 0 : n < 0 ? (int)n : -EIO;
}

/* --- the workloads --- */

static int run_getppid(struct team *t, int me, struct score *s)
{
	(void)me;
	for (; s->calls < t->calls; s->calls++)
		syscall(SYS_getppid);
	return 0;
}

/* A wake of nobody: all of it is what the call costs. */
static int wake_nobody(struct team *t, struct score *s, uint32_t *word, int op)
{
	for (; s->calls < t->calls; s->calls++)
		if (syscall(SYS_futex, word, op, 1, NULL, NULL, 0))
			return -errno;
	return 0;
}

/* What threads of one process do among themselves, very often. */
static int run_private_futex(struct team *t, int me, struct score *s)
{
	uint32_t word = 0;

	(void)me;
	return wake_nobody(t, s, &word, FUTEX_WAKE_PRIVATE);
}

static int run_shared_futex(struct team *t, int me, struct score *s)
{
	uint32_t *word = mmap(NULL, sizeof(*word), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)me;
	return word == MAP_FAILED ? -errno : wake_nobody(t, s, word, FUTEX_WAKE);
}

static int one_pipe(struct team *t)
{
	return pipe(t->fds) ? -errno : 0;
}

static int two_pipes(struct team *t)
{
	return pipe(t->fds) || pipe(t->fds + 2) ? -errno : 0;
}

static int run_self_pipe(struct team *t, int me, struct score *s)
{
	char buf[SMALL_BYTES] = {0};
	int err = 0;

	(void)me;
	while (!err && s->calls < t->calls) {
		err = put(t->fds[1], buf, sizeof(buf), s);
		if (!err)
			err = get_whole(t->fds[0], buf, sizeof(buf), s);
	}
	return err;
}

/* Member 0 serves, member 1 returns; each makes half of the calls. */
static int rally(int in, int out, bool serves, uint64_t rounds, struct score *s)
{
	char buf[SMALL_BYTES] = {0};
	int err = 0;

	for (uint64_t i = 0; !err && i < rounds; i++) {
		if (serves)
			err = put(out, buf, sizeof(buf), s);
		if (!err)
			err = get_whole(in, buf, sizeof(buf), s);
		if (!err && !serves)
			err = put(out, buf, sizeof(buf), s);
	}
	return err;
}

static int run_pipe_rally(struct team *t, int me, struct score *s)
{
	return me == 0 ? rally(t->fds[0], t->fds[3], true, t->calls / 4, s)
		       : rally(t->fds[2], t->fds[1], false, t->calls / 4, s);
}

static int unix_pair(struct team *t)
{
	return socketpair(AF_UNIX, SOCK_STREAM, 0, t->fds) ? -errno : 0;
}

static int tcp_pair(struct team *t)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr *sa = (struct sockaddr *)&addr;
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, err = 0;

	t->fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 || t->fds[0] < 0 || bind(listener, sa, len) || listen(listener, 1) ||
	    getsockname(listener, sa, &len) || connect(t->fds[0], sa, len))
		return -errno;
	t->fds[1] = accept(listener, NULL, NULL);
	if (t->fds[1] < 0)
		err = -errno;
	for (int i = 0; !err && i < 2; i++)
		if (setsockopt(t->fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
			err = -errno;
	close(listener);
	return err;
}

static int run_socket_rally(struct team *t, int me, struct score *s)
{
	return rally(t->fds[me], t->fds[me], me == 0, t->calls / 4, s);
}

static int run_stream(struct team *t, int me, struct score *s)
{
	static char buf[LARGE_BYTES];
	ssize_t n;
	int err = 0;

	if (me == 0) {
		while (!err && s->calls < t->calls / 2)
			err = put(t->fds[1], buf, t->w->bytes, s);
		return err;
	}
	close(t->fds[1]);
	do
		n = get(t->fds[0], buf, t->w->bytes, s);
	while (n > 0);
	return (int)n;
}

static int crowd_pipes(struct team *t)
{
	for (int i = 0; i < CROWD; i++)
		if (pipe(t->fds + 2 * i))
			return -errno;
	return 0;
}

/* Everybody writes to everybody, in turn, each beginning with another one. */
static int run_crowd(struct team *t, int me, struct score *s)
{
	uint64_t each = t->calls / 2 / CROWD;
	char buf[SMALL_BYTES] = {0};
	int err = 0;

	each -= each % CROWD; /* so that every reader gets as many */
	for (uint64_t i = 0; !err && i < each; i++) {
		if (me < CROWD)
			err = put(t->fds[2 * ((me + i) % CROWD) + 1], buf, sizeof(buf), s);
		else
			err = get_whole(t->fds[2 * (me - CROWD)], buf, sizeof(buf), s);
	}
	return err;
}

static const struct workload workloads[] = {
	{"getppid", 1, true, 0, NULL, run_getppid},
	{"private-futex", 1, true, 0, NULL, run_private_futex},
	{"shared-futex", 1, true, 0, NULL, run_shared_futex},
	{"self-pipe", 1, true, SMALL_BYTES, one_pipe, run_self_pipe},
	{"pipe-pingpong", 2, true, SMALL_BYTES, two_pipes, run_pipe_rally},
	{"pipe-stream-512", 2, true, 512, one_pipe, run_stream},
	{"pipe-stream-64k", 2, true, LARGE_BYTES, one_pipe, run_stream},
	{"unix-pingpong", 2, true, SMALL_BYTES, unix_pair, run_socket_rally},
	{"tcp-pingpong", 2, true, SMALL_BYTES, tcp_pair, run_socket_rally},
	{"40x40", MEMBERS_MAX, false, SMALL_BYTES, crowd_pipes, run_crowd},
};
#define WORKLOAD_CNT (sizeof(workloads) / sizeof(workloads[0]))

/* --- running one --- */

static int pin(void)
{
	cpu_set_t allowed, one;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return -errno;
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		CPU_SET(cpu, &one);
		return sched_setaffinity(0, sizeof(one), &one) ? -errno : 0;
	}
	return -EINVAL;
}

static _Noreturn void be_member(struct team *t, int me)
{
	struct score s = {0};
	int err = t->w->pinned ? pin() : 0;
	uint64_t cpu_ns;
	char c;

	close(t->gate[1]);
	if (read(t->gate[0], &c, 1) != 0)
		err = -EIO;
	cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	if (!err)
		err = t->w->member(t, me, &s);
	s.cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
	s.end_ns = clock_ns(CLOCK_MONOTONIC);
	t->scores[me] = s;
	if (err)
		fprintf(stderr, "work: %s: member %d: %s\n", t->w->name, me, strerror(-err));
	_exit(err ? 1 : 0);
}

static void close_fds(struct team *t)
{
	for (size_t i = 0; i < sizeof(t->fds) / sizeof(t->fds[0]); i++) {
		if (t->fds[i] >= 0)
			close(t->fds[i]);
		t->fds[i] = -1;
	}
}

static int start_members(struct team *t)
{
	for (int i = 0; i < t->w->members; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return -errno;
		if (!pid)
			be_member(t, i);
	}
	return 0;
}

static int wait_members(void)
{
	int status, err = 0;
	pid_t pid;

	while ((pid = wait(&status)) > 0)
		if (status)
			err = -ECHILD;
	return err;
}

/* What was put in must have come out; else the numbers say nothing. */
static int print_score(const struct team *t, uint64_t start_ns)
{
	struct score sum = {0};

	for (int i = 0; i < t->w->members; i++) {
		const struct score *s = &t->scores[i];

		sum.calls += s->calls;
		sum.bytes_in += s->bytes_in;
		sum.bytes_out += s->bytes_out;
		sum.cpu_ns += s->cpu_ns;
		if (s->end_ns > sum.end_ns)
			sum.end_ns = s->end_ns;
	}
	if (!sum.calls || sum.bytes_in != sum.bytes_out)
		return -EIO;
	printf("%s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", t->w->name, sum.calls,
	       sum.end_ns - start_ns, sum.cpu_ns);
	return fflush(stdout) ? -errno : 0;
}

static int run(const struct workload *w, uint64_t calls)
{
	struct team t = {.w = w, .calls = calls};
	size_t len = sizeof(*t.scores) * MEMBERS_MAX;
	uint64_t start_ns;
	int err, end_err;

	memset(t.fds, -1, sizeof(t.fds));
	t.scores = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (t.scores == MAP_FAILED)
		return -errno;
	err = pipe(t.gate) ? -errno : w->prepare ? w->prepare(&t) : 0;
	if (!err)
		err = start_members(&t);
	/* The ends are the members' alone, or nobody would ever see the last writer go. */
	close_fds(&t);
	close(t.gate[0]);
	start_ns = clock_ns(CLOCK_MONOTONIC);
	close(t.gate[1]);
	end_err = wait_members();
	err = err ? err : end_err;
	if (!err)
		err = print_score(&t, start_ns);
	munmap(t.scores, len);
	return err;
}

static const struct workload *find(const char *name, size_t len)
{
	for (size_t i = 0; i < WORKLOAD_CNT; i++)
		if (strlen(workloads[i].name) == len && !memcmp(workloads[i].name, name, len))
			return &workloads[i];
	return NULL;
}

static int usage(void)
{
	fputs("usage: work NAME:CALLS... | --list\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return usage();
	if (!strcmp(argv[1], "--list")) {
		for (size_t i = 0; i < WORKLOAD_CNT; i++)
			puts(workloads[i].name);
		return 0;
	}
	for (int i = 1; i < argc; i++) {
		const char *colon = strrchr(argv[i], ':');
		const struct workload *w = colon ? find(argv[i], (size_t)(colon - argv[i])) : NULL;
		long long calls = colon ? atoll(colon + 1) : 0;
		int err;

		if (!w || calls <= 0)
			return usage();
		err = run(w, (uint64_t)calls);
		if (err) {
			fprintf(stderr, "work: %s: %s\n", w->name, strerror(-err));
			return 1;
		}
	}
	return 0;
}
