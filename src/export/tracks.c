// SPDX-License-Identifier: BSD-2-Clause
#include "export/tracks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export/walk.h"
#include "lib/vec.h"

#define LANES_MAX 128

typedef Perfetto__TrackDescriptor track_descriptor;

int tracks_new(struct tracks *t, const char *name, uint64_t *uuid)
{
	track_descriptor d = PERFETTO__TRACK_DESCRIPTOR__INIT;

	*uuid = d.uuid = ++t->next_uuid;
	d.name = (char *)name;
	return packets_put_track(t->out, &d);
}

int tracks_init(struct tracks *t, struct packets *out)
{
	*t = (struct tracks){.out = out};
	hmap_init(&t->procs);
	hmap_init(&t->tasks);
	hmap_init(&t->chans);
	strbuf_init(&t->text);
	return tracks_new(t, "Channels", &t->channels);
}

void tracks_fini(struct tracks *t)
{
	hmap_for_each (slot, &t->procs)
		free(slot->val);
	hmap_for_each (slot, &t->chans)
		free(slot->val);
	hmap_for_each (slot, &t->tasks) {
		free(((struct task_track *)slot->val)->lanes);
		free(slot->val);
	}
	hmap_fini(&t->procs);
	hmap_fini(&t->tasks);
	hmap_fini(&t->chans);
	strbuf_fini(&t->text);
}

/* s as valid UTF-8; until the next call. */
static const char *valid(struct tracks *t, const char *s)
{
	strbuf_reset(&t->text);
	strbuf_put_utf8(&t->text, s, strlen(s));
	return t->text.s;
}

static int tell_proc(struct tracks *t, const struct proc_track *p, bool with_name)
{
	Perfetto__ProcessDescriptor proc = PERFETTO__PROCESS_DESCRIPTOR__INIT;
	track_descriptor d = PERFETTO__TRACK_DESCRIPTOR__INIT;

	d.uuid = p->uuid;
	d.process = &proc;
	proc.has_pid = true;
	proc.pid = (int32_t)p->pid;
	proc.process_name = with_name ? (char *)valid(t, p->comm) : NULL;
	return packets_put_track(t->out, &d);
}

static int tell_task(struct tracks *t, const struct task_track *task, bool with_name)
{
	Perfetto__ThreadDescriptor thread = PERFETTO__THREAD_DESCRIPTOR__INIT;
	track_descriptor d = PERFETTO__TRACK_DESCRIPTOR__INIT;

	d.uuid = task->lanes[0].uuid;
	d.has_parent_uuid = true;
	d.parent_uuid = task->proc->uuid;
	d.thread = &thread;
	thread.has_pid = thread.has_tid = true;
	thread.pid = (int32_t)task->proc->pid;
	thread.tid = (int32_t)task->tid;
	thread.thread_name = with_name ? (char *)valid(t, task->proc->comm) : NULL;
	return packets_put_track(t->out, &d);
}

static int track_of_proc(struct tracks *t, const struct proc *p, struct proc_track **out)
{
	struct proc_track *track = hmap_get(&t->procs, proc_key(p));
	int err = 0;

	if (!track) {
		track = calloc(1, sizeof(*track));
		if (!track || hmap_put(&t->procs, proc_key(p), track)) {
			free(track);
			return -ENOMEM;
		}
		track->uuid = ++t->next_uuid;
		track->pid = p->pid;
		err = tell_proc(t, track, false);
	}
	memcpy(track->comm, p->comm, sizeof(track->comm));
	*out = track;
	return err;
}

static int add_lane(struct tracks *t, struct task_track *task)
{
	track_descriptor d = PERFETTO__TRACK_DESCRIPTOR__INIT;
	int err = vec_room((void **)&task->lanes, &task->lane_cap, task->lane_cnt,
			   sizeof(*task->lanes));

	if (err)
		return err;
	task->lanes[task->lane_cnt++] = (struct lane){.uuid = ++t->next_uuid};
	if (task->lane_cnt == 1)
		return tell_task(t, task, false);
	d.uuid = t->next_uuid;
	d.has_parent_uuid = true;
	d.parent_uuid = task->lanes[0].uuid;
	d.name = (char *)"at the same time";
	return packets_put_track(t->out, &d);
}

int tracks_task(struct tracks *t, const struct proc *p, uint32_t tid, struct task_track **out)
{
	uint64_t key = hmap_mix(proc_key(p), tid);
	struct task_track *task = hmap_get(&t->tasks, key);
	struct proc_track *proc;
	int err = track_of_proc(t, p, &proc);

	if (!err && !task) {
		task = calloc(1, sizeof(*task));
		if (!task || hmap_put(&t->tasks, key, task)) {
			free(task);
			return -ENOMEM;
		}
		task->tid = tid;
		task->proc = proc;
		err = add_lane(t, task);
	}
	*out = task;
	return err;
}

static int close_lane(struct tracks *t, struct lane *lane)
{
	struct track_event e;

	if (!lane->open)
		return 0;
	lane->open = false;
	event_init(&e, EVENT_END, lane->uuid, lane->end_ns);
	return packets_put_event(t->out, &e);
}

struct lane *tracks_open_lane(struct task_track *task, uint64_t enter_ns, uint64_t end_ns)
{
	for (size_t i = 0; i < task->lane_cnt; i++) {
		struct lane *lane = &task->lanes[i];

		if (lane->open && lane->end_ns == end_ns &&
		    (!enter_ns || lane->enter_ns == enter_ns))
			return lane;
	}
	return NULL;
}

int tracks_lane(struct tracks *t, struct task_track *task, uint64_t from_ns, uint64_t to_ns,
		bool async, struct lane **out)
{
	size_t i = async;
	int err;

	*out = NULL;
	while (i < task->lane_cnt && task->lanes[i].end_ns > from_ns)
		i++;
	if (i == LANES_MAX)
		return 0;
	if (i == task->lane_cnt) {
		err = add_lane(t, task);
		if (err)
			return err;
	}
	*out = &task->lanes[i];
	err = close_lane(t, *out);
	(*out)->enter_ns = from_ns;
	(*out)->end_ns = to_ns;
	return err;
}

static uint64_t hash_text(const char *s)
{
	uint64_t h = 0;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3ull;
	return h;
}

int tracks_chan(struct tracks *t, const struct chan *c, struct chan_track **out, const char **name)
{
	struct chan_track *track = hmap_get(&t->chans, c->id);
	uint64_t hash = hash_text(c->name);

	*name = NULL;
	if (!track) {
		track = calloc(1, sizeof(*track));
		if (!track || hmap_put(&t->chans, c->id, track)) {
			free(track);
			return -ENOMEM;
		}
	}
	if (!track->iid || track->name != hash) {
		track->iid = ++t->next_iid;
		track->name = hash;
		*name = valid(t, c->name);
	}
	*out = track;
	return t->text.err;
}

static int tell_backlog(struct tracks *t, const struct chan *c, unsigned int dir, uint64_t uuid)
{
	Perfetto__CounterDescriptor counter = PERFETTO__COUNTER_DESCRIPTOR__INIT;
	track_descriptor d = PERFETTO__TRACK_DESCRIPTOR__INIT;

	valid(t, c->name);
	strbuf_puts(&t->text, dir ? " backlog, other way" : " backlog");
	d.uuid = uuid;
	d.has_parent_uuid = true;
	d.parent_uuid = t->channels;
	d.name = t->text.s;
	d.counter = &counter;
	counter.has_unit = true;
	counter.unit = strcmp(c->unit, "bytes")
			       ? PERFETTO__COUNTER_DESCRIPTOR__UNIT__UNIT_COUNT
			       : PERFETTO__COUNTER_DESCRIPTOR__UNIT__UNIT_SIZE_BYTES;
	return t->text.err ? t->text.err : packets_put_track(t->out, &d);
}

static int put_backlog(struct tracks *t, const struct chan *c, struct chan_track *track,
		       unsigned int dir, uint64_t ts_ns, uint64_t value)
{
	int err = 0;

	/* where there never was anything there is no track */
	if (track->backlog[dir].value == value)
		return 0;
	if (!track->backlog[dir].uuid) {
		track->backlog[dir].uuid = ++t->next_uuid;
		err = tell_backlog(t, c, dir, track->backlog[dir].uuid);
	}
	track->backlog[dir].value = value;
	return err ? err : packets_put_counter(t->out, track->backlog[dir].uuid, ts_ns, value);
}

/*
 * Most records say it. Else it is what the model counts: the operation is not counted yet, so
 * that is how it was behind the one before. Completions of io_uring are told in batches: what
 * was in the channel then nobody knows.
 */
int tracks_backlog(struct tracks *t, const struct operation *op)
{
	const struct chan *c = op->chan;
	const struct ev_hdr *hdr = &op->ev->hdr;
	struct chan_track *track = c ? hmap_get(&t->chans, c->id) : NULL;
	uint64_t before_ns;

	if (!track || hdr->flags & OPF_ASYNC)
		return 0;
	before_ns = track->last_ns;
	track->last_ns = hdr->ts_ns;
	if (hdr->flags & OPF_BACKLOG)
		return put_backlog(t, c, track, op->dir & 1, hdr->ts_ns, op->ev->backlog);
	if (!before_ns || chan_shape(c) == SHAPE_PAIR)
		return 0;
	return put_backlog(t, c, track, 0, before_ns, c->backlog.now);
}

static int close_lanes(struct tracks *t, struct task_track *task)
{
	int err = 0;

	for (size_t i = 0; !err && i < task->lane_cnt; i++)
		err = close_lane(t, &task->lanes[i]);
	return err;
}

int tracks_finish(struct tracks *t)
{
	int err = 0;

	hmap_for_each (slot, &t->tasks)
		err = err ? err : close_lanes(t, slot->val);

	hmap_for_each (slot, &t->procs)
		err = err ? err : tell_proc(t, slot->val, true);
	hmap_for_each (slot, &t->tasks)
		err = err ? err : tell_task(t, slot->val, true);
	return err;
}
