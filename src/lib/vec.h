/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vec.h - room in a growing array.
 *
 * The array, its length and its capacity are the caller's, who frees it.
 */
#ifndef IPCSPY_VEC_H
#define IPCSPY_VEC_H

#include <stddef.h>

/*
 * Sees to it that *v, an array of *cap elements of size bytes of which cnt are used,
 * has room for one more. Returns 0, or -ENOMEM with everything as it was.
 */
int vec_room(void **v, size_t *cap, size_t cnt, size_t size);

#endif
