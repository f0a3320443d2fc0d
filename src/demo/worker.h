/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.h - what a sending or receiving child does: send stamped messages into
 * ports, take them out, verify them, and keep count on the board.
 *
 * A port is one process's hold on a channel. Its ops make exactly one system
 * call per send or receive, since those calls are what a tracer is to count.
 *
 * Moments: `start` is taken right before a call, `end` right after it returned.
 * Planned blocked time needs no knowledge of the scheduler, only both sides'
 * moments: a sender that went in before a receive that made room began and came
 * out after it, was waiting for that receive; a receiver that went in before
 * the message's stamp was waiting for that send.
 */
#ifndef DEMO_WORKER_H
#define DEMO_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "meter.h"
#include "run.h"

struct worker;
struct port;

struct port_ops {
	/* One call. Returns bytes, 0 at the end of the stream, or -1 and errno. */
	ssize_t (*send)(struct port *p, const void *buf, size_t len);
	ssize_t (*recv)(struct port *p, void *buf, size_t len);
	/* Before a send is stamped: wait until it may be made. NULL: always. */
	void (*admit)(struct worker *w, struct port *p, size_t len);
	/* After a message was received. NULL: nothing to do. */
	void (*taken)(struct port *p, size_t len);
	bool stream;   /* receives may cut messages anywhere */
	bool bodiless; /* messages carry no bytes that anybody could count */
};

#define PORT_ANY_CHAN ~0u

struct port {
	const struct port_ops *ops;
	int fd;
	struct demo_chan *chan;
	const void *arg; /* the ops' own, borrowed */
	/* Receiving: bytes of messages not yet complete. Owned. */
	uint8_t *buf;
	size_t have;
	uint64_t got_ns; /* when recv took it, where that is long before it returns; else 0 */
	bool done;
};

struct worker {
	struct demo_run *run;
	struct demo_proc *proc;
	unsigned int idx; /* process, and when sending its lane */
	struct meter meter;
	/* Sending */
	uint8_t *out;
	uint32_t out_len; /* of the message that out holds, 0 none yet */
	uint64_t first_send_ns;
	/* Receiving */
	/* By lane and class: the lowest sequence number that may still come. */
	uint64_t *next_seq;
	uint64_t class_cnt;
	uint64_t (*class_of)(const struct demo_run *run, uint64_t seq); /* NULL: one class */
	const int *flow_of; /* per lane: flow to this process, borrowed */
	uint64_t delay_ns;  /* slept after each message */
};

/* Returns 0 or -errno with run->why set; worker_fini() is due after success. */
int worker_init(struct worker *w, struct demo_run *run, unsigned int idx);
void worker_fini(struct worker *w);

/* Waits for the gate; call it when everything is set up. */
int worker_start(struct worker *w);

/* The workload's own sleep: never counted as blocked. */
void worker_sleep_until(struct worker *w, uint64_t when_ns);

/* Notes a finished call on a channel; returns how long the caller slept in it. */
uint64_t worker_called(struct worker *w, struct demo_side *s, uint64_t start_ns, uint64_t end_ns);

/* Sleeps until message seq is due by --rate. */
void worker_pace(struct worker *w, uint64_t seq);

/* Sends message seq of this worker's lane. */
int worker_send(struct worker *w, struct port *p, uint64_t seq);

/* Makes a port ready to receive. */
int worker_port_init(struct worker *w, struct port *p);
void worker_port_fini(struct port *p);

/*
 * One receive call, which may complete no message, one, or with --chunk
 * several; sets p->done at the end of the stream or when told to stop.
 */
int worker_recv(struct worker *w, struct port *p);

#endif
