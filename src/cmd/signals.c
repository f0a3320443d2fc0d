// SPDX-License-Identifier: BSD-2-Clause
#include "cmd/signals.h"

#include <errno.h>
#include <signal.h>

#include "cmd/screen.h"

static struct sigaction old_pipe;
static volatile sig_atomic_t ints, terms, ints_spared;

void signals_ignore_pipe(void)
{
	struct sigaction sa = {.sa_handler = SIG_IGN};

	sigaction(SIGPIPE, &sa, &old_pipe);
}

void signals_restore_pipe(void)
{
	sigaction(SIGPIPE, &old_pipe, NULL);
}

/* One SIGINT too many. */
static void on_last_int(int sig)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};

	screen_leave();
	sigaction(sig, &sa, NULL);
	raise(sig);
}

static void on_signal(int sig)
{
	struct sigaction sa = {.sa_handler = on_last_int};

	if (sig == SIGINT)
		ints = ints + 1;
	else
		terms = terms + 1;
	if (signals_stop())
		sigaction(SIGINT, &sa, NULL);
}

int signals_init(unsigned int spare_ints)
{
	static const int sigs[] = {SIGINT, SIGTERM, SIGHUP};
	/* No SA_RESTART: the sleep between two looks at the ring shall end. */
	struct sigaction sa = {.sa_handler = on_signal}, old;

	ints = terms = 0;
	ints_spared = (sig_atomic_t)spare_ints;
	sigemptyset(&sa.sa_mask);
	for (unsigned int i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++) {
		/* nohup(1) sets SIGHUP to be ignored; a shell does so with SIGINT for `&`. */
		if (sigs[i] == SIGHUP && !sigaction(SIGHUP, NULL, &old) &&
		    old.sa_handler == SIG_IGN)
			continue;
		if (sigaction(sigs[i], &sa, NULL))
			return -errno;
	}
	return 0;
}

bool signals_terminated(void)
{
	return terms > 0;
}

bool signals_stop(void)
{
	return terms > 0 || ints > ints_spared;
}
