// SPDX-License-Identifier: BSD-2-Clause
#include "scene.h"

#include <string.h>

#include <poll.h>

void scene_begin(struct feed *f)
{
	feed_snap(f, SNAPF_HOLDS, T0 + SEC);
}

void scene_end(struct feed *f)
{
	feed_snap(f, SNAPF_HOLDS | SNAPF_END, SEEN);
}

int scene_setup(void **state)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	static struct feed f;

	feed_init(&f);
	for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		feed_proc(&f, 10 * (i + 1), names[i]);
	scene_begin(&f);
	*state = &f;
	return 0;
}

int scene_teardown(void **state)
{
	feed_fini(*state);
	return 0;
}

void scene_pipe(struct feed *f, uint64_t id, uint32_t writer, uint32_t reader)
{
	feed_pipe(f, id);
	feed_hold(f, id, writer, HOLDF_WRITE);
	feed_hold(f, id, reader, HOLDF_READ);
}

void scene_pair(struct feed *f, uint64_t id, uint32_t a, uint32_t b)
{
	struct ev_obj o = obj_make(MECH_UNIX_STREAM, id, T0);

	o.self = id;
	o.peer = id + 1;
	feed_obj(f, &o);
	o.chan = o.self = o.ino = id + 1;
	o.peer = id;
	feed_obj(f, &o);
	feed_hold(f, id, a, HOLDF_READ | HOLDF_WRITE);
	feed_hold(f, id + 1, b, HOLDF_READ | HOLDF_WRITE);
}

void scene_blocked(struct feed *f, enum ipcspy_mech mech, enum ipcspy_op op, uint64_t id,
		   uint32_t pid)
{
	feed_inflight(f, mech, op, id, pid, T0, SEEN, SEEN - T0);
	feed_task(f, pid, 'S', WHY_NONE, 0, T0, SEEN);
}

void scene_waits(struct feed *f, uint32_t pid, enum ipcspy_why why, int who)
{
	feed_task(f, pid, why == WHY_STOPPED ? 'T' : 'S', why, who, T0, SEEN);
}

void scene_opens(struct feed *f, uint32_t pid, const char *path, uint32_t other)
{
	struct ev_name n = {.hdr = {.kind = EV_NAME,
				    .len = sizeof(n),
				    .pid = pid,
				    .tid = pid,
				    .flags = NAMEF_OPEN,
				    .ts_ns = SEEN}};

	strncpy((char *)n.text, path, sizeof(n.text) - 1);
	feed_raw(f, &n);
	feed_task(f, pid, 'S', WHY_OPEN, (int)other, T0, SEEN);
}

void scene_polls(struct feed *f, uint32_t pid, uint64_t id, uint32_t flags)
{
	feed_inflight(f, MECH_NONE, OP_WAIT, 0, pid, T0, SEEN, SEEN - T0);
	feed_task(f, pid, 'S', WHY_NONE, 0, T0, SEEN);
	feed_poll(f, pid, id, POLLIN, flags);
}
