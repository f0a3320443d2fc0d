// SPDX-License-Identifier: BSD-2-Clause
/*
 * One look at the machine, as a test sees it: a line of JSON for each record about a task or a
 * descriptor, and at the end how long it took.
 *
 *     look [PID...]        records of these processes, none: of all
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "event/event.h"
#include "probe/probe.h"

struct filter {
	char **pids;
	int cnt;
	uint64_t records;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static int wanted(const struct filter *f, unsigned int pid)
{
	for (int i = 0; i < f->cnt; i++)
		if (strtoul(f->pids[i], NULL, 10) == pid)
			return 1;
	return !f->cnt;
}

static void print_set(const struct ev_set *set)
{
	printf("{\"kind\":\"set\",\"pid\":%u,\"tid\":%u,\"others\":%d,\"more\":%d,\"until_ns\":"
	       "%" PRIu64 ",\"of\":[",
	       set->hdr.pid, set->hdr.tid, !!(set->hdr.flags & SETF_OTHERS),
	       !!(set->hdr.flags & SETF_MORE), (uint64_t)set->until_ns);
	for (unsigned int i = 0; i < set->cnt; i++)
		printf("%s{\"chan\":\"%016" PRIx64 "\",\"fd\":%d,\"events\":%u}", i ? "," : "",
		       (uint64_t)set->of[i].chan, set->of[i].fd, set->of[i].events);
	puts("]}");
}

static void print_task(const struct ev_task *t)
{
	printf("{\"kind\":\"task\",\"pid\":%u,\"tid\":%u,\"ts_ns\":%" PRIu64
	       ",\"since_ns\":%" PRIu64 ",\"until_ns\":%" PRIu64
	       ",\"who\":%d,\"nr\":%u,\"state\":\"%c\",\"why\":%u}\n",
	       t->hdr.pid, t->hdr.tid, (uint64_t)t->hdr.ts_ns, (uint64_t)t->since_ns,
	       (uint64_t)t->until_ns, t->who, t->nr, t->state, t->why);
}

static int on_record(void *arg, const void *data, size_t len)
{
	struct filter *f = arg;
	struct event ev;
	int n = event_decode(data, len, &ev, NULL);

	f->records++;
	if (n < 0 || !wanted(f, ev.hdr->pid))
		return n < 0 ? n : 0;
	switch (ev.hdr->kind) {
	case EV_PROC:
		printf("{\"kind\":\"proc\",\"pid\":%u}\n", ev.hdr->pid);
		break;
	case EV_HOLD:
		printf("{\"kind\":\"hold\",\"pid\":%u,\"fd\":%d,\"flags\":%u,\"chan\":\"%016" PRIx64
		       "\"}\n",
		       ev.hdr->pid, ev.hold->fd, ev.hdr->flags, (uint64_t)ev.hold->chan);
		break;
	case EV_INFLIGHT:
		printf("{\"kind\":\"inflight\",\"pid\":%u,\"tid\":%u,\"nr\":%u,\"op\":%u,\"mech\":%"
		       "u,"
		       "\"chan\":\"%016" PRIx64 "\"}\n",
		       ev.hdr->pid, ev.hdr->tid, ev.inflight->nr, ev.inflight->op,
		       ev.inflight->mech, (uint64_t)ev.inflight->chan);
		break;
	case EV_MAP:
		printf("{\"kind\":\"map\",\"pid\":%u,\"mech\":%u,\"chan\":\"%016" PRIx64 "\"}\n",
		       ev.hdr->pid, ev.map->mech, (uint64_t)ev.map->chan);
		break;
	case EV_TASK:
		print_task(ev.task);
		break;
	case EV_SET:
		print_set(ev.set);
		break;
	case EV_NAME:
		if (ev.hdr->flags & NAMEF_OPEN)
			printf("{\"kind\":\"open\",\"pid\":%u,\"tid\":%u,\"len\":%zu,\"chan\":"
			       "\"%016" PRIx64 "\"}\n",
			       ev.hdr->pid, ev.hdr->tid, strlen((const char *)ev.name->text),
			       (uint64_t)ev.name->chan);
		break;
	}
	return 0;
}

/* How long this task was ready to run and did not: Documentation/scheduler/sched-stats.rst. */
static uint64_t delayed_ns(void)
{
	FILE *f = fopen("/proc/self/schedstat", "re");
	uint64_t ns = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%*u %" SCNu64, &ns) != 1)
		ns = 0;
	fclose(f);
	return ns;
}

int main(int argc, char **argv)
{
	struct filter f = {.pids = argv + 1, .cnt = argc - 1};
	struct probe_opts opts = {.look = true, .on_record = on_record, .on_record_arg = &f};
	uint64_t begin = now_ns(), loaded, looked;
	struct probe *p;
	int err = probe_new(&p, &opts);

	loaded = now_ns();
	if (!err)
		err = probe_attach(p);
	looked = now_ns();
	if (err)
		fprintf(stderr, "look: %s\n", probe_error(p));
	probe_free(p);
	printf("{\"kind\":\"end\",\"records\":%" PRIu64 ",\"load_ns\":%" PRIu64
	       ",\"look_ns\":%" PRIu64 ",\"all_ns\":%" PRIu64 ",\"delayed_ns\":%" PRIu64 "}\n",
	       f.records, loaded - begin, looked - loaded, now_ns() - begin, delayed_ns());
	return err ? 1 : 0;
}
