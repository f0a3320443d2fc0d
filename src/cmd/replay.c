// SPDX-License-Identifier: BSD-2-Clause
#include "cmd/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/blame.h"

static void on_message(void *arg, const struct message *msg)
{
	struct replay *r = arg;

	r->hooks.message(r->hooks.arg, msg);
}

static void on_op(void *arg, const struct operation *op)
{
	struct replay *r = arg;

	r->hooks.op(r->hooks.arg, op);
}

static int open_input(struct replay *r, const char *path)
{
	struct stat st;

	r->fd = strcmp(path, "-") != 0 ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
				       : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (r->fd < 0 || fstat(r->fd, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (S_ISREG(st.st_mode))
		r->total_bytes = (uint64_t)st.st_size;
	return 0;
}

/* The first block. */
static int read_meta(struct replay *r, struct strbuf *why)
{
	int n = rec_reader_next(&r->reader), err;

	if (n < 0)
		return n;
	if (!n || r->reader.hdr.type != REC_BLOCK_META) {
		strbuf_puts(why, n ? "it does not begin as a recording does" : r->reader.bad);
		return -EBADMSG;
	}
	err = rec_meta_decode(&r->meta, r->reader.raw, r->reader.hdr.raw_len);
	if (err == -EBADMSG)
		strbuf_puts(why, "its first block is damaged");
	return err;
}

static void set_info(struct replay *r)
{
	const struct rec_meta *meta = &r->meta;

	r->start_ns = r->last_ns = meta->start_ns;
	r->info = (struct report_info){
		.blame = r->blame,
		.host = meta->host,
		.kernel = meta->kernel,
		.arch = meta->arch,
		.filter = meta->filter,
		.chosen_by = meta->chosen_by,
		.start_realtime_ns = meta->start_realtime_ns,
		.argv = meta->argv,
		.command_pid = (uint32_t)meta->command_pid,
		.payload_bytes = meta->payload_bytes,
	};
}

int replay_open(struct replay *r, const char *path, const struct replay_hooks *h,
		struct strbuf *why)
{
	int err;

	*r = (struct replay){.hooks = *h, .fd = -1};
	err = open_input(r, path);
	if (!err)
		err = rec_reader_init(&r->reader, r->fd, why);
	if (!err)
		err = read_meta(r, why);
	if (err)
		return err;
	r->blame = blame_new();
	if (!r->blame)
		return -ENOMEM;
	r->model = model_new(&(struct model_opts){
		.start_ns = r->meta.start_ns,
		.on_blocked = blame_on_blocked,
		.on_fold = blame_on_fold,
		.on_blocked_arg = r->blame,
		.no_peers = r->meta.no_peers != 0,
		.on_message = h->message ? on_message : NULL,
		.on_message_arg = r,
		.on_op = h->op ? on_op : NULL,
		.on_op_arg = r,
	});
	if (!r->model)
		return -ENOMEM;
	set_info(r);
	return h->begin ? h->begin(h->arg, &r->info) : 0;
}

static int take_event(struct replay *r, const struct rec_item *item)
{
	struct event ev;
	size_t skip;

	r->events += r->reader.hdr.type == REC_BLOCK_EVENTS;
	if (event_decode(item, item->len, &ev, &skip) < 0) {
		r->malformed++;
		return 0;
	}
	if (ev.hdr->ts_ns > r->last_ns)
		r->last_ns = ev.hdr->ts_ns;
	if (ev.hdr->kind == EV_LOSS && ev.hdr->flags & LOSSF_EVENTS && !ev.loss->mech)
		r->lost_other = ev.loss->cnt;
	return model_feed(r->model, &ev);
}

static int take_tick(struct replay *r, const struct rec_item *item)
{
	const struct rec_tick *tick = (const struct rec_tick *)item;

	if (tick->now_ns > r->last_ns)
		r->last_ns = tick->now_ns;
	return model_advance(r->model, tick->now_ns);
}

static int take_end(struct replay *r, const struct rec_item *item)
{
	const struct rec_end *end = (const struct rec_end *)item;

	r->ended = true;
	r->last_ns = end->end_ns;
	r->events += end->malformed;
	r->malformed += end->malformed;
	r->info.command_ended = end->item.flags & REC_ENDF_COMMAND_ENDED;
	r->info.command_status = end->command_status;
	return 0;
}

/* One row per kind of the recording's own items. */
static const struct {
	enum rec_kind kind;
	size_t size;
	int (*take)(struct replay *r, const struct rec_item *item);
} takers[] = {
	{REC_TICK, sizeof(struct rec_tick), take_tick},
	{REC_END, sizeof(struct rec_end), take_end},
};

static int take_item(struct replay *r, const struct rec_item *item)
{
	if (item->kind < REC_KIND_FIRST)
		return take_event(r, item);
	for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
		if (takers[i].kind == item->kind && item->len >= takers[i].size)
			return takers[i].take(r, item);
	}
	return 0;
}

static int take_block(struct replay *r)
{
	const struct rec_block_hdr *hdr = &r->reader.hdr;
	const struct rec_item *item;
	size_t pos = 0;
	int err = 0;

	if (hdr->type != REC_BLOCK_EVENTS && hdr->type != REC_BLOCK_DICT)
		return 0;
	r->lost = hdr->lost;
	while (!err && (item = rec_reader_item(&r->reader, &pos)))
		err = take_item(r, item);
	if (!err && pos < hdr->raw_len)
		r->malformed++;
	return err;
}

/* What the recorder could not write is lost like what the ring could not take. */
static int feed_lost(struct replay *r)
{
	const struct ev_loss loss = {
		.hdr = {.kind = EV_LOSS,
			.len = sizeof(loss),
			.flags = LOSSF_EVENTS,
			.ts_ns = r->last_ns},
		.cnt = r->lost_other + r->lost,
	};

	return r->lost ? model_feed(r->model, &(struct event){.loss = &loss}) : 0;
}

int replay_run(struct replay *r)
{
	int n, err = 0, end_err;

	while (!err && (n = rec_reader_next(&r->reader))) {
		err = n < 0 ? n : take_block(r);
		r->read_bytes = r->reader.offset;
		if (!err && r->hooks.block)
			err = r->hooks.block(r->hooks.arg);
	}
	r->truncated = !r->reader.whole || !r->ended;
	end_err = feed_lost(r);
	if (!end_err)
		end_err = model_finish(r->model, r->last_ns);
	r->info.duration_ns = r->last_ns > r->start_ns ? r->last_ns - r->start_ns : 0;
	r->info.events = r->events + r->lost;
	return err ? err : end_err;
}

const char *replay_missing(const struct replay *r)
{
	return r->reader.bad ? r->reader.bad : "the end of the trace is missing";
}

void replay_close(struct replay *r)
{
	model_free(r->model);
	blame_free(r->blame);
	rec_reader_fini(&r->reader);
	rec_meta_fini(&r->meta);
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}
