/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * eventfd.c - eventfds: a message adds to a counter and carries nothing else.
 *
 * Each receiver has an eventfd of its own, which senders write in turn. What a
 * sender adds lies in bits of its own of the counter, so that a receiver knows from
 * the value how many messages of whom it has got; so that no bits run over, a
 * sender waits, without a system call on any channel, while too many are pending.
 *
 * With --semaphore all receivers share one eventfd of one sender, and a read takes
 * one unit, whichever. One more message for each receiver ends it.
 *
 * When a message was sent is noted in shared memory.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "exchange.h"
#include "truth.h"

#define MAX_SENDERS   8
#define AGAIN_US      20 /* between two looks at what the receiver did */
#define COUNTER_BITS  64
#define VALUE_BYTES   sizeof(uint64_t)
#define FDINFO_PREFIX "eventfd-id:"

/* Shared by all. */
struct tally {
	_Atomic uint64_t pending; /* messages of one sender to one receiver */
	_Atomic uint64_t taken;
};

struct efd_run {
	struct demo_run *run;
	unsigned int senders, receivers, chans;
	unsigned int bits; /* of the counter that each sender has */
	int *fds;          /* by channel */
	struct tally *tallies;
	size_t tallies_len;
};

static struct tally *tally_of(struct efd_run *er, unsigned int s, unsigned int r)
{
	return &er->tallies[r * er->senders + s];
}

static struct demo_sample *sample_of(struct demo_run *run, unsigned int lane, uint64_t seq)
{
	return seq < run->lane_samples ? &run->samples[lane * run->lane_samples + seq] : NULL;
}

/* Messages of every sender, with those that end receivers. */
static uint64_t messages_of(const struct efd_run *er)
{
	const struct demo_opts *o = &er->run->opts;

	return o->messages + (o->semaphore ? o->receivers : 0);
}

static int send_one(struct efd_run *er, struct worker *w, unsigned int chan, uint64_t seq)
{
	struct tally *t = tally_of(er, w->idx, chan);
	struct demo_sample *sample = sample_of(er->run, w->idx, seq);
	uint64_t value = 1ull << (er->bits * w->idx), start_ns, end_ns, slept_ns;
	struct demo_side *s = &w->proc->send;
	ssize_t n;

	/* one less than fits: the counter's highest value is two below 2^64 */
	while (er->senders > 1 && atomic_load(&t->pending) >= (1ull << er->bits) - 2)
		worker_sleep_until(w, demo_now_ns() + AGAIN_US * DEMO_NS_PER_US);
	atomic_fetch_add(&t->pending, 1);
	start_ns = demo_now_ns();
	if (sample)
		sample->since_send_ns = start_ns;
	n = write(er->fds[chan], &value, sizeof(value));
	end_ns = demo_now_ns();
	if (n != sizeof(value))
		return run_fail_errno(er->run, n < 0 ? -errno : -EIO, "writing to an eventfd");
	slept_ns = worker_called(w, s, start_ns, end_ns);
	if (sample && slept_ns)
		sample->blocked_ns = slept_ns;
	s->bytes += VALUE_BYTES;
	atomic_fetch_add(&s->messages, 1);
	return 0;
}

static int sender_body(struct efd_run *er, struct worker *w)
{
	int err = 0;

	for (uint64_t seq = 0; !err && seq < messages_of(er); seq++) {
		worker_pace(w, seq);
		err = send_one(er, w, (unsigned int)(seq % er->chans), seq);
	}
	return err;
}

/* cnt messages of sender s have come: the oldest there are. Returns the first one's number. */
static uint64_t take(struct efd_run *er, struct worker *w, unsigned int s, unsigned int chan,
		     uint64_t cnt, uint64_t end_ns)
{
	struct tally *t = tally_of(er, s, chan);
	uint64_t first = atomic_fetch_add(&t->taken, cnt);
	unsigned int flow = (w->idx - er->senders) * er->senders + s;

	atomic_fetch_sub(&t->pending, cnt);
	er->run->flows[flow].messages += cnt;
	er->run->flows[flow].bytes += cnt * VALUE_BYTES;
	atomic_fetch_add(&w->proc->recv.messages, cnt);
	for (uint64_t i = 0; i < cnt; i++) {
		struct demo_sample *sample = sample_of(er->run, s, (first + i) * er->chans + chan);

		if (!sample)
			continue;
		sample->since_send_ns = end_ns - sample->since_send_ns;
		sample->flow_plus_1 = flow + 1;
	}
	return first;
}

/* One read. Returns 1 when there is more to come, 0 at the end, -errno. */
static int receive_one(struct efd_run *er, struct worker *w, unsigned int chan)
{
	struct demo_side *s = &w->proc->recv;
	uint64_t value = 0, start_ns = demo_now_ns(), end_ns, due, first;
	ssize_t n;

	atomic_store(&s->call_since_ns, start_ns);
	n = read(er->fds[chan], &value, sizeof(value));
	end_ns = demo_now_ns();
	atomic_store(&s->call_since_ns, 0);
	if (n != sizeof(value))
		return run_fail_errno(er->run, n < 0 ? -errno : -EIO, "reading an eventfd");
	worker_called(w, s, start_ns, end_ns);
	s->bytes += VALUE_BYTES;
	if (er->run->opts.semaphore) {
		first = take(er, w, 0, chan, value, end_ns);
		return value != 1 ? run_fail(er->run, -EBADMSG, "a semaphore gave another value")
				  : first < er->run->opts.messages;
	}
	for (unsigned int i = 0; i < er->senders; i++) {
		uint64_t mask = er->bits < COUNTER_BITS ? (1ull << er->bits) - 1 : ~0ull;

		take(er, w, i, chan, value >> (er->bits * i) & mask, end_ns);
	}
	due = er->senders *
	      (er->run->opts.messages / er->chans + (chan < er->run->opts.messages % er->chans));
	return s->messages < due;
}

static int receiver_body(struct efd_run *er, struct worker *w)
{
	unsigned int chan = (w->idx - er->senders) % er->chans;
	int n = er->run->opts.messages > chan || er->run->opts.semaphore;

	worker_sleep_until(w, er->run->board->go_ns + er->run->opts.hold_ns);
	while (n > 0) {
		n = receive_one(er, w, chan);
		if (n > 0 && w->delay_ns)
			worker_sleep_until(w, demo_now_ns() + w->delay_ns);
	}
	return n;
}

static int child_main(struct demo_run *run, unsigned int idx, void *arg)
{
	struct efd_run *er = arg;
	struct worker w;
	int err = worker_init(&w, run, idx);

	if (err)
		return err;
	worker_start(&w);
	err = w.proc->sends ? sender_body(er, &w) : receiver_body(er, &w);
	worker_fini(&w);
	return err;
}

/* Its number is in /proc only: proc(5), /proc/PID/fdinfo. */
static void name_chan(struct demo_chan *c, int fd)
{
	char path[48], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		unsigned int id;

		if (sscanf(line, FDINFO_PREFIX " %u", &id) == 1)
			snprintf(c->name, sizeof(c->name), "eventfd:[%u]", id);
	}
	if (f)
		fclose(f);
}

static int make_chans(struct efd_run *er)
{
	struct demo_run *run = er->run;

	er->fds = calloc(er->chans, sizeof(*er->fds));
	er->tallies_len = er->senders * er->chans * sizeof(*er->tallies);
	er->tallies = mmap(NULL, er->tallies_len, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (er->tallies == MAP_FAILED)
		er->tallies = NULL;
	if (!er->fds || !er->tallies)
		return run_fail_errno(run, -ENOMEM, "set-up");
	for (unsigned int i = 0; i < er->chans; i++) {
		er->fds[i] = eventfd(0, EFD_CLOEXEC | (run->opts.semaphore ? EFD_SEMAPHORE : 0));
		if (er->fds[i] < 0)
			return run_fail_errno(run, -errno, "cannot make an eventfd");
		run->chans[i].mechanism = "eventfd";
		name_chan(&run->chans[i], er->fds[i]);
	}
	return 0;
}

static int declare(struct efd_run *er)
{
	struct demo_run *run = er->run;
	struct run_shape shape = {.procs = er->senders + er->receivers,
				  .chans = er->chans,
				  .flows = er->senders * er->receivers,
				  .lanes = er->senders,
				  .lane_messages = messages_of(er)};
	int err = run_board(run, &shape);

	for (unsigned int i = 0; !err && i < shape.flows; i++) {
		unsigned int r = i / er->senders;

		run->flows[i] = (struct demo_flow){
			.src = i % er->senders, .dst = er->senders + r, .chan = r % er->chans};
	}
	return err ? err : make_chans(er);
}

static int efd_go(struct efd_run *er)
{
	struct demo_run *run = er->run;
	char name[16];
	int err = declare(er);

	for (unsigned int i = run->proc_cnt; !err && i-- > 0;) {
		bool sender = i < er->senders;

		run->procs[i].sends = sender;
		run->procs[i].recvs = !sender;
		snprintf(name, sizeof(name), "%s-%u", sender ? "send" : "recv",
			 sender ? i : i - er->senders);
		err = run_spawn(run, i, name, child_main, er);
	}
	for (unsigned int i = 0; er->fds && i < er->chans; i++)
		if (er->fds[i] > 0)
			close(er->fds[i]);
	if (!err)
		err = run_start(run);
	if (!err)
		err = run_join(run, NULL, NULL);
	return err ? err : truth_write(run, NULL, 0);
}

static int efd_run(struct demo_run *run)
{
	const struct demo_opts *o = &run->opts;
	struct efd_run er = {.run = run,
			     .senders = (unsigned int)o->senders,
			     .receivers = (unsigned int)o->receivers,
			     .chans = o->semaphore ? 1 : (unsigned int)o->receivers,
			     .bits = (unsigned int)(COUNTER_BITS / o->senders)};
	int err;

	if (o->semaphore && o->senders > 1)
		return run_usage(run, "--semaphore needs a single sender: a unit of a counter does "
				      "not say whose it is");
	if (o->senders > MAX_SENDERS)
		return run_usage(run, "--senders is at most %d: each has its bits of the counter",
				 MAX_SENDERS);
	err = efd_go(&er);
	if (err)
		run_kill(run); /* before what they share goes away */
	if (er.tallies)
		munmap(er.tallies, er.tallies_len);
	free(er.fds);
	return err;
}

const struct demo_workload demo_eventfd = {
	.name = "eventfd",
	.help = "eventfds, one for each receiver, which senders add to in turn",
	.uses = DEMO_OPT_MESSAGES | DEMO_OPT_SENDERS | DEMO_OPT_RECEIVERS | DEMO_OPT_RATE |
		DEMO_OPT_RECEIVER_DELAY | DEMO_OPT_SENDER_DELAY | DEMO_OPT_HOLD | DEMO_OPT_SEED |
		DEMO_OPT_SEMAPHORE,
	.defaults = {.messages = 1000, .size = 512, .senders = 1, .receivers = 1, .seed = 1},
	.run = efd_run,
};
