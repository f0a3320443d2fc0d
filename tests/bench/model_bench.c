// SPDX-License-Identifier: BSD-2-Clause
/*
 * What one event costs the collector: decoding and model, for few and for many
 * channels. Each channel is a pipe between two processes of its own; a stream
 * of writes and reads visits them at random, as many tasks running in turn do.
 * Prints ns per event and the memory that the model takes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "ipcspy/event.h"
#include "model/model.h"

#define EVENTS 8000000u
#define BATCH  256u /* a ring buffer is drained in runs; records are built outside the clock */

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static long rss_kib(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f)
		return 0;
	if (fscanf(f, "%*d %ld", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * 4;
}

static int feed(struct model *m, const void *rec)
{
	const struct ev_hdr *hdr = rec;
	struct event ev;

	if (event_decode(rec, hdr->len, &ev, NULL) < 0)
		return -1;
	return model_feed(m, &ev);
}

static void make_op(struct ev_op *op, uint64_t chan, bool send, uint64_t ts_ns, uint32_t serial)
{
	uint32_t pid = 100 + (uint32_t)chan * 2 + !send;

	*op = (struct ev_op){
		.hdr = {.kind = EV_OP,
			.len = sizeof(*op),
			.pid = pid,
			.tid = pid,
			.flags = OPF_TARGET | OPF_BACKLOG | OPF_FP | (send ? 0 : OPF_EMPTY),
			.ts_ns = ts_ns},
		.chan = chan + 1,
		.enter_ns = ts_ns - 900,
		.ret = 512,
		.backlog = send ? 512 : 0,
		.fp = serial,
		.op = send ? OP_SEND : OP_RECV,
		.mech = MECH_PIPE,
	};
}

static int describe(struct model *m, uint32_t chans)
{
	for (uint32_t i = 0; i < chans; i++) {
		struct ev_obj o = {
			.hdr = {.kind = EV_OBJ, .len = sizeof(o), .flags = OBJF_CREATED},
			.chan = i + 1,
			.ino = i + 1,
			.capacity = 65536,
			.mech = MECH_PIPE,
		};

		if (feed(m, &o))
			return -1;
		for (uint32_t pid = 100 + 2 * i; pid < 102 + 2 * i; pid++) {
			struct ev_proc p = {
				.hdr = {.kind = EV_PROC, .len = sizeof(p), .pid = pid, .tid = pid},
				.start_ns = 1,
				.comm = "bench",
			};

			if (feed(m, &p))
				return -1;
		}
	}
	return 0;
}

static int run(uint32_t chans)
{
	static struct ev_op recs[BATCH];
	uint64_t ts_ns = 1000000, spent = 0, begin, chan = 0, rnd = 88172645463325252ull;
	long before = rss_kib();
	struct model *m = model_new(&(struct model_opts){.start_ns = ts_ns});
	uint32_t done, i;
	int err;

	if (!m)
		return -1;
	err = describe(m, chans);
	for (done = 0; done < EVENTS && !err; done += BATCH) {
		for (i = 0; i < BATCH; i++) {
			if (i % 2 == 0) {
				rnd ^= rnd << 13;
				rnd ^= rnd >> 7;
				rnd ^= rnd << 17;
				chan = rnd % chans;
			}
			ts_ns += 1000 + (rnd >> 20) % 5000;
			make_op(&recs[i], chan, i % 2 == 0, ts_ns, done + i / 2);
		}
		begin = cpu_ns();
		for (i = 0; i < BATCH && !err; i++)
			err = feed(m, &recs[i]);
		spent += cpu_ns() - begin;
	}
	if (!err)
		printf("%6u channels: %5.1f ns per event, %6ld KiB\n", chans,
		       (double)spent / EVENTS, rss_kib() - before);
	model_free(m);
	return err;
}

int main(void)
{
	return run(10) || run(10000) ? 1 : 0;
}
