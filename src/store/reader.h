/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reader.h - reads a recording block by block, forward only.
 *
 * The file may be hostile: every length is bounded before it is believed,
 * and a block whose checksum does not match is not shown. Memory is bounded by
 * the largest block. Stops for good at the first bad block. Borrows the
 * descriptor; owns everything else.
 */
#ifndef IPCSPY_STORE_READER_H
#define IPCSPY_STORE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/strbuf.h"
#include "store/format.h"

struct ZSTD_DCtx_s;

struct rec_reader {
	int fd;
	uint64_t offset; /* bytes read: all of them whole blocks, after a call that returned */
	uint64_t blocks; /* read so far */
	bool whole;      /* the footer was read, and is the end: nothing is missing */
	const char *bad; /* why not; static, NULL: it is, or was not read yet */

	/* the block, after rec_reader_next() returned 1 */
	struct rec_block_hdr hdr;
	const char *raw; /* hdr.raw_len bytes, 8-byte aligned */

	/* its own */
	char *stored, *unpacked;
	struct ZSTD_DCtx_s *zstd;
};

/*
 * Reads the file header. Returns 0, -EBADMSG when it is no recording or one this
 * version cannot read, with the reason in why, -ENOMEM or the -errno of read(2).
 * rec_reader_fini() is due in each case.
 */
int rec_reader_init(struct rec_reader *r, int fd, struct strbuf *why);
void rec_reader_fini(struct rec_reader *r);

/*
 * The next block. Returns 1, 0 at the end (whole and bad tell which one), -ENOMEM or
 * the -errno of read(2).
 */
int rec_reader_next(struct rec_reader *r);

/*
 * The item at *pos of the block, which moves behind it. Returns NULL at the end of the block,
 * or where what is left is no item; *pos tells.
 */
const struct rec_item *rec_reader_item(const struct rec_reader *r, size_t *pos);

#endif
