/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * human.h - numbers for people: three digits and a unit.
 *
 * Appends to the buffer; holds no state. For programs there is JSON.
 */
#ifndef IPCSPY_HUMAN_H
#define IPCSPY_HUMAN_H

#include <stdint.h>

#include "lib/strbuf.h"

void human_bytes(struct strbuf *sb, uint64_t bytes); /* "0 B", "1.2 KiB", "64 MiB" */
void human_ns(struct strbuf *sb, uint64_t ns);       /* "0", "3.4 ms", "12.5 s", "3m20s", "5h06m" */
void human_count(struct strbuf *sb, uint64_t cnt);   /* exact up to 99999999, then "123 M" */

/* bytes in duration_ns as "12.3 MiB/s"; "-" when no time passed */
void human_rate(struct strbuf *sb, uint64_t bytes, uint64_t duration_ns);

/* A pid; of who has none in the caller's pid namespace "outside:" and the machine's. */
void human_pid(struct strbuf *sb, uint32_t pid);

/* "[pid]"; "[pid/tid]" where that is another number and not 0. */
void human_task(struct strbuf *sb, uint32_t pid, uint32_t tid);

#endif
