// SPDX-License-Identifier: BSD-2-Clause
/* ipcs.c - IPC objects that live on by themselves, and whether anybody uses them. */
#include "probe/ipcs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "probe/internal.h"

#define OBJECTS_MAX 4096  /* of one mechanism */
#define SEMS_MAX    65536 /* semaphores of one look: each takes a call */

#define TMPFS_FS_MAGIC  0x01021994
#define MQUEUE_FS_MAGIC 0x19800202

bool sysv_line_parse(const char *line, enum ipcspy_mech mech, struct sysv_line *out)
{
	struct sysv_line l = {.e = {.mech = (__u8)mech}};
	unsigned long long bytes = 0, messages = 0;
	int key, id, got;

	switch (mech) {
	case MECH_SYSV_SHM: /* key shmid perms size cpid lpid nattch */
		got = sscanf(line, "%d %d %*s %llu %d %d %u", &key, &id, &bytes, &l.pids[1],
			     &l.pids[0], &l.e.users);
		got -= 4;
		break;
	case MECH_SYSV_MSG: /* key msqid perms cbytes qnum lspid lrpid */
		got = sscanf(line, "%d %d %*s %llu %llu %d %d", &key, &id, &bytes, &messages,
			     &l.pids[0], &l.pids[1]);
		got -= 4;
		break;
	default: /* key semid perms nsems */
		got = sscanf(line, "%d %d %*s %u", &key, &id, &l.sems);
		got -= 1;
		break;
	}
	if (got != 2 || id < 0)
		return false;
	l.e.key = (__u32)key;
	l.e.id = id;
	l.e.bytes = bytes;
	l.e.messages = messages;
	*out = l;
	return true;
}

static bool lives(__s32 pid)
{
	return pid > 0 && (!kill(pid, 0) || errno != ESRCH);
}

/* Objects of mech are looked at so far; p gets told if more there are. */
struct census {
	struct probe *p;
	enum ipcspy_mech mech;
	unsigned int cnt, sems;
	bool unseen;
};

static int tell(struct census *c, const struct ev_ipc *e)
{
	struct ev_ipc out = *e;

	out.hdr.kind = EV_IPC;
	out.hdr.len = sizeof(out);
	return probe_deliver(c->p, &out, sizeof(out));
}

static int tell_unseen(struct census *c)
{
	const struct ev_ipc e = {.hdr.flags = IPCF_UNSEEN, .mech = (__u8)c->mech};

	return c->unseen ? tell(c, &e) : 0;
}

/*
 * Who last changed each semaphore (GETPID of semctl(2)); neighbours are mostly changed by the
 * same one, who then counts once. False: that may not be known.
 */
static bool sems_of(struct census *c, struct sysv_line *l)
{
	for (unsigned int i = 0; i < l->sems; i++) {
		int pid = ++c->sems > SEMS_MAX ? -1 : semctl(l->e.id, (int)i, GETPID);

		if (pid < 0)
			return errno == EINVAL || errno == EIDRM; /* it has gone */
		if (!pid || pid == l->pids[0])
			continue;
		l->e.users += lives(pid);
		l->pids[0] = pid;
	}
	return true;
}

/* Objects that nobody has ever used are not told: who made them is not known. */
static int sysv_tell(struct census *c, struct sysv_line *l)
{
	if (c->mech == MECH_SYSV_SEM && !sems_of(c, l)) {
		c->unseen = true;
		return 0;
	}
	if (c->mech != MECH_SYSV_SEM)
		for (int i = 0; i < 2; i++)
			l->e.users += lives(l->pids[i]);
	l->e.hdr.pid = (__u32)(l->pids[0] > 0 ? l->pids[0] : l->pids[1]);
	return l->e.hdr.pid ? tell(c, &l->e) : 0;
}

static int sysv_emit(struct probe *p, enum ipcspy_mech mech, const char *path)
{
	struct census c = {.p = p, .mech = mech};
	bool pids = !p->pid_ns_ino; /* else 0 is somebody who is outside, or nobody */
	FILE *f = pids ? fopen(path, "re") : NULL;
	struct sysv_line l;
	char line[512];
	int err = 0;

	c.unseen = !pids || (!f && errno != ENOENT);
	while (!err && f && fgets(line, sizeof(line), f)) {
		if (!sysv_line_parse(line, mech, &l))
			continue; /* the headline */
		if (++c.cnt > OBJECTS_MAX) {
			c.unseen = true;
			break;
		}
		err = sysv_tell(&c, &l);
	}
	if (f)
		fclose(f);
	return err ? err : tell_unseen(&c);
}

void files_count(struct files *f, const struct look_file *l)
{
	for (unsigned int i = 0; f && i < f->cnt; i++) {
		if (f->of[i].fd != l->fd)
			continue;
		f->of[i].e.users = l->users;
		f->of[i].counted = true;
	}
}

/* What is in a queue: one that was opened by its path is one like any other (mq_overview(7)). */
static void queue_content(struct ev_ipc *e, int dir)
{
	struct mq_attr attr;
	char text[64] = "";
	int fd = openat(dir, (const char *)e->name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return;
	if (!mq_getattr(fd, &attr))
		e->messages = (__u64)attr.mq_curmsgs;
	if (read(fd, text, sizeof(text) - 1) > 0)
		sscanf(text, "QSIZE:%llu", &e->bytes);
	close(fd);
}

/* Counts the users of the files that are open, tells of them and closes them. */
static int files_tell(struct census *c, struct files *f, int dir)
{
	int err;

	c->p->files = f;
	err = snapshot_own_files(c->p, c->p->skel->progs.look_files);
	c->p->files = NULL;
	if (err != -ENOMEM)
		err = 0; /* what was not counted is said */
	for (unsigned int i = 0; i < f->cnt; i++) {
		close(f->of[i].fd);
		if (!f->of[i].counted)
			c->unseen = true;
		if (err || !f->of[i].counted)
			continue;
		if (c->mech == MECH_POSIX_MQ)
			queue_content(&f->of[i].e, dir);
		err = tell(c, &f->of[i].e);
	}
	f->cnt = 0;
	return err;
}

/* Opens a file only so far that it has a descriptor. */
static int file_add(struct census *c, struct files *f, int dir, const char *name)
{
	struct ev_ipc *e = &f->of[f->cnt].e;
	struct stat st;
	int fd;

	if (strlen(name) >= sizeof(e->name))
		return 0;
	fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		c->unseen = c->unseen || (fd < 0 && errno != ENOENT);
		if (fd >= 0)
			close(fd);
		return 0;
	}
	memset(&f->of[f->cnt], 0, sizeof(f->of[f->cnt]));
	e->mech = (__u8)c->mech;
	e->bytes = c->mech == MECH_SHM ? (__u64)st.st_size : 0;
	strcpy((char *)e->name, name);
	f->of[f->cnt++].fd = fd;
	return f->cnt == FILES_MAX ? files_tell(c, f, dir) : 0;
}

/* All files of a directory, which is closed. -1: it could not be opened. */
static int files_emit(struct probe *p, enum ipcspy_mech mech, int fd, long magic)
{
	struct census c = {.p = p, .mech = mech};
	struct files *f = calloc(1, sizeof(*f));
	struct statfs fs;
	DIR *dir = NULL;
	struct dirent *d;
	int err = f ? 0 : -ENOMEM;

	if (fd >= 0 && !fstatfs(fd, &fs) && fs.f_type == magic)
		dir = fdopendir(fd);
	if (!dir && fd >= 0)
		close(fd);
	c.unseen = !dir;
	while (!err && dir && (d = readdir(dir))) {
		if (d->d_name[0] == '.' && (!d->d_name[1] || !strcmp(d->d_name, "..")))
			continue;
		if (++c.cnt > OBJECTS_MAX) {
			c.unseen = true;
			break;
		}
		err = file_add(&c, f, dirfd(dir), d->d_name);
	}
	if (!err && f->cnt)
		err = files_tell(&c, f, dirfd(dir));
	for (unsigned int i = 0; f && i < f->cnt; i++)
		close(f->of[i].fd);
	if (dir)
		closedir(dir);
	free(f);
	return err ? err : tell_unseen(&c);
}

/*
 * The queues of this IPC namespace: their file system, mounted nowhere. Who may not do that
 * takes what is mounted where mq_overview(7) has it, if it is.
 */
static int open_queues(void)
{
	int dir = -1, fd = (int)syscall(SYS_fsopen, "mqueue", FSOPEN_CLOEXEC), at = -1;

	if (fd >= 0 && !syscall(SYS_fsconfig, fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		at = (int)syscall(SYS_fsmount, fd, FSMOUNT_CLOEXEC, 0);
	if (fd >= 0)
		close(fd);
	if (at >= 0) {
		dir = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(at);
	}
	return dir >= 0 ? dir : open("/dev/mqueue", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool ipcs_sees_queues(void)
{
	struct statfs fs;
	int fd = open_queues();
	bool sees = fd >= 0 && !fstatfs(fd, &fs) && fs.f_type == MQUEUE_FS_MAGIC;

	if (fd >= 0)
		close(fd);
	return sees;
}

int ipcs_emit(struct probe *p)
{
	__u32 mask = p->skel->rodata->cfg.mech_mask;
	int err = 0;

	if (mask & 1u << MECH_SYSV_MSG)
		err = sysv_emit(p, MECH_SYSV_MSG, "/proc/sysvipc/msg");
	if (!err && mask & 1u << MECH_SYSV_SEM)
		err = sysv_emit(p, MECH_SYSV_SEM, "/proc/sysvipc/sem");
	if (!err && mask & 1u << MECH_SYSV_SHM)
		err = sysv_emit(p, MECH_SYSV_SHM, "/proc/sysvipc/shm");
	if (!err && mask & 1u << MECH_POSIX_MQ)
		err = files_emit(p, MECH_POSIX_MQ, open_queues(), MQUEUE_FS_MAGIC);
	if (!err && mask & 1u << MECH_SHM)
		err = files_emit(p, MECH_SHM, open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
				 TMPFS_FS_MAGIC);
	return err;
}
