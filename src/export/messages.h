/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * messages.h - one line for each message that found its receiver (-t).
 *
 * One table of columns serves every format. A line is appended to the sink;
 * when it is written out is the caller's business. No state.
 */
#ifndef IPCSPY_MESSAGES_H
#define IPCSPY_MESSAGES_H

#include <stdbool.h>

#include "export/sink.h"
#include "model/model.h"

/* One flat JSON object. Times are relative to start_ns. Returns 0 or the sink's -errno. */
int message_jsonl(struct sink *out, const struct message *msg, uint64_t start_ns);

/*
 * The titles, and one line in aligned columns, cut behind width columns (0: not
 * cut). ascii: the output takes nothing else.
 */
int message_text_head(struct sink *out, unsigned int width, bool ascii);
int message_text(struct sink *out, const struct message *msg, uint64_t start_ns, unsigned int width,
		 bool ascii);

#endif
