// SPDX-License-Identifier: BSD-2-Clause
/*
 * seed FILE ITEMS PLAIN - from a recording, what fuzzing starts with: the first records of its
 * events as they are, and a recording of the same that is not compressed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/block.h"
#include "store/meta.h"
#include "store/reader.h"

#define SEED_BYTES 24000

static int write_file(const char *path, const struct strbuf *sb)
{
	FILE *f = fopen(path, "we");
	int err;

	if (!f)
		return -1;
	err = fwrite(sb->s, 1, sb->len, f) != sb->len;
	return fclose(f) || err ? -1 : 0;
}

static void put_file_hdr(struct strbuf *sb)
{
	struct rec_file_hdr hdr = {
		.magic = REC_MAGIC, .major = REC_MAJOR, .minor = REC_MINOR, .len = sizeof(hdr)};

	hdr.crc = rec_hdr_crc(&hdr, sizeof(hdr), offsetof(struct rec_file_hdr, crc));
	strbuf_put(sb, (const char *)&hdr, sizeof(hdr));
}

static void put_block(struct strbuf *sb, const struct rec_reader *r, size_t len)
{
	const struct rec_packed pk = rec_pack_bytes((enum rec_block_type)r->hdr.type, r->raw, len);

	rec_packed_put(sb, &pk, r->blocks - 1);
}

/* What is particular to a machine is left out. */
static void put_meta(struct strbuf *sb)
{
	static char word[] = "demo";
	static char *const words[] = {word, NULL};
	const struct rec_meta meta = {.start_ns = 1,
				      .version = "0",
				      .host = "host",
				      .kernel = "6.1.0",
				      .arch = "x86_64",
				      .filter = "",
				      .argv = words};
	struct strbuf fields;
	struct rec_packed pk;

	strbuf_init(&fields);
	rec_meta_encode(&fields, &meta);
	pk = rec_pack_bytes(REC_BLOCK_META, fields.s, fields.len);
	rec_packed_put(sb, &pk, 0);
	strbuf_fini(&fields);
}

int main(int argc, char **argv)
{
	struct strbuf why, items, plain;
	struct rec_reader r;
	int fd, err;

	if (argc != 4)
		return 2;
	strbuf_init(&why);
	strbuf_init(&items);
	strbuf_init(&plain);
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || rec_reader_init(&r, fd, &why))
		return 1;
	put_file_hdr(&plain);
	put_meta(&plain);
	while (rec_reader_next(&r) == 1) {
		size_t pos = 0, len = r.hdr.raw_len;
		const struct rec_item *item;

		if (r.hdr.type == REC_BLOCK_EVENTS) {
			for (len = 0; len < SEED_BYTES && (item = rec_reader_item(&r, &pos));
			     len = pos) {
				if (item->kind < REC_KIND_FIRST)
					strbuf_put(&items, (const char *)item, item->len);
			}
		}
		if (r.hdr.type != REC_BLOCK_META)
			put_block(&plain, &r, len);
		if (items.len >= SEED_BYTES / 2)
			break;
	}
	err = write_file(argv[2], &items) || write_file(argv[3], &plain);
	rec_reader_fini(&r);
	strbuf_fini(&why);
	strbuf_fini(&items);
	strbuf_fini(&plain);
	close(fd);
	return err ? 1 : 0;
}
