// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/human.h"
#include "lib/strbuf.h"
#include "lib/utf8.h"

static void grows_and_stays_terminated(void **state)
{
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	assert_string_equal(sb.s, "");
	strbuf_reset(&sb);
	for (int i = 0; i < 1000; i++)
		strbuf_printf(&sb, "%d,", i % 10);
	assert_int_equal(sb.len, 2000);
	assert_int_equal(strlen(sb.s), 2000);
	strbuf_reset(&sb);
	assert_string_equal(sb.s, "");
	strbuf_put(&sb, "a\0b", 3);
	assert_memory_equal(sb.s, "a\0b", 4);
	assert_int_equal(sb.err, 0);
	strbuf_fini(&sb);
	assert_string_equal(sb.s, "");
}

static void failure_sticks(void **state)
{
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	strbuf_puts(&sb, "kept");
	strbuf_fill(&sb, 'x', SIZE_MAX - 2);
	assert_int_equal(sb.err, -ENOMEM);
	strbuf_puts(&sb, "more");
	assert_string_equal(sb.s, "kept");
	strbuf_fini(&sb);
}

static void numbers(void **state)
{
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	strbuf_put_u64(&sb, 0);
	strbuf_putc(&sb, ' ');
	strbuf_put_u64(&sb, 1234567890);
	strbuf_putc(&sb, ' ');
	strbuf_put_u64(&sb, UINT64_MAX);
	assert_string_equal(sb.s, "0 1234567890 18446744073709551615");
	strbuf_fini(&sb);
}

struct bytes {
	const char *in;
	size_t len;
	const char *out, *ascii;
};

#define BYTES(in, out, ascii)                  \
	{                                      \
		in, sizeof(in) - 1, out, ascii \
	}

static void escapes_what_a_terminal_must_not_see(void **state)
{
	static const struct bytes cases[] = {
		BYTES("plain name", "plain name", "plain name"),
		BYTES("a\nb\tc\rd", "a\\nb\\tc\\rd", "a\\nb\\tc\\rd"),
		BYTES("\033[2J", "\\x1b[2J", "\\x1b[2J"),
		BYTES("back\\slash", "back\\\\slash", "back\\\\slash"),
		BYTES("nul\0del\177", "nul\\x00del\\x7f", "nul\\x00del\\x7f"),
		BYTES("gr\xc3\xbc\xc3\x9f", "grüß", "gr\\xc3\\xbc\\xc3\\x9f"),
		/* C1: CSI as a code point and as a bare byte */
		BYTES("\xc2\x9b"
		      "2J\x9b",
		      "\\xc2\\x9b2J\\x9b", "\\xc2\\x9b2J\\x9b"),
		/* right-to-left override */
		BYTES("a\xe2\x80\xae"
		      "b",
		      "a\\xe2\\x80\\xaeb", "a\\xe2\\x80\\xaeb"),
		/* cut off, overlong, surrogate, beyond U+10FFFF */
		BYTES("\xe2\x82", "\\xe2\\x82", "\\xe2\\x82"),
		BYTES("\xc0\xaf", "\\xc0\\xaf", "\\xc0\\xaf"),
		BYTES("\xe0\x80\xaf", "\\xe0\\x80\\xaf", "\\xe0\\x80\\xaf"),
		BYTES("\xed\xa0\x80", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80"),
		BYTES("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\\xf4\\x90\\x80\\x80"),
	};
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strbuf_reset(&sb);
		strbuf_put_escaped(&sb, cases[i].in, cases[i].len);
		assert_string_equal(sb.s, cases[i].out);
		strbuf_reset(&sb);
		strbuf_put_escaped_ascii(&sb, cases[i].in, cases[i].len);
		assert_string_equal(sb.s, cases[i].ascii);
	}
	strbuf_fini(&sb);
}

static void utf8_lengths(void **state)
{
	uint32_t cp = 0;

	(void)state;
	assert_int_equal(utf8_next("", 0, &cp), 0);
	assert_int_equal(utf8_next("A", 1, &cp), 1);
	assert_int_equal(cp, 'A');
	assert_int_equal(utf8_next("\xe2\x82\xac", 3, &cp), 3);
	assert_int_equal(cp, 0x20ac);
	assert_int_equal(utf8_next("\xe2\x82\xac", 2, &cp), 0);
	assert_int_equal(utf8_next("\xf0\x9f\x98\x80", 4, &cp), 4);
	assert_int_equal(cp, 0x1f600);
	assert_int_equal(utf8_next("\x80", 1, &cp), 0);
	assert_int_equal(utf8_next("\xc1\x81", 2, &cp), 0);
	assert_int_equal(utf8_next("\xf5\x80\x80\x80", 4, &cp), 0);
	assert_int_equal(utf8_str_width("a\xe6\xbc\xa2"
					"e\xcc\x81\xff",
					8),
			 5);
}

static void put_bytes(struct strbuf *sb, uint64_t v)
{
	human_bytes(sb, v);
}

static void put_ns(struct strbuf *sb, uint64_t v)
{
	human_ns(sb, v);
}

static void put_count(struct strbuf *sb, uint64_t v)
{
	human_count(sb, v);
}

static void put_rate(struct strbuf *sb, uint64_t v)
{
	human_rate(sb, v, 2000000000);
}

/* RFC 4648, section 10, and what it leaves out. */
static void base64(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *out;
	} cases[] = {
		{"", 0, ""},
		{"f", 1, "Zg=="},
		{"fo", 2, "Zm8="},
		{"foo", 3, "Zm9v"},
		{"foob", 4, "Zm9vYg=="},
		{"fooba", 5, "Zm9vYmE="},
		{"foobar", 6, "Zm9vYmFy"},
		{"\0\xff\xfe\xfb\xef\xbe", 6, "AP/+++++"},
	};
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strbuf_reset(&sb);
		strbuf_put_base64(&sb, cases[i].bytes, cases[i].len);
		assert_string_equal(sb.s, cases[i].out);
	}
	strbuf_fini(&sb);
}

static void units_for_people(void **state)
{
	static const struct {
		void (*put)(struct strbuf *sb, uint64_t v);
		uint64_t v;
		const char *out;
	} cases[] = {
		{put_bytes, 0, "0 B"},
		{put_bytes, 1023, "1023 B"},
		{put_bytes, 1024, "1.00 KiB"},
		{put_bytes, 65536, "64.0 KiB"},
		{put_bytes, 1048575, "1.00 MiB"},
		{put_bytes, 1258291, "1.20 MiB"},
		{put_bytes, UINT64_MAX, "16.0 EiB"},
		{put_ns, 0, "0"},
		{put_ns, 999, "999 ns"},
		{put_ns, 9996, "10.0 us"},
		{put_ns, 999499, "999 us"},
		{put_ns, 999500, "1.00 ms"},
		{put_ns, 3400000, "3.40 ms"},
		{put_ns, 12500000000, "12.5 s"},
		{put_ns, 99960000000, "1m40s"},
		{put_ns, 3599400000000, "59m59s"},
		{put_ns, 18360000000000, "5h06m"},
		{put_ns, 500000000000000, "5d18h"},
		{put_count, 99999999, "99999999"},
		{put_count, 100000000, "100 M"},
		{put_count, 999999999, "1.00 G"},
		{put_rate, 4096, "2.00 KiB/s"},
	};
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strbuf_reset(&sb);
		cases[i].put(&sb, cases[i].v);
		assert_string_equal(sb.s, cases[i].out);
	}
	strbuf_reset(&sb);
	human_rate(&sb, 4096, 0);
	assert_string_equal(sb.s, "-");
	strbuf_fini(&sb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_stays_terminated),
		cmocka_unit_test(failure_sticks),
		cmocka_unit_test(numbers),
		cmocka_unit_test(escapes_what_a_terminal_must_not_see),
		cmocka_unit_test(utf8_lengths),
		cmocka_unit_test(base64),
		cmocka_unit_test(units_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
