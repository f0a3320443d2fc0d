/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * strbuf.h - a growing byte string, always NUL-terminated.
 *
 * The owner embeds it and calls strbuf_fini(). A failed allocation sets `err`
 * to -ENOMEM and later appends do nothing: check once, at the end.
 */
#ifndef IPCSPY_STRBUF_H
#define IPCSPY_STRBUF_H

#include <stddef.h>

struct strbuf {
	char *s; /* never NULL after init */
	size_t len, cap;
	int err;
};

void strbuf_init(struct strbuf *sb);
void strbuf_fini(struct strbuf *sb);
void strbuf_reset(struct strbuf *sb);
void strbuf_putc(struct strbuf *sb, char c);
void strbuf_put(struct strbuf *sb, const char *s, size_t len);
void strbuf_puts(struct strbuf *sb, const char *s);
void strbuf_printf(struct strbuf *sb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Appends s (len bytes, any bytes) so that it is safe on a terminal and in one
 * column of one line: control bytes, backslash and invalid UTF-8 become \n, \t,
 * \\, \xNN.
 */
void strbuf_put_escaped(struct strbuf *sb, const char *s, size_t len);

#endif
