/* SPDX-License-Identifier: BSD-2-Clause */
#include "json.h"

#include <inttypes.h>

/* Bytes of the UTF-8 sequence (RFC 3629) at s, 0 when there is none. */
static unsigned int utf8_len(const unsigned char *s)
{
	static const struct {
		unsigned char mask, lead, len;
		uint32_t min; /* less would be an overlong spelling */
	} forms[] = {{0x80, 0x00, 1, 0},
		     {0xe0, 0xc0, 2, 0x80},
		     {0xf0, 0xe0, 3, 0x800},
		     {0xf8, 0xf0, 4, 0x10000}};

	for (unsigned int f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
		uint32_t cp = s[0] & (unsigned char)~forms[f].mask;

		if ((s[0] & forms[f].mask) != forms[f].lead)
			continue;
		for (unsigned int i = 1; i < forms[f].len; i++) {
			if ((s[i] & 0xc0) != 0x80) /* the final NUL too ends up here */
				return 0;
			cp = cp << 6 | (s[i] & 0x3f);
		}
		if (cp < forms[f].min || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
			return 0;
		return forms[f].len;
	}
	return 0;
}

static void quoted(FILE *to, const char *str)
{
	const unsigned char *s = (const unsigned char *)str;
	unsigned int len;

	fputc('"', to);
	while (*s) {
		len = utf8_len(s);
		if (!len)
			fputs("\\ufffd", to);
		else if (*s == '"' || *s == '\\')
			fprintf(to, "\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(to, "\\u%04x", *s);
		else
			fwrite(s, 1, len, to);
		s += len ? len : 1;
	}
	fputc('"', to);
}

static void next(struct json *j, const char *key)
{
	if (!j->first)
		fputc(',', j->to);
	/* One line per entry of the outer lists: readable, and greppable by tests. */
	if (j->depth == 1 || (j->depth == 2 && !key))
		fprintf(j->to, "\n%*s", (int)j->depth, "");
	j->first = false;
	if (key) {
		quoted(j->to, key);
		fputc(':', j->to);
	}
}

void json_begin(struct json *j, const char *key, char bracket)
{
	next(j, key);
	fputc(bracket, j->to);
	j->depth++;
	j->first = true;
}

void json_end(struct json *j, char bracket)
{
	fputc(bracket, j->to);
	j->depth--;
	j->first = false;
	if (!j->depth)
		fputc('\n', j->to);
}

void json_u64(struct json *j, const char *key, uint64_t v)
{
	next(j, key);
	fprintf(j->to, "%" PRIu64, v);
}

void json_null(struct json *j, const char *key)
{
	next(j, key);
	fputs("null", j->to);
}

void json_bool(struct json *j, const char *key, bool v)
{
	next(j, key);
	fputs(v ? "true" : "false", j->to);
}

void json_str(struct json *j, const char *key, const char *s)
{
	next(j, key);
	quoted(j->to, s);
}
