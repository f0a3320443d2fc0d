/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>

#include "demo.h"
#include "opts.h"
#include "run.h"

enum { EXIT_WHOLE = 0, EXIT_ERROR = 1, EXIT_USAGE = 2 };

static void print_help(const struct demo_workload *w)
{
	const struct demo_workload *row;

	if (w) {
		printf("Usage: ipcspy-demo %s [OPTION]...\n%s.\n\n", w->name, w->help);
		opts_print_help(stdout, w);
		return;
	}
	printf("Usage: ipcspy-demo NAME [OPTION]...\n"
	       "Run a reference workload that knows what it sent, and write down its truth.\n\n");
	for (size_t i = 0; (row = opts_workload(i)); i++)
		printf("  %-16s %s\n", row->name, row->help);
	printf("\nOptions (NAME --help: those of one workload, with its defaults):\n");
	opts_print_help(stdout, NULL);
	printf("\nDurations take a unit: 10us, 5ms, 2s. Exit status: 0 everything sent was "
	       "received,\n"
	       "1 error, 2 usage. What each field of the truth means is said in "
	       "src/demo/truth.h.\n");
}

/* A help text that did not reach its reader is an error like any other. */
static int flush_stdout(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return EXIT_WHOLE;
	fprintf(stderr, "ipcspy-demo: cannot write to stdout\n");
	return EXIT_ERROR;
}

int main(int argc, char **argv)
{
	struct demo_cmdline cmd;
	struct demo_run run;
	char why[256] = "";
	int err;

	if (opts_parse(&cmd, argc, argv, why, sizeof(why))) {
		fprintf(stderr, "ipcspy-demo: %s; try --help\n", why);
		return EXIT_USAGE;
	}
	if (cmd.action == DEMO_ACT_HELP) {
		print_help(cmd.workload);
		return flush_stdout();
	}
	if (cmd.action == DEMO_ACT_VERSION) {
		printf("ipcspy-demo %s\n", IPCSPY_VERSION);
		return flush_stdout();
	}
	err = run_init(&run, cmd.workload, &cmd.opts);
	if (!err)
		err = cmd.workload->run(&run);
	run_fini(&run);
	if (!err)
		return EXIT_WHOLE;
	fprintf(stderr, "ipcspy-demo: %s: %s\n", cmd.workload->name, run.why);
	return run.usage ? EXIT_USAGE : EXIT_ERROR;
}
