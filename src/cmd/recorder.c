// SPDX-License-Identifier: BSD-2-Clause
#include "cmd/recorder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/alarms.h"
#include "cmd/row.h"
#include "cmd/signals.h"

static const char *name(void *arg)
{
	const struct recorder *rec = arg;

	return rec->opts->record;
}

static bool in_row(const struct opts *o)
{
	return o->max_bytes || o->ring_ns;
}

/* Of the files that are too many behind this one the last: earlier ones are gone already. */
static void remove_oldest(const struct recorder *rec, unsigned int number)
{
	if (rec->opts->max_files && number > rec->opts->max_files)
		row_remove(rec->opts->record, number - (unsigned int)rec->opts->max_files);
}

/* For the writer's thread, and once before there is one. */
static int open_next(void *arg, int *fd)
{
	struct recorder *rec = arg;
	const struct opts *o = rec->opts;
	int err;

	if (in_row(o)) {
		/* Not before the first: those of an earlier run stay until there is more. */
		if (rec->number >= rec->first)
			remove_oldest(rec, rec->number + 1);
		free(rec->name);
		rec->name = row_name(o->record, ++rec->number);
		if (!rec->name)
			return -ENOMEM;
		err = newfile_open(&rec->file, rec->name, false);
		if (!err)
			err = newfile_commit(&rec->file);
		if (err)
			return err;
	}
	*fd = rec->file.fd;
	return 0;
}

static int close_last(void *arg)
{
	struct recorder *rec = arg;

	return in_row(rec->opts) ? newfile_close(&rec->file) : 0;
}

static int dump(struct recorder *rec)
{
	int err = rec_writer_dump(rec->writer);

	return err == -EAGAIN ? 0 : err;
}

static int started(void *arg)
{
	struct recorder *rec = arg;

	rec->started = true;
	/* Those of a row are the writer's thread's, and there already. */
	return in_row(rec->opts) ? 0 : newfile_commit(&rec->file);
}

static int begin(void *arg, const struct session *s, const struct report_info *info)
{
	struct recorder *rec = arg;
	int err;

	rec->meta = (struct rec_meta){
		.start_ns = s->start_ns,
		.start_realtime_ns = info->start_realtime_ns,
		.no_peers = rec->opts->no_peers,
		.mech_mask = rec->opts->mech_mask,
		.command_pid = info->command_pid,
		.payload_bytes = rec->opts->payload_bytes,
		.version = IPCSPY_VERSION,
		.host = info->host,
		.kernel = info->kernel,
		.arch = info->arch,
		.filter = info->filter,
		.chosen_by = info->chosen_by,
		.argv = info->argv,
	};
	err = rec_writer_new(
		&rec->writer,
		&(struct rec_writer_opts){
			.out = {.meta = &rec->meta,
				.files = {.open = open_next, .close = close_last, .arg = rec},
				.max_bytes = rec->opts->max_bytes,
				.ring_ns = rec->opts->ring_ns},
		});
	/* Without a command there is nothing to wait for, and nothing written may be lost. */
	return err || info->argv ? err : started(rec);
}

static int record(void *arg, const struct event *ev)
{
	struct recorder *rec = arg;

	return rec_writer_put(rec->writer, ev->hdr, ev->hdr->len, ev->hdr->ts_ns,
			      ev->hdr->kind != EV_OP);
}

static int advance(void *arg, uint64_t now_ns)
{
	struct recorder *rec = arg;
	int err = rec_writer_tick(rec->writer, now_ns);

	if (!err && rec->opts->ring_ns && signals_dump())
		err = dump(rec);
	return err;
}

/* A finding that was not there before and is bad enough. */
static int sampled(void *arg, const struct session *s)
{
	struct recorder *rec = arg;
	int n = rec->alarms ? alarms_look(rec->alarms, s->model, s->blame) : 0;

	return n > 0 ? dump(rec) : n;
}

static void forget(void *arg, uint64_t id)
{
	struct recorder *rec = arg;
	const struct rec_forget item = {.item = {.kind = REC_FORGET, .len = sizeof(item)},
					.id = id};

	/* an error comes back with the next record */
	rec_writer_put(rec->writer, &item, sizeof(item), 0, true);
}

static int end(void *arg, const struct session *s, const struct report_info *info)
{
	struct recorder *rec = arg;
	const struct rec_end item = {
		.item = {.kind = REC_END,
			 .len = sizeof(item),
			 .flags = info->command_ended ? REC_ENDF_COMMAND_ENDED : 0},
		.end_ns = s->end_ns,
		.malformed = s->malformed,
		.command_status = info->command_status,
	};

	return rec_writer_end(rec->writer, &item);
}

static const struct session_observer observer = {
	.begin = begin,
	.started = started,
	.record = record,
	.advance = advance,
	.sampled = sampled,
	.forget = forget,
	.end = end,
	.name = name,
};

/* That a file can be made there is known before anything is traced. */
static int open_row(struct recorder *rec)
{
	int err = row_last(rec->opts->record, &rec->number);

	if (err)
		return err;
	rec->first = rec->number + 1;
	rec->name = row_name(rec->opts->record, rec->first);
	if (!rec->name)
		return -ENOMEM;
	err = newfile_open(&rec->file, rec->name, false);
	newfile_close(&rec->file);
	return err;
}

int recorder_open(struct recorder *rec, const struct opts *o)
{
	*rec = (struct recorder){.observer = observer, .opts = o, .file = {.fd = -1}};
	rec->observer.arg = rec;
	if (o->on_finding) {
		rec->alarms = alarms_new(o->finding_severity);
		if (!rec->alarms)
			return -ENOMEM;
	}
	if (in_row(o))
		return open_row(rec);
	if (!strcmp(o->record, "-")) {
		rec->file.fd = STDOUT_FILENO;
		return 0;
	}
	return newfile_open(&rec->file, o->record, o->force);
}

void recorder_stop(struct recorder *rec)
{
	rec_writer_free(rec->writer);
	rec->writer = NULL;
}

int recorder_close(struct recorder *rec)
{
	int err;

	recorder_stop(rec);
	err = newfile_close(&rec->file);
	while (in_row(rec->opts) && !rec->started && rec->first && rec->number >= rec->first)
		row_remove(rec->opts->record, rec->number--);
	if (in_row(rec->opts) && rec->started && rec->number >= rec->first) {
		remove_oldest(rec, rec->first);
		remove_oldest(rec, rec->number);
	}
	alarms_free(rec->alarms);
	free(rec->name);
	return err;
}
