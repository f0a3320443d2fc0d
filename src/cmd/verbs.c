// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/opts.h"
#include "cmd/privileges.h"

const struct verb verbs[] = {
	{NULL, "FILTER [OPTION]...", "trace running processes", VERB_WATCH, opts_check_watch,
	 cmd_trace},
	{NULL, "[OPTION]... -- COMMAND [ARG]...", "run a command and trace it", VERB_WATCH,
	 opts_check_watch, cmd_trace},
	{"why", "why [OPTION]... PID...", "why is it stuck: who waits for whom, now", VERB_WHY,
	 opts_check_why, cmd_why},
	{"record", "record -o FILE FILTER|-- COMMAND", "trace into a file", VERB_RECORD,
	 opts_check_record, cmd_trace},
	{"report", "report [OPTION]... FILE", "the report, from such a file", VERB_REPORT,
	 opts_check_report, cmd_report},
	{"export", "export [--to FORMAT] [-o OUT] FILE", "the messages, in other programs' formats",
	 VERB_EXPORT, opts_check_export, cmd_export},
	{"doctor", "doctor", "what this kernel and these privileges give", VERB_DOCTOR,
	 opts_check_doctor, cmd_doctor},
	{"help", "help [VERB]", "this text", VERB_HELP, opts_check_help, cmd_help},
	{NULL, NULL, NULL, 0, NULL, NULL},
};

static int verb_run(const struct verb *v, int argc, char **argv)
{
	struct strbuf why;
	struct opts o = {0};
	int status, err;

	strbuf_init(&why);
	err = v->id & VERBS_FILES ? privileges_drop() : 0;
	if (!err)
		err = opts_parse(&o, v->id, argc, argv, &why);
	if (!err && o.help)
		status = cmd_print_help(v->id);
	else if (!err && o.version)
		status = cmd_print_version();
	else if (!err && !(err = v->check(&o, &why)))
		status = v->run(&o);
	else
		status = err == -EINVAL ? cmd_usage(why.s) : EXIT_ERROR;
	if (err && err != -EINVAL)
		cmd_error("%s", strerror(-err));
	opts_fini(&o);
	strbuf_fini(&why);
	return status;
}

int cmd_main(int argc, char **argv)
{
	const struct verb *v = verbs;

	while (argc > 1 && v->run && !(v->name && !strcmp(v->name, argv[1])))
		v++;
	if (argc > 1 && v->run)
		return verb_run(v, argc - 1, argv + 1);
	return verb_run(verbs, argc, argv);
}
