/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * out.h - where the blocks of a recording go: into a file, into a row of files, or into memory
 * from which the last of them are written when it is asked for.
 *
 * Files but the first of a row begin with DICT blocks and are recordings of their own.
 * Errors stick. For one thread.
 */
#ifndef IPCSPY_STORE_OUT_H
#define IPCSPY_STORE_OUT_H

#include "store/dict.h"
#include "store/file.h"

struct ZSTD_DCtx_s;

/* How files are opened, one at a time; called by the thread of the writer. */
struct rec_files {
	/* Gives the next one. Returns 0 or -errno. */
	int (*open)(void *arg, int *fd);
	/* The one that open gave is complete. Returns 0 or -errno. */
	int (*close)(void *arg);
	void *arg;
};

struct rec_out_opts {
	const struct rec_meta *meta; /* borrowed */
	struct rec_files files;
	uint64_t max_bytes; /* of a file, or of the memory; 0: without end, or the default */
	uint64_t ring_ns;   /* of this time the blocks are kept in memory; 0: they are written */
};

struct ring_block;

struct rec_out {
	struct rec_out_opts opts;
	struct rec_file file;
	bool open;
	int err;
	uint64_t last_ns;             /* of what went by */
	uint64_t bytes, items, files; /* of files that are complete */
	struct rec_packer packer;
	struct rec_dict dict;

	/* ring */
	struct ring_block *oldest, **newest;
	uint64_t ring_bytes;
	uint64_t forgotten_ns; /* what was kept until then is in the dictionary only */
	char *unpacked;
	struct ZSTD_DCtx_s *zstd;
};

/* Returns 0 or -errno; rec_out_fini() is due in each case. */
int rec_out_init(struct rec_out *o, const struct rec_out_opts *opts);
void rec_out_fini(struct rec_out *o);

/* Takes a full block. Returns 0 or -errno. */
int rec_out_put(struct rec_out *o, const struct rec_block *b);

/* Of a ring: writes a file with what is in memory. Returns 0 or -errno. */
int rec_out_dump(struct rec_out *o);

/* The regular end. Returns 0 or -errno. */
int rec_out_end(struct rec_out *o);

#endif
