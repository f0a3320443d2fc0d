// SPDX-License-Identifier: BSD-2-Clause
/* sets.c - which channels a task in poll, select or epoll_wait waits for. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#include "probe/calls.h"
#include "probe/epoll.h"
#include "probe/internal.h"

#define POLL_FDS_MAX   (1u << 17) /* descriptors of one call that are looked at */
#define SELECT_FDS_MAX (1u << 16)
#define POLLED_MAX     (1u << 20) /* looked at for one snapshot: the rest counts as other things */
#define CHUNK          512
#define ENOUGH         1 /* no error, but the end: whatever else it waits for is not looked at */
#define ALWAYS         (POLLERR | POLLHUP | POLLNVAL) /* comes whether asked for or not */

struct set {
	struct probe *p;
	struct ev_set e;
	bool others;
	size_t fd_cnt;
};

/* Room for one member more: a full record goes out, and says that another follows. */
static int make_room(struct set *s)
{
	int err;

	if (s->e.cnt < EV_SET_LEN)
		return 0;
	s->e.hdr.flags = SETF_MORE | (s->others ? SETF_OTHERS : 0);
	err = probe_deliver(s->p, &s->e, sizeof(s->e));
	s->e.cnt = 0;
	memset(s->e.of, 0, sizeof(s->e.of));
	return err;
}

/* ino: what is known of the file behind the descriptor, 0 nothing. */
static int add(struct set *s, __s32 fd, __u32 events, __u64 ino)
{
	const struct held *h;
	int err;

	s->fd_cnt++;
	if (++s->p->polled_cnt > POLLED_MAX) {
		s->others = true;
		return ENOUGH;
	}
	h = held_find(&s->p->held, s->e.hdr.pid, fd);
	if (!h || (ino && h->ino && (__u32)ino != (__u32)h->ino)) {
		s->others = true;
		return 0;
	}
	err = make_room(s);
	if (err < 0)
		return err;
	s->others = s->others || h->listens;
	s->e.of[s->e.cnt++] = (struct ev_set_member){
		.chan = h->chan, .fd = fd, .events = events & 0xffff & ~ALWAYS};
	return 0;
}

static int add_poll(struct set *s, const struct look_task *l)
{
	__u64 cnt = (__u32)l->args[1];
	struct pollfd fds[CHUNK];
	int err = 0;

	if (cnt > POLL_FDS_MAX) {
		s->others = true;
		cnt = POLL_FDS_MAX;
	}
	for (__u64 at = 0; !err && at < cnt; at += CHUNK) {
		size_t n = cnt - at < CHUNK ? cnt - at : CHUNK;

		if (!task_memory((pid_t)l->task.hdr.tid, l->args[0] + at * sizeof(*fds), fds,
				 n * sizeof(*fds))) {
			s->others = true;
			return 0;
		}
		for (size_t i = 0; !err && i < n; i++)
			if (fds[i].fd >= 0)
				err = add(s, fds[i].fd, (__u16)fds[i].events, 0);
	}
	return err;
}

/* The sets of descriptors that select(2) was given, word by word. */
static int add_select(struct set *s, const struct look_task *l)
{
	static const __u32 means[] = {POLLIN, POLLOUT, POLLPRI};
	__u32 cnt = (__s32)l->args[0] < 0 ? 0 : (__u32)l->args[0];
	int err = 0;

	if (cnt > SELECT_FDS_MAX) {
		s->others = true;
		cnt = SELECT_FDS_MAX;
	}
	for (__u32 at = 0; !err && at < cnt; at += 64) {
		__u64 word[3] = {0};

		for (int k = 0; k < 3; k++)
			if (l->args[1 + k] && !task_memory((pid_t)l->task.hdr.tid,
							   l->args[1 + k] + at / 8, &word[k], 8))
				s->others = true;
		for (__u32 i = 0; !err && i < 64 && at + i < cnt; i++) {
			__u32 events = 0;

			for (int k = 0; k < 3; k++)
				events |= word[k] >> i & 1 ? means[k] : 0;
			if (events)
				err = add(s, (__s32)(at + i), events, 0);
		}
	}
	return err;
}

static int take_member(void *arg, const struct epoll_member *m)
{
	/* EPOLLONESHOT leaves nothing to wait for until it is armed again */
	if (!(m->events & ~(EPOLLONESHOT | EPOLLET | EPOLLWAKEUP | EPOLLEXCLUSIVE)))
		return 0;
	return add(arg, m->fd, m->events, m->ino);
}

static int add_epoll(struct set *s, const struct look_task *l)
{
	int err = epoll_members(l->task.hdr.tid, (__s32)l->args[0], take_member, s);

	if (err == -ENOENT || err == -ESRCH || err == -EACCES || err == -EIO || err == -EMFILE) {
		s->others = true; /* it may not be seen, or is gone by now */
		return 0;
	}
	return err;
}

int set_emit(struct probe *p, const struct look_task *l, const struct wait_call *call,
	     struct ev_task *t)
{
	struct set s = {.p = p, .e = {.hdr = l->task.hdr, .until_ns = t->until_ns}};
	int err = 0;

	s.e.hdr.kind = EV_SET;
	s.e.hdr.len = sizeof(s.e);
	/* any number of threads may wait for any number of descriptors, at no cost of theirs */
	if (p->polled_cnt > POLLED_MAX)
		s.others = true;
	else if (call->kind == WAIT_POLL)
		err = add_poll(&s, l);
	else if (call->kind == WAIT_SELECT)
		err = add_select(&s, l);
	else if (call->kind == WAIT_EPOLL)
		err = add_epoll(&s, l);
	else
		s.others = true;
	if (err < 0)
		return err;
	if (!s.fd_cnt && !s.others) { /* nothing but a signal or the time ends it */
		t->why = t->until_ns ? WHY_SLEEP : WHY_NONE;
		s.others = true;
	}
	s.e.hdr.flags = s.others ? SETF_OTHERS : 0;
	return probe_deliver(p, &s.e, sizeof(s.e));
}
