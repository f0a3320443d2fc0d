// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/hidden.h"

#include <errno.h>

#include "analysis/ends.h"

#define FILES_MAX 8 /* open files of one end that are told apart */
#define POLL_REFS 2 /* a poll that sleeps has one for each queue of a file that it sleeps in */

/* An open file of the end, by its descriptors. */
struct open_file {
	uint16_t file, refs;
	unsigned int fds;
};

static uint64_t key_of(const struct chan *c, enum ep_role role)
{
	return hmap_mix((uintptr_t)c, role);
}

static int add(struct hmap *calls, const struct chan *c, enum ep_role role, unsigned int refs)
{
	uintptr_t n = (uintptr_t)hmap_get(calls, key_of(c, role));

	return hmap_put(calls, key_of(c, role), (void *)(n + refs));
}

/* Only where threads share descriptors does a call keep its file (fdget() in fs/file.c). */
static bool has_threads(const struct proc *p)
{
	const struct list_node *first = p->tasks.node.next;

	return first != &p->tasks.node && first->next != &p->tasks.node;
}

int hidden_index(struct hmap *calls, const struct model *m)
{
	int err = 0;

	list_for_each (i, model_inflight(m), struct inflight, in_model)
		if (!err && i->chan && has_threads(i->proc))
			err = add(calls, i->chan, i->op == OP_SEND ? EP_SEND : EP_RECV, 1);
	list_for_each (t, model_tasks(m), struct task, in_model) {
		for (size_t i = 0; !err && i < t->polled_cnt; i++) {
			const struct chan *c = model_polled_chan(m, &t->polled[i]);

			if (c)
				err = add(calls, c, EP_ATTACH, POLL_REFS);
		}
	}
	return err;
}

/* References that calls on this end of the channel may have. */
static unsigned int of_calls(const struct hmap *calls, const struct chan *c, enum ep_role role)
{
	uintptr_t n = (uintptr_t)hmap_get(calls, key_of(c, EP_ATTACH)) +
		      (uintptr_t)hmap_get(calls, key_of(c, role_opposite(role)));

	/* of a socket's two ends it is not known here which one */
	if (chan_shape(c) != SHAPE_PIPE)
		n += (uintptr_t)hmap_get(calls, key_of(c, role));
	return (unsigned int)n;
}

bool hidden_holds(const struct hmap *calls, const struct chan *c, enum ep_role role, int side)
{
	struct open_file files[FILES_MAX];
	unsigned int cnt = 0, i, calls_refs = of_calls(calls, c, role);

	list_for_each (h, model_holders(c), struct holder, in_chan) {
		if (h->nth >= HOLDERS_MAX) /* not all are listed */
			return false;
		if (!h->refs || !holder_is_opposite(c, role, side, h))
			continue;
		for (i = 0; i < cnt && files[i].file != h->file; i++)
			;
		if (i == FILES_MAX)
			continue;
		if (i == cnt)
			files[cnt++] = (struct open_file){.file = h->file, .refs = h->refs};
		files[i].fds++;
		if (h->refs < files[i].refs) /* it was closed somewhere while we looked */
			files[i].refs = h->refs;
	}
	for (i = 0; i < cnt; i++)
		if (files[i].refs > files[i].fds + calls_refs && files[i].refs < HOLD_REFS_MAX)
			return true;
	return false;
}
