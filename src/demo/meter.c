/* SPDX-License-Identifier: BSD-2-Clause */
#include "meter.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "demo.h"

/* Two switches take longer than this: less is the noise of three clocks read one after another. */
#define NOISE_NS 1000

/* False when the account cannot be read or, "0 0 0", is not kept. */
static bool read_wait_ns(int fd, uint64_t *out)
{
	unsigned long long cpu_ns, wait_ns, slices;
	char buf[96];
	ssize_t n = pread(fd, buf, sizeof(buf) - 1, 0);

	if (n <= 0)
		return false;
	buf[n] = '\0';
	if (sscanf(buf, "%llu %llu %llu", &cpu_ns, &wait_ns, &slices) != 3 || !slices)
		return false;
	*out = wait_ns;
	return true;
}

static bool look(const struct meter *m, uint64_t *asleep_ns)
{
	struct timespec ts;
	uint64_t wait_ns, wall_ns;

	if (m->fd < 0 || !read_wait_ns(m->fd, &wait_ns))
		return false;
	/* These two directly after each other: what happens in between would count as sleep. */
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	wall_ns = demo_now_ns();
	*asleep_ns = wall_ns - wait_ns - (uint64_t)ts.tv_sec * DEMO_NS_PER_S - (uint64_t)ts.tv_nsec;
	return true;
}

void meter_init(struct meter *m)
{
	m->fd = open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);
	if (m->fd >= 0 && !look(m, &m->asleep_ns))
		meter_fini(m);
}

void meter_fini(struct meter *m)
{
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
}

bool meter_exact(const struct meter *m)
{
	return m->fd >= 0;
}

uint64_t meter_call(struct meter *m, uint64_t took_ns)
{
	uint64_t asleep_ns, slept_ns;

	if (took_ns < METER_SHORT_NS)
		return 0;
	if (!look(m, &asleep_ns))
		return took_ns;
	slept_ns = asleep_ns > m->asleep_ns ? asleep_ns - m->asleep_ns : 0;
	m->asleep_ns = asleep_ns;
	if (slept_ns < NOISE_NS)
		return 0;
	return slept_ns < took_ns ? slept_ns : took_ns;
}

void meter_skip(struct meter *m)
{
	uint64_t asleep_ns;

	if (look(m, &asleep_ns))
		m->asleep_ns = asleep_ns;
}
