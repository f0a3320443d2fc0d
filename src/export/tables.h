/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tables.h - the tables of an SQLite database, a row at a time.
 *
 * A row is begun, gets its values in the order of its columns, and is ended;
 * what fails in between is told by row_end(). Every value is bound, none is part
 * of an SQL text; text is made valid UTF-8. Functions return
 * 0 or -errno.
 */
#ifndef IPCSPY_TABLES_H
#define IPCSPY_TABLES_H

#include <stdint.h>

#include "lib/hmap.h"
#include "lib/strbuf.h"

struct sqlite3;
struct sqlite3_stmt;

enum row_kind {
	ROW_TRACE,
	ROW_PROCESS,
	ROW_CHANNEL,
	ROW_ENDPOINT,
	ROW_FLOW,
	ROW_MESSAGE,
	ROW_BLOCKED,
	ROW_FINDING,
	ROW_FINDING_PROCESS,
	ROW_MAX,
};

struct tables {
	struct sqlite3 *db;
	struct sqlite3_stmt *insert[ROW_MAX], *row; /* row: the one that is begun */
	int column, code;                           /* of the row: the last one, SQLITE_* */
	unsigned int batch_cnt;
	struct hmap procs, chans; /* the caller's: what has a row, by its own key */
};

/* path: an empty file that is the caller's alone. Creates the tables, begins a transaction. */
int tables_open(struct tables *t, const char *path);
int tables_exec(struct tables *t, const char *sql);

/* Indexes and views, and the end of the transaction. */
int tables_finish(struct tables *t);

void tables_close(struct tables *t);

void row_begin(struct tables *t, enum row_kind kind);
void row_u64(struct tables *t, uint64_t v); /* above INT64_MAX: that */
void row_i64(struct tables *t, int64_t v);
/* len bytes at v, which are copied. */
void row_blob(struct tables *t, const void *v, size_t len);
void row_text(struct tables *t, const char *s); /* NULL: null */
void row_null(struct tables *t);
int row_end(struct tables *t);

#endif
