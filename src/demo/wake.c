/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wake.c - workloads in which a message is a wake-up: futex and sysv-sem.
 *
 * Each receiver sleeps on a word, or semaphore, of its own; senders wake it. Every
 * wake-up has a number: a sender that is about to wake a receiver keeps the others
 * away from it, without a system call on any channel, until it knows whether it did.
 * So the n-th wait that was ended and the n-th wake that ended one belong together,
 * whatever the kernel's order of things. Both sides note their moments in shared
 * memory; the parent puts them together in the end.
 */
#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exchange.h"
#include "truth.h"
#include "wake.h"

#define AGAIN_US 20 /* between two looks at what the other side does */

static int futex(struct wake_run *wr, unsigned int r, int op, uint32_t value)
{
	long n = syscall(SYS_futex, &wr->boxes[r].word, op, value, NULL, NULL, 0);

	return n < 0 ? -errno : (int)n;
}

int wake_futex_wait(struct wake_run *wr, unsigned int r, uint32_t value)
{
	int n = futex(wr, r, FUTEX_WAIT, value);

	return n == -EAGAIN ? 0 : n ? n : 1;
}

int wake_futex_wake(struct wake_run *wr, unsigned int r)
{
	atomic_fetch_add(&wr->boxes[r].word, 1);
	return futex(wr, r, FUTEX_WAKE, 1);
}

bool wake_told_asleep(struct wake_run *wr, unsigned int r)
{
	/* once for each time that it says so: it may not have gone to sleep yet */
	return atomic_exchange(&wr->boxes[r].waiting, 0);
}

static int futex_setup(struct wake_run *wr)
{
	struct demo_run *run = wr->run;
	int fd = memfd_create("ipcspy-demo", MFD_CLOEXEC);
	int err = fd < 0 || ftruncate(fd, (off_t)wr->boxes_len) ? -errno : 0;

	if (!err) {
		wr->boxes = mmap(NULL, wr->boxes_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (wr->boxes == MAP_FAILED) {
			err = -errno;
			wr->boxes = NULL;
		}
	}
	for (unsigned int r = 0; !err && r < wr->receivers; r++) {
		snprintf(run->chans[r].name, RUN_CHAN_NAME, "futex:memfd:ipcspy-demo+0x%zx",
			 r * sizeof(struct box));
		run->chans[r].ino[0] = exchange_inode(fd);
	}
	if (fd >= 0)
		close(fd);
	return err ? run_fail_errno(run, err, "cannot share memory") : 0;
}

static int sem_change(struct wake_run *wr, unsigned int r, short by)
{
	struct sembuf op = {.sem_num = (unsigned short)r, .sem_op = by};

	return semop(wr->sem_id, &op, 1) ? -errno : 1;
}

int wake_sem_wait(struct wake_run *wr, unsigned int r, uint32_t value)
{
	(void)value;
	return sem_change(wr, r, -1);
}

int wake_sem_wake(struct wake_run *wr, unsigned int r)
{
	return sem_change(wr, r, 1);
}

bool wake_sem_asleep(struct wake_run *wr, unsigned int r)
{
	return semctl(wr->sem_id, (int)r, GETNCNT) > 0;
}

int wake_sem_make(struct wake_run *wr)
{
	wr->sem_id = semget(IPC_PRIVATE, (int)wr->receivers, IPC_CREAT | 0600);
	if (wr->sem_id < 0)
		return run_fail_errno(wr->run, -errno, "semget");
	snprintf(wr->run->chans[0].name, RUN_CHAN_NAME, "sem:0x0/%d", wr->sem_id);
	return 0;
}

static int sem_setup(struct wake_run *wr)
{
	wr->boxes = mmap(NULL, wr->boxes_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);
	if (wr->boxes == MAP_FAILED) {
		wr->boxes = NULL;
		return run_fail_errno(wr->run, -errno, "set-up");
	}
	return wake_sem_make(wr);
}

void wake_sem_fini(struct wake_run *wr)
{
	if (wr->sem_id >= 0)
		semctl(wr->sem_id, 0, IPC_RMID);
}

static struct mark *marks_of(struct wake_run *wr, unsigned int r)
{
	return wr->marks + r * wr->room;
}

/*
 * Who came too late to sleep lets that wake pass: it would end the next sleep, which
 * the sender's look does not belong to, and the message could be read while another
 * sender writes.
 */
static void let_pass(struct worker *w, struct box *box)
{
	while (atomic_load(&box->waking))
		worker_sleep_until(w, demo_now_ns() + AGAIN_US * DEMO_NS_PER_US);
}

/* One wait, and what became of it. */
static int receive(struct wake_run *wr, struct worker *w, unsigned int r, struct mark *mark)
{
	struct demo_side *s = &w->proc->recv;
	struct box *box = &wr->boxes[r];
	uint32_t value = atomic_load(&box->word);
	uint64_t end_ns;
	int n;

	mark->wait_ns = demo_now_ns();
	atomic_store(&s->call_since_ns, mark->wait_ns);
	atomic_store(&box->waiting, 1);
	n = wr->ops->wait(wr, r, value);
	end_ns = demo_now_ns();
	atomic_store(&s->call_since_ns, 0);
	worker_called(w, s, mark->wait_ns, end_ns);
	if (n < 0)
		return run_fail_errno(wr->run, n, "waiting");
	if (!n) {
		let_pass(w, box);
		return 0;
	}
	mark->got_ns = end_ns;
	n = wr->ops->get ? wr->ops->get(wr, r) : 0;
	if (n)
		return n;
	atomic_fetch_add(&s->messages, 1);
	if (w->delay_ns)
		worker_sleep_until(w, demo_now_ns() + w->delay_ns);
	return 1;
}

static int receiver_body(struct wake_run *wr, struct worker *w)
{
	unsigned int r = w->idx - wr->senders;
	struct mark *mark = marks_of(wr, r), *end = mark + wr->due[r];
	int n = 0;

	worker_sleep_until(w, wr->run->board->go_ns + wr->run->opts.hold_ns);
	while (n >= 0 && mark < end) {
		n = receive(wr, w, r, mark);
		mark += n > 0;
	}
	return n < 0 ? n : 0;
}

/* Keeps other senders away from a receiver, once they are done with it. */
static void take_box(struct worker *w, struct box *box)
{
	uint32_t none = 0;

	while (!atomic_compare_exchange_strong(&box->taken, &none, 1)) {
		none = 0;
		worker_sleep_until(w, demo_now_ns() + AGAIN_US * DEMO_NS_PER_US);
	}
}

/* Wakes until somebody is woken. */
static int wake_one(struct wake_run *wr, struct worker *w, unsigned int r, uint64_t seq)
{
	struct mark *mark = marks_of(wr, r) + wr->sent[r];
	struct demo_side *s = &w->proc->send;
	struct box *box = &wr->boxes[r];
	uint64_t start_ns;
	int n;

	do {
		while (!wr->ops->asleep(wr, r))
			worker_sleep_until(w, demo_now_ns() + AGAIN_US * DEMO_NS_PER_US);
		if (wr->ops->put)
			wr->ops->put(wr, w, r, seq);
		atomic_store(&box->waking, 1);
		start_ns = demo_now_ns();
		n = wr->ops->wake(wr, r);
		atomic_store(&box->waking, 0);
		worker_called(w, s, start_ns, demo_now_ns());
	} while (n == 0);
	if (n < 0)
		return run_fail_errno(wr->run, n, "waking");
	mark->sent_ns = start_ns;
	mark->lane = w->idx;
	mark->seq = seq;
	wr->sent[r]++;
	atomic_fetch_add(&s->messages, 1);
	return 0;
}

static int sender_body(struct wake_run *wr, struct worker *w)
{
	int err = 0;

	for (uint64_t seq = 0; !err && seq < wr->run->opts.messages; seq++) {
		unsigned int r = (unsigned int)((w->idx + seq) % wr->receivers);

		worker_pace(w, seq);
		take_box(w, &wr->boxes[r]);
		err = wake_one(wr, w, r, seq);
		atomic_store(&wr->boxes[r].taken, 0);
	}
	return err;
}

static int child_main(struct demo_run *run, unsigned int idx, void *arg)
{
	struct wake_run *wr = arg;
	struct worker w;
	int err = worker_init(&w, run, idx);

	if (err)
		return err;
	worker_start(&w);
	err = w.proc->sends ? sender_body(wr, &w) : receiver_body(wr, &w);
	worker_fini(&w);
	return err;
}

/* Shared by all: marks, and the counts of those who send. */
static int make_log(struct wake_run *wr)
{
	struct demo_run *run = wr->run;
	uint8_t *log;

	for (unsigned int s = 0; s < wr->senders; s++)
		for (unsigned int r = 0; r < wr->receivers; r++)
			wr->due[(s + r) % wr->receivers] +=
				run->opts.messages / wr->receivers +
				(r < run->opts.messages % wr->receivers);
	for (unsigned int r = 0; r < wr->receivers; r++)
		if (wr->due[r] > wr->room)
			wr->room = wr->due[r];
	wr->log_len = wr->receivers * (wr->room * sizeof(struct mark) + sizeof(uint64_t));
	log = mmap(NULL, wr->log_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (log == MAP_FAILED)
		return run_fail_errno(run, -errno, "set-up");
	wr->marks = (void *)log;
	wr->sent = (void *)(log + wr->receivers * wr->room * sizeof(struct mark));
	return 0;
}

static int declare(struct wake_run *wr)
{
	struct demo_run *run = wr->run;
	struct run_shape shape = {.procs = wr->senders + wr->receivers,
				  .chans = wr->chans,
				  .flows = wr->senders * wr->receivers,
				  .lanes = wr->senders,
				  .lane_messages = run->opts.messages};
	int err = run_board(run, &shape);

	for (unsigned int i = 0; !err && i < shape.chans; i++)
		run->chans[i].mechanism = wr->ops->mechanism;
	for (unsigned int i = 0; !err && i < shape.flows; i++) {
		unsigned int r = i / wr->senders;

		run->flows[i] = (struct demo_flow){.src = i % wr->senders,
						   .dst = wr->senders + r,
						   .chan = wr->chans > 1 ? r : 0};
	}
	return err ? err : make_log(wr);
}

/* The parent puts together what both sides noted. */
static void settle_marks(struct wake_run *wr)
{
	struct demo_run *run = wr->run;

	for (unsigned int r = 0; r < wr->receivers; r++) {
		struct demo_side *s = &run->procs[wr->senders + r].recv;

		for (uint64_t i = 0; i < wr->due[r]; i++) {
			const struct mark *m = marks_of(wr, r) + i;
			unsigned int flow = r * wr->senders + m->lane;
			struct demo_sample *sample =
				&run->samples[m->lane * run->lane_samples + m->seq];

			run->flows[flow].messages++;
			if (m->sent_ns > m->wait_ns)
				s->planned_ns += m->sent_ns - m->wait_ns;
			if (m->seq >= run->lane_samples)
				continue;
			sample->since_send_ns = m->got_ns - m->sent_ns;
			sample->flow_plus_1 = flow + 1;
		}
	}
}

static int spawn_all(struct wake_run *wr)
{
	struct demo_run *run = wr->run;
	char name[16];
	int err = 0;

	for (unsigned int i = run->proc_cnt; !err && i-- > 0;) {
		bool sender = i < wr->senders;

		run->procs[i].sends = sender;
		run->procs[i].recvs = !sender;
		snprintf(name, sizeof(name), "%s-%u", sender ? "send" : "recv",
			 sender ? i : i - wr->senders);
		err = run_spawn(run, i, name, child_main, wr);
	}
	return err;
}

static int wake_go(struct wake_run *wr)
{
	struct demo_run *run = wr->run;
	int err;

	wr->boxes_len = wr->receivers * sizeof(struct box);
	wr->due = calloc(wr->receivers, sizeof(*wr->due));
	if (!wr->due)
		return run_fail_errno(run, -ENOMEM, "set-up");
	err = declare(wr);
	if (!err)
		err = wr->ops->setup(wr);
	if (!err)
		err = spawn_all(wr);
	if (!err)
		err = run_start(run);
	if (!err)
		err = run_join(run, NULL, NULL);
	if (err)
		return err;
	settle_marks(wr);
	return truth_write(run, NULL, 0);
}

int wake_run(struct demo_run *run, const struct wake_ops *ops, bool many_chans)
{
	struct wake_run wr = {.run = run,
			      .ops = ops,
			      .senders = (unsigned int)run->opts.senders,
			      .receivers = (unsigned int)run->opts.receivers,
			      .sem_id = -1};
	int err;

	wr.chans = many_chans ? wr.receivers : 1;
	err = wake_go(&wr);
	if (err)
		run_kill(run); /* before what they wait for goes away */
	if (ops->fini)
		ops->fini(&wr);
	if (wr.boxes)
		munmap(wr.boxes, wr.boxes_len);
	if (wr.marks)
		munmap(wr.marks, wr.log_len);
	free(wr.due);
	return err;
}

static const struct wake_ops futex_ops = {
	.mechanism = "futex",
	.setup = futex_setup,
	.wait = wake_futex_wait,
	.wake = wake_futex_wake,
	.asleep = wake_told_asleep,
};

static const struct wake_ops sem_ops = {
	.mechanism = "sysv-sem",
	.setup = sem_setup,
	.fini = wake_sem_fini,
	.wait = wake_sem_wait,
	.wake = wake_sem_wake,
	.asleep = wake_sem_asleep,
};

static int futex_run(struct demo_run *run)
{
	return wake_run(run, &futex_ops, true);
}

static int sem_run(struct demo_run *run)
{
	return wake_run(run, &sem_ops, false);
}

const struct demo_workload demo_futex = {
	.name = "futex",
	.help = "wake-ups through words in shared memory, one for each receiver",
	.uses = WAKE_OPTS,
	.defaults = {.messages = 1000, .size = 512, .senders = 1, .receivers = 1, .seed = 1},
	.run = futex_run,
};

const struct demo_workload demo_sysv_sem = {
	.name = "sysv-sem",
	.help = "wake-ups through one set of semaphores, one for each receiver",
	.uses = WAKE_OPTS,
	.defaults = {.messages = 1000, .size = 512, .senders = 1, .receivers = 1, .seed = 1},
	.run = sem_run,
};
