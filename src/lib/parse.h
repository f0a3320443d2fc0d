/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse.h - strict parsing of what people type.
 *
 * Each function takes the whole string or fails: no leading blanks, signs or
 * trailing text. All return 0, -EINVAL for text of the wrong form, -ERANGE for
 * a value out of bounds, or -ENOMEM, and leave outputs untouched on failure.
 * Independent of the locale.
 */
#ifndef IPCSPY_PARSE_H
#define IPCSPY_PARSE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Decimal number in [min, max]. */
int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out);

/*
 * Seconds, with a decimal point if wanted ("5", "0.25", ".25"), or with a unit of
 * ns, us, ms, s or m behind ("250ms"), as nanoseconds; > 0, below 10^9 s.
 */
int parse_duration(const char *s, uint64_t *out_ns);

/* Bytes, with K, M, G or T behind for powers of 1024 if wanted; > 0, below 2^60. */
int parse_bytes(const char *s, uint64_t *out_bytes);

/*
 * PIDs separated by commas, each >= 1, appended to *pids, an array on the heap
 * (or NULL) of *cnt entries that the caller frees. A pid given twice is kept once.
 */
int parse_pids(const char *s, pid_t **pids, size_t *cnt);

/*
 * Names separated by commas, as a mask of 1u << number. number() gives the
 * number (1 to 31) of a name that is not terminated, 0 for an unknown one; then
 * -EINVAL is returned and *bad, *bad_len are set to that name within s.
 */
int parse_name_mask(const char *s, unsigned int (*number)(const char *name, unsigned int len),
		    uint32_t *mask, const char **bad, size_t *bad_len);

#endif
