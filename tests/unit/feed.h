/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * feed.h - synthetic events for tests of the model.
 *
 * A struct feed owns a model, what it blames, and a clock of its own; every helper builds one
 * record, decodes it as a recording would be, and feeds it. Helpers fail the
 * test when the model refuses an event.
 */
#ifndef IPCSPY_TESTS_FEED_H
#define IPCSPY_TESTS_FEED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the above */

#include "model/model.h"

#define T0  1000000000ull /* start of every test's clock, ns */
#define US  1000ull
#define MS  1000000ull
#define SEC 1000000000ull

struct feed {
	struct model *m;
	struct blame *blame;
};

void feed_init(struct feed *f);
void feed_init_opts(struct feed *f, const struct model_opts *opts);
void feed_fini(struct feed *f);

/* Decodes a finished record (hdr.len set) and feeds it. */
void feed_raw(struct feed *f, const void *rec);

void feed_proc(struct feed *f, uint32_t pid, const char *comm);
void feed_proc_start(struct feed *f, uint32_t pid, const char *comm, uint64_t start_ns);
void feed_exit(struct feed *f, uint32_t pid, uint64_t ts_ns);

/* An object description to be completed and fed with feed_obj(). */
struct ev_obj obj_make(enum ipcspy_mech mech, uint64_t id, uint64_t ts_ns);
void feed_obj(struct feed *f, const struct ev_obj *o);

/* A pipe made in front of our eyes, capacity 65536. */
void feed_pipe(struct feed *f, uint64_t id);

/* A finished call by pid (also tid) on object id. */
struct ev_op op_make(enum ipcspy_mech mech, enum ipcspy_op kind, uint64_t id, uint32_t pid,
		     uint64_t enter_ns, uint64_t exit_ns, int ret);
void feed_op(struct feed *f, const struct ev_op *op);
void feed_op_in(struct feed *f, const struct ev_op *op, const struct ev_addr_in *addr);
void feed_op_vals(struct feed *f, const struct ev_op *op, uint64_t v0, uint64_t v1);
/* With the first len bytes of what it moved. */
void feed_op_payload(struct feed *f, const struct ev_op *op, const void *bytes, uint32_t len);
void feed_op_un(struct feed *f, const struct ev_op *op, const char *name, size_t len);

/* op_make and feed_op in one. */
void feed_send(struct feed *f, enum ipcspy_mech mech, uint64_t id, uint32_t pid, uint64_t enter_ns,
	       uint64_t exit_ns, int ret);
void feed_recv(struct feed *f, enum ipcspy_mech mech, uint64_t id, uint32_t pid, uint64_t enter_ns,
	       uint64_t exit_ns, int ret);

void feed_snap(struct feed *f, uint32_t flags, uint64_t ts_ns);
void feed_hold(struct feed *f, uint64_t id, uint32_t pid, uint32_t can);
void feed_inflight(struct feed *f, enum ipcspy_mech mech, enum ipcspy_op kind, uint64_t id,
		   uint32_t pid, uint64_t enter_ns, uint64_t seen_ns, uint64_t blocked_ns);
/* What a task of process pid does; begun since_ns, which may be 0. */
struct ev_task task_make(uint32_t pid, uint32_t tid, char state, enum ipcspy_why why, int who,
			 uint64_t since_ns, uint64_t seen_ns);
void feed_task(struct feed *f, uint32_t pid, char state, enum ipcspy_why why, int who,
	       uint64_t since_ns, uint64_t seen_ns);
/* It polls one object; flags: SETF_* */
void feed_poll(struct feed *f, uint32_t pid, uint64_t id, uint32_t events, uint32_t flags);
/* It sleeps on a futex word that has changed since. */
void feed_word(struct feed *f, uint32_t pid, uint32_t expected, uint32_t found);
/* An IPC object and how many use it; text: of POSIX ones. */
void feed_ipc(struct feed *f, enum ipcspy_mech mech, int id, const char *text, uint32_t users);
void feed_loss(struct feed *f, uint32_t flags, unsigned int mech, uint64_t chan, uint64_t cnt);

struct ev_addr_in addr4(const char *host, unsigned int port);

/* The n-th channel, counted from 0; NULL past the end. */
struct chan *feed_chan(const struct feed *f, unsigned int n);
struct chan *feed_chan_named(const struct feed *f, const char *name);
unsigned int feed_chan_cnt(const struct feed *f);
/* The flow between two processes on a channel (any channel when c is NULL), or NULL. */
struct flow *feed_flow(const struct feed *f, const struct chan *c, uint32_t src, uint32_t dst);
/* The flow between a process and an address. */
struct flow *feed_flow_from(const struct feed *f, const char *addr, uint32_t dst);
struct flow *feed_flow_to(const struct feed *f, uint32_t src, const char *addr);
struct endpoint *feed_ep(const struct chan *c, uint32_t pid, enum ep_role role);

/* A small random generator, so that a seed gives the same run everywhere. */
struct rnd {
	uint64_t s;
};
uint64_t rnd_next(struct rnd *r);
uint64_t rnd_below(struct rnd *r, uint64_t n);

#endif
