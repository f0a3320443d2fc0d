/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.h - a live trace from end to end: of what, shown where, recorded where, as the
 * options say.
 */
#ifndef IPCSPY_TRACE_H
#define IPCSPY_TRACE_H

#include "cmd/opts.h"

/* Returns an exit status; what went wrong is said. */
int trace_run(const struct opts *o);

#endif
