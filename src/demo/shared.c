/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shared.c - messages through shared memory: shm and sysv-shm.
 *
 * Each receiver has a place in the segment, into which a sender copies the message
 * before it wakes the receiver: by a futex in the segment, by a System V semaphore
 * beside it, or, unsynchronised, not at all. The segment loses its name as soon as
 * it is mapped, so that nothing stays behind however the run ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include "exchange.h"
#include "wake.h"

#define LOOK_US 50 /* between two looks of a receiver that nobody wakes */
#define PAGE    4096

/* Places begin where boxes could, so that headers are aligned. */
static size_t stride(const struct wake_run *wr)
{
	size_t box = sizeof(struct box);

	return (wr->run->opts.size + box - 1) / box * box;
}

static uint8_t *place_of(struct wake_run *wr, unsigned int r)
{
	return (uint8_t *)(wr->boxes + wr->receivers) + r * stride(wr);
}

static void put_message(struct wake_run *wr, struct worker *w, unsigned int r, uint64_t seq)
{
	w->out_len = msg_seal(&wr->run->spec, w->idx, seq, w->out, w->out_len);
	msg_stamp(w->out, demo_now_ns());
	memcpy(place_of(wr, r), w->out, w->out_len);
}

static int get_message(struct wake_run *wr, unsigned int r)
{
	const struct msg_header *msg = (const void *)place_of(wr, r);
	uint32_t len = msg->len <= wr->run->spec.size ? msg->len : 0;
	const char *wrong = msg_check(&wr->run->spec, msg, len);

	return wrong ? run_fail(wr->run, -EIO, "a message in shared memory %s", wrong) : 0;
}

/* Nothing that another process could see. */
static int spin_wait(struct wake_run *wr, unsigned int r, uint32_t value)
{
	while (atomic_load(&wr->boxes[r].word) == value)
		run_sleep_until(demo_now_ns() + LOOK_US * DEMO_NS_PER_US);
	return 1;
}

static int spin_wake(struct wake_run *wr, unsigned int r)
{
	atomic_fetch_add(&wr->boxes[r].word, 1);
	return 1;
}

static void measure(struct wake_run *wr, const char *mechanism)
{
	wr->boxes_len += wr->receivers * stride(wr);
	wr->shared.mechanism = mechanism;
	wr->shared.bytes = wr->boxes_len;
	wr->shared.mapped = (wr->boxes_len + PAGE - 1) / PAGE * PAGE;
	wr->run->shared = &wr->shared;
}

static void name_words(struct wake_run *wr)
{
	for (unsigned int r = 0; r < wr->receivers; r++)
		snprintf(wr->run->chans[r].name, RUN_CHAN_NAME, "futex:%.100s+0x%zx",
			 wr->shared.name, r * sizeof(struct box));
}

static int shm_setup(struct wake_run *wr)
{
	char name[64];
	int fd, err;

	measure(wr, "shm");
	snprintf(name, sizeof(name), "/ipcspy-demo-%d", (int)wr->run->parent);
	snprintf(wr->shared.name, sizeof(wr->shared.name), "/dev/shm%s", name);
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return run_fail_errno(wr->run, -errno, "shm_open");
	err = ftruncate(fd, (off_t)wr->boxes_len) ? -errno : 0;
	if (!err) {
		wr->boxes = mmap(NULL, wr->boxes_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (wr->boxes == MAP_FAILED) {
			err = -errno;
			wr->boxes = NULL;
		}
	}
	shm_unlink(name);
	close(fd);
	if (err)
		return run_fail_errno(wr->run, err, "cannot share memory");
	name_words(wr);
	return 0;
}

static int sysv_setup(struct wake_run *wr)
{
	int id, err = 0;

	measure(wr, "sysv-shm");
	id = shmget(IPC_PRIVATE, wr->boxes_len, IPC_CREAT | 0600);
	if (id < 0)
		return run_fail_errno(wr->run, -errno, "shmget");
	snprintf(wr->shared.name, sizeof(wr->shared.name), "shm:0x00000000/%d", id);
	wr->boxes = shmat(id, NULL, 0);
	if ((intptr_t)wr->boxes == -1) {
		err = -errno;
		wr->boxes = NULL;
	}
	shmctl(id, IPC_RMID, NULL);
	if (err)
		return run_fail_errno(wr->run, err, "shmat");
	return wake_sem_make(wr);
}

static const struct wake_ops shm_ops = {
	.mechanism = "futex",
	.setup = shm_setup,
	.wait = wake_futex_wait,
	.wake = wake_futex_wake,
	.asleep = wake_told_asleep,
	.put = put_message,
	.get = get_message,
};

/* Its messages are in no channel: the truth names the words, which nobody waits for. */
static const struct wake_ops spin_ops = {
	.mechanism = "futex",
	.setup = shm_setup,
	.wait = spin_wait,
	.wake = spin_wake,
	.asleep = wake_told_asleep,
	.put = put_message,
	.get = get_message,
};

static const struct wake_ops sysv_ops = {
	.mechanism = "sysv-sem",
	.setup = sysv_setup,
	.fini = wake_sem_fini,
	.wait = wake_sem_wait,
	.wake = wake_sem_wake,
	.asleep = wake_sem_asleep,
	.put = put_message,
	.get = get_message,
};

static int shm_run(struct demo_run *run)
{
	return wake_run(run, run->opts.unsynchronised ? &spin_ops : &shm_ops, true);
}

static int sysv_run(struct demo_run *run)
{
	return wake_run(run, &sysv_ops, false);
}

const struct demo_workload demo_shm = {
	.name = "shm",
	.help = "messages through POSIX shared memory, with a futex in it",
	.uses = WAKE_OPTS | DEMO_OPT_SIZE | DEMO_OPT_VARY | DEMO_OPT_UNSYNCHRONISED,
	.defaults = {.messages = 1000, .size = 512, .senders = 1, .receivers = 1, .seed = 1},
	.run = shm_run,
};

const struct demo_workload demo_sysv_shm = {
	.name = "sysv-shm",
	.help = "messages through a System V segment, with semaphores beside it",
	.uses = WAKE_OPTS | DEMO_OPT_SIZE | DEMO_OPT_VARY,
	.defaults = {.messages = 1000, .size = 512, .senders = 1, .receivers = 1, .seed = 1},
	.run = sysv_run,
};
