/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alarms.h - findings that were not there before.
 *
 * Remembers those that are there, by kind, channel and processes, so that each is told once as
 * long as it lasts. Owned by who made it.
 */
#ifndef IPCSPY_ALARMS_H
#define IPCSPY_ALARMS_H

#include "analysis/findings.h"

struct alarms;

/* For findings of this severity and worse. NULL when out of memory. */
struct alarms *alarms_new(enum severity least);
void alarms_free(struct alarms *a);

/* Returns 1 when there is a new one, 0, or -ENOMEM. */
int alarms_look(struct alarms *a, const struct model *m, struct blame *blame);

#endif
