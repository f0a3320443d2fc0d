// SPDX-License-Identifier: BSD-2-Clause
#include "model/signal_names.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>

#define RTMIN 34 /* SIGRTMIN of the C libraries */

static const char *const names[SIGNAL_RT_FIRST] = {
	[SIGHUP] = "SIGHUP",       [SIGINT] = "SIGINT",       [SIGQUIT] = "SIGQUIT",
	[SIGILL] = "SIGILL",       [SIGTRAP] = "SIGTRAP",     [SIGABRT] = "SIGABRT",
	[SIGBUS] = "SIGBUS",       [SIGFPE] = "SIGFPE",       [SIGKILL] = "SIGKILL",
	[SIGUSR1] = "SIGUSR1",     [SIGSEGV] = "SIGSEGV",     [SIGUSR2] = "SIGUSR2",
	[SIGPIPE] = "SIGPIPE",     [SIGALRM] = "SIGALRM",     [SIGTERM] = "SIGTERM",
	[SIGSTKFLT] = "SIGSTKFLT", [SIGCHLD] = "SIGCHLD",     [SIGCONT] = "SIGCONT",
	[SIGSTOP] = "SIGSTOP",     [SIGTSTP] = "SIGTSTP",     [SIGTTIN] = "SIGTTIN",
	[SIGTTOU] = "SIGTTOU",     [SIGURG] = "SIGURG",       [SIGXCPU] = "SIGXCPU",
	[SIGXFSZ] = "SIGXFSZ",     [SIGVTALRM] = "SIGVTALRM", [SIGPROF] = "SIGPROF",
	[SIGWINCH] = "SIGWINCH",   [SIGIO] = "SIGIO",         [SIGPWR] = "SIGPWR",
	[SIGSYS] = "SIGSYS",
};

const char *signal_name(unsigned int signo, char buf[SIGNAL_NAME_LEN])
{
	if (signo < SIGNAL_RT_FIRST && names[signo])
		return names[signo];
	if (signo == RTMIN)
		return "SIGRTMIN";
	if (signo > RTMIN && signo <= SIGNALS_MAX)
		snprintf(buf, SIGNAL_NAME_LEN, "SIGRTMIN+%u", signo - RTMIN);
	else
		snprintf(buf, SIGNAL_NAME_LEN, "SIG%u", signo);
	return buf;
}

/* From the first row that fits; number 0 stands for all. */
static const struct {
	unsigned int signo;
	int first, last; /* si_code */
	const char *text;
} sources[] = {
	{0, SI_TIMER, SI_TIMER, "timer"},
	{0, SI_ASYNCIO, SI_ASYNCIO, "async io"},
	{0, SI_SIGIO, SI_SIGIO, "async io"},
	{SIGALRM, SI_KERNEL, SI_KERNEL, "timer"},
	{SIGVTALRM, SI_KERNEL, SI_KERNEL, "timer"},
	{SIGPROF, SI_KERNEL, SI_KERNEL, "timer"},
	{SIGXCPU, SI_KERNEL, SI_KERNEL, "timer"},
	{SIGIO, SI_KERNEL, SI_KERNEL, "async io"},
	{SIGURG, SI_KERNEL, SI_KERNEL, "async io"},
	/* tty_io.c, n_tty.c and tty_jobctrl.c send these, and hardly anybody else does */
	{SIGINT, SI_KERNEL, SI_KERNEL, "terminal"},
	{SIGQUIT, SI_KERNEL, SI_KERNEL, "terminal"},
	{SIGTSTP, SI_KERNEL, SI_KERNEL, "terminal"},
	{SIGTTIN, SI_KERNEL, SI_KERNEL, "terminal"},
	{SIGTTOU, SI_KERNEL, SI_KERNEL, "terminal"},
	{SIGHUP, SI_KERNEL, SI_KERNEL, "terminal"},
	{SIGCONT, SI_KERNEL, SI_KERNEL, "terminal"},
	{SIGWINCH, SI_KERNEL, SI_KERNEL, "terminal"},
	{SIGCHLD, CLD_EXITED, CLD_DUMPED, "child exit"},
	{SIGCHLD, CLD_TRAPPED, CLD_CONTINUED, "child stop"},
	{SIGIO, 1, SI_KERNEL - 1, "async io"},
	{SIGSEGV, 1, SI_KERNEL, "fault"},
	{SIGBUS, 1, SI_KERNEL, "fault"},
	{SIGFPE, 1, SI_KERNEL, "fault"},
	{SIGILL, 1, SI_KERNEL, "fault"},
	{SIGTRAP, 1, SI_KERNEL, "fault"},
};

const char *signal_source(unsigned int signo, int code)
{
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		if ((!sources[i].signo || sources[i].signo == signo) && code >= sources[i].first &&
		    code <= sources[i].last)
			return sources[i].text;
	return "kernel";
}
