// SPDX-License-Identifier: BSD-2-Clause
#include "cmd/screen.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define ENTER "\033[?1049h"
#define LEAVE "\033[?1049l"

static volatile sig_atomic_t entered_fd = -1;

void screen_leave(void)
{
	int fd = (int)entered_fd, err = errno;

	if (fd < 0)
		return;
	entered_fd = -1;
	/* A terminal that is gone needs no screen back. */
	if (write(fd, LEAVE, strlen(LEAVE)) < 0)
		errno = err;
}

/* What the signal does without us: to be killed, or stopped and, later, continued. */
static void on_signal(int sig)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL}, old;
	sigset_t set;

	screen_leave();
	sigaction(sig, &dfl, &old);
	raise(sig);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigaction(sig, &old, NULL);
}

int screen_enter(int fd)
{
	/* SIGINT, SIGTERM and SIGHUP end the trace: see signals.h. */
	static const int sigs[] = {SIGQUIT, SIGTSTP, SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
	struct sigaction sa = {.sa_handler = on_signal}, old;

	if (entered_fd >= 0)
		return 0;
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++) {
		/* What is ignored, or has a handler (a sanitizer's), stays so. */
		if (!sigaction(sigs[i], NULL, &old) && old.sa_handler == SIG_DFL)
			sigaction(sigs[i], &sa, NULL);
	}
	entered_fd = fd;
	if (write(fd, ENTER, strlen(ENTER)) < 0) {
		entered_fd = -1;
		return -errno;
	}
	return 0;
}
