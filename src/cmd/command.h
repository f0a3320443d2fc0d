/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command.h - the command behind `--`: started, held back until the trace runs, reaped.
 *
 * The child waits on a lock (fcntl(2), F_SETLKW) that we hold and says why an
 * exec failed through a shared page: a pipe for either would be a channel of
 * the traced program and show up in its report. Owner: who calls
 * command_start(), which ends with command_fini().
 */
#ifndef IPCSPY_COMMAND_H
#define IPCSPY_COMMAND_H

#include <stdbool.h>
#include <sys/types.h>

struct command_page;

struct command {
	char *const *argv; /* NULL: there is no command */
	pid_t pid;
	bool ended;
	int status;                         /* as wait(2) gives it, when ended */
	int lock_fd;                        /* we hold it: the child waits */
	volatile struct command_page *page; /* shared with the child */
};

/* Forks the child, which waits. Returns 0 or -errno; command_fini() is due in each case. */
int command_start(struct command *c, char *const *argv);

/* Lets the child become the command. Returns 0 or -errno. */
int command_go(struct command *c);

/* The program runs, or ran; also when there is no command. False before, and when exec failed. */
bool command_runs(const struct command *c);

/* Looks whether it ended, without waiting. */
void command_poll(struct command *c);

/* errno of the exec, when there is no such program, else 0. */
int command_exec_error(const struct command *c);

/* Sends it a signal unless it has ended. */
void command_signal(const struct command *c, int sig);

/* A child that was never let go ends without having run anything. */
void command_fini(struct command *c);

#endif
