/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * walk.h - the model's rows in the order in which reports show them.
 *
 * The vectors hold borrowed pointers, valid until the model is fed again; their
 * owner frees them with walk_fini(). Nothing here changes the model. Functions
 * return 0 or -ENOMEM. What has nothing to do with a target is left out.
 */
#ifndef IPCSPY_WALK_H
#define IPCSPY_WALK_H

#include <stddef.h>

#include "model/model.h"

struct walk {
	const void **v;
	size_t cnt;
};

#define WALK_INIT       \
	{               \
		NULL, 0 \
	}

void walk_fini(struct walk *w);

/* struct chan, by id */
int walk_chans(struct walk *w, const struct model *m);

enum flow_order { FLOWS_BY_CHAN, FLOWS_BUSIEST };

/* struct flow: by channel and then busiest, or busiest of all first. Busy is messages, then bytes.
 */
int walk_flows(struct walk *w, const struct model *m, enum flow_order order);

/* As qsort(3) wants it: below 0 when a is the busier one. */
int flow_busier(const struct flow *a, const struct flow *b);

/* struct conversation, in the model's order */
int walk_conversations(struct walk *w, const struct model *m);

/* struct proc, in the model's order: targets, and who uses or holds a channel of walk_chans() */
int walk_procs(struct walk *w, const struct model *m);

/* struct inflight: what belongs in "blocked now", longest first */
int walk_blocked(struct walk *w, const struct model *m);

/* A number for each process of a trace; those that stand for many (struct proc) by their name. */
uint64_t proc_key(const struct proc *p);

/* How many targets there were, exited ones included. */
size_t target_cnt(const struct model *m);

/* Since when, at the latest look: a lower bound where before_attach is set. */
uint64_t blocked_for_ns(const struct inflight *i);

/* What each process does now. Linear to make; states_fini() is due in both cases. */
struct states {
	struct hmap kinds; /* struct proc -> enum wait_kind of the task that tells most, plus 1 */
};

int states_init(struct states *s, const struct model *m);
void states_fini(struct states *s);

/* "exited", or what wait_kind_name() says. */
const char *proc_state(const struct states *s, const struct proc *p);

/* "comm" of a party's process, "?" when nobody knows it. */
const char *party_comm(const struct party *p);
uint32_t party_pid(const struct party *p);

/* Bytes of p->addr without the port: all of it where it has none. */
size_t party_host_len(const struct party *p);

#endif
