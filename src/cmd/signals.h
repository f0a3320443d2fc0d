/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signals.h - the signals that end a trace.
 *
 * Process-wide state, as signals are. SIGPIPE and SIGXFSZ are ignored so that a reader that
 * went away, or a file as long as it may be, is an error of write(2) and the report in a
 * file is not lost.
 */
#ifndef IPCSPY_SIGNALS_H
#define IPCSPY_SIGNALS_H

#include <stdbool.h>

/* Ignores them; remembers what they were for a child. */
void signals_ignore_write(void);
void signals_restore_write(void); /* in a child, before it becomes another program */

/*
 * Counts SIGINT, SIGTERM and SIGHUP (unless that was ignored) from now on. The
 * spare_ints first SIGINTs do not ask for an end: they were meant for the
 * command that runs on the same terminal. After the one that does, the next
 * SIGINT kills, for the case that the report itself hangs. Returns 0 or -errno.
 */
int signals_init(unsigned int spare_ints);

/* An end was asked for. */
bool signals_stop(void);

/* ... by SIGTERM or SIGHUP, which the command has not had. */
bool signals_terminated(void);

/* Counts SIGUSR1 from now on. Returns 0 or -errno. */
int signals_catch_dump(void);

/* Whether one came since the last call. */
bool signals_dump(void);

#endif
