// SPDX-License-Identifier: BSD-2-Clause
/* What is to be said of a recording after it was read. */
#include "cmd/cmd.h"
#include "cmd/replay.h"

int cmd_replayed(const struct replay *r, const char *name, const char *done)
{
	struct strbuf sb;

	if (r->truncated) {
		strbuf_init(&sb);
		strbuf_printf(&sb, "%s; what is %s are the first %llu bytes, %llu events",
			      replay_missing(r), done, (unsigned long long)r->read_bytes,
			      (unsigned long long)r->info.events);
		cmd_error_of(name, sb.err ? replay_missing(r) : sb.s);
		strbuf_fini(&sb);
	}
	return r->truncated || report_has_loss(r->model) || r->malformed || r->lost ? EXIT_LOST
										    : EXIT_WHOLE;
}
