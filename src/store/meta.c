// SPDX-License-Identifier: BSD-2-Clause
#include "store/meta.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/format.h"

#define STRING_MAX (16u << 10)
#define ARGV_MAX   (256u << 10) /* bytes of all words */

/* One row per field: where it is in struct rec_meta. */
static const struct {
	enum rec_tag tag;
	bool text;
	size_t offset;
} fields[] = {
	{REC_TAG_START_NS, false, offsetof(struct rec_meta, start_ns)},
	{REC_TAG_START_REALTIME_NS, false, offsetof(struct rec_meta, start_realtime_ns)},
	{REC_TAG_NO_PEERS, false, offsetof(struct rec_meta, no_peers)},
	{REC_TAG_MECH_MASK, false, offsetof(struct rec_meta, mech_mask)},
	{REC_TAG_COMMAND_PID, false, offsetof(struct rec_meta, command_pid)},
	{REC_TAG_VERSION, true, offsetof(struct rec_meta, version)},
	{REC_TAG_HOST, true, offsetof(struct rec_meta, host)},
	{REC_TAG_KERNEL, true, offsetof(struct rec_meta, kernel)},
	{REC_TAG_ARCH, true, offsetof(struct rec_meta, arch)},
	{REC_TAG_FILTER, true, offsetof(struct rec_meta, filter)},
	{REC_TAG_CHOSEN_BY, true, offsetof(struct rec_meta, chosen_by)},
	{REC_TAG_PAYLOAD, false, offsetof(struct rec_meta, payload_bytes)},
};

#define FIELD_CNT (sizeof(fields) / sizeof(fields[0]))

static size_t padded(size_t len)
{
	return (len + 7) & ~(size_t)7;
}

static void put_field(struct strbuf *sb, enum rec_tag tag, const void *data, size_t len)
{
	const struct rec_field f = {.tag = tag, .len = (__u32)len};

	strbuf_put(sb, (const char *)&f, sizeof(f));
	strbuf_put(sb, data, len);
	strbuf_fill(sb, '\0', padded(len) - len);
}

void rec_meta_encode(struct strbuf *sb, const struct rec_meta *meta)
{
	size_t used = 0;

	for (size_t i = 0; i < FIELD_CNT; i++) {
		const char *at = (const char *)meta + fields[i].offset;
		const char *s;

		if (!fields[i].text) {
			put_field(sb, fields[i].tag, at, sizeof(uint64_t));
			continue;
		}
		memcpy(&s, at, sizeof(s));
		if (s)
			put_field(sb, fields[i].tag, s, strnlen(s, STRING_MAX));
	}
	for (char *const *arg = meta->argv; arg && *arg; arg++) {
		size_t len = strlen(*arg);

		used += len + sizeof(struct rec_field);
		if (used > ARGV_MAX) {
			put_field(sb, REC_TAG_ARG, "...", 3);
			break;
		}
		put_field(sb, REC_TAG_ARG, *arg, len);
	}
}

/* Takes one field; text at *mem, of which there is enough, and word by word into words. */
static void take_field(struct rec_meta *meta, const struct rec_field *f, char **mem, size_t *word)
{
	const char *data = (const char *)(f + 1);
	char *text = *mem;

	if (f->tag == REC_TAG_ARG || f->tag >= REC_TAG_VERSION) {
		memcpy(text, data, f->len);
		text[f->len] = '\0';
		*mem += f->len + 1;
	}
	if (f->tag == REC_TAG_ARG)
		meta->words[(*word)++] = text;
	for (size_t i = 0; i < FIELD_CNT; i++) {
		char *at = (char *)meta + fields[i].offset;

		if (fields[i].tag != f->tag)
			continue;
		if (fields[i].text)
			memcpy(at, &text, sizeof(text));
		else if (f->len >= sizeof(uint64_t))
			memcpy(at, data, sizeof(uint64_t));
	}
}

static const struct rec_field *next_field(const char **p, const char *end)
{
	const struct rec_field *f = (const struct rec_field *)*p;
	size_t left = (size_t)(end - *p);

	if (left < sizeof(*f) || f->len > left - sizeof(*f) || padded(f->len) > left - sizeof(*f))
		return NULL;
	*p += sizeof(*f) + padded(f->len);
	return f;
}

int rec_meta_decode(struct rec_meta *meta, const void *data, size_t len)
{
	static const char unknown[] = "?";
	struct rec_meta out = {.version = unknown,
			       .host = unknown,
			       .kernel = unknown,
			       .arch = unknown,
			       .filter = ""};
	const char *p = data, *end = p + len;
	const struct rec_field *f;
	size_t word_cnt = 0, word = 0;
	char *mem;

	while (p < end) {
		f = next_field(&p, end);
		if (!f)
			return -EBADMSG;
		word_cnt += f->tag == REC_TAG_ARG;
	}
	/* A field is longer than its text and the text's terminator. */
	out.mem = mem = malloc(len + 1);
	out.words = calloc(word_cnt + 1, sizeof(*out.words));
	if (!out.mem || !out.words) {
		rec_meta_fini(&out);
		return -ENOMEM;
	}
	for (p = data; p < end;)
		take_field(&out, next_field(&p, end), &mem, &word);
	out.argv = word_cnt ? out.words : NULL;
	*meta = out;
	return 0;
}

void rec_meta_fini(struct rec_meta *meta)
{
	free(meta->mem);
	free(meta->words);
	*meta = (struct rec_meta){0};
}
