/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json.h - the one JSON writer.
 *
 * Keeps the nesting itself, so that commas, brackets and newlines cannot come
 * out wrong. Every value takes its key first: NULL inside an array and at the
 * top, not NULL inside an object. A breach of that, nesting deeper than
 * JSON_DEPTH_MAX, or a full sink sticks and is returned by json_finish().
 * Strings may hold any bytes: what is no UTF-8 becomes U+FFFD, so the document
 * is valid whatever a traced process calls itself.
 *
 * The caller owns the struct and the sink; there is nothing to free.
 */
#ifndef IPCSPY_JSON_H
#define IPCSPY_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "export/sink.h"

#define JSON_DEPTH_MAX 32

struct json {
	struct sink *out;
	unsigned int pretty; /* containers nested less than this put one member on a line */
	unsigned int depth;
	uint32_t is_object, has_member; /* one bit for each open container */
	int err;
};

/*
 * pretty 0: everything on one line; n: the outer n levels put each member on a
 * line of its own, what is deeper stays on that line.
 */
void json_init(struct json *j, struct sink *out, unsigned int pretty);

void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_end(struct json *j); /* closes the innermost object or array */

void json_u64(struct json *j, const char *key, uint64_t v);
void json_i64(struct json *j, const char *key, int64_t v);
void json_bool(struct json *j, const char *key, bool v);
void json_null(struct json *j, const char *key);
void json_str(struct json *j, const char *key, const char *s);

/* Ends the line. Returns 0, -EINVAL when anything is still open or was misused, or the sink's
 * -errno. */
int json_finish(struct json *j);

/* One JSON string, quotes included, of s (len bytes, any bytes). */
void json_put_string(struct strbuf *sb, const char *s, size_t len);

#endif
