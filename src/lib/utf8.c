// SPDX-License-Identifier: BSD-2-Clause
#include "lib/utf8.h"

struct range {
	uint32_t first, last;
};

static bool in_ranges(const struct range *r, size_t cnt, uint32_t cp)
{
	for (size_t i = 0; i < cnt; i++) {
		if (cp >= r[i].first && cp <= r[i].last)
			return true;
	}
	return false;
}

#define IN(table, cp) in_ranges(table, sizeof(table) / sizeof((table)[0]), cp)

unsigned int utf8_next(const char *s, size_t len, uint32_t *cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char c;
	unsigned int n;
	uint32_t v;

	if (!len)
		return 0;
	c = (unsigned char)s[0];
	if (c < 0x80) {
		*cp = c;
		return 1;
	}
	n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	if (c < 0xc2 || c > 0xf4 || len < n)
		return 0;
	v = c & (0x7f >> n);
	for (unsigned int i = 1; i < n; i++) {
		c = (unsigned char)s[i];
		if ((c & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (c & 0x3f);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*cp = v;
	return n;
}

unsigned int utf8_width(uint32_t cp)
{
	static const struct range none[] = {
		{0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a},
		{0x064b, 0x065f}, {0x0900, 0x0902}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a},
		{0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f},
		{0xfe20, 0xfe2f},
	};
	static const struct range two[] = {
		{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xa960, 0xa97c},
		{0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
		{0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff},
		{0x20000, 0x3fffd},
	};

	if (cp < 0x300)
		return 1;
	if (IN(none, cp))
		return 0;
	return IN(two, cp) ? 2 : 1;
}

size_t utf8_str_width(const char *s, size_t len)
{
	size_t width = 0;
	unsigned int n;
	uint32_t cp;

	for (size_t i = 0; i < len; i += n) {
		if ((unsigned char)s[i] < 0x80) {
			n = 1;
			width++;
			continue;
		}
		n = utf8_next(s + i, len - i, &cp);
		width += n ? utf8_width(cp) : 1;
		n += !n;
	}
	return width;
}

bool utf8_is_unsafe(uint32_t cp)
{
	static const struct range unsafe[] = {
		{0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},        {0x061c, 0x061c},
		{0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},    {0xe000, 0xf8ff},
		{0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0x10ffff},
	};

	return IN(unsafe, cp);
}
