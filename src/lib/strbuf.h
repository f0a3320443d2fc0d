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
#include <stdint.h>

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

/* Decimal digits. A message line is mostly these, so it does not go through printf. */
void strbuf_put_u64(struct strbuf *sb, uint64_t v);

/* Appends cnt times c. */
void strbuf_fill(struct strbuf *sb, char c, size_t cnt);

/*
 * Appends s (len bytes, any bytes) so that it is safe on a terminal and in one
 * column of one line: control bytes, backslash and invalid UTF-8 become \n, \t,
 * \\, \xNN, and so do code points that move or hide what is around them.
 */
void strbuf_put_escaped(struct strbuf *sb, const char *s, size_t len);

/* The same for an output that takes only ASCII: every other byte becomes \xNN. */
void strbuf_put_escaped_ascii(struct strbuf *sb, const char *s, size_t len);

/* Appends s (len bytes, any bytes) as valid UTF-8: what is none becomes U+FFFD. */
void strbuf_put_utf8(struct strbuf *sb, const char *s, size_t len);

/* Appends s (len bytes, any bytes) in base64, padded (RFC 4648, section 4). */
void strbuf_put_base64(struct strbuf *sb, const void *s, size_t len);

#endif
