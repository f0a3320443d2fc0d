// SPDX-License-Identifier: BSD-2-Clause
#include "store/block.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

struct rec_block *rec_block_new(enum rec_block_type type)
{
	struct rec_block *b = malloc(sizeof(*b));

	if (b)
		rec_block_reset(b, type);
	return b;
}

void rec_block_free(struct rec_block *b)
{
	free(b);
}

void rec_block_reset(struct rec_block *b, enum rec_block_type type)
{
	b->next = NULL;
	b->type = type;
	b->item_cnt = 0;
	b->first_ns = b->last_ns = b->lost = 0;
	b->len = 0;
}

void rec_block_put(struct rec_block *b, const void *item, size_t len, uint64_t ns)
{
	memcpy(b->raw + b->len, item, len);
	b->len += len;
	b->item_cnt++;
	if (!ns)
		return;
	if (!b->first_ns || ns < b->first_ns)
		b->first_ns = ns;
	if (ns > b->last_ns)
		b->last_ns = ns;
}

uint32_t rec_hdr_crc(const void *hdr, size_t len, size_t crc_offset)
{
	static const unsigned char zero[sizeof(uint32_t)];
	const unsigned char *p = hdr;
	size_t behind = crc_offset + sizeof(zero);
	uLong crc = crc32(0, p, (uInt)crc_offset);

	crc = crc32(crc, zero, sizeof(zero));
	return (uint32_t)crc32(crc, p + behind, (uInt)(len - behind));
}

static void put_block(struct strbuf *out, struct rec_block_hdr *hdr, const char *stored)
{
	hdr->magic = REC_BLOCK_MAGIC;
	hdr->hdr_len = sizeof(*hdr);
	hdr->crc = (__u32)crc32(0, (const Bytef *)stored, hdr->stored_len);
	hdr->hdr_crc = rec_hdr_crc(hdr, sizeof(*hdr), offsetof(struct rec_block_hdr, hdr_crc));
	strbuf_put(out, (const char *)hdr, sizeof(*hdr));
	strbuf_put(out, stored, hdr->stored_len);
}

void rec_block_encode(struct strbuf *out, const struct rec_block *b, uint64_t seq,
		      enum rec_codec codec)
{
	struct rec_block_hdr hdr = {
		.type = (__u16)b->type,
		.codec = REC_CODEC_NONE,
		.raw_len = (__u32)b->len,
		.stored_len = (__u32)b->len,
		.item_cnt = b->item_cnt,
		.first_ns = b->first_ns,
		.last_ns = b->last_ns,
		.seq = seq,
		.lost = b->lost,
	};

	(void)codec;
	put_block(out, &hdr, b->raw);
}

void rec_bytes_encode(struct strbuf *out, enum rec_block_type type, const void *data, size_t len,
		      uint64_t seq)
{
	struct rec_block_hdr hdr = {
		.type = (__u16)type,
		.raw_len = (__u32)len,
		.stored_len = (__u32)len,
		.seq = seq,
	};

	put_block(out, &hdr, data);
}
