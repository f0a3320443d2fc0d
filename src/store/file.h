/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file.h - one file of a recording, as it is written: header, blocks, index, footer.
 *
 * Borrows the descriptor. Errors of writing stick: after the first one nothing
 * more is written and every call returns it.
 */
#ifndef IPCSPY_STORE_FILE_H
#define IPCSPY_STORE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/strbuf.h"
#include "store/block.h"
#include "store/meta.h"

struct rec_file {
	int fd;
	int err;
	uint64_t bytes, blocks;
	uint64_t items; /* in EVENTS blocks */
	struct strbuf buf;
	/* every index_step-th EVENTS block, so that the index stays small */
	struct rec_index_row *index;
	size_t index_cnt, index_cap;
	uint64_t index_step, events_blocks;
};

/* Writes header and META block. Returns 0 or -errno; rec_file_fini() is due in each case. */
int rec_file_init(struct rec_file *f, int fd, const struct rec_meta *meta);

/* Writes a block of items. Returns 0 or -errno. */
int rec_file_put(struct rec_file *f, const struct rec_packed *pk);

/* Writes index and footer: the regular end. Returns 0 or -errno. */
int rec_file_end(struct rec_file *f);

void rec_file_fini(struct rec_file *f);

#endif
