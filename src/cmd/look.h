/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * look.h - one look at the whole machine: a model that has nothing else, and who waits for
 * whom in it.
 *
 *   (look_begin -> records to look_record() -> look_end)* -> look_fini
 *
 * A look begins with nothing: who ended since the last one is not there any more. Zero is an
 * empty look. Owns model and graph.
 */
#ifndef IPCSPY_CMD_LOOK_H
#define IPCSPY_CMD_LOOK_H

#include "analysis/graph.h"
#include "model/model.h"

struct look {
	struct model *model;
	struct graph graph;
};

/* All return 0 or -errno; look_fini() is due in any case. */
int look_begin(struct look *l);
int look_record(void *arg, const void *data, size_t len); /* arg: struct look */
int look_end(struct look *l);
void look_fini(struct look *l);

#endif
