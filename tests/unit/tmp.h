/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tmp.h - a directory of its own for a test that needs files.
 *
 * TMP_TEST(name) in a table of tests: the directory is made under $TMPDIR (/tmp when
 * that is not set) before the test, is its *state, and is removed after it with all
 * that is in it, also when the test failed.
 */
#ifndef IPCSPY_TESTS_TMP_H
#define IPCSPY_TESTS_TMP_H

#include <limits.h>

#define TMP_TEST(name) cmocka_unit_test_setup_teardown(name, tmp_setup, tmp_teardown)

int tmp_setup(void **state);
int tmp_teardown(void **state);

/* The path of a file in the directory that state is. */
void tmp_path(char path[PATH_MAX], void **state, const char *name);

#endif
