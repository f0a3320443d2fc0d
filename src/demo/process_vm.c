/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * process_vm.c - memory of other processes: each sender writes its messages into
 * the receivers, in turn, and they do nothing; with --pull each receiver reads
 * them out of the senders, and those do nothing.
 *
 * The one that does nothing stays until all others are done. Buffers are mapped
 * before the processes part, so everybody knows where they are; what is in them is
 * each process's own. Where the Yama module asks for it, the passive one allows
 * everybody to reach into it (ptrace(2), PR_SET_PTRACER).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "exchange.h"
#include "truth.h"

#define LOOK_US 200 /* between two looks whether the others are done */

struct vm_run {
	struct demo_run *run;
	unsigned int senders, receivers, active, passive;
	uint8_t *boxes; /* one of spec.size bytes for each sender, private */
	size_t boxes_len;
};

static bool is_active(const struct vm_run *vr, unsigned int idx)
{
	return (idx < vr->senders) != vr->run->opts.pull;
}

static uint8_t *box_of(const struct vm_run *vr, unsigned int s)
{
	return vr->boxes + (size_t)s * vr->run->opts.size;
}

/* Pair number seq of an active process: who is at the other end. */
static unsigned int other_of(const struct vm_run *vr, unsigned int idx, uint64_t seq)
{
	bool pull = vr->run->opts.pull;
	unsigned int i = pull ? idx - vr->senders : idx;

	return pull ? (unsigned int)((i + seq) % vr->senders)
		    : vr->senders + (unsigned int)((i + seq) % vr->receivers);
}

static void note(struct vm_run *vr, unsigned int s, unsigned int r, size_t len)
{
	struct demo_proc *send = &vr->run->procs[s], *recv = &vr->run->procs[vr->senders + r];
	struct demo_flow *f = &vr->run->flows[r * vr->senders + s];

	/* of the passive one, too: several others may be at it */
	atomic_fetch_add(&send->send.messages, 1);
	atomic_fetch_add(&recv->recv.messages, 1);
	__atomic_fetch_add(&send->send.bytes, len, __ATOMIC_RELAXED);
	__atomic_fetch_add(&recv->recv.bytes, len, __ATOMIC_RELAXED);
	f->messages++;
	f->bytes += len;
}

static int move(struct vm_run *vr, struct worker *w, unsigned int other, uint64_t seq)
{
	struct demo_run *run = vr->run;
	bool pull = run->opts.pull;
	unsigned int s = pull ? other : w->idx, r = (pull ? w->idx : other) - vr->senders;
	struct demo_side *side = pull ? &w->proc->recv : &w->proc->send;
	size_t len = msg_len(&run->spec, s, pull ? 0 : seq);
	struct iovec here = {box_of(vr, s), len}, there = here;
	uint64_t start_ns;
	ssize_t n;

	if (!pull) {
		here.iov_base = w->out;
		w->out_len = msg_seal(&run->spec, s, seq, w->out, w->out_len);
		msg_stamp(w->out, demo_now_ns());
	}
	start_ns = demo_now_ns();
	n = pull ? process_vm_readv(run->procs[other].pid, &here, 1, &there, 1, 0)
		 : process_vm_writev(run->procs[other].pid, &here, 1, &there, 1, 0);
	if (n < 0 || (size_t)n != len)
		return run_fail_errno(run, n < 0 ? -errno : -EIO,
				      "cannot reach into another process");
	worker_called(w, side, start_ns, demo_now_ns());
	if (pull && msg_check(&run->spec, here.iov_base, len))
		return run_fail(run, -EBADMSG, "a message read %s",
				msg_check(&run->spec, here.iov_base, len));
	note(vr, s, r, len);
	return 0;
}

static int active_body(struct vm_run *vr, struct worker *w)
{
	int err = 0;

	for (uint64_t seq = 0; !err && seq < vr->run->opts.messages; seq++) {
		worker_pace(w, seq);
		err = move(vr, w, other_of(vr, w->idx, seq), seq);
	}
	atomic_fetch_add(&vr->run->board->turn, 1);
	return err;
}

/* Each sender's last message must be whole. */
static int check_boxes(struct vm_run *vr)
{
	struct msg_header h;
	const char *wrong;

	for (unsigned int s = 0; s < vr->senders; s++) {
		memcpy(&h, box_of(vr, s), sizeof(h));
		if (!h.magic) /* none of its messages were for this one */
			continue;
		wrong = h.len > vr->run->opts.size
				? "is too long"
				: msg_check(&vr->run->spec, box_of(vr, s), h.len);
		if (wrong)
			return run_fail(vr->run, -EBADMSG, "a message written here %s", wrong);
	}
	return 0;
}

static int passive_body(struct vm_run *vr, struct worker *w)
{
	while (atomic_load(&vr->run->board->turn) < vr->active)
		worker_sleep_until(w, demo_now_ns() + LOOK_US * DEMO_NS_PER_US);
	return vr->run->opts.pull ? 0 : check_boxes(vr);
}

static int child_main(struct demo_run *run, unsigned int idx, void *arg)
{
	struct vm_run *vr = arg;
	struct worker w;
	int err = worker_init(&w, run, idx);

	if (err)
		return err;
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0); /* without Yama: not needed */
	if (run->opts.pull && idx < vr->senders) {
		msg_fill(&run->spec, idx, box_of(vr, idx));
		msg_seal(&run->spec, idx, 0, box_of(vr, idx), 0);
	}
	worker_start(&w);
	err = is_active(vr, idx) ? active_body(vr, &w) : passive_body(vr, &w);
	worker_fini(&w);
	return err;
}

static int declare(struct vm_run *vr)
{
	struct demo_run *run = vr->run;
	struct run_shape shape = {.procs = vr->senders + vr->receivers,
				  .chans = vr->passive,
				  .flows = vr->senders * vr->receivers,
				  .lanes = vr->senders,
				  .lane_messages = 1};
	int err = run_board(run, &shape);

	if (err)
		return err;
	for (unsigned int i = 0; i < shape.flows; i++) {
		unsigned int s = i % vr->senders, r = i / vr->senders;

		run->flows[i] = (struct demo_flow){
			.src = s, .dst = vr->senders + r, .chan = run->opts.pull ? s : r};
	}
	vr->boxes_len = vr->senders * run->opts.size;
	vr->boxes = mmap(NULL, vr->boxes_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	if (vr->boxes != MAP_FAILED)
		return 0;
	vr->boxes = NULL;
	return run_fail_errno(run, -errno, "set-up");
}

static int vm_go(struct vm_run *vr)
{
	struct demo_run *run = vr->run;
	int err = declare(vr);
	char name[16];

	for (unsigned int i = run->proc_cnt; !err && i-- > 0;) {
		bool sender = i < vr->senders;

		run->procs[i].sends = sender;
		run->procs[i].recvs = !sender;
		snprintf(name, sizeof(name), "%s-%u", sender ? "send" : "recv",
			 sender ? i : i - vr->senders);
		err = run_spawn(run, i, name, child_main, vr);
	}
	for (unsigned int i = 0; !err && i < vr->passive; i++) {
		struct demo_chan *c = &run->chans[i];

		c->mechanism = "process-vm";
		snprintf(c->name, sizeof(c->name), "process-vm:%d",
			 (int)run->procs[run->opts.pull ? i : vr->senders + i].pid);
	}
	if (!err)
		err = run_start(run);
	if (!err)
		err = run_join(run, NULL, NULL);
	return err ? err : truth_write(run, NULL, 0);
}

static int vm_run(struct demo_run *run)
{
	const struct demo_opts *o = &run->opts;
	struct vm_run vr = {.run = run,
			    .senders = (unsigned int)o->senders,
			    .receivers = (unsigned int)o->receivers};
	int err;

	vr.active = o->pull ? vr.receivers : vr.senders;
	vr.passive = o->pull ? vr.senders : vr.receivers;
	err = vm_go(&vr);
	if (err)
		run_kill(run);
	if (vr.boxes)
		munmap(vr.boxes, vr.boxes_len);
	return err;
}

const struct demo_workload demo_process_vm = {
	.name = "process-vm",
	.help = "process_vm_writev into the receivers, or process_vm_readv out of the senders",
	.uses = DEMO_OPT_MESSAGES | DEMO_OPT_SIZE | DEMO_OPT_SENDERS | DEMO_OPT_RECEIVERS |
		DEMO_OPT_RATE | DEMO_OPT_SENDER_DELAY | DEMO_OPT_SEED | DEMO_OPT_PULL,
	.defaults = {.messages = 1000, .size = 512, .senders = 1, .receivers = 1, .seed = 1},
	.run = vm_run,
};
