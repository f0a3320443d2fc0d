/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * task.h - what each task was doing when the latest snapshot looked.
 *
 * A snapshot replaces all tasks. Until the next one a task goes when its thread or
 * process ends, and is taken to go on when the call that it was in returns. The model
 * owns them; each names its process, and is in its list. How many there are, and how
 * many channels they poll, is bounded: what is too much is left out, and a task whose
 * set is not whole says that it waits for something else, too.
 *
 * Private to src/model: others see struct task in model.h.
 */
#ifndef IPCSPY_MODEL_TASK_H
#define IPCSPY_MODEL_TASK_H

#include "model/internal.h"

/* EV_TASK and EV_SET, in either order. Return 0 or -ENOMEM. */
int task_event(struct model *m, const struct ev_task *ev);
int task_set_event(struct model *m, const struct ev_set *ev);

/* What a task opens. The same. */
int task_open_event(struct model *m, const struct ev_name *ev);

/* EV_WORD, behind the task's EV_TASK. */
void task_word_event(struct model *m, const struct ev_word *ev);

/* The call that it was in returned: nothing is known of what it does now. */
void task_went_on(struct model *m, uint32_t tid);

void task_ended(struct model *m, uint32_t tid);
void tasks_drop(struct model *m, struct proc *p); /* all of a process */
void tasks_clear(struct model *m);

#endif
