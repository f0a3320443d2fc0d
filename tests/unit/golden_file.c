// SPDX-License-Identifier: BSD-2-Clause
#include "golden_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GOLDEN_MAX (1 << 20)

static void golden_path(char *path, size_t len, const char *name, const char *suffix)
{
	const char *top = getenv("IPCSPY_TOP");

	snprintf(path, len, "%s/tests/golden/%s%s", top ? top : ".", name, suffix);
}

static void write_golden(const char *path, const struct strbuf *got)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(got->s, 1, got->len, f), got->len);
	assert_int_equal(fclose(f), 0);
}

void golden_compare(const char *name, const char *suffix, const struct strbuf *got)
{
	static char expected[GOLDEN_MAX];
	char path[512];
	size_t len;
	FILE *f;

	assert_int_equal(got->err, 0);
	golden_path(path, sizeof(path), name, suffix);
	if (getenv("UPDATE")) {
		write_golden(path, got);
		return;
	}
	f = fopen(path, "re");
	if (!f)
		fail_msg("cannot open %s; UPDATE=1 writes it", path);
	len = fread(expected, 1, sizeof(expected), f);
	fclose(f);
	for (size_t i = 0, line = 1; i < len || i < got->len; line += expected[i++] == '\n') {
		if (i == len || i == got->len || expected[i] != got->s[i])
			fail_msg("%s differs from line %zu on:\n%s", path, line, got->s);
	}
}
