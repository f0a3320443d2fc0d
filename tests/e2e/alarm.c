// SPDX-License-Identifier: BSD-2-Clause
/*
 * Timers that go off in interrupts, on top of whatever the tracer does just then.
 *
 *   alarm births CNT   CNT processes, each with one timer and as many pipes, or pairs of
 *                      sockets, as it takes until that has gone off
 *   alarm storm SEC    timers at 10 kHz beside writes through a pipe and two sockets
 *   alarm wakes SEC    waits on one word that time out beside wakes on another one
 *
 * Prints one line with what it counted itself, as JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PERIOD_NS 100000
#define SIZE      100 /* bytes of a message of the storm */
#define WAYS      3
#define TIMEOUTS  4 /* who wait for what does not come */
#define MANY      1000

#define PATIENCE_NS 20000000000ull /* until there are many */

static volatile uint64_t handled;

/* What all processes of a run count, in memory that they share without a system call. */
struct tally {
	uint64_t messages, bytes, signals, waited;
	uint32_t word, done;
	uint8_t gap[4096 - 40];
	uint32_t other_word; /* on another page, so that it looks like no part of the first */
};

static void count(int sig)
{
	__atomic_fetch_add(&handled, sig > 0, __ATOMIC_RELAXED); /* handlers nest */
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static timer_t timer_at(int sig, uint64_t first_ns, uint64_t period_ns)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = sig};
	struct itimerspec t = {.it_value.tv_nsec = first_ns, .it_interval.tv_nsec = period_ns};
	struct sigaction sa = {.sa_handler = count, .sa_flags = SA_RESTART};
	timer_t id;

	must(!sigaction(sig, &sa, NULL), "sigaction");
	must(!timer_create(CLOCK_MONOTONIC, &ev, &id), "timer_create");
	must(!timer_settime(id, 0, &t, NULL), "timer_settime");
	return id;
}

/* A new channel each time: all that is ever told of it is told while the timer runs. */
static void one_birth(struct tally *all, int n)
{
	char buf[64] = {};
	int fds[2];

	timer_at(SIGRTMIN, 50000 + n % 97 * 1000, 0);
	while (!handled) {
		must(!(n & 1 ? pipe(fds) : socketpair(AF_UNIX, SOCK_STREAM, 0, fds)), "pipe");
		must(write(fds[1], buf, 1 + n % 50) > 0, "write");
		all->bytes += read(fds[0], buf, sizeof(buf));
		all->messages++;
		close(fds[0]);
		close(fds[1]);
	}
	all->signals += handled;
	_exit(0);
}

static void births(struct tally *all, int cnt)
{
	for (int i = 0; i < cnt; i++) {
		pid_t pid = fork();

		must(pid >= 0, "fork");
		if (!pid)
			one_birth(all, i);
		must(waitpid(pid, NULL, 0) == pid, "waitpid");
	}
}

static void tcp_pair(int fds[2])
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	must(!bind(listener, (void *)&at, len) && !listen(listener, 1) &&
		     !getsockname(listener, (void *)&at, &len),
	     "listen");
	fds[1] = socket(AF_INET, SOCK_STREAM, 0);
	must(!connect(fds[1], (void *)&at, len), "connect");
	fds[0] = accept(listener, NULL, NULL);
	close(listener);
}

/* Each way's reader; the writers' ends are closed in all of them. */
static void readers(int fds[WAYS][2])
{
	char buf[65536];

	for (int i = 0; i < WAYS; i++) {
		pid_t pid = fork();

		must(pid >= 0, "fork");
		if (pid)
			continue;
		for (int j = 0; j < WAYS; j++)
			close(fds[j][1]);
		while (read(fds[i][0], buf, sizeof(buf)) > 0)
			;
		_exit(0);
	}
}

static void storm(struct tally *all, int sec)
{
	struct itimerval real = {{0, PERIOD_NS / 1000}, {0, PERIOD_NS / 1000}}, stop = {};
	struct sigaction sa = {.sa_handler = count, .sa_flags = SA_RESTART};
	uint64_t end = now_ns() + sec * 1000000000ull;
	char buf[SIZE] = {};
	int fds[WAYS][2];
	timer_t id;

	must(!pipe(fds[0]) && !socketpair(AF_UNIX, SOCK_STREAM, 0, fds[1]), "socketpair");
	tcp_pair(fds[2]);
	readers(fds);
	must(!sigaction(SIGALRM, &sa, NULL) && !sigaction(SIGPROF, &sa, NULL), "sigaction");
	id = timer_at(SIGRTMIN, PERIOD_NS, PERIOD_NS);
	setitimer(ITIMER_REAL, &real, NULL);
	setitimer(ITIMER_PROF, &real, NULL);
	while (now_ns() < end)
		for (int i = 0; i < WAYS; i++) {
			must(write(fds[i][1], buf, SIZE) == SIZE, "write");
			all->messages++;
		}
	setitimer(ITIMER_REAL, &stop, NULL);
	setitimer(ITIMER_PROF, &stop, NULL);
	timer_delete(id);
	for (int i = 0; i < WAYS; i++) {
		close(fds[i][1]);
		close(fds[i][0]);
	}
	while (wait(NULL) > 0 || errno == EINTR)
		;
	all->bytes = all->messages * SIZE;
	all->signals = handled;
}

static long futex(uint32_t *word, int op, uint32_t val, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op, val, timeout, NULL, 0);
}

static void on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set); /* else it takes longer until they meet */
}

/* Each time-out is an interrupt of who wakes the other word, on the same processor. */
static void waits_in_vain(struct tally *all)
{
	struct timespec timeout = {.tv_nsec = PERIOD_NS};

	prctl(PR_SET_TIMERSLACK, 1);
	while (!__atomic_load_n(&all->done, __ATOMIC_SEQ_CST))
		futex(&all->other_word, FUTEX_WAIT, 0, &timeout);
	_exit(0);
}

static void waits(struct tally *all)
{
	struct timespec timeout = {.tv_nsec = 20000000};

	on_cpu(1);
	while (!__atomic_load_n(&all->done, __ATOMIC_SEQ_CST))
		if (!futex(&all->word, FUTEX_WAIT, 0, &timeout))
			all->waited++;
	_exit(0);
}

static void wakes(struct tally *all, int sec)
{
	uint64_t end = now_ns() + sec * 1000000000ull;

	if (!fork())
		waits(all);
	on_cpu(0);
	for (int i = 0; i < TIMEOUTS; i++)
		if (!fork())
			waits_in_vain(all);
	while (now_ns() < end || (all->messages < MANY && now_ns() < end + PATIENCE_NS)) {
		long n = futex(&all->word, FUTEX_WAKE, 1, NULL);

		must(n >= 0, "futex");
		all->messages += n;
	}
	__atomic_store_n(&all->done, 1, __ATOMIC_SEQ_CST);
	while (wait(NULL) > 0)
		;
}

int main(int argc, char **argv)
{
	struct tally *all =
		mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int n = argc > 2 ? atoi(argv[2]) : 1;

	must(all != MAP_FAILED, "mmap");
	if (argc > 1 && !strcmp(argv[1], "births"))
		births(all, n);
	else if (argc > 1 && !strcmp(argv[1], "storm"))
		storm(all, n);
	else
		wakes(all, n);
	printf("{\"pid\": %d, \"messages\": %llu, \"bytes\": %llu, \"signals\": %llu, "
	       "\"waited\": %llu}\n",
	       getpid(), (unsigned long long)all->messages, (unsigned long long)all->bytes,
	       (unsigned long long)all->signals, (unsigned long long)all->waited);
	return 0;
}
