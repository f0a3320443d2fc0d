/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cut.h - what a cell loses when there is no room for all of it.
 *
 * What tells rows apart stays: ports, pids, how many there are. For table.c.
 */
#ifndef IPCSPY_VIEW_CUT_H
#define IPCSPY_VIEW_CUT_H

#include "view/table.h"

/* As text_put_cut(), by the CUT_* of flags. */
size_t cut_put(struct strbuf *sb, const struct text_style *style, const char *s, size_t len,
	       size_t width, unsigned int flags);

#endif
