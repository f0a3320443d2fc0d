// SPDX-License-Identifier: BSD-2-Clause
/* Recordings: what goes in comes out, and what is damaged is found, never believed. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipcspy/event.h"
#include "store/reader.h"
#include "store/writer.h"

static char *const words[] = {(char *)"sh", (char *)"", (char *)"-c\n\033", NULL};

static const struct rec_meta meta = {
	.start_ns = 1000,
	.start_realtime_ns = 1700000000000000001ull,
	.no_peers = 1,
	.mech_mask = 6,
	.command_pid = 42,
	.payload_bytes = 64,
	.version = "9.9",
	.host = "a\xffhost",
	.kernel = "6.1",
	.arch = "x86_64",
	.filter = "-p 12 -f",
	.chosen_by = NULL,
	.argv = words,
};

static int open_fd(void *arg, int *fd)
{
	*fd = *(int *)arg;
	return 0;
}

static int keep_open(void *arg)
{
	(void)arg;
	return 0;
}

/* A writer into one file. */
static int new_writer(struct rec_writer **w, int *fd, size_t blocks_max)
{
	return rec_writer_new(w, &(struct rec_writer_opts){
					 .out = {.meta = &meta, .files = {open_fd, keep_open, fd}},
					 .blocks_max = blocks_max});
}

static int new_file(void)
{
	int fd = memfd_create("recording", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static struct ev_op op_at(uint64_t i)
{
	return (struct ev_op){
		.hdr = {.kind = EV_OP, .len = sizeof(struct ev_op), .pid = 7, .ts_ns = 1000 + i},
		.chan = i * 0x9e3779b97f4a7c15ull,
		.ret = (int)i,
		.op = OP_SEND,
		.mech = MECH_PIPE,
	};
}

static void put_op(struct rec_writer *w, uint64_t i)
{
	const struct ev_op op = op_at(i);

	assert_int_equal(rec_writer_put(w, &op, sizeof(op), op.hdr.ts_ns, false), 0);
}

static const struct rec_end the_end = {
	.item = {.kind = REC_END, .len = sizeof(the_end), .flags = REC_ENDF_COMMAND_ENDED},
	.end_ns = 5000000000ull,
	.malformed = 4,
	.command_status = 0x100,
};

/* cnt operations, each followed by a tick, and the end. */
static int record(uint64_t cnt)
{
	struct rec_writer *w;
	int fd = new_file();

	assert_int_equal(new_writer(&w, &fd, 0), 0);
	for (uint64_t i = 0; i < cnt; i++) {
		put_op(w, i);
		assert_int_equal(rec_writer_tick(w, 1000 + i), 0);
	}
	assert_int_equal(rec_writer_end(w, &the_end), 0);
	rec_writer_free(w);
	return fd;
}

/* Reads all blocks of what was recorded; returns how many items were as they should be. */
static uint64_t read_items(struct rec_reader *r, bool *ended)
{
	uint64_t seen = 0;
	int n;

	*ended = false;
	while ((n = rec_reader_next(r)) == 1) {
		const struct rec_item *item;
		size_t pos = 0;

		if (r->hdr.type != REC_BLOCK_EVENTS)
			continue;
		while ((item = rec_reader_item(r, &pos))) {
			const struct ev_op op = op_at(seen / 2);

			assert_false(*ended);
			if (item->kind == REC_END) {
				assert_memory_equal(item, &the_end, sizeof(the_end));
				*ended = true;
			} else if (item->kind == REC_TICK) {
				assert_int_equal(((const struct rec_tick *)item)->now_ns,
						 op.hdr.ts_ns);
				seen++;
			} else {
				assert_int_equal(seen % 2, 0);
				assert_memory_equal(item, &op, sizeof(op));
				seen++;
			}
		}
		assert_int_equal(pos, r->hdr.raw_len);
	}
	assert_int_equal(n, 0);
	return seen;
}

static void start(struct rec_reader *r, int fd)
{
	struct strbuf why;

	strbuf_init(&why);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(rec_reader_init(r, fd, &why), 0);
	strbuf_fini(&why);
}

static void what_goes_in_comes_out(void **state)
{
	struct rec_reader r;
	int fd = record(20000); /* several blocks */
	bool ended;

	(void)state;
	start(&r, fd);
	assert_int_equal(read_items(&r, &ended), 40000);
	assert_true(ended && r.whole && !r.bad);
	assert_true(r.blocks > 6);
	assert_int_equal(r.offset, lseek(fd, 0, SEEK_END));
	rec_reader_fini(&r);
	close(fd);
}

static void meta_comes_out(void **state)
{
	struct rec_meta m;
	struct rec_reader r;
	int fd = record(0);

	(void)state;
	start(&r, fd);
	assert_int_equal(rec_reader_next(&r), 1);
	assert_int_equal(r.hdr.type, REC_BLOCK_META);
	assert_int_equal(rec_meta_decode(&m, r.raw, r.hdr.raw_len), 0);
	assert_int_equal(m.start_ns, meta.start_ns);
	assert_int_equal(m.start_realtime_ns, meta.start_realtime_ns);
	assert_int_equal(m.payload_bytes, meta.payload_bytes);
	assert_int_equal(m.no_peers, 1);
	assert_int_equal(m.mech_mask, 6);
	assert_int_equal(m.command_pid, 42);
	assert_string_equal(m.version, meta.version);
	assert_string_equal(m.host, meta.host);
	assert_string_equal(m.filter, meta.filter);
	assert_null(m.chosen_by);
	for (size_t i = 0; words[i]; i++)
		assert_string_equal(m.argv[i], words[i]);
	assert_null(m.argv[3]);
	rec_meta_fini(&m);
	rec_reader_fini(&r);
	close(fd);
}

/* Each row of the index leads to a block of events that has what the row says. */
static void the_index_is_right(void **state)
{
	struct rec_index_row rows[64];
	struct rec_block_hdr hdr;
	struct rec_footer footer;
	int fd = record(20000);
	size_t cnt;

	(void)state;
	assert_int_equal(
		pread(fd, &footer, sizeof(footer), lseek(fd, 0, SEEK_END) - (off_t)sizeof(footer)),
		sizeof(footer));
	assert_int_equal(footer.file_bytes, lseek(fd, 0, SEEK_END));
	assert_int_equal(pread(fd, &hdr, sizeof(hdr), (off_t)footer.index_offset), sizeof(hdr));
	assert_int_equal(hdr.type, REC_BLOCK_INDEX);
	assert_true(hdr.stored_len <= sizeof(rows));
	cnt = hdr.stored_len / sizeof(rows[0]);
	assert_true(cnt > 3);
	assert_int_equal(
		pread(fd, rows, hdr.stored_len, (off_t)(footer.index_offset + sizeof(hdr))),
		hdr.stored_len);
	for (size_t i = 0; i < cnt; i++) {
		assert_int_equal(pread(fd, &hdr, sizeof(hdr), (off_t)rows[i].offset), sizeof(hdr));
		assert_int_equal(hdr.magic, REC_BLOCK_MAGIC);
		assert_int_equal(hdr.type, REC_BLOCK_EVENTS);
		assert_int_equal(hdr.first_ns, rows[i].first_ns);
		assert_int_equal(hdr.last_ns, rows[i].last_ns);
		assert_int_equal(hdr.item_cnt, rows[i].item_cnt);
	}
	close(fd);
}

struct file {
	char *bytes;
	size_t len;
};

static struct file load(int fd)
{
	struct file f = {.len = (size_t)lseek(fd, 0, SEEK_END)};

	f.bytes = malloc(f.len);
	assert_non_null(f.bytes);
	assert_int_equal(pread(fd, f.bytes, f.len, 0), f.len);
	close(fd);
	return f;
}

static const char *last_bad; /* of try_read() */

/* Reads the bytes as a file. Returns items seen, or -1: not even the header was accepted. */
static int64_t try_read(const char *bytes, size_t len, bool *whole)
{
	struct strbuf why;
	struct rec_reader r;
	int fd = new_file(), err;
	int64_t seen = -1;
	bool ended;

	*whole = false;
	assert_int_equal(write(fd, bytes, len), len);
	lseek(fd, 0, SEEK_SET);
	strbuf_init(&why);
	err = rec_reader_init(&r, fd, &why);
	if (err) {
		assert_int_equal(err, -EBADMSG);
		assert_true(why.len > 0);
	} else {
		seen = (int64_t)read_items(&r, &ended);
		*whole = r.whole;
		last_bad = r.bad;
		assert_true(r.whole || r.bad);
		assert_true(r.offset <= len);
	}
	strbuf_fini(&why);
	rec_reader_fini(&r);
	close(fd);
	return seen;
}

/* Cut anywhere: what comes out is right, never more than there was, and known to be a part. */
static void truncation_is_found(void **state)
{
	struct file f = load(record(40));
	bool whole;
	int64_t most = -1;

	(void)state;
	for (size_t len = 0; len < f.len; len++) {
		int64_t n = try_read(f.bytes, len, &whole);

		assert_false(whole);
		assert_true(n >= most);
		most = n;
	}
	assert_int_equal(most, 80);
	assert_int_equal(try_read(f.bytes, f.len, &whole), 80);
	assert_true(whole);
	free(f.bytes);
}

/* No bit can change without it being noticed. read_items() compares what comes out. */
static void flipped_bits_are_found(void **state)
{
	struct file f = load(record(10));
	bool whole;

	(void)state;
	for (size_t i = 0; i < f.len * 8; i++) {
		f.bytes[i / 8] = (char)(f.bytes[i / 8] ^ 1 << i % 8);
		try_read(f.bytes, f.len, &whole);
		if (whole)
			fail_msg("bit %zu of %zu was not noticed", i, f.len * 8);
		f.bytes[i / 8] = (char)(f.bytes[i / 8] ^ 1 << i % 8);
	}
	free(f.bytes);
}

static void put_block(struct strbuf *sb, unsigned int type, const void *data, size_t len,
		      uint64_t seq)
{
	struct rec_packed pk = rec_pack_bytes((enum rec_block_type)type, data, len);

	rec_packed_put(sb, &pk, seq);
}

static void put_file_hdr(struct strbuf *sb, uint16_t major, uint16_t minor, uint32_t len)
{
	char buf[64] = {0};
	struct rec_file_hdr *hdr = (struct rec_file_hdr *)buf;

	memcpy(hdr->magic, REC_MAGIC, REC_MAGIC_LEN);
	hdr->major = major;
	hdr->minor = minor;
	hdr->len = len;
	hdr->crc = rec_hdr_crc(buf, len, offsetof(struct rec_file_hdr, crc));
	strbuf_put(sb, buf, len);
}

/* A header that grew, kinds of blocks, items and fields that nobody knows yet. */
static void newer_minor_is_read(void **state)
{
	struct {
		struct rec_item item;
		uint64_t more[3];
	} unknown = {.item = {.kind = 0xfff0, .len = sizeof(unknown)}};
	struct {
		struct rec_field field;
		uint64_t value;
	} field = {.field = {.tag = 9999, .len = 3}};
	struct strbuf sb, body, fields;
	struct rec_meta m;
	struct rec_packed pk;
	bool whole;

	(void)state;
	strbuf_init(&sb);
	strbuf_init(&body);
	strbuf_init(&fields);
	rec_meta_encode(&fields, &meta);
	strbuf_put(&fields, (const char *)&field, sizeof(field));
	assert_int_equal(rec_meta_decode(&m, fields.s, fields.len), 0);
	assert_string_equal(m.filter, meta.filter);
	rec_meta_fini(&m);
	put_file_hdr(&sb, REC_MAJOR, 99, 40);
	put_block(&sb, REC_BLOCK_META, fields.s, fields.len, 0);
	put_block(&sb, 77, "whatever", 8, 1);
	strbuf_put(&body, (const char *)&the_end, sizeof(the_end));
	/* a block's header with 8 more bytes */
	pk = rec_pack_bytes(REC_BLOCK_EVENTS, body.s, body.len);
	pk.hdr.seq = 2;
	pk.hdr.hdr_len += 8;
	{
		char hdr[sizeof(pk.hdr) + 8] = {0};

		memcpy(hdr, &pk.hdr, sizeof(pk.hdr));
		hdr[sizeof(hdr) - 1] = 5;
		((struct rec_block_hdr *)hdr)->hdr_crc =
			rec_hdr_crc(hdr, sizeof(hdr), offsetof(struct rec_block_hdr, hdr_crc));
		strbuf_put(&sb, hdr, sizeof(hdr));
		strbuf_put(&sb, body.s, body.len);
	}
	put_block(&sb, REC_BLOCK_DICT, &unknown, sizeof(unknown), 3);
	put_block(&sb, REC_BLOCK_FOOTER, "", 0, 4);
	assert_int_equal(try_read(sb.s, sb.len, &whole), 0);
	assert_true(whole);
	strbuf_fini(&fields);
	strbuf_fini(&body);
	strbuf_fini(&sb);
}

static void assert_refused(const char *bytes, size_t len, const char *word)
{
	struct strbuf why;
	struct rec_reader r;
	int fd = new_file();

	strbuf_init(&why);
	assert_int_equal(write(fd, bytes, len), len);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(rec_reader_init(&r, fd, &why), -EBADMSG);
	if (!strstr(why.s, word))
		fail_msg("'%s' is not in '%s'", word, why.s);
	rec_reader_fini(&r);
	strbuf_fini(&why);
	close(fd);
}

static void foreign_and_newer_files_are_refused(void **state)
{
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	assert_refused("", 0, "empty");
	assert_refused("\x7f"
		       "ELF\2\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
		       24, "no recording");
	assert_refused("\x89IPCSPY", 7, "no recording");
	put_file_hdr(&sb, REC_MAJOR + 1, 0, sizeof(struct rec_file_hdr));
	assert_refused(sb.s, sb.len, "use a newer one");
	strbuf_reset(&sb);
	put_file_hdr(&sb, 0, 3, sizeof(struct rec_file_hdr));
	assert_refused(sb.s, sb.len, "version 0.3");
	strbuf_fini(&sb);
}

/* A checksum that is right does not make lengths right. */
static void absurd_lengths_are_refused(void **state)
{
	static const struct {
		uint32_t raw_len, stored_len;
		uint16_t codec;
		const char *why;
	} cases[] = {
		{REC_RAW_MAX + 8, REC_RAW_MAX + 8, REC_CODEC_NONE, "longer than"},
		{16, UINT32_MAX, REC_CODEC_NONE, "longer than"},
		{UINT32_MAX, 16, REC_CODEC_ZSTD, "longer than"},
		{32, 16, REC_CODEC_NONE, "cannot be decompressed"},
		{16, 16, REC_CODEC_ZSTD, "cannot be decompressed"},
		{16, 16, 99, "does not know"},
	};
	struct strbuf sb;
	bool whole;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rec_block_hdr hdr = {.magic = REC_BLOCK_MAGIC,
					    .type = REC_BLOCK_EVENTS,
					    .hdr_len = sizeof(hdr),
					    .raw_len = cases[i].raw_len,
					    .stored_len = cases[i].stored_len,
					    .codec = cases[i].codec};
		struct rec_packed pk = rec_pack_bytes(REC_BLOCK_EVENTS, "0123456789abcdef", 16);

		strbuf_init(&sb);
		put_file_hdr(&sb, REC_MAJOR, 0, sizeof(struct rec_file_hdr));
		hdr.crc = pk.hdr.crc;
		hdr.hdr_crc =
			rec_hdr_crc(&hdr, sizeof(hdr), offsetof(struct rec_block_hdr, hdr_crc));
		strbuf_put(&sb, (const char *)&hdr, sizeof(hdr));
		strbuf_put(&sb, "0123456789abcdef", 16);
		assert_int_equal(try_read(sb.s, sb.len, &whole), 0);
		assert_false(whole);
		assert_non_null(strstr(last_bad, cases[i].why));
		strbuf_fini(&sb);
	}
}

static void hostile_items_end_the_block(void **state)
{
	struct rec_item items[2] = {{.kind = EV_OP, .len = 8}, {.kind = EV_OP}};
	static const uint16_t lens[] = {0, 4, 7, 12, 16, 0xfff8};
	struct rec_reader r = {.hdr = {.raw_len = sizeof(items)}, .raw = (const char *)items};

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		size_t pos = 0;

		items[1].len = lens[i];
		assert_ptr_equal(rec_reader_item(&r, &pos), &items[0]);
		assert_null(rec_reader_item(&r, &pos));
		assert_int_equal(pos, 8);
	}
}

static void a_full_disk_is_told(void **state)
{
	struct rec_writer *w;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(new_writer(&w, &fd, 0), -ENOSPC);
	close(fd);
}

/* Nobody reads the other end of the pipe: whoever puts does not wait, and what is left out counts.
 */
static void a_slow_file_holds_nobody_up(void **state)
{
	enum { CNT = 60000 };
	struct rec_writer *w;
	struct rec_stats st;
	struct rec_reader r;
	uint64_t seen = 0, lost = 0;
	const struct rec_item *item;
	int fds[2], n, status;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(new_writer(&w, &fds[1], 3), 0);
	for (uint64_t i = 0; i < CNT; i++) {
		struct ev_op op = op_at(i);

		/* not to be compressed into the pipe's buffer */
		for (size_t k = 0; k < 3; k++)
			((uint64_t *)&op)[k + 4] = op.chan * (2 * k + 3) ^ op.chan >> 29;
		assert_int_equal(rec_writer_put(w, &op, sizeof(op), op.hdr.ts_ns, false), 0);
	}
	rec_writer_stats(w, &st);
	assert_true(st.lost > 0 && st.lost < CNT);
	/* the reader comes at last: from a process of its own, since the end waits for it */
	if (!fork()) {
		struct strbuf why;

		close(fds[1]);
		strbuf_init(&why);
		if (rec_reader_init(&r, fds[0], &why))
			_exit(1);
		while ((n = rec_reader_next(&r)) == 1) {
			size_t pos = 0;

			while (r.hdr.type == REC_BLOCK_EVENTS && (item = rec_reader_item(&r, &pos)))
				seen += item->kind == EV_OP;
			if (r.hdr.type == REC_BLOCK_EVENTS)
				lost = r.hdr.lost;
		}
		_exit(r.whole && seen + lost == CNT && lost == st.lost ? 0 : 2);
	}
	close(fds[0]);
	assert_int_equal(rec_writer_end(w, &the_end), 0);
	rec_writer_free(w);
	close(fds[1]);
	assert_true(wait(&status) > 0);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out),
		cmocka_unit_test(meta_comes_out),
		cmocka_unit_test(the_index_is_right),
		cmocka_unit_test(truncation_is_found),
		cmocka_unit_test(flipped_bits_are_found),
		cmocka_unit_test(newer_minor_is_read),
		cmocka_unit_test(foreign_and_newer_files_are_refused),
		cmocka_unit_test(absurd_lengths_are_refused),
		cmocka_unit_test(hostile_items_end_the_block),
		cmocka_unit_test(a_full_disk_is_told),
		cmocka_unit_test(a_slow_file_holds_nobody_up),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
