/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.h - what a report needs to know beside the model, and the report as JSON.
 *
 * Everything in struct report_info is borrowed for the call.
 */
#ifndef IPCSPY_REPORT_H
#define IPCSPY_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "export/json.h"
#include "model/model.h"

struct blame;

struct report_info {
	struct blame *blame; /* fed with the trace; NULL: nobody is blamed */
	const char *host, *kernel, *arch;
	const char *filter;    /* the options that chose the targets, as typed: "-p 12 -f" */
	const char *chosen_by; /* the pattern or cgroup among them, NULL: none */
	uint64_t start_realtime_ns;
	uint64_t duration_ns;
	uint64_t events;   /* records taken in */
	char *const *argv; /* of the command that was run, NULL-terminated; NULL when none was */
	uint32_t command_pid;
	uint64_t payload_bytes; /* of each message that a recording has, 0: none */
	bool command_ended;
	int command_status; /* as wait(2) gives it */
};

/*
 * Writes the report of schema 1 as one JSON object, under key where that is not
 * NULL. Returns 0, -ENOMEM, or the sink's -errno.
 */
int report_json(struct json *j, const char *key, const struct report_info *info,
		const struct model *m);

/* Exit status as a shell tells it: the code, or 128 + the signal. */
int status_as_shell(int wait_status);

/* Whether anything was lost or left out, so that no number is whole. */
bool report_has_loss(const struct model *m);

#endif
