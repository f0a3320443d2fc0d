// SPDX-License-Identifier: BSD-2-Clause
#include "probe/pidns.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipcspy/config.h"
#include "ipcspy/look.h"

#define INIT_PID_NS_INO 0xEFFFFFFCu /* PROC_PID_INIT_INO, include/linux/proc_ns.h */

__u32 pidns_ino(void)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) || st.st_ino == INIT_PID_NS_INO)
		return 0;
	return (__u32)st.st_ino;
}

bool pidns_has_proc(void)
{
	char pid[32];
	ssize_t n = readlink("/proc/self", pid, sizeof(pid) - 1);

	if (n <= 0)
		return false;
	pid[n] = '\0';
	return atoi(pid) == getpid();
}

/* Runs a program of three instructions in this process: bpf_get_current_pid_tgid() >> 32. */
int pidns_self(void)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_current_pid_tgid},
		{.code = BPF_ALU64 | BPF_RSH | BPF_K, .dst_reg = BPF_REG_0, .imm = 32},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_test_run_opts, run);
	int err, fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "ipcspy_self", "GPL", insns,
				    sizeof(insns) / sizeof(insns[0]), NULL);

	if (fd < 0)
		return -errno;
	err = bpf_prog_test_run_opts(fd, &run) ? -errno : 0;
	close(fd);
	return err ? err : (int)run.retval;
}

int pidns_open(struct pidns *ns, int fd)
{
	void *at = mmap(NULL, PID_NUMBERS * sizeof(__u32), PROT_READ, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	*ns = (struct pidns){.numbers = at, .cnt = PID_NUMBERS};
	return 0;
}

void pidns_close(struct pidns *ns)
{
	if (ns->numbers)
		munmap((void *)ns->numbers, ns->cnt * sizeof(*ns->numbers));
	*ns = (struct pidns){0};
}

static __u32 of_caller(const struct pidns *ns, __u32 nr)
{
	__u32 here = nr < ns->cnt ? __atomic_load_n(&ns->numbers[nr], __ATOMIC_RELAXED) : 0;

	return here || !nr ? here : nr | PID_OUTSIDE;
}

/* In the lower half of a word, the upper stays. */
static __u64 low_of_caller(const struct pidns *ns, __u64 v)
{
	return (v & ~0xffffffffull) | of_caller(ns, (__u32)v);
}

static void op(const struct pidns *ns, struct ev_hdr *h)
{
	struct ev_vals *vals = (void *)((char *)h + sizeof(struct ev_op));
	struct ev_op *e = (void *)h;

	e->waker_tid = of_caller(ns, e->waker_tid);
	if (!(h->flags & OPF_VALS) || h->len < sizeof(*e) + sizeof(*vals))
		return;
	/* the receiver's thread, the waker's process */
	if (e->mech == MECH_SIGNAL || e->mech == MECH_FUTEX || e->mech == MECH_FUTEX_PRIVATE ||
	    e->mech == MECH_SYSV_SEM)
		vals->v[1] = low_of_caller(ns, vals->v[1]);
}

static void obj(const struct pidns *ns, struct ev_hdr *h)
{
	struct ev_obj *e = (void *)h;

	switch (e->mech) {
	case MECH_SIGNAL: /* where nobody has the pid, it is what the sender gave */
		if (e->vals[1])
			e->ino = of_caller(ns, (__u32)e->ino);
		break;
	case MECH_PROCESS_VM:
	case MECH_FUTEX_PRIVATE:
		e->ino = of_caller(ns, (__u32)e->ino);
		e->vals[0] = of_caller(ns, (__u32)e->vals[0]);
		break;
	}
}

static void proc(const struct pidns *ns, struct ev_hdr *h)
{
	struct ev_proc *e = (void *)h;

	e->ppid = of_caller(ns, e->ppid);
}

static void inflight(const struct pidns *ns, struct ev_hdr *h)
{
	struct ev_inflight *e = (void *)h;

	e->owner_pid = of_caller(ns, e->owner_pid);
}

static void pass(const struct pidns *ns, struct ev_hdr *h)
{
	struct ev_pass *e = (void *)h;

	e->from = of_caller(ns, e->from);
}

static void look(const struct pidns *ns, struct ev_hdr *h)
{
	struct look_task *l = (void *)h;

	l->tracer = of_caller(ns, l->tracer);
	l->child = of_caller(ns, l->child);
}

/* What has numbers behind its header; struct pid's own are the caller's already (pid_shown()). */
static const struct {
	__u16 kind, len;
	void (*translate)(const struct pidns *ns, struct ev_hdr *h);
} kinds[] = {
	{EV_OP, sizeof(struct ev_op), op},
	{EV_OBJ, sizeof(struct ev_obj), obj},
	{EV_PROC, sizeof(struct ev_proc), proc},
	{EV_INFLIGHT, sizeof(struct ev_inflight), inflight},
	{EV_PASS, sizeof(struct ev_pass), pass},
	{LOOK_TASK, sizeof(struct look_task), look},
};

void pidns_translate(const struct pidns *ns, struct ev_hdr *h)
{
	h->pid = of_caller(ns, h->pid);
	h->tid = of_caller(ns, h->tid);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].kind == h->kind && h->len >= kinds[i].len)
			kinds[i].translate(ns, h);
}
