// SPDX-License-Identifier: BSD-2-Clause
#include "store/reader.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "store/block.h"

/* A fuzzer cannot guess checksums: for it, they all match. */
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
#define CRC_IS(is, should) ((void)(is), (void)(should), true)
#else
#define CRC_IS(is, should) ((is) == (should))
#endif

/* Reads len bytes, fewer at the end of the file. Returns how many, or -errno. */
static ssize_t read_full(int fd, void *buf, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = read(fd, (char *)buf + got, len - got);

		if (!n)
			break;
		if (n > 0)
			got += (size_t)n;
		else if (errno != EINTR)
			return -errno;
	}
	return (ssize_t)got;
}

/* The end of a header that a newer version made longer. */
static int read_rest(struct rec_reader *r, char *hdr, size_t have, size_t want)
{
	ssize_t n = want > have ? read_full(r->fd, hdr + have, want - have) : 0;

	if (n < 0)
		return (int)n;
	return (size_t)n == want - have ? 0 : -ENODATA;
}

static int is_foreign(struct strbuf *why, const char *what)
{
	strbuf_puts(why, what);
	return -EBADMSG;
}

int rec_reader_init(struct rec_reader *r, int fd, struct strbuf *why)
{
	_Alignas(8) char buf[REC_HDR_LEN_MAX];
	const struct rec_file_hdr *hdr = (const struct rec_file_hdr *)buf;
	ssize_t n;
	int err;

	*r = (struct rec_reader){.fd = fd};
	r->stored = malloc(REC_STORED_MAX);
	r->unpacked = malloc(REC_RAW_MAX);
	r->zstd = ZSTD_createDCtx();
	if (!r->stored || !r->unpacked || !r->zstd)
		return -ENOMEM;
	n = read_full(fd, buf, sizeof(*hdr));
	if (n < 0)
		return (int)n;
	if (!n)
		return is_foreign(why, "it is empty");
	if (n < REC_MAGIC_LEN || memcmp(hdr->magic, REC_MAGIC, REC_MAGIC_LEN) != 0)
		return is_foreign(why, "it is no recording of ipcspy");
	if ((size_t)n < sizeof(*hdr))
		return is_foreign(why, "it ends within the first bytes");
	if (hdr->major != REC_MAJOR) {
		strbuf_printf(why, "its format is version %u.%u, and this ipcspy reads version %d",
			      hdr->major, hdr->minor, REC_MAJOR);
		strbuf_puts(why, hdr->major > REC_MAJOR ? ": use a newer one" : "");
		return -EBADMSG;
	}
	if (hdr->len < sizeof(*hdr) || hdr->len > sizeof(buf))
		return is_foreign(why, "its first bytes are damaged");
	err = read_rest(r, buf, sizeof(*hdr), hdr->len);
	if (err && err != -ENODATA)
		return err;
	if (err ||
	    !CRC_IS(rec_hdr_crc(buf, hdr->len, offsetof(struct rec_file_hdr, crc)), hdr->crc))
		return is_foreign(why, "its first bytes are damaged");
	r->offset = hdr->len;
	return 0;
}

void rec_reader_fini(struct rec_reader *r)
{
	free(r->stored);
	free(r->unpacked);
	ZSTD_freeDCtx(r->zstd);
	r->stored = r->unpacked = NULL;
	r->zstd = NULL;
}

/* Reads a header and all of it that counts for its checksum. */
static int read_hdr(struct rec_reader *r)
{
	_Alignas(8) char buf[REC_HDR_LEN_MAX];
	struct rec_block_hdr *hdr = &r->hdr;
	ssize_t n = read_full(r->fd, buf, sizeof(*hdr));
	int err;

	if (n < 0)
		return (int)n;
	if ((size_t)n < sizeof(*hdr)) {
		r->bad = n ? "it ends within a block" : "it ends without a footer";
		return 0;
	}
	memcpy(hdr, buf, sizeof(*hdr));
	if (hdr->magic != REC_BLOCK_MAGIC || hdr->hdr_len < sizeof(*hdr) ||
	    hdr->hdr_len > sizeof(buf)) {
		r->bad = "a block's header is damaged";
		return 0;
	}
	err = read_rest(r, buf, sizeof(*hdr), hdr->hdr_len);
	if (err && err != -ENODATA)
		return err;
	if (err)
		r->bad = "it ends within a block";
	else if (!CRC_IS(rec_hdr_crc(buf, hdr->hdr_len, offsetof(struct rec_block_hdr, hdr_crc)),
			 hdr->hdr_crc))
		r->bad = "a block's header is damaged";
	else if (hdr->raw_len > REC_RAW_MAX || hdr->stored_len > REC_STORED_MAX)
		r->bad = "a block is longer than blocks can be";
	return 0;
}

/* Two recordings in one file are not one. Who writes into a pipe is not waited for. */
static bool is_more(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char c;

	return poll(&p, 1, 0) > 0 && read(fd, &c, 1) > 0;
}

int rec_reader_next(struct rec_reader *r)
{
	const struct rec_block_hdr *hdr = &r->hdr;
	ssize_t n;
	int err;

	if (r->whole || r->bad)
		return 0;
	err = read_hdr(r);
	if (err || r->bad)
		return err;
	n = read_full(r->fd, r->stored, hdr->stored_len);
	if (n < 0)
		return (int)n;
	if ((size_t)n < hdr->stored_len)
		r->bad = "it ends within a block";
	else if (!CRC_IS((uint32_t)crc32(0, (const Bytef *)r->stored, hdr->stored_len), hdr->crc))
		r->bad = "a block's checksum does not match";
	else if (hdr->seq != r->blocks)
		r->bad = "a block is missing";
	else if (hdr->codec != REC_CODEC_NONE && hdr->codec != REC_CODEC_ZSTD)
		r->bad = "a block is compressed in a way this ipcspy does not know";
	if (r->bad)
		return 0;
	r->raw = rec_unpack(r->zstd, hdr, r->stored, r->unpacked);
	if (!r->raw) {
		r->bad = "a block cannot be decompressed";
		return 0;
	}
	r->offset += hdr->hdr_len + hdr->stored_len;
	r->blocks++;
	r->whole = hdr->type == REC_BLOCK_FOOTER;
	if (r->whole && is_more(r->fd)) {
		r->whole = false;
		r->bad = "there is more behind its end, perhaps another recording";
	}
	return 1;
}

const struct rec_item *rec_reader_item(const struct rec_reader *r, size_t *pos)
{
	return rec_item_at(r->raw, r->hdr.raw_len, pos);
}
