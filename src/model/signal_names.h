/* SPDX-License-Identifier: BSD-2-Clause */
/* signal_names.h - what signals and their senders are called. Owns constant data only. */
#ifndef IPCSPY_SIGNAL_NAMES_H
#define IPCSPY_SIGNAL_NAMES_H

#define SIGNALS_MAX     64 /* _NSIG; numbers begin at 1 */
#define SIGNAL_RT_FIRST 32 /* the kernel's: the C library keeps 32 and 33 for itself */
#define SIGNAL_NAME_LEN 24

/* "SIGINT", "SIGRTMIN+3" as kill(1) counts them, "SIG32"; static or into buf. */
const char *signal_name(unsigned int signo, char buf[SIGNAL_NAME_LEN]);

/*
 * Who sends a signal that no process sends, by its number and si_code
 * (sigaction(2)): "kernel", "terminal", "timer", "child exit", ...
 */
const char *signal_source(unsigned int signo, int code);

#endif
