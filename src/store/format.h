/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * format.h - what is in a recording, byte by byte.
 *
 * A file header, then blocks, each behind a header that says how long it is and
 * carries checksums. The first block is META. EVENTS blocks hold items, in the
 * order in which a model is to take them; DICT blocks, before them, hold items that say what was
 * known when the file began. INDEX and FOOTER are there when the recording came
 * to a regular end. All is little-endian.
 *
 * An item starts as an event record does (struct ev_hdr): kind and length, which is a
 * multiple of 8. Kinds from REC_KIND_FIRST on are the recording's own.
 *
 * Newer minor versions add: kinds of blocks, of items and of META fields, and
 * bytes at the end of headers and items. Readers pass over what they do not know.
 * Values are never renumbered.
 */
#ifndef IPCSPY_STORE_FORMAT_H
#define IPCSPY_STORE_FORMAT_H

#include <linux/types.h>

#define REC_MAGIC     "\x89IPCSPY\n"
#define REC_MAGIC_LEN 8
#define REC_MAJOR     1
#define REC_MINOR     0

struct rec_file_hdr {
	__u8 magic[REC_MAGIC_LEN];
	__u16 major, minor;
	__u32 len; /* of this header */
	__u32 crc; /* of this header, with 0 in this place */
	__u32 pad;
};

enum rec_block_type {
	REC_BLOCK_META = 1,
	REC_BLOCK_DICT = 2,
	REC_BLOCK_EVENTS = 3,
	REC_BLOCK_INDEX = 4,  /* struct rec_index_row for each EVENTS block */
	REC_BLOCK_FOOTER = 5, /* struct rec_footer; the last block */
};

enum rec_codec {
	REC_CODEC_NONE = 0,
	REC_CODEC_ZSTD = 1, /* one frame, RFC 8878 */
};

#define REC_BLOCK_MAGIC 0x4b425049u                 /* "IPBK" */
#define REC_BLOCK_BYTES (256u << 10)                /* at about this many a block is full */
#define REC_RAW_MAX     (1u << 20)                  /* no block holds more ... */
#define REC_STORED_MAX  (REC_RAW_MAX + (64u << 10)) /* ... or takes more in the file */
#define REC_HDR_LEN_MAX 4096u

struct rec_block_hdr {
	__u32 magic;
	__u16 type;       /* enum rec_block_type */
	__u16 codec;      /* enum rec_codec */
	__u32 hdr_len;    /* of this header */
	__u32 stored_len; /* bytes behind this header */
	__u32 raw_len;    /* the same, decompressed */
	__u32 item_cnt;
	__u64 first_ns, last_ns; /* CLOCK_MONOTONIC, of the items; 0 where they have no time */
	__u64 seq;               /* blocks before this one in the file */
	__u64 lost;    /* items before this block that the recorder could not write, in all */
	__u32 crc;     /* CRC-32 of the stored bytes */
	__u32 hdr_crc; /* of this header, with 0 in this place */
};

#define REC_KIND_FIRST 0x8000

enum rec_kind {
	REC_TICK = 0x8001,   /* struct rec_tick: time went on */
	REC_FORGET = 0x8002, /* struct rec_forget: an object is known no more */
	REC_END = 0x8003,    /* struct rec_end: the trace was over */
};

struct rec_item {
	__u16 kind;  /* enum ipcspy_ev_kind, enum rec_kind */
	__u16 len;   /* of the whole item */
	__u32 flags; /* of the recording's own kinds; struct ev_hdr has its own elsewhere */
};

struct rec_tick {
	struct rec_item item;
	__u64 now_ns;
};

struct rec_forget {
	struct rec_item item;
	__u64 id;
};

#define REC_ENDF_COMMAND_ENDED 0x1 /* command_status holds a value */
#define REC_ENDF_CONTINUED     0x2 /* the trace went on, in another file */

struct rec_end {
	struct rec_item item; /* flags: REC_ENDF_* */
	__u64 end_ns;
	__u64 malformed; /* records that could not be understood, and are not in the recording */
	__s32 command_status; /* as wait(2) gives it */
	__u32 pad;
};

/* A META block is a row of these, each followed by len bytes, padded with zeros to 8. */
struct rec_field {
	__u32 tag; /* enum rec_tag */
	__u32 len;
};

enum rec_tag {
	REC_TAG_START_NS = 1, /* numbers have 8 bytes */
	REC_TAG_START_REALTIME_NS = 2,
	REC_TAG_NO_PEERS = 3,
	REC_TAG_MECH_MASK = 4,
	REC_TAG_COMMAND_PID = 5,
	REC_TAG_VERSION = 6, /* strings are not terminated */
	REC_TAG_HOST = 7,
	REC_TAG_KERNEL = 8,
	REC_TAG_ARCH = 9,
	REC_TAG_FILTER = 10,
	REC_TAG_CHOSEN_BY = 11,
	REC_TAG_ARG = 12,     /* one for each word of the command */
	REC_TAG_PAYLOAD = 13, /* a number */
};

struct rec_index_row {
	__u64 offset; /* of the block's header in the file */
	__u64 first_ns, last_ns;
	__u32 type, item_cnt;
};

struct rec_footer {
	__u64 index_offset;
	__u64 file_bytes; /* this block included */
};

#define REC_SIZE_IS(type, n) _Static_assert(sizeof(type) == (n), #type " has padding or moved")
REC_SIZE_IS(struct rec_file_hdr, 24);
REC_SIZE_IS(struct rec_block_hdr, 64);
REC_SIZE_IS(struct rec_item, 8);
REC_SIZE_IS(struct rec_tick, 16);
REC_SIZE_IS(struct rec_forget, 16);
REC_SIZE_IS(struct rec_end, 32);
REC_SIZE_IS(struct rec_field, 8);
REC_SIZE_IS(struct rec_index_row, 32);
REC_SIZE_IS(struct rec_footer, 16);
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "recordings are little-endian");

#endif
