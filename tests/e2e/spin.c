// SPDX-License-Identifier: BSD-2-Clause
/* A stage of a pipeline that computes and never writes: its stack is known. */
#include <stdint.h>

int crunch(uint64_t cnt);
int stage(void);

static volatile uint64_t sum, rounds = 1u << 20; /* not known to the compiler */

__attribute__((noinline)) int crunch(uint64_t cnt)
{
	for (uint64_t i = 0; i < cnt; i++)
		sum += i * i;
	return 1;
}

/* What it does behind the call keeps the call from becoming a jump. */
__attribute__((noinline)) int stage(void)
{
	while (crunch(rounds))
		sum++;
	return 0;
}

int main(void)
{
	return stage() + 1;
}
