// SPDX-License-Identifier: BSD-2-Clause
#include "lib/strbuf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/utf8.h"

/* What an empty buffer points to; never written, so it can be shared. */
static char nothing[1];

void strbuf_init(struct strbuf *sb)
{
	*sb = (struct strbuf){.s = nothing};
}

void strbuf_fini(struct strbuf *sb)
{
	if (sb->cap)
		free(sb->s);
	strbuf_init(sb);
}

void strbuf_reset(struct strbuf *sb)
{
	sb->len = 0;
	sb->err = 0;
	if (sb->cap)
		sb->s[0] = 0;
}

/* Makes room for add bytes and the terminator. */
static bool room(struct strbuf *sb, size_t add)
{
	size_t need, cap;
	char *s;

	if (sb->err)
		return false;
	if (add < sb->cap - sb->len)
		return true;
	if (__builtin_add_overflow(sb->len, add, &need) || __builtin_add_overflow(need, 1, &need) ||
	    need > SIZE_MAX / 2)
		goto fail;
	cap = sb->cap * 2 > need ? sb->cap * 2 : need < 64 ? 64 : need;
	s = realloc(sb->cap ? sb->s : NULL, cap);
	if (!s)
		goto fail;
	sb->s = s;
	sb->cap = cap;
	return true;
fail:
	sb->err = -ENOMEM;
	return false;
}

void strbuf_put(struct strbuf *sb, const char *s, size_t len)
{
	if (!len || !room(sb, len)) /* s may be NULL then */
		return;
	memcpy(sb->s + sb->len, s, len);
	sb->len += len;
	sb->s[sb->len] = 0;
}

void strbuf_putc(struct strbuf *sb, char c)
{
	strbuf_put(sb, &c, 1);
}

void strbuf_puts(struct strbuf *sb, const char *s)
{
	strbuf_put(sb, s, strlen(s));
}

void strbuf_fill(struct strbuf *sb, char c, size_t cnt)
{
	if (!room(sb, cnt))
		return;
	memset(sb->s + sb->len, c, cnt);
	sb->len += cnt;
	sb->s[sb->len] = 0;
}

void strbuf_printf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		sb->err = -EINVAL;
		return;
	}
	if (!room(sb, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(sb->s + sb->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	sb->len += (size_t)n;
}

void strbuf_put_u64(struct strbuf *sb, uint64_t v)
{
	/* Two digits for each division: much of a message line's time went here. */
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";
	char digits[20];
	unsigned int at = sizeof(digits);

	for (; v >= 100; v /= 100) {
		at -= 2;
		memcpy(digits + at, pairs + 2 * (v % 100), 2);
	}
	if (v >= 10) {
		at -= 2;
		memcpy(digits + at, pairs + 2 * v, 2);
	} else {
		digits[--at] = (char)('0' + v);
	}
	strbuf_put(sb, digits + at, sizeof(digits) - at);
}

static void put_byte_escaped(struct strbuf *sb, char c)
{
	static const char letters[][2] = {{'\n', 'n'}, {'\t', 't'}, {'\r', 'r'}, {'\\', '\\'}};

	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
		if (letters[i][0] == c) {
			strbuf_putc(sb, '\\');
			strbuf_putc(sb, letters[i][1]);
			return;
		}
	}
	strbuf_printf(sb, "\\x%02x", (unsigned char)c);
}

/* Bytes at s that are printable ASCII: nearly every name is nothing else. */
static size_t plain_run(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && s[n] >= ' ' && s[n] < 0x7f && s[n] != '\\')
		n++;
	return n;
}

static void put_escaped(struct strbuf *sb, const char *s, size_t len, bool ascii)
{
	size_t i = 0, n;
	uint32_t cp;

	for (;;) {
		n = plain_run(s + i, len - i);
		strbuf_put(sb, s + i, n);
		i += n;
		if (i == len)
			return;
		n = utf8_next(s + i, len - i, &cp);
		if (n > 1 && !ascii && !utf8_is_unsafe(cp)) {
			strbuf_put(sb, s + i, n);
			i += n;
			continue;
		}
		for (n += !n; n; n--)
			put_byte_escaped(sb, s[i++]);
	}
}

void strbuf_put_escaped(struct strbuf *sb, const char *s, size_t len)
{
	put_escaped(sb, s, len, false);
}

void strbuf_put_escaped_ascii(struct strbuf *sb, const char *s, size_t len)
{
	put_escaped(sb, s, len, true);
}

void strbuf_put_utf8(struct strbuf *sb, const char *s, size_t len)
{
	size_t done = 0, i = 0;

	while (i < len) {
		uint32_t cp;
		unsigned int n = utf8_next(s + i, len - i, &cp);

		if (n) {
			i += n;
			continue;
		}
		strbuf_put(sb, s + done, i - done);
		strbuf_puts(sb, "\xef\xbf\xbd");
		done = ++i;
	}
	strbuf_put(sb, s + done, i - done);
}

void strbuf_put_base64(struct strbuf *sb, const void *s, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = s;

	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t v = (uint32_t)p[i] << 16;
		char quad[4];

		if (left > 1)
			v |= (uint32_t)p[i + 1] << 8;
		if (left > 2)
			v |= p[i + 2];
		quad[0] = digits[v >> 18];
		quad[1] = digits[v >> 12 & 63];
		quad[2] = left > 1 ? digits[v >> 6 & 63] : '=';
		quad[3] = left > 2 ? digits[v & 63] : '=';
		strbuf_put(sb, quad, sizeof(quad));
	}
}
