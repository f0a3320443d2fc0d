// SPDX-License-Identifier: BSD-2-Clause
#include "probe/envoy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS   200   /* for who sleeps; memory that comes from a disk takes its time */
#define RUN_MS    5000  /* for who would run, but does not get a processor */
#define LOSE_MS   1000  /* with envoys that do not come back, between begin and end */
#define SHUN_MS   10000 /* a task that did not give back one */
#define SHUNNED   64
#define GIVEN_UP  16 /* that did not end yet: then no more are sent */
#define DATA_SIZE 65536
#define PATH_SIZE (PATH_MAX + 64)

/* What is asked, and answered: shared with the envoy, and with no other. */
struct question {
	int go;   /* it was told of */
	int self; /* what self() said */
	int (*what)(struct question *q);
	pid_t tid;
	__u64 at; /* an address, an offset, a mask */
	size_t len;
	int result; /* bytes, or -errno */
	char path[PATH_SIZE];
	_Alignas(8) char data[DATA_SIZE];
};

/* One for the process, as there is one process to be given up by. */
static struct {
	bool here; /* see envoy_be() */
	int (*self)(void);
	void (*sent)(void *arg, __u32 pid);
	void *arg;
	pid_t pid; /* 0: none is there */
	int fd;
	struct question *q;
	__u64 lost_ms;
	pid_t given_up[GIVEN_UP];
	struct {
		pid_t tid;
		__u64 until_ms;
	} shunned[SHUNNED];
	size_t shun_next;
} envoy;

static __u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000 + (__u64)ts.tv_nsec / 1000000;
}

static void nap(void)
{
	const struct timespec shortest = {.tv_nsec = 20000};

	nanosleep(&shortest, NULL);
}

/* What an envoy does. */

static int read_memory(struct question *q)
{
	struct iovec to = {q->data, q->len}, from = {(void *)(uintptr_t)q->at, q->len};
	ssize_t n = process_vm_readv(q->tid, &to, 1, &from, 1, 0);

	return n < 0 ? -errno : (int)n;
}

/* The file stays open as long as the next part of it is what is asked for. */
static int read_file(struct question *q)
{
	static int fd = -1;
	ssize_t n;

	if (!q->at) {
		if (fd >= 0)
			close(fd);
		fd = open(q->path, O_RDONLY | O_CLOEXEC);
	}
	n = fd < 0 ? -1 : pread(fd, q->data, q->len, (off_t)q->at);
	return n < 0 ? -errno : (int)n;
}

static int stat_path(struct question *q)
{
	return statx(AT_FDCWD, q->path, 0, (unsigned int)q->at, (void *)q->data) ? -errno : 0;
}

/* Holds nothing open by which it could be noticed, and hears no signal that can be blocked. */
static void __attribute__((noreturn)) serve(struct question *q, int fd)
{
	sigset_t all;
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (envoy.self)
		__atomic_store_n(&q->self, envoy.self(), __ATOMIC_RELEASE);
	while (!__atomic_load_n(&q->go, __ATOMIC_ACQUIRE))
		nap();
	if (fd > 0)
		syscall(SYS_close_range, 0, fd - 1, 0);
	syscall(SYS_close_range, fd + 1, ~0u, 0);
	while (read(fd, &c, 1) == 1) {
		q->result = q->what(q);
		if (write(fd, &c, 1) != 1)
			break;
	}
	_exit(0);
}

/* What it is sent by. */

static void reap_given_up(void)
{
	for (size_t i = 0; i < GIVEN_UP; i++)
		if (envoy.given_up[i] && waitpid(envoy.given_up[i], NULL, WNOHANG))
			envoy.given_up[i] = 0;
}

static pid_t *free_place(void)
{
	reap_given_up();
	for (size_t i = 0; i < GIVEN_UP; i++)
		if (!envoy.given_up[i])
			return &envoy.given_up[i];
	return NULL;
}

static void forget(void)
{
	close(envoy.fd);
	munmap(envoy.q, sizeof(*envoy.q));
	envoy.q = NULL;
	envoy.pid = 0;
}

/* One that is not answering. What it may still write is in memory of which nobody knows. */
static void give_up(void)
{
	pid_t *place = free_place();

	kill(envoy.pid, SIGKILL);
	if (place)
		*place = envoy.pid;
	forget();
	reap_given_up();
}

/* The number by which the kernel side knows it, 0: it does not say. */
static __u32 number_of(pid_t pid, struct question *q)
{
	__u64 until_ms = now_ms() + RUN_MS;
	int self = 0;

	if (!envoy.self)
		return (__u32)pid;
	while (!(self = __atomic_load_n(&q->self, __ATOMIC_ACQUIRE)) && now_ms() < until_ms)
		nap();
	return self > 0 ? (__u32)self : 0;
}

static bool start(void)
{
	struct question *q;
	int fds[2];
	pid_t pid;

	if (!free_place() || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return false;
	q = mmap(NULL, sizeof(*q), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid = q == MAP_FAILED ? -1 : fork();
	if (!pid)
		serve(q, fds[1]);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		if (q != MAP_FAILED)
			munmap(q, sizeof(*q));
		return false;
	}
	envoy.pid = pid;
	envoy.fd = fds[0];
	envoy.q = q;
	if (envoy.sent)
		envoy.sent(envoy.arg, number_of(pid, q));
	__atomic_store_n(&q->go, 1, __ATOMIC_RELEASE);
	return true;
}

/* Whether it would go on if it had a processor: the letter of proc_pid_stat(5). */
static bool is_running(pid_t pid)
{
	char buf[256], *s;
	ssize_t n;
	int fd;

	snprintf(buf, sizeof(buf), "/proc/%d/stat", pid);
	fd = open(buf, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	s = strrchr(buf, ')');
	return s && !strncmp(s, ") R", 3);
}

static bool has_answered(__u64 begin_ms)
{
	struct pollfd p = {.fd = envoy.fd, .events = POLLIN};
	__u64 past_ms, wait_ms = WAIT_MS;
	char c;

	for (;;) {
		past_ms = now_ms() - begin_ms;
		if (past_ms >= wait_ms) {
			if (wait_ms >= RUN_MS || !is_running(envoy.pid))
				return false;
			wait_ms += WAIT_MS;
			continue;
		}
		if (poll(&p, 1, (int)(wait_ms - past_ms)) > 0)
			return recv(envoy.fd, &c, 1, 0) == 1;
	}
}

static bool is_shunned(pid_t tid)
{
	for (size_t i = 0; i < SHUNNED; i++)
		if (envoy.shunned[i].tid == tid && now_ms() < envoy.shunned[i].until_ms)
			return true;
	return false;
}

/* Asks the envoy, which is there. */
static int ask_it(void)
{
	__u64 begin_ms = now_ms();
	struct question *q = envoy.q;
	pid_t tid = q->tid;

	if (send(envoy.fd, "", 1, MSG_NOSIGNAL) == 1 && has_answered(begin_ms))
		return q->result;
	give_up();
	envoy.lost_ms += now_ms() - begin_ms;
	envoy.shunned[envoy.shun_next].tid = tid;
	envoy.shunned[envoy.shun_next].until_ms = now_ms() + SHUN_MS;
	envoy.shun_next = (envoy.shun_next + 1) % SHUNNED;
	return -EIO;
}

/* What there is for a question; NULL: nobody can be sent. */
static struct question *question(pid_t tid, int (*what)(struct question *q))
{
	struct question *q;

	if (is_shunned(tid) || envoy.lost_ms >= LOSE_MS || (!envoy.q && !start()))
		return NULL;
	q = envoy.q;
	q->tid = tid;
	q->what = what;
	q->path[0] = '\0';
	return q;
}

void envoy_begin(int (*self)(void), void (*sent)(void *arg, __u32 pid), void *arg)
{
	envoy_end();
	envoy.self = self;
	envoy.sent = sent;
	envoy.arg = arg;
}

/* It ends when it is asked nothing more; who was stopped does not. */
static void dismiss(void)
{
	__u64 until_ms = now_ms() + WAIT_MS;
	pid_t pid = envoy.pid;

	forget();
	while (!waitpid(pid, NULL, WNOHANG)) {
		if (now_ms() >= until_ms)
			kill(pid, SIGKILL);
		nap();
	}
}

void envoy_end(void)
{
	if (envoy.pid)
		dismiss();
	reap_given_up();
	if (envoy.sent)
		envoy.sent(envoy.arg, 0);
	envoy.sent = NULL;
	envoy.self = NULL;
	envoy.lost_ms = 0;
}

void envoy_be(void)
{
	envoy.here = true;
}

bool envoy_memory(pid_t tid, __u64 addr, void *buf, size_t len)
{
	struct iovec to = {buf, len}, from = {(void *)(uintptr_t)addr, len};
	struct question *q;

	if (envoy.here)
		return process_vm_readv(tid, &to, 1, &from, 1, 0) == (ssize_t)len;
	q = len <= DATA_SIZE ? question(tid, read_memory) : NULL;
	if (!q)
		return false;
	q->at = addr;
	q->len = len;
	if (ask_it() != (int)len)
		return false;
	memcpy(buf, q->data, len);
	return true;
}

/* A file that is read by an envoy. */
struct remote {
	pid_t tid;
	__u64 at;
	pid_t by;      /* the envoy that has it open */
	size_t kept;   /* of the first part, which tells whether it can be read, ... */
	size_t passed; /* ... so much was taken */
	char path[PATH_SIZE], first[1024];
};

static ssize_t read_part(struct remote *r, char *buf, size_t len)
{
	struct question *q = question(r->tid, read_file);
	int n;

	if (!q || (r->at && r->by != envoy.pid))
		return -EIO;
	r->by = envoy.pid;
	snprintf(q->path, sizeof(q->path), "%s", r->path);
	q->at = r->at;
	q->len = len < DATA_SIZE ? len : DATA_SIZE;
	n = ask_it();
	if (n <= 0 || (size_t)n > len)
		return n;
	memcpy(buf, q->data, (size_t)n);
	r->at += (__u64)n;
	return n;
}

static ssize_t remote_read(void *cookie, char *buf, size_t len)
{
	struct remote *r = cookie;
	ssize_t n;

	if (r->passed < r->kept) {
		len = len < r->kept - r->passed ? len : r->kept - r->passed;
		memcpy(buf, r->first + r->passed, len);
		r->passed += len;
		return (ssize_t)len;
	}
	n = r->kept ? read_part(r, buf, len) : 0;
	if (n < 0) {
		errno = (int)-n;
		return -1;
	}
	return n;
}

static int remote_close(void *cookie)
{
	free(cookie);
	return 0;
}

FILE *envoy_open(pid_t tid, const char *path)
{
	static const cookie_io_functions_t functions = {.read = remote_read, .close = remote_close};
	struct remote *r;
	FILE *f = NULL;
	ssize_t n;

	if (envoy.here)
		return fopen(path, "re");
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->tid = tid;
	if (snprintf(r->path, sizeof(r->path), "%s", path) >= (int)sizeof(r->path))
		n = -ENAMETOOLONG;
	else
		n = read_part(r, r->first, sizeof(r->first));
	if (n >= 0) {
		r->kept = (size_t)n;
		f = fopencookie(r, "r", functions);
		n = f ? 0 : -errno;
	}
	if (!f) {
		free(r);
		errno = (int)-n;
	}
	return f;
}

int envoy_statx(pid_t tid, const char *path, unsigned int mask, struct statx *out)
{
	struct question *q;
	int err;

	if (envoy.here)
		return statx(AT_FDCWD, path, 0, mask, out) ? -errno : 0;
	q = strlen(path) < PATH_SIZE ? question(tid, stat_path) : NULL;
	if (!q)
		return -EIO;
	memcpy(q->path, path, strlen(path) + 1);
	q->at = mask;
	err = ask_it();
	if (!err)
		memcpy(out, q->data, sizeof(*out));
	return err;
}
