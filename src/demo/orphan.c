/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * orphan.c - one of each kind of IPC object that outlives the process that made it.
 *
 * The maker ends at once; the parent, which has none of them open, removes them when
 * the run ends, unless it is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

#include "stuck.h"

enum { MAKER = 0, BYSTANDER = 1 };
enum { QUEUE, SEMAPHORE, SEGMENT, POSIX_QUEUE, POSIX_MEMORY, KINDS };

#define MESSAGE_BYTES 64
#define MEMORY_BYTES  65536

/* Shared, so that the parent knows what there is to remove. */
struct orphans {
	int ids[KINDS]; /* -1: not made */
	char name[32];  /* of both POSIX objects */
};

static int make_queue(struct orphans *o)
{
	struct {
		long type;
		char text[MESSAGE_BYTES];
	} message = {.type = 1};

	o->ids[QUEUE] = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	if (o->ids[QUEUE] < 0)
		return -errno;
	return msgsnd(o->ids[QUEUE], &message, sizeof(message.text), IPC_NOWAIT) ? -errno : 0;
}

static int make_semaphore(struct orphans *o)
{
	struct sembuf post = {.sem_op = 1};

	o->ids[SEMAPHORE] = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
	return o->ids[SEMAPHORE] < 0 || semop(o->ids[SEMAPHORE], &post, 1) ? -errno : 0;
}

static int make_segment(struct orphans *o)
{
	void *at;

	o->ids[SEGMENT] = shmget(IPC_PRIVATE, MEMORY_BYTES, IPC_CREAT | 0600);
	if (o->ids[SEGMENT] < 0)
		return -errno;
	at = shmat(o->ids[SEGMENT], NULL, 0);
	if ((intptr_t)at == -1)
		return -errno;
	memset(at, 1, MEMORY_BYTES);
	return shmdt(at) ? -errno : 0;
}

static int make_posix_queue(struct orphans *o)
{
	struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = MESSAGE_BYTES};
	char text[MESSAGE_BYTES] = "";
	mqd_t q = mq_open(o->name, O_CREAT | O_EXCL | O_WRONLY, 0600, &attr);
	int err = 0;

	if (q < 0)
		return -errno;
	o->ids[POSIX_QUEUE] = 0;
	if (mq_send(q, text, sizeof(text), 0))
		err = -errno;
	mq_close(q);
	return err;
}

static int make_posix_memory(struct orphans *o)
{
	int fd = shm_open(o->name, O_CREAT | O_EXCL | O_RDWR, 0600), err;

	if (fd < 0)
		return -errno;
	o->ids[POSIX_MEMORY] = 0;
	err = ftruncate(fd, MEMORY_BYTES) ? -errno : 0;
	close(fd);
	return err;
}

static const struct {
	const char *mechanism, *format; /* of the name, followed by the id or the POSIX name */
	int (*make)(struct orphans *o);
} kinds[KINDS] = {
	[QUEUE] = {"sysv-msg", "msg:0x0/", make_queue},
	[SEMAPHORE] = {"sysv-sem", "sem:0x0/", make_semaphore},
	[SEGMENT] = {"sysv-shm", "shm:0x00000000/", make_segment},
	[POSIX_QUEUE] = {"posix-mq", "", make_posix_queue},
	[POSIX_MEMORY] = {"shm", "/dev/shm", make_posix_memory},
};

static int orphan_body(struct worker *w, struct stuck_run *sr)
{
	struct orphans *o = sr->priv;
	int err = 0;

	worker_start(w);
	if (w->idx == BYSTANDER)
		for (;;)
			pause();
	for (unsigned int i = 0; !err && i < KINDS; i++) {
		struct demo_chan *c = &w->run->chans[i];

		err = kinds[i].make(o);
		c->mechanism = kinds[i].mechanism;
		if (i < POSIX_QUEUE)
			snprintf(c->name, sizeof(c->name), "%s%d", kinds[i].format, o->ids[i]);
		else
			snprintf(c->name, sizeof(c->name), "%s%s", kinds[i].format, o->name);
	}
	return err ? run_fail_errno(w->run, err, "cannot make an object") : 0;
}

static void remove_all(const struct orphans *o)
{
	if (o->ids[QUEUE] >= 0)
		msgctl(o->ids[QUEUE], IPC_RMID, NULL);
	if (o->ids[SEMAPHORE] >= 0)
		semctl(o->ids[SEMAPHORE], 0, IPC_RMID);
	if (o->ids[SEGMENT] >= 0)
		shmctl(o->ids[SEGMENT], IPC_RMID, NULL);
	if (o->ids[POSIX_QUEUE] >= 0)
		mq_unlink(o->name);
	if (o->ids[POSIX_MEMORY] >= 0)
		shm_unlink(o->name);
}

static int orphan_run(struct demo_run *run)
{
	struct stuck_run sr;
	struct orphans *o =
		mmap(NULL, sizeof(*o), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int err;

	if (o == MAP_FAILED)
		return run_fail_errno(run, -errno, "set-up");
	for (unsigned int i = 0; i < KINDS; i++)
		o->ids[i] = -1;
	snprintf(o->name, sizeof(o->name), "/ipcspy-orphan-%d", (int)run->parent);
	err = stuck_init(run, &sr, 2, KINDS);
	if (!err) {
		sr.priv = o;
		sr.body = orphan_body;
		sr.who[MAKER].name = "maker";
		sr.who[MAKER].sends = true;
		sr.who[BYSTANDER].name = "bystander";
		sr.who[BYSTANDER].recvs = true;
		sr.who[BYSTANDER].end = STUCK_BUSY;
		sr.finding.kind = "orphaned-ipc";
		err = stuck_go(run, &sr);
	}
	stuck_fini(&sr);
	remove_all(o);
	munmap(o, sizeof(*o));
	return err;
}

const struct demo_workload demo_orphan = {
	.name = "orphan",
	.scenario = true,
	.help = "queues, memory and semaphores whose maker has ended without removing them",
	.uses = DEMO_OPT_HOLD,
	.defaults = {.messages = 1, .size = 32, .senders = 1, .receivers = 1},
	.run = orphan_run,
};
