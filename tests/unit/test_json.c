// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/json.h"

static void sample(struct json *j)
{
	json_object(j, NULL);
	json_u64(j, "a", 1);
	json_array(j, "list");
	json_i64(j, NULL, INT64_MIN);
	json_object(j, NULL);
	json_end(j);
	json_array(j, NULL);
	json_end(j);
	json_end(j);
	json_object(j, "o");
	json_bool(j, "t", true);
	json_bool(j, "f", false);
	json_null(j, "n");
	json_end(j);
	json_str(j, "s", "x");
	json_end(j);
}

static void nesting_makes_the_commas(void **state)
{
	struct sink out;
	struct json j;

	(void)state;
	sink_init_mem(&out);
	json_init(&j, &out, 0);
	sample(&j);
	assert_int_equal(json_finish(&j), 0);
	assert_string_equal(out.buf.s, "{\"a\":1,\"list\":[-9223372036854775808,{},[]],"
				       "\"o\":{\"t\":true,\"f\":false,\"n\":null},\"s\":\"x\"}\n");
	strbuf_reset(&out.buf);
	json_init(&j, &out, 2);
	sample(&j);
	assert_int_equal(json_finish(&j), 0);
	assert_string_equal(out.buf.s, "{\n"
				       "  \"a\": 1,\n"
				       "  \"list\": [\n"
				       "    -9223372036854775808,\n"
				       "    {},\n"
				       "    []\n"
				       "  ],\n"
				       "  \"o\": {\n"
				       "    \"t\": true,\n"
				       "    \"f\": false,\n"
				       "    \"n\": null\n"
				       "  },\n"
				       "  \"s\": \"x\"\n"
				       "}\n");
	sink_fini(&out);
}

static void inner_levels_stay_on_one_line(void **state)
{
	struct sink out;
	struct json j;

	(void)state;
	sink_init_mem(&out);
	json_init(&j, &out, 1);
	sample(&j);
	assert_int_equal(json_finish(&j), 0);
	assert_string_equal(out.buf.s, "{\n"
				       "  \"a\": 1,\n"
				       "  \"list\": [-9223372036854775808, {}, []],\n"
				       "  \"o\": {\"t\": true, \"f\": false, \"n\": null},\n"
				       "  \"s\": \"x\"\n"
				       "}\n");
	sink_fini(&out);
}

static void strings_of_any_bytes(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} cases[] = {
#define CASE(in, out) {in, sizeof(in) - 1, out}
		CASE("", "\"\""),
		CASE("q\"b\\s/", "\"q\\\"b\\\\s/\""),
		CASE("\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\""),
		CASE("\0\033\177", "\"\\u0000\\u001b\\u007f\""),
		CASE("gr\xc3\xbc", "\"grü\""),
		CASE("\xf0\x9f\x98\x80", "\"😀\""),
		CASE("a\xff\xfe", "\"a\\ufffd\\ufffd\""),
		CASE("\xe2\x82", "\"\\ufffd\\ufffd\""),
		CASE("\xc2\x9b", "\"\\u009b\""),
		CASE("\xe2\x80\xae", "\"\\u202e\""),
		CASE("\xf3\xa0\x80\x81", "\"\\udb40\\udc01\""),
	};
	struct strbuf sb;

	(void)state;
	strbuf_init(&sb);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strbuf_reset(&sb);
		json_put_string(&sb, cases[i].in, cases[i].len);
		assert_string_equal(sb.s, cases[i].out);
	}
	strbuf_fini(&sb);
}

static void misuse_is_reported(void **state)
{
	struct sink out;
	struct json j;

	(void)state;
	sink_init_mem(&out);

	json_init(&j, &out, 0);
	json_object(&j, NULL);
	assert_int_equal(json_finish(&j), -EINVAL); /* still open */

	json_init(&j, &out, 0);
	json_object(&j, NULL);
	json_u64(&j, NULL, 1); /* no key */
	json_end(&j);
	assert_int_equal(json_finish(&j), -EINVAL);

	json_init(&j, &out, 0);
	json_array(&j, NULL);
	json_u64(&j, "key", 1); /* a key */
	json_end(&j);
	assert_int_equal(json_finish(&j), -EINVAL);

	json_init(&j, &out, 0);
	json_end(&j); /* nothing is open */
	assert_int_equal(json_finish(&j), -EINVAL);

	json_init(&j, &out, 0);
	for (int i = 0; i <= JSON_DEPTH_MAX; i++)
		json_array(&j, NULL);
	assert_int_equal(j.err, -EINVAL);
	sink_fini(&out);
}

static void as_deep_as_promised(void **state)
{
	struct sink out;
	struct json j;

	(void)state;
	sink_init_mem(&out);
	json_init(&j, &out, 0);
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		json_array(&j, NULL);
	json_u64(&j, NULL, 1);
	json_u64(&j, NULL, 2);
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		json_end(&j);
	assert_int_equal(json_finish(&j), 0);
	assert_non_null(strstr(out.buf.s, "[1,2]"));
	sink_fini(&out);
}

/* Reads all there is and says whether it is "abc" over and over, 300000 bytes. */
static int read_all(int fd)
{
	char buf[1000];
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] != "abc"[(len + (size_t)i) % 3])
				return 1;
		}
		len += (size_t)n;
	}
	return len == 300000 ? 0 : 2;
}

/* A pipe that takes less than it is given at a time, and would not block: short writes, EAGAIN. */
static void sink_writes_everything(void **state)
{
	struct sink out;
	int fds[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 4096) >= 4096);
	assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(fds[1]);
		_exit(read_all(fds[0]));
	}
	close(fds[0]);
	sink_init_fd(&out, fds[1]);
	for (int i = 0; i < 100000; i++) {
		strbuf_puts(sink_buf(&out), "abc");
		assert_int_equal(sink_spill(&out), 0);
		assert_true(out.buf.len <= 64 << 10);
	}
	assert_int_equal(sink_flush(&out), 0);
	close(fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	sink_fini(&out);
}

static void sink_keeps_its_first_error(void **state)
{
	struct sink out;
	int fds[2], full;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	sink_init_fd(&out, fds[1]);
	strbuf_puts(sink_buf(&out), "lost");
	assert_int_equal(sink_spill(&out), 0); /* too little to be written */
	assert_int_equal(sink_flush(&out), -EPIPE);
	full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(full >= 0);
	out.fd = full;
	strbuf_puts(sink_buf(&out), "more");
	assert_int_equal(sink_flush(&out), -EPIPE);
	assert_int_equal(sink_spill(&out), -EPIPE);
	sink_fini(&out);
	sink_init_fd(&out, full);
	strbuf_puts(sink_buf(&out), "more");
	assert_int_equal(sink_flush(&out), -ENOSPC);
	sink_fini(&out);
	close(full);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nesting_makes_the_commas),
		cmocka_unit_test(inner_levels_stay_on_one_line),
		cmocka_unit_test(strings_of_any_bytes),
		cmocka_unit_test(misuse_is_reported),
		cmocka_unit_test(as_deep_as_promised),
		cmocka_unit_test(sink_writes_everything),
		cmocka_unit_test(sink_keeps_its_first_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
