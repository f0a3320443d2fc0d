/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * why_json.h - chains from those who wait to root causes, as JSON.
 */
#ifndef IPCSPY_WHY_JSON_H
#define IPCSPY_WHY_JSON_H

#include "analysis/chain.h"
#include "export/json.h"

struct blame;

/* One member of the array "why". Returns 0 or -ENOMEM. */
int why_json(struct json *j, const struct graph *g, const struct wait *from);

/* The array "findings", of one moment. Returns 0 or -ENOMEM. */
int findings_moment_json(struct json *j, const struct model *m);

/* The same of a trace; blame may be NULL. */
int findings_json(struct json *j, const struct model *m, struct blame *blame);

/* The array "not_looked_at": mechanisms of which there may be more that nobody uses. */
void unseen_json(struct json *j, const struct model *m);

#endif
