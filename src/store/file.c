// SPDX-License-Identifier: BSD-2-Clause
#include "store/file.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/vec.h"

#define INDEX_MAX 16384 /* rows, half a megabyte */

static int write_all(int fd, const char *s, size_t len)
{
	while (len) {
		ssize_t n = write(fd, s, len);

		if (n >= 0) {
			s += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			struct pollfd p = {.fd = fd, .events = POLLOUT};

			if (poll(&p, 1, -1) < 0 && errno != EINTR)
				return -errno;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

/* Writes what has gathered in buf. */
static int flush(struct rec_file *f)
{
	if (!f->err)
		f->err = f->buf.err;
	if (!f->err)
		f->err = write_all(f->fd, f->buf.s, f->buf.len);
	if (!f->err)
		f->bytes += f->buf.len;
	strbuf_reset(&f->buf);
	return f->err;
}

static int put_bytes(struct rec_file *f, enum rec_block_type type, const void *data, size_t len)
{
	struct rec_packed pk = rec_pack_bytes(type, data, len);

	rec_packed_put(&f->buf, &pk, f->blocks++);
	return flush(f);
}

int rec_file_init(struct rec_file *f, int fd, const struct rec_meta *meta)
{
	struct rec_file_hdr hdr = {.major = REC_MAJOR, .minor = REC_MINOR, .len = sizeof(hdr)};
	struct strbuf fields;

	*f = (struct rec_file){.fd = fd, .index_step = 1};
	strbuf_init(&f->buf);
	strbuf_init(&fields);
	memcpy(hdr.magic, REC_MAGIC, sizeof(hdr.magic));
	hdr.crc = rec_hdr_crc(&hdr, sizeof(hdr), offsetof(struct rec_file_hdr, crc));
	strbuf_put(&f->buf, (const char *)&hdr, sizeof(hdr));
	rec_meta_encode(&fields, meta);
	f->err = fields.err;
	put_bytes(f, REC_BLOCK_META, fields.s, fields.len);
	strbuf_fini(&fields);
	return f->err;
}

/* Of what is too much, every second row goes. */
static void thin_index(struct rec_file *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->index_cnt; i += 2)
		f->index[kept++] = f->index[i];
	f->index_cnt = kept;
	f->index_step *= 2;
}

static int add_row(struct rec_file *f, const struct rec_block_hdr *hdr)
{
	int err;

	if (f->events_blocks++ % f->index_step)
		return 0;
	if (f->index_cnt == INDEX_MAX) {
		thin_index(f);
		if ((f->events_blocks - 1) % f->index_step)
			return 0;
	}
	err = vec_room((void **)&f->index, &f->index_cap, f->index_cnt, sizeof(*f->index));
	if (err)
		return err;
	f->index[f->index_cnt++] = (struct rec_index_row){.offset = f->bytes,
							  .first_ns = hdr->first_ns,
							  .last_ns = hdr->last_ns,
							  .type = hdr->type,
							  .item_cnt = hdr->item_cnt};
	return 0;
}

int rec_file_put(struct rec_file *f, const struct rec_packed *pk)
{
	bool events = pk->hdr.type == REC_BLOCK_EVENTS;

	if (events && !f->err)
		f->err = add_row(f, &pk->hdr);
	if (f->err)
		return f->err;
	rec_packed_put(&f->buf, pk, f->blocks++);
	if (events)
		f->items += pk->hdr.item_cnt;
	return flush(f);
}

int rec_file_end(struct rec_file *f)
{
	struct rec_footer footer = {.index_offset = f->bytes};
	int err = put_bytes(f, REC_BLOCK_INDEX, f->index, f->index_cnt * sizeof(*f->index));

	footer.file_bytes = f->bytes + sizeof(struct rec_block_hdr) + sizeof(footer);
	return err ? err : put_bytes(f, REC_BLOCK_FOOTER, &footer, sizeof(footer));
}

void rec_file_fini(struct rec_file *f)
{
	strbuf_fini(&f->buf);
	free(f->index);
	f->index = NULL;
}
