/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * row.h - the names of files that come one after the other: FILE.000001, FILE.000002, ...
 */
#ifndef IPCSPY_ROW_H
#define IPCSPY_ROW_H

/* On the heap; NULL when out of memory. */
char *row_name(const char *path, unsigned int number);

/* The highest number there is, 0: none. Returns 0 or -errno of looking. */
int row_last(const char *path, unsigned int *number);

/* Removes one, where there is one. */
void row_remove(const char *path, unsigned int number);

#endif
