// SPDX-License-Identifier: BSD-2-Clause
/*
 * load.c - pipe traffic to hold a collector against, with the truth about it.
 *
 *   load pairs PAIRS SECONDS	PAIRS writers and PAIRS readers, as fast as they can
 *   load channels PIPES CALLS	one process that writes and reads PIPES pipes in turn
 *
 * Says "start" when everything is set up and waits for a byte on stdin (or its
 * end). Says "end CALLS CPU_NS MESSAGES BYTES ELAPSED_NS" when the traffic is over:
 * calls and times since "start", messages and bytes in all. Then stays until the end of stdin, so
 * that the collector can be looked at while it still traces.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MSG_BYTES 64
#define PAIRS_MAX 64

struct truth {
	uint64_t calls, messages, bytes;
};

struct pairs {
	atomic_int stop;
	struct truth sent[PAIRS_MAX], received[PAIRS_MAX];
};

/* cpu_ns: of this process and its children that ended. */
struct stamp {
	uint64_t wall_ns, cpu_ns;
};

static uint64_t timeval_ns(struct timeval tv)
{
	return (uint64_t)tv.tv_sec * 1000000000ull + (uint64_t)tv.tv_usec * 1000;
}

static struct stamp stamp_now(void)
{
	struct rusage self = {0}, children = {0};
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &children);
	return (struct stamp){
		.wall_ns = (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec,
		.cpu_ns = timeval_ns(self.ru_utime) + timeval_ns(self.ru_stime) +
			  timeval_ns(children.ru_utime) + timeval_ns(children.ru_stime),
	};
}

static int say(const char *line)
{
	return puts(line) < 0 || fflush(stdout) ? -errno : 0;
}

/* Returns when traffic may start. */
static int say_start(void)
{
	char c;
	int err = say("start");

	return !err && read(STDIN_FILENO, &c, 1) < 0 ? -errno : err;
}

static int say_end(const struct truth *t, const struct stamp *start)
{
	const struct stamp end = stamp_now();
	char line[160];

	snprintf(line, sizeof(line), "end %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64,
		 t->calls, end.cpu_ns - start->cpu_ns, t->messages, t->bytes,
		 end.wall_ns - start->wall_ns);
	return say(line);
}

static int write_until_stop(int fd, struct pairs *p, struct truth *t)
{
	char buf[MSG_BYTES] = {0};

	while (!atomic_load_explicit(&p->stop, memory_order_relaxed)) {
		if (write(fd, buf, sizeof(buf)) != sizeof(buf))
			return -EIO;
		t->calls++;
		t->messages++;
		t->bytes += sizeof(buf);
	}
	return 0;
}

static int read_to_end(int fd, struct truth *t)
{
	char buf[MSG_BYTES];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		t->calls++;
		t->messages++;
		t->bytes += (uint64_t)n;
	}
	return n < 0 ? -errno : 0;
}

/* Returns 0 in the parent, which keeps neither end; -errno. The child does not return. */
static int start_end(struct pairs *p, int fds[2], int i, int writes)
{
	struct truth t = {0};
	pid_t pid = fork();
	int err;

	if (pid)
		return pid < 0 ? -errno : 0;
	close(fds[!writes]);
	err = writes ? write_until_stop(fds[1], p, &t) : read_to_end(fds[0], &t);
	*(writes ? &p->sent[i] : &p->received[i]) = t;
	_exit(err ? 1 : 0);
}

/* Each pair's pipe is closed here before the next one is made: nobody else inherits an end. */
static int start_pairs(struct pairs *p, int cnt)
{
	for (int i = 0; i < cnt; i++) {
		int fds[2], err;

		if (pipe(fds))
			return -errno;
		err = start_end(p, fds, i, 1);
		if (!err)
			err = start_end(p, fds, i, 0);
		close(fds[0]);
		close(fds[1]);
		if (err)
			return err;
	}
	return 0;
}

static int sum_pairs(const struct pairs *p, int cnt, struct truth *sum)
{
	for (int i = 0; i < cnt; i++) {
		if (p->sent[i].bytes != p->received[i].bytes)
			return -EIO;
		sum->calls += p->sent[i].calls + p->received[i].calls;
		sum->messages += p->sent[i].messages;
		sum->bytes += p->sent[i].bytes;
	}
	return 0;
}

static int run_pairs(long cnt, long seconds)
{
	struct pairs *p =
		mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct timespec ts = {seconds, 0};
	struct truth sum = {0};
	struct stamp start;
	int err, status;

	if (p == MAP_FAILED)
		return -errno;
	if (cnt > PAIRS_MAX)
		return -E2BIG;
	err = say_start();
	start = stamp_now();
	if (!err)
		err = start_pairs(p, (int)cnt);
	while (!err && nanosleep(&ts, &ts) && errno == EINTR)
		;
	atomic_store(&p->stop, 1);
	while (wait(&status) > 0)
		if (status)
			err = -ECHILD;
	if (!err)
		err = sum_pairs(p, (int)cnt, &sum);
	return err ? err : say_end(&sum, &start);
}

/* Makes room for cnt descriptors, where the hard limit allows it. */
static int raise_fd_limit(rlim_t cnt)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return -errno;
	if (lim.rlim_cur >= cnt)
		return 0;
	lim.rlim_cur = cnt;
	if (lim.rlim_max < cnt)
		lim.rlim_max = cnt;
	return setrlimit(RLIMIT_NOFILE, &lim) ? -errno : 0;
}

/* One descriptor for both ends (fifo(7): O_RDWR), so that 10,000 fit a usual limit. */
static int open_pipe(void)
{
	char path[64];
	int fds[2], both, err;

	if (pipe(fds))
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	both = open(path, O_RDWR);
	err = errno;
	close(fds[0]);
	close(fds[1]);
	return both < 0 ? -err : both;
}

static int open_pipes(int *fds, long cnt)
{
	int err = raise_fd_limit((rlim_t)cnt + 16);

	for (long i = 0; !err && i < cnt; i++) {
		fds[i] = open_pipe();
		if (fds[i] < 0)
			err = fds[i];
	}
	return err;
}

static int exchange(const int *fds, long cnt, uint64_t calls, struct truth *t)
{
	char buf[MSG_BYTES] = {0};
	uint64_t end = t->calls + calls;

	for (long i = 0; t->calls < end; i = (i + 1) % cnt) {
		if (write(fds[i], buf, sizeof(buf)) != sizeof(buf) ||
		    read(fds[i], buf, sizeof(buf)) != sizeof(buf))
			return -EIO;
		t->calls += 2;
		t->messages++;
		t->bytes += sizeof(buf);
	}
	return 0;
}

static int run_channels(long cnt, long calls)
{
	int *fds = calloc((size_t)cnt, sizeof(*fds)), err;
	struct truth t = {0};
	struct stamp start;

	if (!fds)
		return -ENOMEM;
	err = open_pipes(fds, cnt);
	/* Everybody met once: what a new channel costs is not what an event costs. */
	if (!err)
		err = exchange(fds, cnt, (uint64_t)cnt * 2, &t);
	if (!err)
		err = say_start();
	t.calls = 0;
	start = stamp_now();
	if (!err)
		err = exchange(fds, cnt, (uint64_t)calls, &t);
	if (!err)
		err = say_end(&t, &start);
	free(fds);
	return err;
}

int main(int argc, char **argv)
{
	long a = argc == 4 ? atol(argv[2]) : 0, b = argc == 4 ? atol(argv[3]) : 0;
	int err;
	char c;

	if (a <= 0 || b <= 0 || (strcmp(argv[1], "pairs") && strcmp(argv[1], "channels"))) {
		fputs("usage: load pairs PAIRS SECONDS | channels PIPES CALLS\n", stderr);
		return 2;
	}
	err = strcmp(argv[1], "pairs") ? run_channels(a, b) : run_pairs(a, b);
	if (err) {
		fprintf(stderr, "load: %s: %s\n", argv[1], strerror(-err));
		return 1;
	}
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return 0;
}
