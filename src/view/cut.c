// SPDX-License-Identifier: BSD-2-Clause
#include "view/cut.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/utf8.h"

#define ARROW "<->"

/* The last byte c in s, or NULL. */
static const char *last(const char *s, size_t len, char c)
{
	return memrchr(s, c, len);
}

/* Puts len bytes of s in width columns less those of its tail, and the tail whole. */
static size_t put_with_tail(struct strbuf *sb, const struct text_style *style, const char *s,
			    size_t len, size_t tail, size_t width)
{
	size_t kept = utf8_str_width(s + len - tail, tail), used;

	if (kept > width)
		return text_put_cut(sb, style, s, len, width);
	used = text_put_cut(sb, style, s, len - tail, width - kept);
	strbuf_put(sb, s + len - tail, tail);
	return used + kept;
}

/* "tcp:10.0.0.1:80<->10.0.0.2:5000": each half gives of its address. */
static size_t put_addr(struct strbuf *sb, const struct text_style *style, const char *s, size_t len,
		       size_t width)
{
	const char *arrow = memmem(s, len, ARROW, strlen(ARROW)), *port;
	size_t left, right, left_port, right_port, room, used;

	if (!arrow)
		return text_put_cut(sb, style, s, len, width);
	left = (size_t)(arrow - s);
	arrow += strlen(ARROW);
	right = len - left - strlen(ARROW);
	port = last(s, left, ':');
	left_port = port ? left - (size_t)(port - s) : 0;
	port = last(arrow, right, ':');
	right_port = port ? right - (size_t)(port - arrow) : 0;
	if (left_port + right_port + strlen(ARROW) + 2 > width)
		return text_put_cut(sb, style, s, len, width);
	/* The room for addresses: the shorter one takes what it needs, up to a half. */
	room = width - left_port - right_port - strlen(ARROW);
	used = left - left_port;
	if (used > room / 2) {
		size_t rest = right - right_port < room / 2 ? right - right_port : room / 2;

		used = used < room - rest ? used : room - rest;
	}
	room -= used;
	used = put_with_tail(sb, style, s, left, left_port, used + left_port);
	strbuf_puts(sb, ARROW);
	return used + strlen(ARROW) +
	       put_with_tail(sb, style, arrow, right, right_port, room + right_port);
}

static size_t put_comm(struct strbuf *sb, const struct text_style *style, const char *s, size_t len,
		       size_t width)
{
	const char *pid = last(s, len, '[');

	return put_with_tail(sb, style, s, len, pid ? len - (size_t)(pid - s) : 0, width);
}

/* How many items ", 3 more" at the end stands for; *len: of what is before it. */
static unsigned long hidden(const char *s, size_t *len)
{
	static const char more[] = " more";
	const char *comma = last(s, *len, ',');
	char *end;
	unsigned long cnt;

	if (!comma)
		return 0;
	cnt = strtoul(comma + 1, &end, 10);
	if (end + strlen(more) != s + *len || memcmp(end, more, strlen(more)) != 0)
		return 0;
	*len = (size_t)(comma - s);
	return cnt;
}

static size_t put_list(struct strbuf *sb, const struct text_style *style, const char *s, size_t len,
		       size_t width)
{
	char tail[32] = "";
	unsigned long cnt = hidden(s, &len);

	while (utf8_str_width(s, len) + strlen(tail) > width || (cnt && !*tail)) {
		const char *comma = NULL;

		if (*tail || !cnt) {
			for (size_t i = 1; i < len; i++)
				if (s[i - 1] == ',' && s[i] == ' ')
					comma = s + i - 1;
			if (!comma)
				break;
			len = (size_t)(comma - s);
			cnt++;
		}
		snprintf(tail, sizeof(tail), ", %lu more", cnt);
	}
	if (strlen(tail) >= width)
		return text_put_cut(sb, style, s, len, width);
	width = text_put_cut(sb, style, s, len, width - strlen(tail)) + strlen(tail);
	strbuf_puts(sb, tail);
	return width;
}

size_t cut_put(struct strbuf *sb, const struct text_style *style, const char *s, size_t len,
	       size_t width, unsigned int flags)
{
	if (utf8_str_width(s, len) <= width)
		return text_put_cut(sb, style, s, len, width);
	if (flags & CUT_ADDR)
		return put_addr(sb, style, s, len, width);
	if (flags & CUT_COMM)
		return put_comm(sb, style, s, len, width);
	if (flags & CUT_LIST)
		return put_list(sb, style, s, len, width);
	return text_put_cut(sb, style, s, len, width);
}
