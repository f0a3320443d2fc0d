// SPDX-License-Identifier: BSD-2-Clause
#include "export/json.h"

#include <errno.h>
#include <string.h>

#include "lib/utf8.h"

void json_init(struct json *j, struct sink *out, unsigned int pretty)
{
	*j = (struct json){.out = out, .pretty = pretty};
}

static void put_special(struct strbuf *sb, uint32_t cp)
{
	static const char *const named[0x5d] = {
		['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n",  ['\r'] = "\\r",
		['\t'] = "\\t", ['"'] = "\\\"", ['\\'] = "\\\\",
	};

	if (cp < sizeof(named) / sizeof(named[0]) && named[cp])
		strbuf_puts(sb, named[cp]);
	else if (cp < 0x10000)
		strbuf_printf(sb, "\\u%04x", cp);
	else
		strbuf_printf(sb, "\\u%04x\\u%04x", 0xd800 + ((cp - 0x10000) >> 10),
			      0xdc00 + (cp & 0x3ff));
}

void json_put_string(struct strbuf *sb, const char *s, size_t len)
{
	size_t done = 0, i = 0;
	unsigned int n;
	uint32_t cp;

	strbuf_putc(sb, '"');
	while (i < len) {
		unsigned char c = (unsigned char)s[i];

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
			i++;
			continue;
		}
		n = utf8_next(s + i, len - i, &cp);
		/* What is unsafe on a terminal is escaped here too: people look at JSON there. */
		if (n > 1 && !utf8_is_unsafe(cp)) {
			i += n;
			continue;
		}
		strbuf_put(sb, s + done, i - done);
		put_special(sb, n ? cp : 0xfffd);
		i += n ? n : 1;
		done = i;
	}
	strbuf_put(sb, s + done, i - done);
	strbuf_putc(sb, '"');
}

static bool in_object(const struct json *j)
{
	return j->depth && (j->is_object & 1u << (j->depth - 1));
}

static void new_line(struct json *j)
{
	struct strbuf *sb = sink_buf(j->out);

	strbuf_putc(sb, '\n');
	strbuf_fill(sb, ' ', 2 * (size_t)j->depth);
}

/* Comma, white space and key in front of a value. False: it must not be written. */
static bool begin_value(struct json *j, const char *key)
{
	struct strbuf *sb = sink_buf(j->out);
	uint32_t bit;

	if (!j->err && in_object(j) != (key != NULL))
		j->err = -EINVAL;
	if (j->err)
		return false;
	if (j->depth) {
		bit = 1u << (j->depth - 1);
		if (j->has_member & bit)
			strbuf_putc(sb, ',');
		if (j->depth <= j->pretty)
			new_line(j);
		else if (j->pretty && (j->has_member & bit))
			strbuf_putc(sb, ' ');
		j->has_member |= bit;
	}
	if (key) {
		json_put_string(sb, key, strlen(key));
		strbuf_puts(sb, j->pretty ? ": " : ":");
	}
	return true;
}

static void open_container(struct json *j, const char *key, bool object)
{
	uint32_t bit;

	if (j->depth >= JSON_DEPTH_MAX)
		j->err = -EINVAL;
	if (!begin_value(j, key))
		return;
	bit = 1u << j->depth++;
	j->has_member &= ~bit;
	j->is_object = object ? j->is_object | bit : j->is_object & ~bit;
	strbuf_putc(sink_buf(j->out), object ? '{' : '[');
}

void json_object(struct json *j, const char *key)
{
	open_container(j, key, true);
}

void json_array(struct json *j, const char *key)
{
	open_container(j, key, false);
}

void json_end(struct json *j)
{
	bool object = in_object(j), empty;

	if (!j->depth)
		j->err = -EINVAL;
	if (j->err)
		return;
	empty = !(j->has_member & 1u << --j->depth);
	if (j->depth < j->pretty && !empty)
		new_line(j);
	strbuf_putc(sink_buf(j->out), object ? '}' : ']');
	j->err = sink_spill(j->out);
}

void json_u64(struct json *j, const char *key, uint64_t v)
{
	if (begin_value(j, key))
		strbuf_put_u64(sink_buf(j->out), v);
}

void json_i64(struct json *j, const char *key, int64_t v)
{
	if (!begin_value(j, key))
		return;
	if (v < 0)
		strbuf_putc(sink_buf(j->out), '-');
	strbuf_put_u64(sink_buf(j->out), v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void json_bool(struct json *j, const char *key, bool v)
{
	if (begin_value(j, key))
		strbuf_puts(sink_buf(j->out), v ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
	if (begin_value(j, key))
		strbuf_puts(sink_buf(j->out), "null");
}

void json_str(struct json *j, const char *key, const char *s)
{
	if (begin_value(j, key))
		json_put_string(sink_buf(j->out), s, strlen(s));
}

int json_finish(struct json *j)
{
	if (!j->err && j->depth)
		j->err = -EINVAL;
	if (j->err)
		return j->err;
	strbuf_putc(sink_buf(j->out), '\n');
	j->err = sink_spill(j->out);
	return j->err;
}
