/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * opts.h - the command line of ipcspy-demo. Owns nothing: strings point into argv.
 */
#ifndef DEMO_OPTS_H
#define DEMO_OPTS_H

#include <stddef.h>
#include <stdio.h>

#include "demo.h"

enum demo_action { DEMO_ACT_RUN = 0, DEMO_ACT_HELP = 1, DEMO_ACT_VERSION = 2 };

struct demo_cmdline {
	enum demo_action action;
	const struct demo_workload *workload; /* may be NULL with DEMO_ACT_HELP */
	struct demo_opts opts;
};

/*
 * Parses argv. Returns 0, or -EINVAL with one sentence in why: a usage error.
 */
int opts_parse(struct demo_cmdline *cmd, int argc, char **argv, char *why, size_t why_len);

/* The i-th workload, NULL past the end. */
const struct demo_workload *opts_workload(size_t i);

/* Prints the options a workload heeds, with its defaults; all of them for NULL. */
void opts_print_help(FILE *to, const struct demo_workload *w);

#endif
