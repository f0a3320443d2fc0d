// SPDX-License-Identifier: BSD-2-Clause
#include "export/tables.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* The file is new and nobody else's: what fails half-way is removed, there is nothing to undo. */
#define SETTINGS                           \
	"PRAGMA journal_mode = OFF;"       \
	"PRAGMA synchronous = OFF;"        \
	"PRAGMA locking_mode = EXCLUSIVE;" \
	"PRAGMA page_size = 16384;"

static const char tables_sql[] =
	"CREATE TABLE trace (ipcspy TEXT, schema INT, epoch TEXT, start_realtime_ns INT,"
	" duration_ns INT, events INT, host TEXT, kernel TEXT, arch TEXT, filter TEXT);"
	"CREATE TABLE processes (id INTEGER PRIMARY KEY, pid INT, start_ns INT, ppid INT,"
	" comm TEXT, exe TEXT, target INT, exited INT, exit_code INT);"
	"CREATE TABLE channels (id INTEGER PRIMARY KEY, mechanism TEXT, name TEXT, open INT,"
	" incomplete INT, unit TEXT, capacity INT, backlog_now INT, backlog_max INT,"
	" full_ns INT, dropped INT, unpaired INT, lost INT, folded INT);"
	"CREATE TABLE endpoints (channel INT REFERENCES channels, process INT REFERENCES"
	" processes, role TEXT, side INT, calls INT, messages INT, bytes INT, errors INT,"
	" would_block INT, blocked_count INT, blocked_ns INT, blocked_max_ns INT,"
	" stalled_count INT, stalled_ns INT, stalled_max_ns INT);"
	"CREATE TABLE flows (channel INT REFERENCES channels, src INT REFERENCES processes,"
	" src_addr TEXT, dst INT REFERENCES processes, dst_addr TEXT, messages INT, bytes INT,"
	" latency_count INT, latency_min_ns INT, latency_mean_ns INT, latency_p50_ns INT,"
	" latency_p90_ns INT, latency_p99_ns INT, latency_p999_ns INT, latency_max_ns INT,"
	" exact INT, settled INT, assumed INT, verdict TEXT);"
	"CREATE TABLE messages (t_ns INT, channel INT REFERENCES channels, src INT REFERENCES"
	" processes, src_tid INT, src_addr TEXT, dst INT REFERENCES processes, dst_tid INT,"
	" dst_addr TEXT, bytes INT, latency_ns INT, send_blocked_ns INT, recv_blocked_ns INT,"
	" backlog INT, what TEXT, payload BLOB);"
	"CREATE TABLE blocked (t_ns INT, process INT REFERENCES processes, tid INT, channel INT"
	" REFERENCES channels, operation TEXT, syscall TEXT, blocked_ns INT, waker_tid INT,"
	" now INT);"
	"CREATE TABLE findings (id INTEGER PRIMARY KEY, kind TEXT, severity TEXT, channel INT"
	" REFERENCES channels, text TEXT);"
	"CREATE TABLE finding_processes (finding INT REFERENCES findings, process INT"
	" REFERENCES processes);";

/* Behind the rows: an index that grows with them takes twice the time. */
static const char indexes_sql[] =
	"CREATE INDEX messages_t ON messages (t_ns);"
	"CREATE INDEX messages_channel ON messages (channel);"
	"CREATE INDEX messages_src ON messages (src);"
	"CREATE INDEX messages_dst ON messages (dst);"
	"CREATE INDEX blocked_process ON blocked (process);"
	"CREATE INDEX blocked_channel ON blocked (channel);"
	"CREATE INDEX endpoints_process ON endpoints (process);"
	"CREATE INDEX endpoints_channel ON endpoints (channel);"
	"CREATE INDEX flows_channel ON flows (channel);"
	"CREATE INDEX processes_pid ON processes (pid);"
	"CREATE VIEW lines AS SELECT m.t_ns, c.mechanism, m.channel, c.name,"
	" s.pid AS src_pid, m.src_tid, s.comm AS src_comm, m.src_addr,"
	" d.pid AS dst_pid, m.dst_tid, d.comm AS dst_comm, m.dst_addr,"
	" m.bytes, m.latency_ns, m.send_blocked_ns, m.recv_blocked_ns, m.backlog, m.what,"
	" length(m.payload) AS payload_len, m.payload"
	" FROM messages m JOIN channels c ON c.id = m.channel"
	" LEFT JOIN processes s ON s.id = m.src LEFT JOIN processes d ON d.id = m.dst;"
	"COMMIT";

static const struct {
	const char *table;
	int columns;
} rows[ROW_MAX] = {
	[ROW_TRACE] = {"trace", 10},
	[ROW_PROCESS] = {"processes", 9},
	[ROW_CHANNEL] = {"channels", 14},
	[ROW_ENDPOINT] = {"endpoints", 15},
	[ROW_FLOW] = {"flows", 19},
	[ROW_MESSAGE] = {"messages", 15},
	[ROW_BLOCKED] = {"blocked", 9},
	[ROW_FINDING] = {"findings", 5},
	[ROW_FINDING_PROCESS] = {"finding_processes", 2},
};

static int errno_of(int code)
{
	static const struct {
		int code, err;
	} known[] = {
		{SQLITE_OK, 0},         {SQLITE_DONE, 0},           {SQLITE_NOMEM, -ENOMEM},
		{SQLITE_FULL, -ENOSPC}, {SQLITE_CANTOPEN, -EACCES},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].code == (code & 0xff)) /* the rest says more of the same */
			return known[i].err;
	return -EIO;
}

int tables_exec(struct tables *t, const char *sql)
{
	return errno_of(sqlite3_exec(t->db, sql, NULL, NULL, NULL));
}

static int prepare(struct tables *t, enum row_kind kind)
{
	struct strbuf sql;
	int err;

	strbuf_init(&sql);
	strbuf_printf(&sql, "INSERT OR REPLACE INTO %s VALUES (?", rows[kind].table);
	for (int i = 1; i < rows[kind].columns; i++)
		strbuf_puts(&sql, ",?");
	strbuf_putc(&sql, ')');
	err = sql.err;
	if (!err)
		err = errno_of(sqlite3_prepare_v2(t->db, sql.s, -1, &t->insert[kind], NULL));
	strbuf_fini(&sql);
	return err;
}

/*
 * The path without links on the way, because SQLite is told to follow none: the last name
 * shall not become one, the directories may be.
 */
static char *without_links(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	char *real = dir ? realpath(dir, NULL) : NULL;
	struct strbuf sb;
	char *joined;

	strbuf_init(&sb);
	strbuf_printf(&sb, "%s/%s", real ? real : ".", name);
	joined = real && !sb.err ? strdup(sb.s) : NULL;
	strbuf_fini(&sb);
	free(real);
	free(dir);
	return joined;
}

int tables_open(struct tables *t, const char *path)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX, err;
	char *real;

	hmap_init(&t->procs);
	hmap_init(&t->chans);
	real = without_links(path);
	if (!real)
		return -ENOMEM;
	err = errno_of(sqlite3_open_v2(real, &t->db, flags, NULL));
	free(real);
	err = err ? err : tables_exec(t, SETTINGS);
	err = err ? err : tables_exec(t, "BEGIN");
	err = err ? err : tables_exec(t, tables_sql);
	for (int kind = 0; !err && kind < ROW_MAX; kind++)
		err = prepare(t, (enum row_kind)kind);
	return err;
}

int tables_finish(struct tables *t)
{
	return tables_exec(t, indexes_sql);
}

void tables_close(struct tables *t)
{
	for (int kind = 0; kind < ROW_MAX; kind++)
		sqlite3_finalize(t->insert[kind]);
	sqlite3_close(t->db);
	hmap_fini(&t->procs);
	hmap_fini(&t->chans);
}

void row_begin(struct tables *t, enum row_kind kind)
{
	t->row = t->insert[kind];
	t->column = 0;
	t->code = SQLITE_OK;
}

/* The first failure stays. */
static void bound(struct tables *t, int code)
{
	if (t->code == SQLITE_OK)
		t->code = code;
}

void row_i64(struct tables *t, int64_t v)
{
	bound(t, sqlite3_bind_int64(t->row, ++t->column, v));
}

void row_u64(struct tables *t, uint64_t v)
{
	row_i64(t, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

void row_null(struct tables *t)
{
	bound(t, sqlite3_bind_null(t->row, ++t->column));
}

void row_text(struct tables *t, const char *s)
{
	struct strbuf sb;
	int code = SQLITE_NOMEM;

	if (!s) {
		row_null(t);
		return;
	}
	strbuf_init(&sb);
	strbuf_put_utf8(&sb, s, strlen(s));
	if (!sb.err && sb.len <= INT_MAX)
		code = sqlite3_bind_text(t->row, ++t->column, sb.s, (int)sb.len, SQLITE_TRANSIENT);
	bound(t, code);
	strbuf_fini(&sb);
}

void row_blob(struct tables *t, const void *v, size_t len)
{
	int code = SQLITE_TOOBIG;

	/* of an empty one SQLite must not see NULL, which is no value at all */
	if (len <= INT_MAX)
		code = sqlite3_bind_blob(t->row, ++t->column, len ? v : "", (int)len,
					 SQLITE_TRANSIENT);
	bound(t, code);
}

int row_end(struct tables *t)
{
	if (t->code == SQLITE_OK)
		t->code = sqlite3_step(t->row);
	sqlite3_reset(t->row);
	return errno_of(t->code);
}
