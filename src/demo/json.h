/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json.h - just enough to write one JSON document to a stdio stream.
 *
 * Keeps no tree: a begin needs its end. Errors stay in the stream (ferror).
 */
#ifndef DEMO_JSON_H
#define DEMO_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *to;
	unsigned int depth;
	bool first; /* nothing written yet at this depth */
};

/* key is NULL inside an array. */
void json_begin(struct json *j, const char *key, char bracket);
void json_end(struct json *j, char bracket);
void json_u64(struct json *j, const char *key, uint64_t v);
void json_null(struct json *j, const char *key);
void json_bool(struct json *j, const char *key, bool v);

/* s may hold any bytes: control characters are escaped, what is not UTF-8 becomes U+FFFD. */
void json_str(struct json *j, const char *key, const char *s);

#endif
