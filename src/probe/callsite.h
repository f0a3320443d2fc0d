/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callsite.h - is there a call in front of this address?
 *
 * The kernel follows frame pointers, and code that was compiled without them keeps something
 * else in that register: what is found then may be any number. What is returned to is
 * behind a call, and where that call says where it goes to, that is the function that is in.
 */
#ifndef IPCSPY_PROBE_CALLSITE_H
#define IPCSPY_PROBE_CALLSITE_H

#include <linux/types.h>

#define CALLSITE_BYTES 8 /* longer is no call */

enum callsite { CALLSITE_NONE = 0, CALLSITE_DIRECT = 1, CALLSITE_INDIRECT = 2 };

/* code: what is in front of address ret. *target: where a direct call goes to. */
enum callsite callsite_parse(const unsigned char code[CALLSITE_BYTES], __u64 ret, __u64 *target);

#endif
