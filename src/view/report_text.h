/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report_text.h - the report for people.
 *
 * Says what the JSON report says, in the width of a terminal, with units, the
 * worst first. Reads the model, changes nothing, owns nothing.
 */
#ifndef IPCSPY_REPORT_TEXT_H
#define IPCSPY_REPORT_TEXT_H

#include "export/report.h"
#include "view/table.h"

struct text_opts {
	struct text_style style;
	size_t max_rows; /* of each table; 0: all */
};

/* Returns 0, -ENOMEM, or the sink's -errno. */
int report_text(struct sink *out, const struct text_opts *opts, const struct report_info *info,
		const struct model *m);

#endif
