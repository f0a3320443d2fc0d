// SPDX-License-Identifier: BSD-2-Clause
#include "cmd/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

#include "cmd/screen.h"

/* What a write may bring that its error tells as well. */
static const int told_by_errors[] = {SIGPIPE, SIGXFSZ};
#define TOLD_CNT (sizeof(told_by_errors) / sizeof(told_by_errors[0]))

static struct sigaction old_actions[TOLD_CNT];
static volatile sig_atomic_t ints, terms, ints_spared;

void signals_ignore_write(void)
{
	struct sigaction sa = {.sa_handler = SIG_IGN};

	for (size_t i = 0; i < TOLD_CNT; i++)
		sigaction(told_by_errors[i], &sa, &old_actions[i]);
}

void signals_restore_write(void)
{
	for (size_t i = 0; i < TOLD_CNT; i++)
		sigaction(told_by_errors[i], &old_actions[i], NULL);
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

static volatile sig_atomic_t dumps;

static void on_dump(int sig)
{
	(void)sig;
	dumps = 1;
}

int signals_catch_dump(void)
{
	/* No SA_RESTART, as above. */
	struct sigaction sa = {.sa_handler = on_dump};

	return sigaction(SIGUSR1, &sa, NULL) ? -errno : 0;
}

bool signals_dump(void)
{
	bool asked = dumps;

	if (asked)
		dumps = 0;
	return asked;
}
