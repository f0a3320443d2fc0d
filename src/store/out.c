// SPDX-License-Identifier: BSD-2-Clause
#include "store/out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define RING_BYTES (64u << 20)
#define END_BYTES  1024u /* of a file's last blocks, the index aside */

struct ring_block {
	struct ring_block *next;
	struct rec_block_hdr hdr;
	char stored[];
};

/* Begins a file at a time of the trace. */
static int open_file(struct rec_out *o, uint64_t at_ns)
{
	struct rec_meta meta = *o->opts.meta;
	int fd, err;

	err = o->opts.files.open(o->opts.files.arg, &fd);
	if (err)
		return err;
	if (at_ns > meta.start_ns) {
		meta.start_realtime_ns += at_ns - meta.start_ns;
		meta.start_ns = at_ns;
	}
	o->open = true;
	return rec_file_init(&o->file, fd, &meta);
}

static int close_file(struct rec_out *o, bool regular)
{
	int err = regular ? rec_file_end(&o->file) : 0, close_err;

	o->items += o->file.items;
	o->bytes += o->file.bytes;
	o->files++;
	rec_file_fini(&o->file);
	o->open = false;
	close_err = o->opts.files.close(o->opts.files.arg);
	return err ? err : close_err;
}

/* A dictionary on its way into a file, block by block. */
struct dict_writer {
	struct rec_out *o;
	struct rec_block *b;
};

static int put_block(struct rec_out *o, const struct rec_block *b)
{
	const struct rec_packed pk = rec_pack(&o->packer, b);

	return rec_file_put(&o->file, &pk);
}

static int put_item(void *arg, const struct rec_item *item)
{
	struct dict_writer *dw = arg;
	int err = 0;

	if (!rec_block_has_room(dw->b, item->len)) {
		err = put_block(dw->o, dw->b);
		rec_block_reset(dw->b, REC_BLOCK_DICT);
	}
	rec_block_put(dw->b, item, item->len, 0);
	return err;
}

static int put_dict(struct rec_out *o)
{
	struct dict_writer dw = {.o = o, .b = rec_block_new(REC_BLOCK_DICT)};
	int err;

	if (!dw.b)
		return -ENOMEM;
	err = rec_dict_each(&o->dict, put_item, &dw);
	if (!err && dw.b->len)
		err = put_block(o, dw.b);
	rec_block_free(dw.b);
	return err;
}

/* The end of a file that is not the end of the trace. */
static int put_continued(struct rec_out *o)
{
	const struct rec_end end = {
		.item = {.kind = REC_END, .len = sizeof(end), .flags = REC_ENDF_CONTINUED},
		.end_ns = o->last_ns,
	};
	struct rec_block *b = rec_block_new(REC_BLOCK_EVENTS);
	int err;

	if (!b)
		return -ENOMEM;
	rec_block_put(b, &end, sizeof(end), end.end_ns);
	err = put_block(o, b);
	rec_block_free(b);
	return err;
}

static int take_items(struct rec_out *o, const char *raw, size_t len)
{
	const struct rec_item *item;
	size_t pos = 0;
	int err = 0;

	while (!err && (item = rec_item_at(raw, len, &pos)))
		err = rec_dict_take(&o->dict, item);
	return err;
}

static int rotate(struct rec_out *o)
{
	int err = put_continued(o);

	if (!err)
		err = close_file(o, true);
	if (!err)
		err = open_file(o, o->last_ns);
	return err ? err : put_dict(o);
}

static int put_in_file(struct rec_out *o, const struct rec_block *b)
{
	const struct rec_packed pk = rec_pack(&o->packer, b);
	uint64_t rows = (o->file.index_cnt + 1) * sizeof(*o->file.index);
	uint64_t bytes = o->file.bytes + pk.hdr.stored_len + rows + END_BYTES;
	int err = 0;

	if (!o->opts.max_bytes)
		return rec_file_put(&o->file, &pk);
	/* At least one block is in each, however little it may have. */
	if (o->file.items && bytes > o->opts.max_bytes) {
		err = rotate(o);
		if (err)
			return err;
		err = put_block(o, b); /* rotating packed others */
	} else {
		err = rec_file_put(&o->file, &pk);
	}
	return err ? err : take_items(o, b->raw, b->len);
}

/* The oldest block leaves the memory. */
static int forget_oldest(struct rec_out *o)
{
	struct ring_block *rb = o->oldest;
	const char *raw = rec_unpack(o->zstd, &rb->hdr, rb->stored, o->unpacked);
	int err = raw ? take_items(o, raw, rb->hdr.raw_len) : -EBADMSG;

	if (rb->hdr.last_ns > o->forgotten_ns)
		o->forgotten_ns = rb->hdr.last_ns;
	o->ring_bytes -= sizeof(*rb) + rb->hdr.stored_len;
	o->oldest = rb->next;
	if (!o->oldest)
		o->newest = &o->oldest;
	free(rb);
	return err;
}

static int put_in_ring(struct rec_out *o, const struct rec_block *b)
{
	const struct rec_packed pk = rec_pack(&o->packer, b);
	uint64_t max = o->opts.max_bytes ? o->opts.max_bytes : RING_BYTES;
	struct ring_block *rb = malloc(sizeof(*rb) + pk.hdr.stored_len);
	int err = 0;

	if (!rb)
		return -ENOMEM;
	rb->next = NULL;
	rb->hdr = pk.hdr;
	memcpy(rb->stored, pk.stored, pk.hdr.stored_len);
	*o->newest = rb;
	o->newest = &rb->next;
	o->ring_bytes += sizeof(*rb) + pk.hdr.stored_len;
	while (!err && o->oldest != rb &&
	       (o->ring_bytes > max || o->oldest->hdr.last_ns + o->opts.ring_ns < o->last_ns))
		err = forget_oldest(o);
	return err;
}

int rec_out_init(struct rec_out *o, const struct rec_out_opts *opts)
{
	int err;

	*o = (struct rec_out){.opts = *opts, .last_ns = opts->meta->start_ns};
	o->newest = &o->oldest;
	rec_dict_init(&o->dict);
	err = rec_packer_init(&o->packer);
	if (err)
		return err;
	if (!opts->ring_ns)
		return open_file(o, opts->meta->start_ns);
	o->unpacked = malloc(REC_RAW_MAX);
	o->zstd = ZSTD_createDCtx();
	return o->unpacked && o->zstd ? 0 : -ENOMEM;
}

void rec_out_fini(struct rec_out *o)
{
	struct ring_block *next;

	if (o->open)
		close_file(o, false);
	for (struct ring_block *rb = o->oldest; rb; rb = next) {
		next = rb->next;
		free(rb);
	}
	rec_dict_fini(&o->dict);
	rec_packer_fini(&o->packer);
	ZSTD_freeDCtx(o->zstd);
	free(o->unpacked);
}

int rec_out_put(struct rec_out *o, const struct rec_block *b)
{
	uint64_t last_ns = b->last_ns > o->last_ns ? b->last_ns : o->last_ns;

	if (o->err)
		return o->err;
	/* A file that b does not go into any more ends before it; a ring ends with it. */
	if (o->opts.ring_ns)
		o->last_ns = last_ns;
	o->err = o->opts.ring_ns ? put_in_ring(o, b) : put_in_file(o, b);
	o->last_ns = last_ns;
	return o->err;
}

int rec_out_dump(struct rec_out *o)
{
	int err = o->err;

	if (err || !o->opts.ring_ns)
		return err;
	err = open_file(o, o->forgotten_ns);
	if (!err)
		err = put_dict(o);
	for (const struct ring_block *rb = o->oldest; rb && !err; rb = rb->next) {
		const struct rec_packed pk = {.hdr = rb->hdr, .stored = rb->stored};

		err = rec_file_put(&o->file, &pk);
	}
	if (!err)
		err = put_continued(o);
	if (o->open) {
		int close_err = close_file(o, !err);

		err = err ? err : close_err;
	}
	o->err = err;
	return err;
}

int rec_out_end(struct rec_out *o)
{
	if (!o->err && o->open)
		o->err = close_file(o, true);
	return o->err;
}
