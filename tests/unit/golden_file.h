/* SPDX-License-Identifier: BSD-2-Clause */
/* golden_file.h - an output held against its file in tests/golden. */
#ifndef IPCSPY_GOLDEN_FILE_H
#define IPCSPY_GOLDEN_FILE_H

#include "lib/strbuf.h"

/* Fails the test where tests/golden/NAME SUFFIX is not got; UPDATE=1 writes it instead. */
void golden_compare(const char *name, const char *suffix, const struct strbuf *got);

#endif
