// SPDX-License-Identifier: BSD-2-Clause
/*
 * Scenes through the model to each format of export, held against the files in
 * tests/golden where they are text.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "analysis/blame.h"
#include "export/format.h"
#include "feed.h"
#include "golden_file.h"
#include "golden_scene.h"
#include "tmp.h"

struct exported {
	struct exporter x;
	struct sink out;
	struct player player;
	struct report_info info;
};

static void begin_with(struct exported *e, const char *format, uint64_t start_ns, const char *path)
{
	*e = (struct exported){0};
	sink_init_mem(&e->out);
	e->info = (struct report_info){
		.blame = blame_new(),
		.host = "example",
		.kernel = "6.1.0-test",
		.arch = "x86_64",
		.filter = "-a",
		.start_realtime_ns = 1700000000000000042,
		.duration_ns = SEC,
	};
	assert_non_null(e->info.blame);
	assert_non_null(format_by_name(format));
	exporter_init(&e->x, format_by_name(format), &e->out);
	e->x.info = &e->info;
	e->x.start_ns = start_ns;
	e->x.path = path;
}

static void begin(struct exported *e, const char *format, uint64_t start_ns, const char *path)
{
	begin_with(e, format, start_ns, path);
	assert_int_equal(exporter_begin(&e->x), 0);
	e->player.model = model_new(&(struct model_opts){
		.start_ns = start_ns,
		.on_message = exporter_on_message,
		.on_message_arg = &e->x,
		.on_op = exporter_on_op,
		.on_op_arg = &e->x,
		.on_blocked = blame_on_blocked,
		.on_fold = blame_on_fold,
		.on_blocked_arg = e->info.blame,
	});
	assert_non_null(e->player.model);
}

static void end(struct exported *e, uint64_t end_ns)
{
	assert_int_equal(model_finish(e->player.model, end_ns), 0);
	assert_int_equal(exporter_end(&e->x, e->player.model), 0);
}

static void play(struct exported *e, const char *format, const struct scene *s, const char *path)
{
	begin(e, format, SCENE_START_NS, path);
	e->info.filter = s->filter;
	e->info.duration_ns = s->duration_us * US;
	s->play(&e->player);
	end(e, SCENE_START_NS + s->duration_us * US);
}

static void fini(struct exported *e)
{
	exporter_fini(&e->x);
	model_free(e->player.model);
	blame_free(e->info.blame);
	sink_fini(&e->out);
}

static void text_formats(void **state)
{
	static const char *const names[] = {"csv", "folded", "dot"};
	char suffix[32];
	struct exported e;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		for (const struct scene *s = scenes; s->name; s++) {
			play(&e, names[i], s, NULL);
			snprintf(suffix, sizeof(suffix), ".%s", names[i]);
			golden_compare(s->name, suffix, &e.out.buf);
			fini(&e);
		}
	}
}

/* The lines themselves are those of -t. */
static void jsonl_begins_with_the_epoch(void **state)
{
	struct exported e;

	(void)state;
	play(&e, "jsonl", &scenes[0], NULL);
	assert_ptr_equal(strstr(e.out.buf.s, "{\"ipcspy\":\"" IPCSPY_VERSION "\",\"schema\":1,"
					     "\"epoch\":\"1700000000.000000042\","),
			 e.out.buf.s);
	assert_non_null(strstr(e.out.buf.s, "\n{\"t_ns\":"));
	fini(&e);
}

static size_t count(const char *s, const char *what)
{
	size_t cnt = 0;

	for (; (s = strstr(s, what)); s += strlen(what))
		cnt++;
	return cnt;
}

/* Two messages from 10 to 11, which is blocked for 30 us before the first. */
static void two_messages(struct exported *e, const char *comm)
{
	struct feed f = {.m = e->player.model};
	struct ev_op op;

	feed_proc(&f, 10, comm);
	feed_proc(&f, 11, "reader");
	feed_pipe(&f, 5);
	feed_send(&f, MECH_PIPE, 5, 10, T0 + 100 * US, T0 + 110 * US, 7);
	op = op_make(MECH_PIPE, OP_RECV, 5, 11, T0 + 70 * US, T0 + 111 * US, 7);
	op.blocked_ns = 30 * US;
	op.waker_tid = 10;
	feed_op(&f, &op);
	feed_send(&f, MECH_PIPE, 5, 10, T0 + 200 * US, T0 + 210 * US, 9);
	feed_recv(&f, MECH_PIPE, 5, 11, T0 + 220 * US, T0 + 230 * US, 9);
	end(e, T0 + MS);
}

static void csv_quotes_what_it_must(void **state)
{
	struct exported e;

	(void)state;
	begin(&e, "csv", T0, NULL);
	two_messages(&e, "a,\"b\"\r\nc\033\xff");
	assert_non_null(strstr(e.out.buf.s, ",\"a,\"\"b\"\"\r\nc\033\xef\xbf\xbd\","));
	assert_int_equal(count(e.out.buf.s, ",\r\n"), 2);
	fini(&e);
}

static void csv_on_a_terminal_gives_no_orders(void **state)
{
	struct exported e;

	(void)state;
	begin(&e, "csv", T0, NULL);
	e.x.escape = true;
	two_messages(&e, "a\033[2J\r\n\"b\xff");
	assert_non_null(strstr(e.out.buf.s, ",\"a\\x1b[2J\\r\\n\"\"b\\xff\","));
	fini(&e);
}

static void folded_tells_who_ended_the_wait(void **state)
{
	struct exported e;

	(void)state;
	begin(&e, "folded", T0, NULL);
	two_messages(&e, "a;b 7\n");
	assert_string_equal(e.out.buf.s, "reader[11];pipe:[5] (recv);a\\x3bb 7\\n[10] 30000\n");
	fini(&e);
}

/* It is the time asleep, as in endpoints: not that in the call, nor that of an idle server. */
static void folded_has_what_still_sleeps(void **state)
{
	struct exported e;
	struct feed f;

	(void)state;
	begin(&e, "folded", T0, NULL);
	f = (struct feed){.m = e.player.model};
	feed_proc(&f, 10, "w");
	feed_pipe(&f, 5);
	feed_pipe(&f, 6);
	feed_snap(&f, SNAPF_HOLDS, T0 + MS);
	feed_hold(&f, 5, 11, HOLDF_READ);
	feed_inflight(&f, MECH_PIPE, OP_SEND, 5, 10, T0, T0 + MS, 600 * US);
	feed_inflight(&f, MECH_PIPE, OP_ACCEPT, 6, 11, T0, T0 + MS, MS);
	feed_snap(&f, SNAPF_HOLDS | SNAPF_END, T0 + MS);
	end(&e, T0 + MS);
	assert_string_equal(e.out.buf.s, "w[10];pipe:[5] (send);?[11] 600000\n");
	fini(&e);
}

static void dot_escapes_labels(void **state)
{
	struct exported e;

	(void)state;
	begin(&e, "dot", T0, NULL);
	two_messages(&e, "a\"]\n\\");
	assert_non_null(strstr(e.out.buf.s, "[label=\"a\\\"]\\\\n\\\\\\\\\\n10\""));
	assert_non_null(strstr(e.out.buf.s, "2 msg, 16 B"));
	fini(&e);
}

/* Who has no number in this pid namespace has the machine's, and that is said. */
static void outside_is_told_apart(void **state)
{
	static const char *const names[] = {"folded", "dot", "pcapng"};
	const uint32_t pid = 102 | PID_OUTSIDE;
	struct exported e;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct feed f;
		struct ev_op op;

		begin(&e, names[i], T0, NULL);
		f = (struct feed){.m = e.player.model};
		feed_pipe(&f, 5);
		feed_send(&f, MECH_PIPE, 5, pid, T0, T0 + 10 * US, 7);
		op = op_make(MECH_PIPE, OP_RECV, 5, 11, T0, T0 + 11 * US, 7);
		op.blocked_ns = 10 * US;
		op.waker_tid = pid;
		feed_op(&f, &op);
		end(&e, T0 + MS);
		assert_non_null(memmem(e.out.buf.s, e.out.buf.len, "outside:102", 11));
		assert_null(memmem(e.out.buf.s, e.out.buf.len, "8388710", 7));
		fini(&e);
	}
}

static int64_t query(const char *path, const char *sql)
{
	sqlite3_stmt *stmt;
	sqlite3 *db;
	int64_t v;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	v = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return v;
}

static void new_file(char *path, void **state, const char *name)
{
	int fd;

	tmp_path(path, state, name);
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void databases(void **state)
{
	struct exported e;

	for (const struct scene *s = scenes; s->name; s++) {
		char path[PATH_MAX];
		int64_t messages = 0;

		new_file(path, state, s->name);
		play(&e, "sqlite", s, path);
		list_for_each (c, model_chans(e.player.model), struct chan, in_model)
			list_for_each (f, &c->flows, struct flow, in_chan)
				messages += (int64_t)f->messages;
		fini(&e);
		assert_int_equal(query(path, "SELECT count(*) FROM lines"), messages);
		assert_int_equal(query(path, "SELECT sum(messages) FROM flows"), messages);
	}
}

/* More processes and channels than the model keeps, each with one message. */
static void database_of_many(void **state)
{
	struct exported e;
	struct feed f;
	char path[PATH_MAX];

	new_file(path, state, "many");
	begin(&e, "sqlite", T0, path);
	f = (struct feed){.m = e.player.model};
	feed_proc(&f, 11, "reader");
	for (uint32_t i = 0; i < 4500; i++) {
		uint64_t t = T0 + i * US;

		feed_proc(&f, 100 + i, i % 3 ? "one" : "two");
		feed_pipe(&f, 1 + i / 3);
		feed_send(&f, MECH_PIPE, 1 + i / 3, 100 + i, t, t + 10, 7);
		feed_recv(&f, MECH_PIPE, 1 + i / 3, 11, t, t + 20, 7);
		feed_exit(&f, 100 + i, t + 30);
	}
	feed_snap(&f, SNAPF_HOLDS, T0 + SEC);
	feed_snap(&f, SNAPF_HOLDS | SNAPF_END, T0 + SEC);
	end(&e, T0 + SEC);
	fini(&e);
	assert_int_equal(query(path, "SELECT count(*) FROM processes WHERE NOT exited"), 1);
	assert_int_equal(query(path, "SELECT count(*) FROM channels WHERE open"), 0);
	assert_int_equal(query(path, "SELECT sum(messages) FROM endpoints JOIN processes p ON "
				     "p.id = process WHERE role = 'send' AND comm = 'two'"),
			 1500);
}

/* Two messages with bytes, of which 3 and 4 are kept, and one without. */
static void with_payload(struct exported *e)
{
	struct feed f = {.m = e->player.model};
	struct ev_op op;

	feed_proc(&f, 10, "a\033[2J");
	feed_proc(&f, 11, "reader");
	feed_pipe(&f, 5);
	op = op_make(MECH_PIPE, OP_SEND, 5, 10, T0 + 100 * US, T0 + 110 * US, 7);
	feed_op_payload(&f, &op, "a\0\xff", 3);
	op = op_make(MECH_PIPE, OP_SEND, 5, 10, T0 + 120 * US, T0 + 130 * US, 4);
	feed_op_payload(&f, &op, "four", 4);
	feed_send(&f, MECH_PIPE, 5, 10, T0 + 140 * US, T0 + 150 * US, 9);
	feed_recv(&f, MECH_PIPE, 5, 11, T0 + 160 * US, T0 + 170 * US, 20);
	end(e, T0 + MS);
}

static void database_has_payload(void **state)
{
	struct exported e;
	char path[PATH_MAX];

	new_file(path, state, "payload");
	begin(&e, "sqlite", T0, path);
	with_payload(&e);
	fini(&e);
	assert_int_equal(query(path, "SELECT count(*) FROM lines WHERE payload = x'6100ff'"), 1);
	assert_int_equal(query(path, "SELECT count(*) FROM lines WHERE payload = x'666f7572'"), 1);
	assert_int_equal(query(path, "SELECT count(*) FROM lines WHERE payload IS NULL"), 1);
}

static uint32_t le32(const char *p)
{
	const uint8_t *b = (const uint8_t *)p;

	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* The blocks of the file, each of which says at both ends how long it is. */
static size_t blocks_of(const struct strbuf *sb, const char **v, size_t max)
{
	size_t cnt = 0, at = 0;

	for (; at < sb->len; at += le32(v[cnt++] + 4)) {
		uint32_t len = le32(sb->s + at + 4);

		assert_true(cnt < max);
		assert_true(len >= 12 && len % 4 == 0 && len <= sb->len - at);
		assert_int_equal(le32(sb->s + at + len - 4), len);
		v[cnt] = sb->s + at;
	}
	assert_int_equal(at, sb->len);
	return cnt;
}

/* A packet of so many bytes, which ends with those that were kept. */
static void check_packet(const char *block, uint64_t ns, const char *kept, uint32_t len,
			 uint32_t bytes)
{
	uint32_t caplen = le32(block + 20), whole = le32(block + 24);

	assert_int_equal(le32(block), 6);
	assert_int_equal(le32(block + 8), 0);
	assert_int_equal((uint64_t)le32(block + 12) << 32 | le32(block + 16), ns);
	assert_int_equal(whole - caplen, bytes - len);
	assert_memory_equal(block + 28 + caplen - len, kept, len);
}

static void packets(void **state)
{
	const uint64_t ns = 1700000000000000042 + 170 * US;
	const char *v[8];
	struct exported e;

	(void)state;
	begin(&e, "pcapng", T0, NULL);
	with_payload(&e);
	assert_int_equal(blocks_of(&e.out.buf, v, 8), 5);
	assert_int_equal(le32(v[0]), 0x0a0d0d0a);
	assert_int_equal(le32(v[0] + 8), 0x1a2b3c4d);
	assert_int_equal(le32(v[1]), 1);
	assert_int_equal(le32(v[1] + 8), 252);
	assert_memory_equal(v[1] + 20, "pipe", 4);
	check_packet(v[2], ns, "a\0\xff", 3, 7);
	check_packet(v[3], ns, "four", 4, 4);
	check_packet(v[4], ns, "", 0, 9);
	for (size_t i = 0; i < e.out.buf.len; i++)
		assert_int_not_equal(e.out.buf.s[i], '\033');
	fini(&e);
}

static void packets_without_bytes_say_so(void **state)
{
	struct exported e;

	(void)state;
	begin_with(&e, "pcapng", T0, NULL);
	assert_int_equal(exporter_begin(&e.x), 0);
	assert_non_null(e.x.note);
	fini(&e);
	begin_with(&e, "pcapng", T0, NULL);
	e.info.payload_bytes = 64;
	assert_int_equal(exporter_begin(&e.x), 0);
	assert_null(e.x.note);
	fini(&e);
}

static void no_database_without_a_file(void **state)
{
	struct exported e;

	(void)state;
	begin_with(&e, "sqlite", T0, "/nonexistent/x");
	assert_true(exporter_begin(&e.x) < 0);
	fini(&e);
}

static void formats_have_names_and_summaries(void **state)
{
	(void)state;
	for (const struct export_format *const *f = formats; *f; f++) {
		assert_ptr_equal(format_by_name((*f)->name), *f);
		assert_non_null((*f)->summary);
	}
	assert_null(format_by_name("jpeg"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_formats),
		cmocka_unit_test(jsonl_begins_with_the_epoch),
		cmocka_unit_test(csv_quotes_what_it_must),
		cmocka_unit_test(csv_on_a_terminal_gives_no_orders),
		cmocka_unit_test(folded_tells_who_ended_the_wait),
		cmocka_unit_test(folded_has_what_still_sleeps),
		cmocka_unit_test(dot_escapes_labels),
		cmocka_unit_test(outside_is_told_apart),
		TMP_TEST(databases),
		TMP_TEST(database_of_many),
		TMP_TEST(database_has_payload),
		cmocka_unit_test(packets),
		cmocka_unit_test(packets_without_bytes_say_so),
		cmocka_unit_test(no_database_without_a_file),
		cmocka_unit_test(formats_have_names_and_summaries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
