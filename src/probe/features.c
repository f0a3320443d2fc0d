/* SPDX-License-Identifier: BSD-2-Clause */
/* features.c - what this kernel and these privileges give: the rows of `ipcspy doctor`. */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "probe/internal.h"
#include "probe/sample.h"

struct table {
	struct probe_feature *rows;
	size_t max, cnt;
};

__attribute__((format(printf, 5, 6))) static void
add(struct table *t, const char *name, enum probe_need need, bool ok, const char *fmt, ...)
{
	struct probe_feature *f;
	va_list ap;

	if (t->cnt++ >= t->max)
		return;
	f = &t->rows[t->cnt - 1];
	*f = (struct probe_feature){.name = name, .need = need, .ok = ok};
	va_start(ap, fmt);
	vsnprintf(f->detail, sizeof(f->detail), fmt, ap);
	va_end(ap);
}

static const struct {
	unsigned int bit;
	const char *name;
	enum probe_need need;
	const char *gives, *without;
} caps[] = {
	{CAP_BPF, "CAP_BPF", NEED_REQUIRED, "BPF programs and maps can be created",
	 "no BPF program or map can be created"},
	{CAP_PERFMON, "CAP_PERFMON", NEED_REQUIRED, "programs may read kernel memory",
	 "programs may not read kernel memory"},
	{CAP_SYS_PTRACE, "CAP_SYS_PTRACE", NEED_OPTIONAL,
	 "of other users' processes: names of programs, and what they poll or open; and --payload",
	 "of other users' processes: no names of programs, not what they poll or open, no "
	 "wake-ups that were lost; and no --payload"},
	{CAP_SYS_NICE, "CAP_SYS_NICE", NEED_OPTIONAL,
	 "raised priority: less is lost on a saturated machine",
	 "no raised priority: on a saturated machine records may be lost"},
};

#define CAP_CNT (sizeof(caps) / sizeof(caps[0]))

/* Effective capabilities, 0 when /proc does not tell. capabilities(7) */
static uint64_t effective_caps(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	uint64_t eff = 0;
	char line[256];

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "CapEff:", 7))
			eff = strtoull(line + 7, NULL, 16);
	fclose(f);
	return eff;
}

/* CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON (include/linux/capability.h). */
static bool has_cap(uint64_t eff, unsigned int bit)
{
	if (eff & (1ull << bit))
		return true;
	return (bit == CAP_BPF || bit == CAP_PERFMON) && (eff & (1ull << CAP_SYS_ADMIN));
}

bool may_read_memory(void)
{
	return has_cap(effective_caps(), CAP_SYS_PTRACE);
}

void missing_capabilities(char *buf, size_t len)
{
	uint64_t eff = effective_caps();
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < CAP_CNT; i++)
		if (caps[i].need == NEED_REQUIRED && !has_cap(eff, caps[i].bit) && at < len)
			at += snprintf(buf + at, len - at, "%s%s", at ? " and " : "", caps[i].name);
}

/* What programs need beyond hooks: a type or function of the kernel, and since when it is there. */
static const struct {
	const char *name;
	unsigned int kind; /* BTF_KIND_* */
	const char *what;
} needs[] = {
	{"bpf_task_storage_get", BTF_KIND_FUNC, "storage of tasks for BPF programs (Linux 5.11)"},
	{"bpf_iter__task_vma", BTF_KIND_STRUCT, "BPF iterators over memory maps (Linux 5.12)"},
	{"bpf_loop", BTF_KIND_FUNC, "bpf_loop() for BPF programs (Linux 5.17)"},
};

const char *missing_feature(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	const char *what = NULL;

	if (libbpf_get_error(btf))
		return NULL;
	for (size_t i = 0; !what && i < sizeof(needs) / sizeof(needs[0]); i++)
		if (btf__find_by_name_kind(btf, needs[i].name, needs[i].kind) <= 0)
			what = needs[i].what;
	btf__free(btf);
	return what;
}

static const struct {
	const char *row, *type;
	enum probe_need need;
	const char *gives, *without;
} hooks[] = {
	{"tp_btf/sys_enter", "btf_trace_sys_enter", NEED_REQUIRED, "system calls",
	 "no system call is seen"},
	{"tp_btf/sys_exit", "btf_trace_sys_exit", NEED_REQUIRED, "system calls",
	 "no system call is seen"},
	{"tp_btf/sched_switch", "btf_trace_sched_switch", NEED_REQUIRED, "blocked time",
	 "no blocked time"},
	{"tp_btf/sched_waking", "btf_trace_sched_waking", NEED_REQUIRED, "blocked time",
	 "no blocked time"},
	{"tp_btf/sched_process_fork", "btf_trace_sched_process_fork", NEED_REQUIRED,
	 "children and new threads", "children and new threads are not followed"},
	{"tp_btf/sched_process_exec", "btf_trace_sched_process_exec", NEED_REQUIRED,
	 "names of programs", "programs keep their old names"},
	{"tp_btf/task_rename", "btf_trace_task_rename", NEED_OPTIONAL,
	 "names set with prctl(PR_SET_NAME)", "a name set with prctl(PR_SET_NAME) is not seen"},
	{"tp_btf/sched_process_exit", "btf_trace_sched_process_exit", NEED_REQUIRED,
	 "the end of processes", "a reused pid cannot be told apart"},
	{"tp_btf/signal_generate", "btf_trace_signal_generate", NEED_REQUIRED, "signals",
	 "no signal is seen"},
	{"tp_btf/signal_deliver", "btf_trace_signal_deliver", NEED_REQUIRED,
	 "what becomes of signals", "what becomes of a signal is not seen"},
};

static void add_kernel(struct table *t)
{
	struct utsname u;
	int major = 0, minor = 0;
	bool ok;

	if (uname(&u) || sscanf(u.release, "%d.%d", &major, &minor) != 2) {
		add(t, "kernel", NEED_REQUIRED, false, "uname(2) gives no version");
		return;
	}
	ok = major > 6 || (major == 6 && minor >= 1);
	add(t, "kernel", NEED_REQUIRED, ok, "%.40s %.20s%s", u.release, u.machine,
	    ok ? "" : "; 6.1 or newer is needed");
}

static void add_steady(struct table *t, const struct btf *btf)
{
	bool needed = steady_needed(btf), possible = steady_possible(btf);

	add(t, "preemption", NEED_OPTIONAL, possible || !needed, "%s",
	    !needed    ? "programs at system calls run in one go"
	    : possible ? "programs at system calls forbid it; a call that is missed all the "
			 "same is counted as untracked"
		       : "programs at system calls cannot forbid it: calls are missed, and "
			 "counted as untracked");
}

static void add_btf(struct table *t)
{
	struct btf *btf = btf__load_vmlinux_btf();
	struct uring_hooks uring;
	bool has_uring;
	long err = libbpf_get_error(btf);

	add(t, "BTF", NEED_REQUIRED, !err,
	    err ? "/sys/kernel/btf/vmlinux cannot be read: build the kernel with "
		  "CONFIG_DEBUG_INFO_BTF"
		: "/sys/kernel/btf/vmlinux");
	if (err)
		return;
	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		bool ok = btf__find_by_name_kind(btf, hooks[i].type, BTF_KIND_TYPEDEF) > 0;

		add(t, hooks[i].row, hooks[i].need, ok, "%s",
		    ok ? hooks[i].gives : hooks[i].without);
	}
	has_uring = uring_hooks(btf, &uring);
	add(t, "io_uring hooks", NEED_OPTIONAL, has_uring, "%s",
	    has_uring ? "requests submitted through io_uring"
		      : "what is sent and received through io_uring is not seen");
	add_steady(t, btf);
	btf__free(btf);
}

static int swallow(void *arg, const void *data, size_t len)
{
	(void)arg, (void)data, (void)len;
	return 0;
}

/* The proof: load everything as a trace would. */
static void add_load(struct table *t)
{
	struct probe_opts opts = {.all = true, .on_record = swallow};
	struct probe *p;
	int err = probe_new(&p, &opts);

	add(t, "programs", NEED_REQUIRED, !err, "%s",
	    err ? probe_error(p) : "the verifier accepts all programs");
	probe_free(p);
}

static void add_queues(struct table *t)
{
	bool ok = ipcs_sees_queues();

	add(t, "message queues", NEED_OPTIONAL, ok, "%s",
	    ok ? "POSIX queues that nobody has open any more are found"
	       : "POSIX queues that nobody has open any more are not found: "
		 "mount -t mqueue none /dev/mqueue, or run as root");
}

static void add_pid_ns(struct table *t)
{
	bool inside = pidns_ino(), ok = !inside || pidns_has_proc();

	add(t, "pid namespace", NEED_REQUIRED, ok, "%s",
	    !inside ? "the machine's"
	    : ok    ? "one of its own: pids are those of this namespace"
		    : "one of its own, and /proc is another's: mount it here");
}

static void add_stacks(struct table *t)
{
	int err = samples_test();

	add(t, "perf_event_open", NEED_OPTIONAL, !err, "%s%s%s",
	    err ? "why does not say what a running task is doing: "
		: "what a running task is doing",
	    err ? strerror(-err) : "",
	    err == -EACCES || err == -EPERM ? "; CAP_PERFMON is needed" : "");
}

size_t probe_features(struct probe_feature *out, size_t max)
{
	struct table t = {.rows = out, .max = max};
	uint64_t eff = effective_caps();

	add_kernel(&t);
	add_btf(&t);
	for (size_t i = 0; i < CAP_CNT; i++) {
		bool ok = has_cap(eff, caps[i].bit);

		add(&t, caps[i].name, caps[i].need, ok, "%s", ok ? caps[i].gives : caps[i].without);
	}
	add_queues(&t);
	add_pid_ns(&t);
	add_stacks(&t);
	add_load(&t);
	return t.cnt;
}
