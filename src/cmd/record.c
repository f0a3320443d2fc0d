// SPDX-License-Identifier: BSD-2-Clause
/* record - trace processes or a command into a file, for report and export. */
#include <errno.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/opts.h"
#include "cmd/trace.h"

int cmd_record(int argc, char **argv)
{
	struct strbuf why;
	struct opts o;
	int status, err;

	strbuf_init(&why);
	err = opts_parse(&o, VERB_RECORD, argc, argv, &why);
	if (!err && o.help)
		status = cmd_print_help(VERB_RECORD);
	else if (!err && o.version)
		status = cmd_print_version();
	else if (!err && !(err = opts_check_record(&o, &why)))
		status = trace_run(&o);
	else
		status = err == -EINVAL ? cmd_usage(why.s) : EXIT_ERROR;
	if (err && err != -EINVAL)
		cmd_error("%s", strerror(-err));
	opts_fini(&o);
	strbuf_fini(&why);
	return status;
}
