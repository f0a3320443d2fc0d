// SPDX-License-Identifier: BSD-2-Clause
#include "lib/vec.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_CAP 16

int vec_room(void **v, size_t *cap, size_t cnt, size_t size)
{
	size_t want = *cap ? *cap * 2 : FIRST_CAP;
	void *p;

	if (cnt < *cap)
		return 0;
	p = reallocarray(*v, want, size);
	if (!p)
		return -ENOMEM;
	*v = p;
	*cap = want;
	return 0;
}
