/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * demo.h - the reference workloads: what one is, and the table of them all.
 *
 * A workload is one constant struct demo_workload in a file of its own and one
 * row in DEMO_WORKLOADS below; nothing else names it. It runs real processes
 * over a real channel and says afterwards what it did: its truth, see truth.h.
 * The demos share no code with ipcspy, so that an error in one cannot hide the
 * same error in the other.
 *
 * Only main.c prints errors and picks exit codes: functions return 0 or -errno
 * and leave a sentence with run_fail().
 */
#ifndef DEMO_DEMO_H
#define DEMO_DEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Command line options; a workload lists those it heeds, any other is a usage error. */
enum demo_opt {
	DEMO_OPT_MESSAGES = 1u << 0,
	DEMO_OPT_SIZE = 1u << 1,
	DEMO_OPT_SENDERS = 1u << 2,
	DEMO_OPT_RECEIVERS = 1u << 3,
	DEMO_OPT_RATE = 1u << 4,
	DEMO_OPT_RECEIVER_DELAY = 1u << 5,
	DEMO_OPT_SENDER_DELAY = 1u << 6,
	DEMO_OPT_HOLD = 1u << 7,
	DEMO_OPT_SEED = 1u << 8,
	DEMO_OPT_VARY = 1u << 9,
	DEMO_OPT_CHUNK = 1u << 10,
	DEMO_OPT_ABSTRACT = 1u << 11,
	DEMO_OPT_SOCKETPAIR = 1u << 12,
	DEMO_OPT_PRIORITIES = 1u << 13,
	DEMO_OPT_TYPES = 1u << 14,
	DEMO_OPT_SELECT = 1u << 15,
	DEMO_OPT_UNSYNCHRONISED = 1u << 16,
	DEMO_OPT_SEMAPHORE = 1u << 17,
	DEMO_OPT_CANONICAL = 1u << 18,
	DEMO_OPT_OUTPUT = 1u << 19,
	DEMO_OPT_PULL = 1u << 20,
	DEMO_OPT_TAKER = 1u << 21,
	DEMO_OPT_STANDARD = 1u << 22,
	DEMO_OPT_PARTIES = 1u << 23,
	DEMO_OPT_MIXED = 1u << 24,
	DEMO_OPT_STAGES = 1u << 25,
};

/* What every workload that exchanges messages between senders and receivers heeds. */
#define DEMO_OPTS_EXCHANGE                                                                 \
	(DEMO_OPT_MESSAGES | DEMO_OPT_SIZE | DEMO_OPT_SENDERS | DEMO_OPT_RECEIVERS |       \
	 DEMO_OPT_RATE | DEMO_OPT_RECEIVER_DELAY | DEMO_OPT_SENDER_DELAY | DEMO_OPT_HOLD | \
	 DEMO_OPT_SEED | DEMO_OPT_VARY)

struct demo_opts {
	uint64_t messages; /* per sender */
	uint64_t size;     /* bytes of a message; with vary, of the longest */
	uint64_t senders, receivers;
	uint64_t rate;              /* messages per second and sender, 0 unlimited */
	uint64_t receiver_delay_ns; /* slept after each message received */
	uint64_t sender_delay_ns;   /* slept before the first send */
	uint64_t hold_ns;           /* receivers wait this long before their first receive */
	uint64_t seed;
	uint64_t chunk; /* byte streams: bytes asked for per receive, 0: one message */
	bool vary;      /* sizes differ, as the seed says */
	bool abstract;  /* unix sockets: names in the abstract namespace */
	bool socketpair;
	bool unsynchronised; /* shared memory: spin instead of waiting */
	bool semaphore;      /* eventfd: one for all, read one by one */
	bool canonical;      /* pty: messages are lines */
	bool output;         /* pty: from the slave to the master */
	bool pull;           /* process-vm: receivers read out of senders */
	uint64_t priorities; /* message seq has priority seq modulo this */
	uint64_t types;      /* message seq has type 1 + seq modulo this */
	const char *select;  /* how receivers choose among types, NULL: any */
	const char *taker;   /* signals: how receivers take them, NULL: by handler */
	bool standard;       /* signals: of a number that is not queued */
	uint64_t parties;    /* processes of a scenario */
	uint64_t stages;     /* of a pipeline */
	bool mixed;          /* deadlock: a mechanism each */
	const char *truth;   /* file, "-" for stdout, NULL none */
};

struct demo_run;

struct demo_workload {
	const char *name;
	const char *help;  /* one line */
	bool scenario;     /* shows a situation; not one mechanism by itself */
	unsigned int uses; /* DEMO_OPT_* */
	struct demo_opts defaults;
	/* Runs it to its end and writes the truth. Returns 0 or -errno with run->why set. */
	int (*run)(struct demo_run *run);
};

#define DEMO_WORKLOADS(ROW) \
	ROW(pipe)           \
	ROW(fifo)           \
	ROW(unix_stream)    \
	ROW(unix_dgram)     \
	ROW(unix_seqpacket) \
	ROW(tcp)            \
	ROW(udp)            \
	ROW(posix_mq)       \
	ROW(sysv_msg)       \
	ROW(sysv_sem)       \
	ROW(shm)            \
	ROW(sysv_shm)       \
	ROW(futex)          \
	ROW(eventfd)        \
	ROW(pty)            \
	ROW(process_vm)     \
	ROW(signal)         \
	ROW(pipeline)       \
	ROW(deadlock)       \
	ROW(leak)           \
	ROW(end_leak)       \
	ROW(stopped)        \
	ROW(idle)           \
	ROW(selfpipe)       \
	ROW(convoy)         \
	ROW(lostwake)       \
	ROW(orphan)         \
	ROW(mixed)

#define DEMO_DECLARE(id) extern const struct demo_workload demo_##id;
DEMO_WORKLOADS(DEMO_DECLARE)
#undef DEMO_DECLARE

#define DEMO_NS_PER_S  ((uint64_t)1000000000)
#define DEMO_NS_PER_MS ((uint64_t)1000000)
#define DEMO_NS_PER_US ((uint64_t)1000)

static inline uint64_t demo_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * DEMO_NS_PER_S + (uint64_t)ts.tv_nsec;
}

#endif
