/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * utf8.h - reading UTF-8 that may be anything.
 *
 * Independent of the locale, so that the same bytes give the same report
 * everywhere. Holds no state, owns nothing.
 */
#ifndef IPCSPY_UTF8_H
#define IPCSPY_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Length in bytes (1 to 4) of the code point that s (len bytes) begins with,
 * which goes to *cp; 0 when that is no valid UTF-8 (RFC 3629: no surrogates,
 * no overlong forms) or len is 0.
 */
unsigned int utf8_next(const char *s, size_t len, uint32_t *cp);

/* Columns a terminal gives the code point: 0 (combining), 1, or 2 (East Asian wide, emoji). */
unsigned int utf8_width(uint32_t cp);

/* Columns of a whole string; a byte that is no UTF-8 counts one. */
size_t utf8_str_width(const char *s, size_t len);

/* Controls (C0, DEL, C1) and what reorders, joins or hides neighbours: not for a terminal. */
bool utf8_is_unsafe(uint32_t cp);

#endif
