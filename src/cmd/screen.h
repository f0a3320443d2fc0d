/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * screen.h - the alternate screen of a terminal, and that nothing leaves us on it.
 *
 * Process-wide state, as the terminal is: at most one screen. While it is
 * entered, signals that kill or stop us leave it first. The descriptor is the
 * caller's and must stay open until screen_leave().
 */
#ifndef IPCSPY_SCREEN_H
#define IPCSPY_SCREEN_H

/* Enters it, anew after a stop (Ctrl-Z). Nothing when it is entered. Returns 0 or -errno. */
int screen_enter(int fd);

/* Back to the screen there was. Nothing when it is not entered. Safe in a signal handler. */
void screen_leave(void);

#endif
