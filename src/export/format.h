/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * format.h - the formats that a trace can be exported to.
 *
 * One row of the table for each. All of them stream: what they keep grows with
 * processes and channels, never with messages. A struct exporter is one
 * conversion; the caller owns it, its sink and everything in struct
 * report_info, which must outlive it. Errors stick and are returned by each
 * later call; why then says more, where there is more to say.
 */
#ifndef IPCSPY_FORMAT_H
#define IPCSPY_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "export/report.h"
#include "export/sink.h"
#include "model/model.h"

struct exporter;

struct export_format {
	const char *name, *summary;
	bool binary;   /* nothing for a terminal */
	bool own_file; /* writes to the path by itself: the sink is not used */
	size_t state_size;
	/* Each returns 0 or -errno; NULL: nothing to do. */
	int (*begin)(struct exporter *x);
	int (*message)(struct exporter *x, const struct message *msg);
	int (*op)(struct exporter *x, const struct operation *op);
	int (*end)(struct exporter *x, const struct model *m);
	/* After each begin, failed ones too. */
	void (*fini)(struct exporter *x);
};

struct exporter {
	const struct export_format *format;
	const struct report_info *info;
	uint64_t start_ns; /* of the trace, CLOCK_MONOTONIC */
	struct sink *out;
	const char *path; /* of own_file */
	bool escape;      /* what is written goes to a terminal */
	struct strbuf why;
	const char *note; /* worth saying of what was exported, static; NULL: nothing is */
	int err;
	void *state; /* the format's own, zeroed at begin */
};

/* The table; ends with NULL. The first one is the default. */
extern const struct export_format *const formats[];

/* NULL: there is none of this name. */
const struct export_format *format_by_name(const char *name);

/* exporter_fini() is due from then on; info, start_ns and maybe path are still to be set. */
void exporter_init(struct exporter *x, const struct export_format *format, struct sink *out);

int exporter_begin(struct exporter *x);

/* As struct model_opts has them; arg is a struct exporter. What concerns no target is left out. */
void exporter_on_message(void *arg, const struct message *msg);
void exporter_on_op(void *arg, const struct operation *op);

/* The trace is over: what only the end knows. Flushes. Returns the first error of all calls. */
int exporter_end(struct exporter *x, const struct model *m);
void exporter_fini(struct exporter *x);

/* "1700000000.123456789", seconds since 1970. */
void put_epoch(struct strbuf *sb, const struct report_info *info);

extern const struct export_format format_perfetto, format_jsonl, format_csv, format_sqlite,
	format_folded, format_dot, format_pcapng;

#endif
