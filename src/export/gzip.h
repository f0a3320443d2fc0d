/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gzip.h - a sink whose file is compressed.
 *
 * Owns a copy of the sink's descriptor. What is behind gzip_close() is in the
 * file; without it nothing is certain to be.
 */
#ifndef IPCSPY_GZIP_H
#define IPCSPY_GZIP_H

#include "export/sink.h"

struct gzip {
	void *file; /* gzFile of zlib.h; NULL: not open */
};

/* From now on out's bytes are compressed. Returns 0 or -errno. */
int gzip_open(struct gzip *z, struct sink *out);

/* Writes what is left; out must have been flushed. Returns 0 or -errno. NULL file: nothing. */
int gzip_close(struct gzip *z);

#endif
