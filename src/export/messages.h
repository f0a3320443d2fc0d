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
 * The same as a row of RFC 4180: lines end with CR LF, what is not there is empty. escape:
 * nothing that a terminal would take for orders. The titles, with extra as the last one,
 * whose column stays empty.
 */
int message_csv_head(struct sink *out, const char *extra);
int message_csv(struct sink *out, const struct message *msg, uint64_t start_ns, bool escape);

/*
 * The titles, and one line in aligned columns, cut behind width columns (0: not
 * cut). ascii: the output takes nothing else.
 */
int message_text_head(struct sink *out, unsigned int width, bool ascii);
int message_text(struct sink *out, const struct message *msg, uint64_t start_ns, unsigned int width,
		 bool ascii);

#endif
