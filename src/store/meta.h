/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * meta.h - what a recording says about the trace as a whole.
 *
 * For writing, all strings are borrowed. What rec_meta_decode() filled in is
 * owned by the struct and freed by rec_meta_fini(); strings are then never NULL
 * but for chosen_by, may hold any bytes and are terminated.
 */
#ifndef IPCSPY_STORE_META_H
#define IPCSPY_STORE_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/strbuf.h"

struct rec_meta {
	uint64_t start_ns;          /* CLOCK_MONOTONIC ... */
	uint64_t start_realtime_ns; /* ... at the same moment CLOCK_REALTIME */
	uint64_t no_peers;          /* 0 or 1 */
	uint64_t mech_mask;         /* 0: every mechanism */
	uint64_t command_pid;
	uint64_t payload_bytes; /* kept of each message, 0: none */
	const char *version, *host, *kernel, *arch, *filter;
	const char *chosen_by; /* the pattern or cgroup in it, NULL: none */
	char *const *argv;     /* of the command, NULL-terminated; NULL: there was none */

	/* what decoding owns */
	char *mem;
	char **words;
};

/* Appends the fields to sb. What is absurdly long is cut. */
void rec_meta_encode(struct strbuf *sb, const struct rec_meta *meta);

/* Returns 0, -EBADMSG, or -ENOMEM; rec_meta_fini() is due only after 0. */
int rec_meta_decode(struct rec_meta *meta, const void *data, size_t len);
void rec_meta_fini(struct rec_meta *meta);

#endif
