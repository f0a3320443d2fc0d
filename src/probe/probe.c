/* SPDX-License-Identifier: BSD-2-Clause */
/* probe.c - load, attach, drain and stop the kernel side. */
#include "probe/internal.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/glob.h"
#include "lib/syscalls.h"

#define RING_DEFAULT_BYTES (32u << 20)
#define FILES_NEEDED       256 /* at once, and some to spare */
#define NAP_MIN_MS         1
#define NAP_MAX_MS         50

/* Leave the ring now and then, or steady traffic would keep the caller here for ever. */
#define BATCH_MAX_RECORDS 200000

int probe_fail(struct probe *p, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->error, sizeof(p->error), fmt, ap);
	va_end(ap);
	return err;
}

const char *probe_error(const struct probe *p)
{
	return p && p->error[0] ? p->error : "out of memory";
}

/* What libbpf first complained of while loading; its callback takes no context. */
static char complaint[160];

__attribute__((format(printf, 2, 0))) static int keep_complaint(enum libbpf_print_level level,
								const char *fmt, va_list ap)
{
	if (level == LIBBPF_WARN && !complaint[0]) {
		vsnprintf(complaint, sizeof(complaint), fmt, ap);
		complaint[strcspn(complaint, "\n")] = '\0';
	}
	return 0;
}

const void *probe_own_pids(struct probe *p, const void *data, size_t len)
{
	if (!p->pidns.numbers || len > sizeof(p->translated))
		return data;
	memcpy(p->translated, data, len);
	pidns_translate(&p->pidns, (struct ev_hdr *)p->translated);
	return p->translated;
}

static int on_ring(void *arg, void *data, size_t len)
{
	struct probe *p = arg;
	int err;

	p->batch_bytes += len + 8; /* the ring's own record header */
	err = probe_deliver(p, probe_own_pids(p, data, len), len);
	if (err < 0)
		return err;
	return ++p->batch_records < BATCH_MAX_RECORDS ? 0 : -ECANCELED;
}

int probe_deliver(struct probe *p, const void *data, size_t len)
{
	int err;

	p->stats.records++;
	p->stats.bytes += len;
	err = p->on_record(p->on_record_arg, data, len);
	return err < 0 ? err : names_emit(p, data);
}

static int set_glob(struct probe *p, const char *pattern)
{
	struct ipcspy_config *cfg = (struct ipcspy_config *)&p->skel->rodata->cfg;
	struct glob g;

	if (glob_compile(&g, pattern))
		return probe_fail(p, -EINVAL, "comm pattern is longer than %d bytes",
				  IPCSPY_GLOB_MAX);
	memcpy((void *)p->skel->rodata->glob_takes, g.takes, sizeof(g.takes));
	cfg->glob_gaps = g.gaps;
	cfg->glob_end = g.end;
	return 0;
}

static void set_config(struct probe *p, const struct probe_opts *opts)
{
	struct ipcspy_config *cfg = (struct ipcspy_config *)&p->skel->rodata->cfg;
	struct ipcspy_sys *table = (struct ipcspy_sys *)p->skel->rodata->syscalls;
	size_t cnt;
	const struct syscall_row *rows = syscall_rows(&cnt);

	if (getrandom(&cfg->seed, sizeof(cfg->seed), 0) != sizeof(cfg->seed))
		cfg->seed = (uintptr_t)p ^ (uint64_t)time(NULL);
	cfg->self_tgid = p->self_tgid;
	cfg->pid_ns_ino = p->pid_ns_ino;
	cfg->mech_mask = opts->mech_mask ? opts->mech_mask : opts->look ? ~0u : MECHS_BY_DEFAULT;
	cfg->all = opts->all || opts->look;
	cfg->look = opts->look;
	cfg->follow = opts->follow;
	cfg->cgroup_id = opts->cgroup_id;
	bpf_program__set_autoload(p->skel->progs.on_cgroup, opts->cgroup_id);
	cfg->peers = !opts->no_peers;
	cfg->payload_bytes = opts->payload_bytes;
	cfg->page_shift = (uint8_t)__builtin_ctzl((unsigned long)sysconf(_SC_PAGESIZE));
	for (size_t i = 0; i < cnt; i++)
		if (rows[i].nr < IPCSPY_NR_SYSCALLS)
			table[rows[i].nr] = rows[i].sys;
}

/* Family programs are reached by tail call only: they are loaded, never attached. */
static int set_families(struct probe *p)
{
#define PROGS(fam, name) {fam, p->skel->progs.enter_##name, p->skel->progs.exit_##name},
	const struct {
		unsigned int fam;
		struct bpf_program *enter, *exit;
	} fams[] = {IPCSPY_FAMILIES(PROGS)};
#undef PROGS
	int enter = bpf_map__fd(p->skel->maps.enter_progs);
	int exits = bpf_map__fd(p->skel->maps.exit_progs);

	for (size_t i = 0; i < sizeof(fams) / sizeof(fams[0]); i++) {
		int enter_fd = bpf_program__fd(fams[i].enter),
		    exit_fd = bpf_program__fd(fams[i].exit);

		if (bpf_map_update_elem(enter, &fams[i].fam, &enter_fd, BPF_ANY) ||
		    bpf_map_update_elem(exits, &fams[i].fam, &exit_fd, BPF_ANY))
			return probe_fail(p, -errno, "cannot link program family %u: %s",
					  fams[i].fam, strerror(errno));
		bpf_program__set_autoattach(fams[i].enter, false);
		bpf_program__set_autoattach(fams[i].exit, false);
	}
	return 0;
}

static int load_failed(struct probe *p, int err)
{
	const char *feature;
	char caps[64];

	/* what is missing then cannot be found out either */
	if (err == -EMFILE || err == -ENFILE)
		return probe_fail(p, err, "too many open files; it needs %d (ulimit -n)",
				  FILES_NEEDED);
	if (err == -ENOMEM)
		return probe_fail(p, err, "out of memory");
	missing_capabilities(caps, sizeof(caps));
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return probe_fail(p, -EOPNOTSUPP,
				  "this kernel has no BTF (/sys/kernel/btf/vmlinux); "
				  "it needs CONFIG_DEBUG_INFO_BTF, Linux 6.1 or newer");
	if (caps[0])
		return probe_fail(p, -EPERM,
				  "missing %s; run as root, or see PRIVILEGES in ipcspy(8)", caps);
	if (err == -EPERM)
		return probe_fail(p, err,
				  "the kernel refuses BPF programs (lockdown or a security "
				  "module); 'ipcspy doctor' tells more");
	feature = missing_feature();
	if (feature)
		return probe_fail(p, -EOPNOTSUPP,
				  "this kernel has no %s; Linux 6.1 or newer is needed", feature);
	return probe_fail(p, -EOPNOTSUPP, "the kernel rejects the BPF programs: %s",
			  complaint[0] ? complaint : strerror(-err));
}

static size_t ring_size(size_t want)
{
	size_t page = sysconf(_SC_PAGESIZE), n = page;

	if (!want)
		want = RING_DEFAULT_BYTES;
	while (n < want && n < (1u << 30))
		n <<= 1;
	return n;
}

/* Who ipcspy is, and by whose numbers it names others. */
static int find_self(struct probe *p)
{
	int self;

	p->pid_ns_ino = pidns_ino();
	p->self_tgid = (__u32)getpid();
	if (!p->pid_ns_ino)
		return 0;
	/* what is read there would be said of other processes */
	if (!pidns_has_proc())
		return probe_fail(p, -EOPNOTSUPP,
				  "/proc belongs to another pid namespace; mount this one's "
				  "(mount -t proc proc /proc, or unshare --mount-proc)");
	self = pidns_self();
	if (self < 0)
		return load_failed(p, self);
	p->self_tgid = (__u32)self;
	return 0;
}

static int check_opts(struct probe *p, const struct probe_opts *opts)
{
	for (size_t i = 0; i < opts->pid_cnt; i++)
		if (kill(opts->pids[i], 0) && errno == ESRCH)
			return probe_fail(p, -ESRCH, "no process with pid %d", opts->pids[i]);
	/* who was given BPF alone was not given what others say to each other */
	if (opts->payload_bytes && !may_read_memory())
		return probe_fail(p, -EPERM,
				  "--payload needs CAP_SYS_PTRACE, as all that reads "
				  "other processes' memory; run as root");
	return 0;
}

/*
 * Edge-triggered, so that it ends a nap when the kernel side asks for it, and not
 * because there is data, which there always is.
 */
static int open_wake(struct probe *p)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};

	p->wake_fd = epoll_create1(EPOLL_CLOEXEC);
	if (p->wake_fd < 0 ||
	    epoll_ctl(p->wake_fd, EPOLL_CTL_ADD, bpf_map__fd(p->skel->maps.events), &ev))
		return probe_fail(p, -errno, "cannot wait for the ring buffer: %s",
				  strerror(errno));
	return 0;
}

/* What a look does without: programs to call, a ring to drain, targets. */
static int prepare_trace(struct probe *p, const struct probe_opts *opts)
{
	int err = set_families(p);

	if (err)
		return err;
	p->ring = ring_buffer__new(bpf_map__fd(p->skel->maps.events), on_ring, p, NULL);
	if (!p->ring)
		return probe_fail(p, -errno, "cannot map the ring buffer: %s", strerror(errno));
	err = open_wake(p);
	for (size_t i = 0; !err && i < opts->pid_cnt; i++)
		err = probe_add_target(p, opts->pids[i]);
	return err;
}

/* What of the kernel side depends on what this kernel has. */
static void fit_kernel(struct probe *p)
{
	struct ipcspy_config *cfg = (struct ipcspy_config *)&p->skel->rodata->cfg;
	struct btf *btf = btf__load_vmlinux_btf();

	if (libbpf_get_error(btf))
		return; /* loading will say what is wrong */
	uring_select(p, btf);
	cfg->steady = steady_possible(btf);
	cfg->steady_calls = cfg->steady && steady_needed(btf);
	bpf_program__set_autoload(p->skel->progs.sys_enter_again, cfg->steady_calls);
	bpf_program__set_autoload(p->skel->progs.sys_exit_again, cfg->steady_calls);
	btf__free(btf);
}

/*
 * What the kernel lacks, libbpf looks for in its modules. Only CAP_SYS_ADMIN may list
 * their types, and before version 1.3 a refusal is an error, the first time; it does not
 * ask again. So here it asks for what is nowhere.
 */
static void spend_refusal(struct probe *p)
{
	__u32 id = 0;

	if (bpf_btf_get_next_id(0, &id) && errno == EPERM)
		(void)bpf_program__set_attach_target(p->skel->progs.on_fork, 0, "none such");
	complaint[0] = '\0';
}

int probe_new(struct probe **out, const struct probe_opts *opts)
{
	struct probe *p = calloc(1, sizeof(*p));
	int err;

	*out = p;
	if (!p)
		return -ENOMEM;
	p->on_record = opts->on_record;
	p->on_record_arg = opts->on_record_arg;
	p->nap_ms = NAP_MIN_MS;
	p->wake_fd = -1;
	p->look = opts->look;
	p->objects = opts->look && opts->objects;
	err = check_opts(p, opts);
	if (err)
		return err;
	complaint[0] = '\0';
	libbpf_set_print(keep_complaint);
	err = find_self(p);
	if (err)
		return err;
	p->skel = ipcspy_bpf__open();
	if (!p->skel)
		return load_failed(p, -errno);
	set_config(p, opts);
	err = opts->comm ? set_glob(p, opts->comm) : 0;
	if (err)
		return err;
	p->stats.ring_bytes = ring_size(opts->look ? 1 : opts->ring_bytes);
	bpf_map__set_max_entries(p->skel->maps.events, p->stats.ring_bytes);
	if (!opts->look)
		fit_kernel(p);
	look_select(p);
	if (p->pid_ns_ino)
		bpf_map__set_max_entries(p->skel->maps.pid_numbers, PID_NUMBERS / 2);
	spend_refusal(p);
	err = ipcspy_bpf__load(p->skel);
	if (err)
		return load_failed(p, err);
	if (p->pid_ns_ino)
		err = pidns_open(&p->pidns, bpf_map__fd(p->skel->maps.pid_numbers));
	if (err)
		return probe_fail(p, err, "cannot map the table of pids: %s", strerror(-err));
	return opts->look ? 0 : prepare_trace(p, opts);
}

int probe_add_target(struct probe *p, pid_t pid)
{
	__u32 key = pid;
	__u8 one = 1;

	if (bpf_map_update_elem(bpf_map__fd(p->skel->maps.target_pids), &key, &one, BPF_ANY))
		return probe_fail(p, -errno, "cannot add target %d: %s", pid, strerror(errno));
	return p->attached ? snapshot_take(p, SNAPF_FIRST | SNAPF_HOLDS) : 0;
}

int probe_attach(struct probe *p)
{
	struct bpf_program *prog;
	int err;

	if (p->look)
		return snapshot_take(p, SNAPF_FIRST | SNAPF_HOLDS);
	/* iterators are opened when a snapshot is taken */
	bpf_object__for_each_program (prog, p->skel->obj)
		if (!strncmp(bpf_program__section_name(prog), "iter", 4))
			bpf_program__set_autoattach(prog, false);
	/* who begins from here on is told by it, all others are there when they are listed */
	if (p->pid_ns_ino)
		p->skel->links.on_fork = bpf_program__attach(p->skel->progs.on_fork);
	err = snapshot_numbers(p);
	if (!err)
		err = ipcspy_bpf__attach(p->skel);
	if (err)
		return probe_fail(p, err, "cannot attach to the kernel's tracepoints: %s",
				  strerror(-err));
	p->attached = true;
	return snapshot_take(p, SNAPF_FIRST | SNAPF_HOLDS);
}

/* A busy ring is looked at more often, a quiet one less. */
static void adapt_nap(struct probe *p)
{
	if (p->batch_bytes > p->stats.ring_bytes / 8)
		p->nap_ms = NAP_MIN_MS;
	else if (p->batch_bytes > p->stats.ring_bytes / 32)
		p->nap_ms = p->nap_ms > NAP_MIN_MS ? p->nap_ms / 2 : NAP_MIN_MS;
	else if (p->nap_ms < NAP_MAX_MS)
		p->nap_ms = p->nap_ms * 2 < NAP_MAX_MS ? p->nap_ms * 2 : NAP_MAX_MS;
}

/* Processes that came into the cgroup of the filter are taken like those that were there. */
static int take_in(struct probe *p)
{
	__u32 moved = __atomic_load_n(&p->skel->bss->moved_in, __ATOMIC_RELAXED);

	if (moved == p->moved_in)
		return 0;
	p->moved_in = moved;
	return snapshot_take(p, SNAPF_FIRST | SNAPF_HOLDS);
}

int probe_drain(struct probe *p, int timeout_ms)
{
	int nap_ms = timeout_ms < p->nap_ms ? timeout_ms : p->nap_ms;
	struct epoll_event ev;
	int err;

	if (p->look)
		return 0;
	/* Operations wake nobody: that would cost each more than all the rest. New processes do. */
	if (nap_ms > 0 && epoll_wait(p->wake_fd, &ev, 1, nap_ms) < 0)
		return -errno;
	p->batch_records = p->batch_bytes = 0;
	err = ring_buffer__consume(p->ring);
	forget_descriptors(p);
	adapt_nap(p);
	if (err < 0 && err != -ECANCELED)
		return err;
	err = take_in(p);
	return err ? err : (int)p->batch_records;
}

int probe_snapshot(struct probe *p, unsigned int snap_flags)
{
	return snapshot_take(p, snap_flags);
}

void probe_stop(struct probe *p)
{
	if (!p->stopped && !p->look && p->skel)
		ipcspy_bpf__detach(p->skel);
	p->stopped = true;
}

void probe_stats(const struct probe *p, struct probe_stats *out)
{
	*out = p->stats;
}

void probe_free(struct probe *p)
{
	if (!p)
		return;
	if (p->wake_fd >= 0)
		close(p->wake_fd);
	ring_buffer__free(p->ring);
	pidns_close(&p->pidns);
	ipcspy_bpf__destroy(p->skel);
	free(p);
}
