// SPDX-License-Identifier: BSD-2-Clause
#include "probe/sample.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/stack.h"

#define PERIOD_NS  1000000 /* of the task's own time */
#define STEP_MS    5       /* between two looks into the rings */
#define RING_PAGES 8       /* a power of two: STEP_MS fill a fraction of it */
#define RECORD_MAX 4096    /* longer ones are passed over: callchains are 127 deep at most */

struct sampler {
	int fd;
	struct perf_event_mmap_page *ring; /* NULL: none */
	size_t page, bytes;                /* a page; what is mapped */
};

static int event_open(pid_t tid)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = PERIOD_NS,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_STACK_USER,
		.sample_stack_user = sizeof(__u64),
		.disabled = 1,
	};
	long fd = syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

/* tid 0: nobody */
static int sampler_open(struct sampler *s, __u32 tid)
{
	void *ring;
	int err;

	*s = (struct sampler){.fd = tid ? event_open((pid_t)tid) : -ESRCH,
			      .page = (size_t)sysconf(_SC_PAGESIZE)};
	if (s->fd < 0)
		return s->fd;
	s->bytes = (RING_PAGES + 1) * s->page;
	ring = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
	if (ring == MAP_FAILED) {
		err = -errno;
		close(s->fd);
		s->fd = -1;
		return err;
	}
	s->ring = ring;
	return 0;
}

static void sampler_close(struct sampler *s)
{
	if (s->ring)
		munmap(s->ring, s->bytes);
	if (s->fd >= 0)
		close(s->fd);
}

/* "u64 size; char data[size]; u64 dyn_size", of which the first alone when there is no stack. */
static __u64 top_of_stack(const __u64 *words, size_t cnt)
{
	return cnt >= 3 && words[0] == sizeof(words[0]) && words[2] == sizeof(words[0]) ? words[1]
											: 0;
}

bool sample_parse(const void *record, size_t len, __u32 tid, struct sample *out)
{
	const struct {
		struct perf_event_header hdr;
		__u32 pid, tid;
		__u64 nr;
		__u64 ips[];
	} *r = record;
	bool kernel = false, user = false;

	*out = (struct sample){0};
	if (len < sizeof(*r) || r->hdr.type != PERF_RECORD_SAMPLE || r->tid != tid ||
	    r->nr > (len - sizeof(*r)) / sizeof(r->ips[0]))
		return false;
	for (__u64 i = 0; i < r->nr; i++) {
		__u64 ip = r->ips[i];

		if (ip >= PERF_CONTEXT_MAX) { /* says what those are that follow */
			kernel = ip == PERF_CONTEXT_KERNEL;
			user = ip == PERF_CONTEXT_USER;
		} else if (kernel && out->kernel_cnt < SAMPLE_KERNEL) {
			out->kernel[out->kernel_cnt++] = ip;
		} else if (user && out->user_cnt < SAMPLE_USER) {
			out->user[out->user_cnt++] = ip;
		}
	}
	out->top = top_of_stack(r->ips + r->nr, (len - sizeof(*r)) / sizeof(r->ips[0]) - r->nr);
	return out->kernel_cnt || out->user_cnt;
}

/* Copies from the ring, which has size bytes and may end in between. */
static void ring_copy(void *to, const char *ring, size_t size, __u64 at, size_t len)
{
	size_t off = at & (size - 1), first = len < size - off ? len : size - off;

	memcpy(to, ring + off, first);
	memcpy((char *)to + first, ring, len - first);
}

/* What came since: perf_event_open(2), "MMAP layout". */
static void sampler_drain(struct sampler *s, struct sample_set *set)
{
	size_t size = RING_PAGES * s->page;
	const char *data;
	__u64 buf[RECORD_MAX / 8], head, tail;
	struct perf_event_header h;

	if (!s->ring)
		return;
	data = (const char *)s->ring + s->page;
	head = __atomic_load_n(&s->ring->data_head, __ATOMIC_ACQUIRE);
	tail = s->ring->data_tail;
	while (head - tail >= sizeof(h) && head - tail <= size) {
		ring_copy(&h, data, size, tail, sizeof(h));
		if (h.size < sizeof(h) || h.size > head - tail)
			break;
		if (h.size <= sizeof(buf) && set->cnt < SAMPLES_MAX) {
			ring_copy(buf, data, size, tail, h.size);
			if (sample_parse(buf, h.size, set->tid, &set->of[set->cnt]))
				set->cnt++;
		}
		tail += h.size;
	}
	__atomic_store_n(&s->ring->data_tail, head, __ATOMIC_RELEASE);
}

static __u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000 + (__u64)ts.tv_nsec / 1000000;
}

/* Is there one that can be sampled, and did not run yet? */
static bool any_without(const struct sampler *s, const struct sample_set *sets, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		if (s[i].ring && !sets[i].cnt)
			return true;
	return false;
}

static void sample_all(struct sampler *s, struct sample_set *sets, size_t cnt)
{
	const struct timespec step = {.tv_nsec = STEP_MS * 1000000};
	__u64 start_ms = now_ms(), past_ms;

	for (size_t i = 0; i < cnt; i++)
		if (s[i].ring)
			ioctl(s[i].fd, PERF_EVENT_IOC_ENABLE, 0);
	do {
		nanosleep(&step, NULL);
		for (size_t i = 0; i < cnt; i++)
			sampler_drain(&s[i], &sets[i]);
		past_ms = now_ms() - start_ms;
	} while (past_ms < SAMPLE_MS || (past_ms < SAMPLE_LONG_MS && any_without(s, sets, cnt)));
}

void samples_take(struct sample_set *sets, size_t cnt)
{
	struct sampler s[STACKS_MAX];
	bool any = false;

	cnt = cnt < STACKS_MAX ? cnt : STACKS_MAX;
	for (size_t i = 0; i < cnt; i++)
		any |= !sampler_open(&s[i], sets[i].tid);
	if (any)
		sample_all(s, sets, cnt);
	for (size_t i = 0; i < cnt; i++)
		sampler_close(&s[i]);
}

int samples_test(void)
{
	struct sampler s;
	int err = sampler_open(&s, (__u32)getpid());

	if (!err)
		sampler_close(&s);
	return err;
}
