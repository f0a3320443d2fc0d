// SPDX-License-Identifier: BSD-2-Clause
#include "store/writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define BLOCKS_MAX      128 /* that wait, 32 MiB */
#define BLOCKS_RESERVED 32  /* more of them, for what must be there */
#define HAND_OVER_NS    1000000000ull

struct rec_writer {
	/* the caller's */
	struct rec_block *block; /* being filled; NULL: none was free */
	uint64_t opened_ns;      /* time of the first tick behind the start of the block */
	size_t blocks_max, block_cnt;
	uint64_t lost;
	bool ended;
	pthread_t thread;

	/* of both, under the lock */
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct rec_block *first, **last; /* full blocks, in order */
	struct rec_block *spare;
	bool closing, regular;
	int err;
	struct rec_stats stats;

	/* the thread's */
	struct rec_out out;
};

/* Waits for a block; NULL: there will be no more. */
static struct rec_block *next_block(struct rec_writer *w)
{
	struct rec_block *b;

	pthread_mutex_lock(&w->lock);
	while (!w->first && !w->closing)
		pthread_cond_wait(&w->filled, &w->lock);
	b = w->first;
	if (b) {
		w->first = b->next;
		if (!w->first)
			w->last = &w->first;
	}
	pthread_mutex_unlock(&w->lock);
	return b;
}

/* The block is free again; what came of it is told. */
static void done_block(struct rec_writer *w, struct rec_block *b, int err)
{
	struct timespec cpu;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
	pthread_mutex_lock(&w->lock);
	if (b) {
		b->next = w->spare;
		w->spare = b;
	}
	w->err = err;
	w->stats.items = w->out.items + (w->out.open ? w->out.file.items : 0);
	w->stats.bytes = w->out.bytes + (w->out.open ? w->out.file.bytes : 0);
	w->stats.files = w->out.files;
	w->stats.cpu_ns = (uint64_t)cpu.tv_sec * 1000000000ull + (uint64_t)cpu.tv_nsec;
	pthread_mutex_unlock(&w->lock);
}

static void *run(void *arg)
{
	struct rec_writer *w = arg;
	struct rec_block *b;
	int err = 0;

	while ((b = next_block(w))) {
		/* After an error blocks only go round. */
		if (!err && b->len)
			err = rec_out_put(&w->out, b);
		if (!err && b->dump)
			err = rec_out_dump(&w->out);
		done_block(w, b, err);
	}
	if (!err && w->regular)
		err = rec_out_end(&w->out);
	done_block(w, NULL, err);
	return NULL;
}

/* Signals are for the thread that waits for them. */
static int start_thread(struct rec_writer *w)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

static void blocks_free(struct rec_block *b)
{
	struct rec_block *next;

	for (; b; b = next) {
		next = b->next;
		rec_block_free(b);
	}
}

static void destroy(struct rec_writer *w)
{
	blocks_free(w->first);
	blocks_free(w->spare);
	rec_block_free(w->block);
	rec_out_fini(&w->out);
	pthread_cond_destroy(&w->filled);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

int rec_writer_new(struct rec_writer **out, const struct rec_writer_opts *opts)
{
	struct rec_writer *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->filled, NULL);
	w->last = &w->first;
	w->blocks_max = opts->blocks_max ? opts->blocks_max : BLOCKS_MAX;
	err = rec_out_init(&w->out, &opts->out);
	if (!err)
		err = start_thread(w);
	if (err) {
		destroy(w);
		return err;
	}
	*out = w;
	return 0;
}

/* Ends the thread when it has written all it was given. */
static void join(struct rec_writer *w, bool regular)
{
	pthread_mutex_lock(&w->lock);
	w->closing = true;
	w->regular = regular;
	pthread_cond_signal(&w->filled);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	w->ended = true;
}

static int hand_over(struct rec_writer *w)
{
	int err;

	pthread_mutex_lock(&w->lock);
	if (w->block) {
		w->block->next = NULL;
		*w->last = w->block;
		w->last = &w->block->next;
		pthread_cond_signal(&w->filled);
	}
	err = w->err;
	pthread_mutex_unlock(&w->lock);
	w->block = NULL;
	w->opened_ns = 0;
	return err;
}

/* A block to fill, where there is one. */
static int open_block(struct rec_writer *w, bool must)
{
	size_t max = w->blocks_max + (must ? BLOCKS_RESERVED : 0);
	struct rec_block *b;
	int err;

	pthread_mutex_lock(&w->lock);
	b = w->spare;
	if (b)
		w->spare = b->next;
	err = w->err;
	pthread_mutex_unlock(&w->lock);
	if (b) {
		rec_block_reset(b, REC_BLOCK_EVENTS);
	} else if (w->block_cnt < max) {
		b = rec_block_new(REC_BLOCK_EVENTS);
		if (!b)
			return -ENOMEM;
		w->block_cnt++;
	}
	if (b)
		b->lost = w->lost;
	w->block = b;
	return err;
}

int rec_writer_put(struct rec_writer *w, const void *item, size_t len, uint64_t ns, bool must)
{
	int err = 0;

	if (w->block && !rec_block_has_room(w->block, len))
		err = hand_over(w);
	if (!err && !w->block)
		err = open_block(w, must);
	if (err)
		return err;
	if (w->block)
		rec_block_put(w->block, item, len, ns);
	else
		w->lost++;
	return 0;
}

int rec_writer_tick(struct rec_writer *w, uint64_t now_ns)
{
	const struct rec_tick tick = {.item = {.kind = REC_TICK, .len = sizeof(tick)},
				      .now_ns = now_ns};
	int err = rec_writer_put(w, &tick, sizeof(tick), now_ns, false);

	if (err || !w->block)
		return err;
	if (!w->opened_ns)
		w->opened_ns = now_ns;
	return now_ns - w->opened_ns < HAND_OVER_NS ? 0 : hand_over(w);
}

int rec_writer_dump(struct rec_writer *w)
{
	int err = w->block ? 0 : open_block(w, true);

	if (err)
		return err;
	if (!w->block)
		return -EAGAIN;
	w->block->dump = true;
	return hand_over(w);
}

int rec_writer_end(struct rec_writer *w, const struct rec_end *end)
{
	int err = rec_writer_put(w, end, sizeof(*end), end->end_ns, true);

	if (!err)
		err = hand_over(w);
	join(w, !err);
	return err ? err : w->err;
}

void rec_writer_stats(struct rec_writer *w, struct rec_stats *out)
{
	pthread_mutex_lock(&w->lock);
	*out = w->stats;
	pthread_mutex_unlock(&w->lock);
	out->lost = w->lost;
}

void rec_writer_free(struct rec_writer *w)
{
	if (!w)
		return;
	if (!w->ended) {
		hand_over(w);
		join(w, false);
	}
	destroy(w);
}
