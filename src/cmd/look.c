// SPDX-License-Identifier: BSD-2-Clause
#include "cmd/look.h"

#include <errno.h>
#include <time.h>

#include "event/event.h"

#define NSEC_PER_SEC 1000000000ull

int look_begin(struct look *l)
{
	struct timespec ts;

	look_fini(l);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	l->model = model_new(&(struct model_opts){.start_ns = (uint64_t)ts.tv_sec * NSEC_PER_SEC +
							      (uint64_t)ts.tv_nsec});
	return l->model ? 0 : -ENOMEM;
}

int look_record(void *arg, const void *data, size_t len)
{
	struct look *l = arg;
	struct event ev;

	if (event_decode(data, len, &ev, NULL) < 0)
		return 0; /* of a later format: what it tells is left out */
	return model_feed(l->model, &ev);
}

int look_end(struct look *l)
{
	return graph_build(&l->graph, l->model);
}

void look_fini(struct look *l)
{
	graph_fini(&l->graph);
	model_free(l->model);
	l->model = NULL;
}
