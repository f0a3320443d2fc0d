// SPDX-License-Identifier: BSD-2-Clause
#include "probe/callsite.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)

/* Length of "call r/m64" with this ModRM byte and what follows; 0: it is something else. */
static unsigned int indirect_length(const unsigned char *code)
{
	unsigned int mod = code[1] >> 6, reg = code[1] >> 3 & 7, rm = code[1] & 7;
	bool sib = mod != 3 && rm == 4;
	unsigned int len = 2 + sib;

	if (reg != 2)
		return 0;
	if (mod == 1)
		return len + 1;
	if (mod == 2 || (mod == 0 && (rm == 5 || (sib && (code[2] & 7) == 5))))
		return len + 4;
	return len;
}

enum callsite callsite_parse(const unsigned char code[CALLSITE_BYTES], __u64 ret, __u64 *target)
{
	static const unsigned int lengths[] = {2, 3, 4, 6, 7};
	__s32 distance;

	if (code[CALLSITE_BYTES - 5] == 0xe8) {
		memcpy(&distance, &code[CALLSITE_BYTES - 4], sizeof(distance));
		*target = ret + (__u64)(__s64)distance;
		return CALLSITE_DIRECT;
	}
	for (unsigned int i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		const unsigned char *at = code + (CALLSITE_BYTES - lengths[i]);

		if (*at == 0xff && indirect_length(at) == lengths[i])
			return CALLSITE_INDIRECT;
	}
	return CALLSITE_NONE;
}

#elif defined(__aarch64__)

enum callsite callsite_parse(const unsigned char code[CALLSITE_BYTES], __u64 ret, __u64 *target)
{
	__u32 insn;

	memcpy(&insn, &code[CALLSITE_BYTES - 4], sizeof(insn));
	if ((insn & 0xfc000000) == 0x94000000) { /* BL: words, 26 bits, signed */
		*target = ret - 4 + ((__u64)(__s64)((__s32)(insn << 6) >> 6) << 2);
		return CALLSITE_DIRECT;
	}
	/* BLR, and BLRAA and its like, which check the pointer */
	if ((insn & 0xfffffc1f) == 0xd63f0000 || (insn & 0xfefff800) == 0xd63f0800)
		return CALLSITE_INDIRECT;
	return CALLSITE_NONE;
}

#else

enum callsite callsite_parse(const unsigned char code[CALLSITE_BYTES], __u64 ret, __u64 *target)
{
	(void)code, (void)ret, (void)target;
	return CALLSITE_NONE;
}

#endif
