/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block.h - a block of a recording in memory, and its bytes in the file.
 *
 * A block owns its bytes. Packing makes others of them, so that one block can be
 * packed while the next one fills.
 */
#ifndef IPCSPY_STORE_BLOCK_H
#define IPCSPY_STORE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/strbuf.h"
#include "store/format.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

struct rec_block {
	struct rec_block *next; /* the queue's own */
	enum rec_block_type type;
	uint32_t item_cnt;
	uint64_t first_ns, last_ns;
	uint64_t lost;
	bool dump; /* the writer's own: behind this block, a ring is to be written */
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

/* A block as the file gets it; its number is put in when it is written. */
struct rec_packed {
	struct rec_block_hdr hdr;
	const char *stored; /* hdr.stored_len bytes */
};

/* Makes packed blocks, one at a time. Owns the memory that holds the one it made last. */
struct rec_packer {
	struct ZSTD_CCtx_s *zstd;
	char *buf;
};

/* Returns 0 or -ENOMEM; fini is due in both cases. */
int rec_packer_init(struct rec_packer *p);
void rec_packer_fini(struct rec_packer *p);

/* Compresses; what does not get smaller is stored as it is, and is b's own memory. */
struct rec_packed rec_pack(struct rec_packer *p, const struct rec_block *b);

/* The same for bytes that are no items; borrows them. */
struct rec_packed rec_pack_bytes(enum rec_block_type type, const void *data, size_t len);

/* Appends header and bytes to out, as block number seq of the file. */
void rec_packed_put(struct strbuf *out, const struct rec_packed *pk, uint64_t seq);

/*
 * The other way, into raw, which has room for REC_RAW_MAX. Returns hdr->raw_len bytes, in raw or
 * in stored, NULL when they are not as they should be.
 */
const char *rec_unpack(struct ZSTD_DCtx_s *zstd, const struct rec_block_hdr *hdr,
		       const char *stored, char *raw);

/*
 * The item at *pos of a block of len bytes, which moves behind it. Returns NULL at the end of
 * the block, or where what is left is no item; *pos tells. raw is aligned to 8 bytes.
 */
const struct rec_item *rec_item_at(const char *raw, size_t len, size_t *pos);

/* CRC-32 of a header whose checksum, at crc_offset, counts as 0. */
uint32_t rec_hdr_crc(const void *hdr, size_t len, size_t crc_offset);

#endif
