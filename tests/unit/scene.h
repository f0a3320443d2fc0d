/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scene.h - one moment of a machine, as a snapshot would tell it.
 *
 * scene_begin(), what there is, scene_end(); again for the next moment. All was so
 * since T0, and is seen at SEEN.
 */
#ifndef IPCSPY_TESTS_SCENE_H
#define IPCSPY_TESTS_SCENE_H

#include "feed.h"

#define SEEN (T0 + 2 * SEC)

/* Of a cmocka test: *state is a feed of the processes a to d, 10 to 40, whose scene has begun. */
int scene_setup(void **state);
int scene_teardown(void **state);

void scene_begin(struct feed *f);
void scene_end(struct feed *f);

/* A pipe that one process has open for writing and another for reading. */
void scene_pipe(struct feed *f, uint64_t id, uint32_t writer, uint32_t reader);

/* A socket pair: objects id and id + 1, one end each. */
void scene_pair(struct feed *f, uint64_t id, uint32_t a, uint32_t b);

/* pid, which has one thread, is inside an operation on an object since T0, all the time asleep. */
void scene_blocked(struct feed *f, enum ipcspy_mech mech, enum ipcspy_op op, uint64_t id,
		   uint32_t pid);

/* ... in a call that is about no channel. */
void scene_waits(struct feed *f, uint32_t pid, enum ipcspy_why why, int who);

/* ... in open(2), of a FIFO whose other end nobody has open; HOLDF_*: which end that is. */
void scene_opens(struct feed *f, uint32_t pid, const char *path, uint32_t other);

/* ... in poll, for input from an object. */
void scene_polls(struct feed *f, uint32_t pid, uint64_t id, uint32_t flags);

#endif
