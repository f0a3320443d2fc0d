/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sink.h - where output goes: a buffer in front of a file descriptor, or memory only.
 *
 * Writers append to sink_buf() and call sink_spill() wherever they could stop;
 * it writes only when much has gathered. Errors stick: after the first one
 * nothing more is written and every call returns it. A reader that went away is
 * -EPIPE (the program must ignore SIGPIPE). The sink owns its buffer, not the
 * descriptor.
 */
#ifndef IPCSPY_SINK_H
#define IPCSPY_SINK_H

#include "lib/strbuf.h"

struct sink {
	struct strbuf buf;
	int fd; /* -1: memory, buf grows */
	/* What is done in place of writing to fd, NULL: nothing. Returns 0 or -errno. */
	int (*put)(void *arg, const char *s, size_t len);
	void *put_arg;
	int err;
};

void sink_init_fd(struct sink *out, int fd);
void sink_init_mem(struct sink *out);
void sink_fini(struct sink *out); /* does not flush: its error would be lost */

static inline struct strbuf *sink_buf(struct sink *out)
{
	return &out->buf;
}

/* Writes what has gathered if that is much. Returns 0 or the sink's -errno. */
int sink_spill(struct sink *out);

/* Writes everything that has gathered. Returns 0 or the sink's -errno. */
int sink_flush(struct sink *out);

#endif
