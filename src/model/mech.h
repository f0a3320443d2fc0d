/* SPDX-License-Identifier: BSD-2-Clause */
/* mech.h - the names of mechanisms and operations, as the command line and JSON spell them. */
#ifndef IPCSPY_MECH_H
#define IPCSPY_MECH_H

#include <stdint.h>

#include "ipcspy/types.h"

/* "pipe", "unix-stream", ...; "?" for a number that names none. */
const char *mech_name(enum ipcspy_mech mech);

/* MECH_NONE when s (len bytes) names no mechanism. */
enum ipcspy_mech mech_by_name(const char *s, unsigned int len);

/* The i-th known mechanism, counted from 0, MECH_NONE past the end: for help texts. */
enum ipcspy_mech mech_at(unsigned int i);

/* "send", "recv", "wait", "accept", ... */
const char *op_name(enum ipcspy_op op);

#endif
