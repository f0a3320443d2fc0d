/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * why_json.h - chains from those who wait to root causes, as JSON.
 */
#ifndef IPCSPY_WHY_JSON_H
#define IPCSPY_WHY_JSON_H

#include "analysis/chain.h"
#include "export/json.h"

/* One member of the array "why". Returns 0 or -ENOMEM. */
int why_json(struct json *j, const struct graph *g, const struct wait *from);

/* The array "findings", of one moment or of a trace. Returns 0 or -ENOMEM. */
int findings_json(struct json *j, const struct model *m, bool moment);

#endif
