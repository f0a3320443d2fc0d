/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lostwake.c - a process sleeps on a futex in shared memory; another changes the word
 * and forgets to wake it.
 */
#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stuck.h"

enum { SLEEPER = 0, CARELESS = 1 };

#define LOOK_NS (5 * DEMO_NS_PER_MS)

static int sleep_on(struct worker *w, _Atomic uint32_t *word)
{
	long n;

	atomic_store(&w->proc->recv.call_since_ns, demo_now_ns());
	do
		n = syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? run_fail_errno(w->run, -errno, "futex") : 0;
}

/* Once the other sleeps. */
static void change(struct worker *w, _Atomic uint32_t *word)
{
	struct demo_proc *other = &w->run->procs[SLEEPER];

	while (!atomic_load(&other->recv.call_since_ns) || run_proc_state(other->pid) != 'S')
		worker_sleep_until(w, demo_now_ns() + LOOK_NS);
	atomic_store(word, 1);
	for (;;)
		pause();
}

static int lostwake_body(struct worker *w, struct stuck_run *sr)
{
	worker_start(w);
	if (w->idx == SLEEPER)
		return sleep_on(w, sr->priv);
	change(w, sr->priv);
	return 0;
}

static int lostwake_run(struct demo_run *run)
{
	struct stuck_run sr;
	int err = stuck_init(run, &sr, 2, 1);

	err = err ? err : stuck_memory(run, &sr, 0);
	if (!err) {
		sr.body = lostwake_body;
		sr.forked = stuck_memory_unmap;
		sr.who[SLEEPER].name = "sleeper";
		sr.who[SLEEPER].recvs = true;
		sr.who[CARELESS].name = "careless";
		sr.who[CARELESS].sends = true;
		sr.who[CARELESS].end = STUCK_BUSY;
		stuck_add(&sr, SLEEPER, 0, CARELESS, "recv");
		stuck_name(&sr, "lost-wakeup-suspect", SLEEPER);
		err = stuck_go(run, &sr);
	}
	stuck_fini(&sr);
	return err;
}

const struct demo_workload demo_lostwake = {
	.name = "lostwake",
	.scenario = true,
	.help = "a futex is changed, and who sleeps on it is not woken",
	.uses = DEMO_OPT_HOLD,
	.defaults = {.messages = 1, .size = 32, .senders = 1, .receivers = 1},
	.run = lostwake_run,
};
