// SPDX-License-Identifier: BSD-2-Clause
#include "cmd/recorder.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char *name(void *arg)
{
	const struct recorder *rec = arg;

	return rec->opts->record;
}

static int begin(void *arg, const struct session *s, const struct report_info *info)
{
	struct recorder *rec = arg;

	rec->meta = (struct rec_meta){
		.start_ns = s->start_ns,
		.start_realtime_ns = info->start_realtime_ns,
		.no_peers = rec->opts->no_peers,
		.mech_mask = rec->opts->mech_mask,
		.command_pid = info->command_pid,
		.version = IPCSPY_VERSION,
		.host = info->host,
		.kernel = info->kernel,
		.arch = info->arch,
		.filter = info->filter,
		.comm = info->comm,
		.argv = info->argv,
	};
	return rec_writer_new(&rec->writer, &(struct rec_writer_opts){
						    .fd = rec->file.fd,
						    .meta = &rec->meta,
					    });
}

static int started(void *arg)
{
	struct recorder *rec = arg;

	return newfile_commit(&rec->file);
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

	return rec_writer_tick(rec->writer, now_ns);
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
		.events = s->events,
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
	.forget = forget,
	.end = end,
	.name = name,
};

int recorder_open(struct recorder *rec, const struct opts *o)
{
	*rec = (struct recorder){.observer = observer, .opts = o, .file = {.fd = -1}};
	rec->observer.arg = rec;
	if (!strcmp(o->record, "-")) {
		rec->file.fd = STDOUT_FILENO;
		return 0;
	}
	return newfile_open(&rec->file, o->record, o->force);
}

int recorder_close(struct recorder *rec)
{
	rec_writer_free(rec->writer);
	rec->writer = NULL;
	return newfile_close(&rec->file);
}
