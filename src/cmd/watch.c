// SPDX-License-Identifier: BSD-2-Clause
/* watch - trace processes or a command and report who talks to whom. */
#include <errno.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/opts.h"
#include "cmd/trace.h"

int cmd_watch(int argc, char **argv)
{
	struct strbuf why;
	struct opts o;
	int status, err;

	strbuf_init(&why);
	err = opts_parse(&o, VERB_WATCH, argc, argv, &why);
	if (!err && o.help)
		status = cmd_print_help(VERB_WATCH);
	else if (!err && o.version)
		status = cmd_print_version();
	else if (!err && !(err = opts_check_watch(&o, &why)))
		status = trace_run(&o);
	else
		status = err == -EINVAL ? cmd_usage(why.s) : EXIT_ERROR;
	if (err && err != -EINVAL)
		cmd_error("%s", strerror(-err));
	opts_fini(&o);
	strbuf_fini(&why);
	return status;
}
