// SPDX-License-Identifier: BSD-2-Clause
/* task.c - why a task does not go on, from what the iterators of bpf/look.bpf.h say of it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/calls.h"
#include "probe/fdinfo.h"
#include "probe/internal.h"

#define CMD_SETLKW     7 /* fcntl(2), the same on all 64-bit architectures */
#define CMD_OFD_SETLKW 38

/* A pid that the task gave: of a namespace of its own it says nothing here. */
static __s32 pid_arg(const struct look_task *l, __s32 pid)
{
	return l->task.hdr.flags & LOOKF_PID_NS ? 0 : pid;
}

static __s32 own_group(const struct look_task *l)
{
	pid_t group = getpgid((pid_t)l->task.hdr.pid);

	return group > 0 ? -group : 0;
}

/* wait4(2): -1 any child, 0 its own process group's, below -1 another's. */
static void why_wait4(struct ev_task *t, const struct look_task *l)
{
	__s32 pid = (__s32)l->args[0];

	t->why = WHY_CHILD;
	if (pid == 0)
		t->who = own_group(l);
	else if (pid != -1 && pid != INT_MIN)
		t->who = pid_arg(l, pid);
}

/* The process behind a pidfd, by the line "Pid:" of its fdinfo. */
static __s32 pid_of_pidfd(const struct look_task *l, __s32 fd)
{
	long long pid;

	return fdinfo_number(l->task.hdr.tid, fd, "Pid:", &pid) && pid > 0 ? (__s32)pid : 0;
}

static void why_waitid(struct ev_task *t, const struct look_task *l)
{
	__s32 id = (__s32)l->args[1];

	t->why = WHY_CHILD;
	if (id < 0)
		return;
	switch ((__s32)l->args[0]) {
	case P_PID:
		t->who = pid_arg(l, id);
		break;
	case P_PGID:
		t->who = id ? pid_arg(l, -id) : own_group(l);
		break;
	case 3: /* P_PIDFD, since 5.4 */
		t->who = pid_of_pidfd(l, id);
		break;
	}
}

/* signal(7): they end a program, tell of its mistakes, or come from its terminal. */
static const int no_progress[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGABRT, SIGSEGV, SIGBUS,
				  SIGILL,  SIGFPE,  SIGTRAP, SIGSYS,  SIGPIPE, SIGXCPU, SIGXFSZ,
				  SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, SIGWINCH};

static __u64 signal_bit(int signo)
{
	return 1ull << (signo - 1);
}

/* The signals that a thread would handle now: proc_pid_status(5). False: not to be seen. */
static bool handled_now(__u32 tid, __u64 *out)
{
	unsigned long long blocked = 0, caught = 0;
	char line[256];
	int found = 0;
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%u/status", tid);
	f = fopen(line, "re");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		found += sscanf(line, "SigBlk: %llx", &blocked) == 1 ||
			 sscanf(line, "SigCgt: %llx", &caught) == 1;
	fclose(f);
	*out = caught & ~blocked;
	return found == 2;
}

/*
 * Until a handler has run. Who has children and a handler for their end, and for nothing
 * else that comes in the ordinary course, waits for them: so do shells in "wait".
 */
static void why_signals(struct ev_task *t, const struct look_task *l)
{
	__u64 handled;

	if (!(l->task.hdr.flags & LOOKF_CHILDREN) || !handled_now(l->task.hdr.tid, &handled))
		return;
	for (size_t i = 0; i < sizeof(no_progress) / sizeof(no_progress[0]); i++)
		handled &= ~signal_bit(no_progress[i]);
	if (handled == signal_bit(SIGCHLD))
		t->why = WHY_CHILD;
}

/* A handler that has run ends poll and its like, whatever else was to end it: signal(7). */
static __u32 poll_flags(const struct look_task *l)
{
	__u64 handled;

	if (!(l->task.hdr.flags & LOOKF_CHILDREN) || !handled_now(l->task.hdr.tid, &handled))
		return 0;
	return handled & signal_bit(SIGCHLD) ? TASKF_CHILDREN : 0;
}

/* Inode number of the file behind a descriptor of the task, 0 when it cannot be known. */
static __u64 inode_of(const struct look_task *l, __s32 fd)
{
	long long ino;

	return fdinfo_number(l->task.hdr.tid, fd, "ino:", &ino) ? (__u64)ino : 0;
}

static int why_lock(struct probe *p, struct ev_task *t, const struct look_task *l,
		    enum lock_class class)
{
	int err = 0;

	t->why = WHY_LOCK;
	if (!p->locks_known) {
		p->locks_known = true;
		err = locks_read(&p->locks);
	}
	if (err == -ENOMEM)
		return err;
	t->who = locks_holder(&p->locks, class, (__s32)t->hdr.pid, inode_of(l, (__s32)l->args[0]));
	/* flock(2): children and whoever was passed the descriptor have the lock just as well */
	if (t->who && class == LOCK_FLOCK)
		t->hdr.flags |= TASKF_SHARED;
	return 0;
}

/* Whether it sleeps in fifo_open() of fs/pipe.c; 1 when this kernel does not say where. */
static int opens_fifo(const struct look_task *l)
{
	char buf[64] = "";
	ssize_t n;
	int fd;

	snprintf(buf, sizeof(buf), "/proc/%u/wchan", l->task.hdr.tid);
	fd = open(buf, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return !strcmp(buf, "wait_for_partner") || !strcmp(buf, "fifo_open");
}

/* Where the path leads to as the task sees it. False: too long, or the directory is not known. */
static bool path_of_task(const struct look_task *l, bool at, const char *name, char *out,
			 size_t len)
{
	__s32 dir = at ? (__s32)l->args[0] : AT_FDCWD;
	__u32 tid = l->task.hdr.tid;
	int n;

	if (name[0] == '/')
		n = snprintf(out, len, "/proc/%u/root%s", tid, name);
	else if (dir == AT_FDCWD)
		n = snprintf(out, len, "/proc/%u/cwd/%s", tid, name);
	else
		n = snprintf(out, len, "/proc/%u/fd/%d/%s", tid, dir, name);
	return n > 0 && (size_t)n < len;
}

/* The end that has to be opened: HOLDF_*. O_RDWR waits for none. */
static __s32 other_end(const struct look_task *l, enum wait_kind kind)
{
	__u64 flags = kind == WAIT_CREAT ? O_WRONLY : l->args[kind == WAIT_OPEN ? 1 : 2];

	/* struct open_how begins with the flags */
	if (kind == WAIT_OPENAT2 &&
	    !task_memory((pid_t)l->task.hdr.tid, l->args[2], &flags, sizeof(flags)))
		return 0;
	return (flags & O_ACCMODE) == O_WRONLY ? HOLDF_READ : HOLDF_WRITE;
}

/*
 * An open(2) that sleeps: of a FIFO whose other end nobody has open. Nothing else
 * is looked at: a path can lead to a file system that never answers.
 */
static int why_open(struct probe *p, struct ev_task *t, const struct look_task *l,
		    enum wait_kind kind)
{
	bool at = kind == WAIT_OPENAT || kind == WAIT_OPENAT2;
	char name[PATH_MAX], path[PATH_MAX + 64];
	struct ev_name e = {.hdr = t->hdr};
	const struct held *h;

	t->why = WHY_OTHER;
	if (!opens_fifo(l) ||
	    !task_string((pid_t)l->task.hdr.tid, l->args[at ? 1 : 0], name, sizeof(name)))
		return 0;
	t->why = WHY_OPEN;
	t->who = other_end(l, kind);
	e.hdr.kind = EV_NAME;
	e.hdr.len = sizeof(e);
	e.hdr.flags = NAMEF_OPEN;
	if (path_of_task(l, at, name, path, sizeof(path))) {
		h = held_fifo(&p->held, l->task.hdr.tid, path);
		e.chan = h ? h->chan : 0;
	}
	memcpy(e.text, name, strnlen(name, sizeof(e.text) - 1));
	return probe_deliver(p, &e, sizeof(e));
}

/* A task asleep in a call: what that call waits for. */
static int why_call(struct probe *p, struct ev_task *t, const struct look_task *l)
{
	const struct wait_call *call = wait_call_of(l);

	t->why = l->task.hdr.flags & LOOKF_INFLIGHT ? WHY_NONE : WHY_OTHER;
	if (!call)
		return 0;
	t->nr = call->nr;
	t->until_ns = wait_call_until(call, l);
	switch (call->kind) {
	case WAIT_SLEEP:
		t->why = WHY_SLEEP;
		return 0;
	case WAIT_CHILD4:
		why_wait4(t, l);
		return 0;
	case WAIT_CHILDID:
		why_waitid(t, l);
		return 0;
	case WAIT_FLOCK:
		return why_lock(p, t, l, LOCK_FLOCK);
	case WAIT_FCNTL:
		if (l->args[1] == CMD_SETLKW)
			return why_lock(p, t, l, LOCK_POSIX);
		return l->args[1] == CMD_OFD_SETLKW ? why_lock(p, t, l, LOCK_OFD) : 0;
	case WAIT_OPEN:
	case WAIT_OPENAT:
	case WAIT_OPENAT2:
	case WAIT_CREAT:
		return why_open(p, t, l, call->kind);
	case WAIT_SIGNALS:
		why_signals(t, l);
		return 0;
	case WAIT_POLL:
	case WAIT_SELECT:
	case WAIT_EPOLL:
	case WAIT_ANYTHING:
		t->why = WHY_NONE;
		t->hdr.flags |= poll_flags(l);
		return set_emit(p, l, call, t);
	case WAIT_NONE:
	case WAIT_VFORK:
		return 0;
	case WAIT_CHANNEL:
		return words_look(&p->words, l, t->until_ns != 0);
	}
	return 0;
}

int task_emit(struct probe *p, const struct look_task *l)
{
	struct ev_task t = l->task;
	int err = 0;

	t.hdr.kind = EV_TASK;
	t.hdr.len = sizeof(t);
	t.hdr.flags = l->task.hdr.flags & LOOKF_TRACES ? TASKF_TRACES : 0;
	switch (t.state) {
	case 'S':
		err = why_call(p, &t, l);
		break;
	case 'D':
		t.why = l->child ? WHY_VFORK : WHY_DISK;
		t.who = (__s32)l->child;
		break;
	case 'T':
	case 't':
		t.why = WHY_STOPPED;
		t.who = (__s32)l->tracer;
		break;
	}
	return err < 0 ? err : probe_deliver(p, &t, sizeof(t));
}
