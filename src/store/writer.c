// SPDX-License-Identifier: BSD-2-Clause
#include "store/writer.h"

#include <errno.h>
#include <stdlib.h>

struct rec_writer {
	struct rec_file file;
	enum rec_codec codec;
	struct rec_block *block;
};

int rec_writer_new(struct rec_writer **out, const struct rec_writer_opts *opts)
{
	struct rec_writer *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->codec = opts->codec;
	err = rec_file_init(&w->file, opts->fd, opts->meta);
	w->block = rec_block_new(REC_BLOCK_EVENTS);
	if (!err && !w->block)
		err = -ENOMEM;
	if (err)
		rec_writer_free(w);
	else
		*out = w;
	return err;
}

void rec_writer_free(struct rec_writer *w)
{
	if (!w)
		return;
	rec_file_fini(&w->file);
	rec_block_free(w->block);
	free(w);
}

static int flush(struct rec_writer *w)
{
	int err = w->block->len ? rec_file_put(&w->file, w->block, w->codec) : w->file.err;

	rec_block_reset(w->block, REC_BLOCK_EVENTS);
	return err;
}

int rec_writer_put(struct rec_writer *w, const void *item, size_t len, uint64_t ns)
{
	int err = rec_block_has_room(w->block, len) ? w->file.err : flush(w);

	if (!err)
		rec_block_put(w->block, item, len, ns);
	return err;
}

int rec_writer_end(struct rec_writer *w, const struct rec_end *end)
{
	int err = rec_writer_put(w, end, sizeof(*end), end->end_ns);

	if (!err)
		err = flush(w);
	return err ? err : rec_file_end(&w->file);
}

void rec_writer_stats(const struct rec_writer *w, struct rec_stats *out)
{
	*out = (struct rec_stats){.items = w->file.items, .bytes = w->file.bytes};
}
