// SPDX-License-Identifier: BSD-2-Clause
#include <stddef.h>

#include "cmd/cmd.h"
#include "cmd/opts.h"

const struct verb verbs[] = {
	{NULL, "FILTER [OPTION]...", "trace running processes", VERB_WATCH, cmd_watch},
	{NULL, "[OPTION]... -- COMMAND [ARG]...", "run a command and trace it", VERB_WATCH,
	 cmd_watch},
	{"why", "why [OPTION]... PID...", "why is it stuck: who waits for whom, now", VERB_WHY,
	 cmd_why},
	{"record", "record -o FILE FILTER|-- COMMAND", "trace into a file", VERB_RECORD,
	 cmd_record},
	{"report", "report [OPTION]... FILE", "the report, from such a file", VERB_REPORT,
	 cmd_report},
	{"export", "export [--to FORMAT] [-o OUT] FILE", "the messages, in other programs' formats",
	 VERB_EXPORT, cmd_export},
	{"doctor", "doctor", "what this kernel and these privileges give", VERB_DOCTOR, cmd_doctor},
	{"help", "help [VERB]", "this text", VERB_HELP, cmd_help},
	{NULL, NULL, NULL, 0, NULL},
};
