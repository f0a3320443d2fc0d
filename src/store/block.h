/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block.h - a block of a recording in memory, and its bytes in the file.
 *
 * A block owns its bytes. Encoding works on a separate buffer of the caller's, so that one
 * block can be encoded while the next one fills.
 */
#ifndef IPCSPY_STORE_BLOCK_H
#define IPCSPY_STORE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/strbuf.h"
#include "store/format.h"

struct rec_block {
	struct rec_block *next; /* the queue's own */
	enum rec_block_type type;
	uint32_t item_cnt;
	uint64_t first_ns, last_ns;
	uint64_t lost;
	size_t len;
	_Alignas(8) char raw[REC_BLOCK_BYTES];
};

struct rec_block *rec_block_new(enum rec_block_type type);
void rec_block_free(struct rec_block *b);
void rec_block_reset(struct rec_block *b, enum rec_block_type type);

static inline bool rec_block_has_room(const struct rec_block *b, size_t len)
{
	return len <= sizeof(b->raw) - b->len;
}

/* Appends an item of a time, 0 if it has none; there is room. */
void rec_block_put(struct rec_block *b, const void *item, size_t len, uint64_t ns);

/*
 * Appends to out the block's header and its bytes as the file gets them, as block
 * number seq. What does not get smaller is stored as it is. out->err tells of a
 * lack of memory.
 */
void rec_block_encode(struct strbuf *out, const struct rec_block *b, uint64_t seq,
		      enum rec_codec codec);

/* The same for bytes that are no items. */
void rec_bytes_encode(struct strbuf *out, enum rec_block_type type, const void *data, size_t len,
		      uint64_t seq);

/* CRC-32 of a header whose checksum, at crc_offset, counts as 0. */
uint32_t rec_hdr_crc(const void *hdr, size_t len, size_t crc_offset);

#endif
