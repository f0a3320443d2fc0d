// SPDX-License-Identifier: BSD-2-Clause
#include "model/task.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TASKS_MAX  (1u << 20)
#define POLLED_MAX 4096         /* of one task */
#define POLLED_ALL (256 * 1024) /* of all tasks */

static void task_free(struct model *m, struct task *t)
{
	hmap_del(&m->tasks_by_tid, t->tid);
	list_del(&t->in_model);
	list_del(&t->in_proc);
	proc_put(t->proc);
	m->polled_cnt -= t->polled_cnt;
	free(t->polled);
	free(t->opens);
	free(t);
}

static struct task *task_new(struct model *m, struct proc *p, uint32_t tid)
{
	struct task *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->tid = tid;
	t->proc = p;
	t->state = '?';
	t->nr = TASK_NO_CALL;
	if (hmap_put(&m->tasks_by_tid, tid, t)) {
		free(t);
		return NULL;
	}
	p->refs++;
	list_add_tail(&m->tasks, &t->in_model);
	list_add_tail(&p->tasks, &t->in_proc);
	return t;
}

/* *out NULL: there are too many. */
static int task_get(struct model *m, const struct ev_hdr *hdr, struct task **out)
{
	struct task *t = hmap_get(&m->tasks_by_tid, hdr->tid);
	struct proc *p = proc_get(m, hdr->pid);

	*out = NULL;
	if (!p)
		return -ENOMEM;
	if (t && t->proc != p) { /* its number went to another */
		task_free(m, t);
		t = NULL;
	}
	if (!t && m->tasks_by_tid.cnt >= TASKS_MAX)
		return 0;
	*out = t ? t : task_new(m, p, hdr->tid);
	return *out ? 0 : -ENOMEM;
}

int task_event(struct model *m, const struct ev_task *ev)
{
	struct task *t;
	int err = task_get(m, &ev->hdr, &t);

	if (!t)
		return err;
	t->seen_ns = ev->hdr.ts_ns;
	t->since_ns = ev->since_ns < ev->hdr.ts_ns ? ev->since_ns : ev->hdr.ts_ns;
	if (ev->until_ns)
		t->until_ns = ev->until_ns;
	t->who = ev->who;
	t->shared = ev->hdr.flags & TASKF_SHARED;
	t->traces = ev->hdr.flags & TASKF_TRACES;
	t->children = ev->hdr.flags & TASKF_CHILDREN;
	t->nr = ev->nr;
	t->state = ev->state > ' ' && ev->state < 0x7f ? (char)ev->state : '?';
	t->why = (enum ipcspy_why)ev->why;
	return 0;
}

int task_open_event(struct model *m, const struct ev_name *ev)
{
	struct task *t;
	char *path;
	int err = task_get(m, &ev->hdr, &t);

	if (!t)
		return err;
	path = strdup((const char *)ev->text);
	if (!path)
		return -ENOMEM;
	free(t->opens);
	t->opens = path;
	t->opens_obj = ev->chan;
	return 0;
}

static int polled_room(struct task *t)
{
	size_t want = t->polled_cap ? t->polled_cap * 2 : 4;
	struct polled *more;

	if (t->polled_cnt < t->polled_cap)
		return 0;
	more = reallocarray(t->polled, want, sizeof(*more));
	if (!more)
		return -ENOMEM;
	t->polled = more;
	t->polled_cap = want;
	return 0;
}

int task_set_event(struct model *m, const struct ev_set *ev)
{
	struct task *t;
	int err = task_get(m, &ev->hdr, &t);

	if (!t)
		return err;
	t->polls = true;
	if (ev->hdr.flags & SETF_OTHERS)
		t->polls_others = true;
	if (ev->until_ns)
		t->until_ns = ev->until_ns;
	for (uint32_t i = 0; i < ev->cnt; i++) {
		if (t->polled_cnt >= POLLED_MAX || m->polled_cnt >= POLLED_ALL) {
			t->polls_others = true;
			return 0;
		}
		if (polled_room(t))
			return -ENOMEM;
		t->polled[t->polled_cnt++] =
			(struct polled){ev->of[i].chan, ev->of[i].events, ev->of[i].fd};
		m->polled_cnt++;
	}
	return 0;
}

void task_word_event(struct model *m, const struct ev_word *ev)
{
	struct task *t = hmap_get(&m->tasks_by_tid, ev->hdr.tid);

	if (!t || t->proc->pid != ev->hdr.pid)
		return;
	t->word_changed = true;
	t->expected = ev->expected;
	t->found = ev->found;
}

struct chan *model_polled_chan(const struct model *m, const struct polled *p)
{
	struct obj *o = hmap_get(&m->objs_by_id, p->obj);

	return o ? o->chan : NULL;
}

int model_polled_side(const struct model *m, const struct polled *p)
{
	const struct obj *o = hmap_get(&m->objs_by_id, p->obj);

	return o ? o->side : -1;
}

const struct task *model_task(const struct model *m, uint32_t tid)
{
	return hmap_get(&m->tasks_by_tid, tid);
}

void task_went_on(struct model *m, uint32_t tid)
{
	struct task *t = hmap_get(&m->tasks_by_tid, tid);

	if (!t)
		return;
	t->state = 'R';
	t->why = WHY_NONE;
	t->nr = TASK_NO_CALL;
	t->polls = t->polls_others = t->children = t->word_changed = false;
	t->since_ns = t->until_ns = 0;
	m->polled_cnt -= t->polled_cnt;
	t->polled_cnt = 0;
	free(t->opens);
	t->opens = NULL;
	t->opens_obj = 0;
}

void task_ended(struct model *m, uint32_t tid)
{
	struct task *t = hmap_get(&m->tasks_by_tid, tid);

	if (t)
		task_free(m, t);
}

void tasks_drop(struct model *m, struct proc *p)
{
	list_for_each_safe (t, &p->tasks, struct task, in_proc)
		task_free(m, t);
}

void tasks_clear(struct model *m)
{
	list_for_each_safe (t, &m->tasks, struct task, in_model)
		task_free(m, t);
}
