/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * golden_scene.h - made-up traces, told as events with a fixed clock.
 *
 * A scene feeds its events through the decoder into the player's model, as the
 * probe would, and says what the report's head needs to know.
 */
#ifndef IPCSPY_GOLDEN_SCENE_H
#define IPCSPY_GOLDEN_SCENE_H

#include <stdint.h>

#include "export/report.h"
#include "model/model.h"

#define SCENE_START_NS 1000000000000ull

struct player {
	struct model *model;
	uint64_t events;
};

struct scene {
	const char *name; /* of the files in tests/golden */
	const char *filter;
	char *const *argv; /* NULL: no command */
	uint32_t command_pid;
	int command_status;
	uint64_t duration_us;
	void (*play)(struct player *p);
};

/* Ends with a row without a name. */
extern const struct scene scenes[];

#endif
