// SPDX-License-Identifier: BSD-2-Clause
#include "golden_scene.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "event/event.h"

static uint64_t at(uint64_t us)
{
	return SCENE_START_NS + us * 1000;
}

/* Completes the header and hands the record over. */
static void feed(struct player *p, struct ev_hdr *hdr, unsigned int kind, size_t len)
{
	struct event ev;
	size_t skip;

	hdr->kind = (uint16_t)kind;
	hdr->len = (uint16_t)len;
	if (!hdr->tid)
		hdr->tid = hdr->pid;
	assert_int_equal(event_decode(hdr, len, &ev, &skip), len);
	assert_int_equal(model_feed(p->model, &ev), 0);
	p->events++;
}

/* comm is taken with all its 16 bytes if it has them. */
static void proc(struct player *p, uint64_t us, uint32_t pid, uint32_t ppid, const char *comm,
		 uint32_t flags)
{
	struct ev_proc ev = {.hdr = {.pid = pid, .flags = flags, .ts_ns = at(us)},
			     .start_ns = SCENE_START_NS - 5000000 + pid,
			     .ppid = ppid};
	size_t len = strlen(comm);

	memcpy(ev.comm, comm, len < sizeof(ev.comm) ? len : sizeof(ev.comm));
	feed(p, &ev.hdr, EV_PROC, sizeof(ev));
}

static void name(struct player *p, uint32_t pid, uint64_t chan, uint32_t flags, const char *text)
{
	struct ev_name ev = {.hdr = {.pid = pid, .flags = flags, .ts_ns = at(0)}, .chan = chan};

	strncpy((char *)ev.text, text, sizeof(ev.text) - 1);
	feed(p, &ev.hdr, EV_NAME, sizeof(ev));
}

static void ended(struct player *p, uint64_t us, uint32_t pid, int status)
{
	struct ev_exit ev = {.hdr = {.pid = pid, .flags = EXITF_GROUP, .ts_ns = at(us)},
			     .code = status};

	feed(p, &ev.hdr, EV_EXIT, sizeof(ev));
}

static void obj(struct player *p, uint64_t us, struct ev_obj ev)
{
	ev.hdr.ts_ns = at(us);
	ev.self = ev.self ? ev.self : ev.chan;
	ev.fd = -1;
	feed(p, &ev.hdr, EV_OBJ, sizeof(ev));
}

static void new_pipe(struct player *p, uint64_t us, uint32_t pid, uint64_t chan, uint64_t ino)
{
	obj(p, us,
	    (struct ev_obj){.hdr = {.pid = pid, .flags = OBJF_CREATED | OBJF_BACKLOG},
			    .chan = chan,
			    .ino = ino,
			    .capacity = 65536,
			    .mech = MECH_PIPE});
}

/* Times in microseconds of the scene. */
struct io {
	unsigned int op, mech;
	uint64_t chan;
	uint32_t pid;
	uint64_t enter, exit, blocked;
	int ret;
	uint32_t flags, backlog, seq, fp;
};

static struct ev_op io_op(struct io io)
{
	return (struct ev_op){
		.hdr = {.pid = io.pid, .flags = io.flags, .ts_ns = at(io.exit)},
		.chan = io.chan,
		.enter_ns = at(io.enter),
		.blocked_ns = io.blocked * 1000,
		.ret = io.ret,
		.backlog = io.backlog,
		.seq = io.seq,
		.fp = io.fp,
		.nr = io.op == OP_SEND ? SYS_write : SYS_read,
		.op = (uint8_t)io.op,
		.mech = (uint8_t)io.mech,
	};
}

static void io(struct player *p, struct io io)
{
	struct ev_op ev = io_op(io);

	feed(p, &ev.hdr, EV_OP, sizeof(ev));
}

static void io_vals(struct player *p, struct io io, uint64_t v0, uint64_t v1)
{
	struct {
		struct ev_op op;
		struct ev_vals vals;
	} ev = {io_op(io), {{v0, v1}}};

	ev.op.hdr.flags |= OPF_VALS;
	feed(p, &ev.op.hdr, EV_OP, sizeof(ev));
}

static void io_payload(struct player *p, struct io io, const char *bytes, uint32_t len)
{
	struct {
		struct ev_op op;
		struct ev_payload payload;
		char bytes[64];
	} ev = {.op = io_op(io), .payload.len = len};

	ev.op.hdr.flags |= OPF_PAYLOAD;
	memcpy(ev.bytes, bytes, len);
	feed(p, &ev.op.hdr, EV_OP, sizeof(ev));
}

static void snap(struct player *p, uint64_t us, uint32_t flags)
{
	struct ev_snap ev = {.hdr = {.flags = flags, .ts_ns = at(us)}};

	feed(p, &ev.hdr, EV_SNAP, sizeof(ev));
}

/* An operation that has not returned at us. */
static void inflight(struct player *p, uint64_t us, struct io io)
{
	struct ev_inflight ev = {
		.hdr = {.pid = io.pid, .flags = io.flags | OPF_ASLEEP, .ts_ns = at(us)},
		.chan = io.chan,
		.enter_ns = at(io.enter),
		.blocked_ns = io.blocked * 1000,
		.nr = io.op == OP_SEND ? SYS_write : SYS_read,
		.op = (uint8_t)io.op,
		.mech = (uint8_t)io.mech,
	};

	feed(p, &ev.hdr, EV_INFLIGHT, sizeof(ev));
}

static void hold(struct player *p, uint64_t us, uint32_t pid, uint64_t chan, uint32_t can)
{
	struct ev_hold ev = {
		.hdr = {.pid = pid, .flags = can, .ts_ns = at(us)}, .chan = chan, .fd = 3};

	feed(p, &ev.hdr, EV_HOLD, sizeof(ev));
}

static void lost(struct player *p, uint64_t us, uint32_t flags, unsigned int mech, uint64_t chan,
		 uint64_t cnt)
{
	struct ev_loss ev = {.hdr = {.flags = flags, .ts_ns = at(us)},
			     .chan = chan,
			     .cnt = cnt,
			     .mech = (uint8_t)mech};

	feed(p, &ev.hdr, EV_LOSS, sizeof(ev));
}

/*
 * producer -> slow -> sink. The middle one needs 100 ms for each 64 KiB, so the
 * first pipe is full most of the time and the second one empty.
 */
static void play_pipeline(struct player *p)
{
	const uint64_t a = 0xa1, b = 0xb1, idle = 0xc1;
	const uint32_t last = SNAPF_LAST | SNAPF_HOLDS;
	const uint64_t end = 1000000;

	proc(p, 0, 100, 1, "producer", PROCF_TARGET);
	name(p, 100, 0, NAMEF_EXE, "/usr/bin/producer");
	proc(p, 0, 101, 1, "slow", PROCF_TARGET);
	proc(p, 0, 102, 1, "sink", 0);
	new_pipe(p, 100, 100, a, 5001);
	new_pipe(p, 100, 101, b, 5002);
	new_pipe(p, 100, 100, idle, 5003);
	for (uint64_t i = 0; i < 9; i++) {
		uint64_t t = 1000 + 100000 * i, wait = i ? 99000 : 0;

		io(p, (struct io){OP_SEND, MECH_PIPE, a, 100, t - wait, t + 50, wait, 65536,
				  OPF_TARGET | OPF_BACKLOG | OPF_FULL, 65536, 0, 0});
		io(p, (struct io){OP_RECV, MECH_PIPE, a, 101, t + 99000, t + 99020, 0, 65536,
				  OPF_TARGET | OPF_BACKLOG | OPF_EMPTY, 0, 0, 0});
		io(p, (struct io){OP_SEND, MECH_PIPE, b, 101, t + 99030, t + 99040, 0, 512,
				  OPF_TARGET | OPF_BACKLOG, 512, 0, 0});
		io(p, (struct io){OP_RECV, MECH_PIPE, b, 102, t, t + 99060, 99000, 512,
				  OPF_BACKLOG | OPF_EMPTY, 0, 0, 0});
	}
	io(p, (struct io){OP_SEND, MECH_PIPE, a, 100, 901000, 901100, 0, 65536,
			  OPF_TARGET | OPF_BACKLOG | OPF_FULL, 65536, 0, 0});
	snap(p, end, last);
	inflight(p, end,
		 (struct io){OP_SEND, MECH_PIPE, a, 100, 901200, 0, 98000, 0, OPF_TARGET, 0, 0, 0});
	inflight(p, end,
		 (struct io){OP_RECV, MECH_PIPE, b, 102, 900200, 0, 99700, 0, OPF_BEFORE_ATTACH, 0,
			     0, 0});
	hold(p, end, 100, idle, HOLDF_READ | HOLDF_WRITE);
	hold(p, end, 100, a, HOLDF_WRITE);
	hold(p, end, 101, a, HOLDF_READ);
	hold(p, end, 101, b, HOLDF_WRITE);
	hold(p, end, 102, b, HOLDF_READ);
	snap(p, end, last | SNAPF_END);
}

static struct ev_addr_in ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
	return (struct ev_addr_in){.family = AF_INET, .port = port, .addr = {a, b, c, d}};
}

static void new_tcp(struct player *p, uint32_t pid, uint64_t chan, struct ev_addr_in laddr,
		    struct ev_addr_in raddr, uint32_t snd_seq, uint32_t rcv_seq)
{
	obj(p, 10,
	    (struct ev_obj){.hdr = {.pid = pid, .flags = OBJF_CONNECTED | OBJF_SEQ},
			    .chan = chan,
			    .ino = chan,
			    .netns = 1,
			    .capacity = 87040,
			    .rcvbuf = 131072,
			    .snd_seq = snd_seq,
			    .rcv_seq = rcv_seq,
			    .mech = MECH_TCP,
			    .laddr = laddr,
			    .raddr = raddr});
}

/* A server with a client on this host and an upstream on another one. */
static void play_tcp(struct player *p)
{
	const struct ev_addr_in server = ipv4(127, 0, 0, 1, 8080),
				client = ipv4(127, 0, 0, 1, 40000);
	const struct ev_addr_in here = ipv4(192, 168, 0, 2, 50000), there = ipv4(10, 0, 0, 5, 443);
	const uint64_t srv = 0x51, cli = 0x52, up = 0x53;

	proc(p, 0, 200, 1, "nginx", PROCF_TARGET);
	proc(p, 0, 201, 1, "curl", 0);
	new_tcp(p, 200, srv, server, client, 1000, 7000);
	new_tcp(p, 201, cli, client, server, 7000, 1000);
	new_tcp(p, 200, up, here, there, 300, 400);
	for (uint32_t i = 0; i < 4; i++) {
		uint64_t t = 1000 + 10000 * (uint64_t)i;
		uint32_t in = 100 * (i + 1), out = 8000 * (i + 1);

		io(p, (struct io){OP_SEND, MECH_TCP, cli, 201, t, t + 20, 0, 100, OPF_SEQ, 0,
				  7000 + in, 0});
		io(p, (struct io){OP_RECV, MECH_TCP, srv, 200, t - 500, t + 60, 540, 100,
				  OPF_TARGET | OPF_SEQ, 0, 7000 + in, 0});
		io(p, (struct io){OP_SEND, MECH_TCP, up, 200, t + 100, t + 130, 0, 50,
				  OPF_TARGET | OPF_SEQ, 0, 300 + 50 * (i + 1), 0});
		io(p, (struct io){OP_RECV, MECH_TCP, up, 200, t + 140, t + 5000, 4800, 2000,
				  OPF_TARGET | OPF_SEQ, 0, 400 + 2000 * (i + 1), 0});
		io(p, (struct io){OP_SEND, MECH_TCP, srv, 200, t + 5100, t + 5150, 0, 8000,
				  OPF_TARGET | OPF_SEQ, 0, 1000 + out, 0});
		io(p, (struct io){OP_RECV, MECH_TCP, cli, 201, t + 30, t + 5200, 5100, 8000,
				  OPF_SEQ, 0, 1000 + out, 0});
	}
	ended(p, 60000, 201, W_EXITCODE(0, SIGKILL));
}

/* Everything a traced process can choose is meant to harm. */
static void play_hostile(struct player *p)
{
	const uint64_t fifo = 0xf1, sock = 0xd1;
	struct ev_obj ev = {.hdr = {.pid = 300, .flags = OBJF_CREATED | OBJF_BACKLOG},
			    .chan = fifo,
			    .ino = 77,
			    .capacity = 4096,
			    .mech = MECH_FIFO};
	static const char path[] = "/tmp/a\nLost: 0 events.\033[2J\"\\\xff\xe2\x80\xae/f";
	static const char bytes[] = "\0\033[2J\"\n 9: \"\\\x7f\xc2\x9b\xe2\x80\xae\xc3\xa4\xff";
	static const char abstract[] = "\0x\033]0;title\007\n\xc2\x9b";

	proc(p, 0, 300, 1, "a\nb\"\033[31m\\\xff\xc3", PROCF_TARGET);
	proc(p, 0, 301, 300, "0123456789abcdef", PROCF_TARGET | PROCF_FORK);
	name(p, 300, 0, NAMEF_EXE, "/tmp/\033[1m\n\xf0\x28\x8c\x28");
	obj(p, 10, ev);
	name(p, 300, fifo, NAMEF_CHAN, path);
	io(p, (struct io){OP_SEND, MECH_FIFO, fifo, 300, 100, 110, 0, 10, OPF_TARGET | OPF_BACKLOG,
			  10, 0, 0});
	io(p, (struct io){OP_RECV, MECH_FIFO, fifo, 301, 200, 220, 0, 10,
			  OPF_TARGET | OPF_BACKLOG | OPF_EMPTY, 0, 0, 0});
	io_payload(
		p,
		(struct io){OP_SEND, MECH_FIFO, fifo, 300, 230, 240, 0, 1000, OPF_TARGET, 0, 0, 0},
		bytes, sizeof(bytes) - 1);
	io_payload(p,
		   (struct io){OP_SEND, MECH_FIFO, fifo, 300, 250, 255, 0, 4, OPF_TARGET, 0, 0, 0},
		   "line", 4);
	io(p, (struct io){OP_RECV, MECH_FIFO, fifo, 301, 260, 270, 0, 1004, OPF_TARGET | OPF_EMPTY,
			  0, 0, 0});
	ev = (struct ev_obj){.hdr = {.pid = 301},
			     .chan = sock,
			     .ino = 78,
			     .capacity = 10,
			     .mech = MECH_UNIX_DGRAM};
	ev.name.len = sizeof(abstract) - 1;
	memcpy(ev.name.name, abstract, sizeof(abstract) - 1);
	obj(p, 20, ev);
	io(p,
	   (struct io){OP_RECV, MECH_UNIX_DGRAM, sock, 301, 300, 320, 0, 64, OPF_TARGET, 0, 0, 0});
}

/* Nothing is whole here, and each thing says so. */
static void play_loss(struct player *p)
{
	const uint64_t good = 0xa1, bad = 0xa2, alone = 0xa3, gone = 0xa4;

	proc(p, 0, 400, 1, "writer", PROCF_TARGET);
	proc(p, 0, 401, 1, "reader", 0);
	new_pipe(p, 10, 400, good, 6001);
	new_pipe(p, 10, 400, bad, 6002);
	for (uint64_t i = 0; i < 3; i++) {
		uint64_t t = 1000 * (i + 1);

		for (uint64_t chan = good; chan <= bad; chan++) {
			io(p, (struct io){OP_SEND, MECH_PIPE, chan, 400, t, t + 5, 0, 100,
					  OPF_TARGET | OPF_BACKLOG, 100, 0, 0});
			io(p, (struct io){OP_RECV, MECH_PIPE, chan, 401, t + 10, t + 15, 0, 100,
					  OPF_BACKLOG | OPF_EMPTY, 0, 0, 0});
		}
	}
	/* Written and never read: the pipe is another one, empty, when it shows again. */
	new_pipe(p, 3900, 400, gone, 6004);
	io(p, (struct io){OP_SEND, MECH_PIPE, gone, 400, 3910, 3920, 0, 100,
			  OPF_TARGET | OPF_BACKLOG, 100, 0, 0});
	new_pipe(p, 3930, 400, gone, 6004);
	/* One end only: no flow. */
	new_pipe(p, 4000, 400, alone, 6003);
	io(p, (struct io){OP_SEND, MECH_PIPE, alone, 400, 4000, 4010, 0, 100,
			  OPF_TARGET | OPF_BACKLOG, 100, 0, 0});
	lost(p, 5000, LOSSF_EVENTS, MECH_PIPE, 0, 7);
	lost(p, 5000, LOSSF_EVENTS, MECH_TCP, 0, 2);
	lost(p, 5000, LOSSF_CHAN, MECH_PIPE, bad, 7);
	lost(p, 5000, LOSSF_TABLE, MECH_NONE, 0, 3);
	lost(p, 5000, LOSSF_COMPAT, MECH_NONE, 0, 11);
	lost(p, 5000, LOSSF_URING, MECH_NONE, 0, 4);
}

/* A receiver that is too slow: only the last of three datagrams found room. */
static void play_udp(struct player *p)
{
	const struct ev_addr_in client = ipv4(127, 0, 0, 1, 40001), server = ipv4(127, 0, 0, 1, 53);
	struct ev_obj ev = {.hdr = {.pid = 601},
			    .chan = 0x61,
			    .ino = 61,
			    .netns = 1,
			    .capacity = 212992,
			    .mech = MECH_UDP,
			    .laddr = server};

	proc(p, 0, 600, 1, "dig", PROCF_TARGET);
	proc(p, 0, 601, 1, "named", 0);
	obj(p, 10, ev);
	ev.hdr = (struct ev_hdr){.pid = 600, .flags = OBJF_CONNECTED};
	ev.chan = 0x60;
	ev.ino = 60;
	ev.laddr = client;
	ev.raddr = server;
	obj(p, 20, ev);
	for (uint32_t i = 1; i <= 3; i++)
		io(p, (struct io){OP_SEND, MECH_UDP, 0x60, 600, 50000 * i, 50000 * i + 10, 0, 30,
				  OPF_TARGET | OPF_FP, 0, 0, i});
	io(p, (struct io){OP_RECV, MECH_UDP, 0x61, 601, 200000, 200010, 0, 30, OPF_FP, 0, 0, 3});
}

/*
 * One program puts jobs into a POSIX queue and asks to be told of answers; another
 * takes the urgent ones first, and hands on by System V queue to one that waits.
 */
static void play_queues(struct player *p)
{
	const uint64_t mq = 0x71, msg = 0x72;
	const uint32_t flags = OPF_TARGET | OPF_BACKLOG;

	proc(p, 0, 700, 1, "submit", PROCF_TARGET);
	proc(p, 0, 701, 1, "worker", PROCF_TARGET);
	proc(p, 0, 702, 1, "printer", 0);
	obj(p, 10,
	    (struct ev_obj){.hdr = {.pid = 700, .flags = OBJF_BACKLOG},
			    .chan = mq,
			    .ino = 71,
			    .vals = {8192, 0},
			    .capacity = 10,
			    .mech = MECH_POSIX_MQ});
	name(p, 700, mq, NAMEF_CHAN, "/jobs \033[2J");
	obj(p, 10,
	    (struct ev_obj){.hdr = {.pid = 701, .flags = OBJF_BACKLOG},
			    .chan = msg,
			    .vals = {0x1234ull << 32 | 32769, 1000ull << 32 | 0600},
			    .netns = 4026531839u,
			    .capacity = 16384,
			    .mech = MECH_SYSV_MSG});
	for (uint32_t i = 0; i < 4; i++)
		io_vals(p,
			(struct io){OP_SEND, MECH_POSIX_MQ, mq, 700, 1000 + i * 100, 1010 + i * 100,
				    0, 100, flags, i + 1, 0, 0},
			i % 2 * 9, MQ_PRIO_KNOWN);
	io_vals(p, (struct io){OP_NOTIFY, MECH_POSIX_MQ, mq, 700, 1500, 1510, 0, 0, flags, 4, 0, 0},
		(uint64_t)SIGEV_SIGNAL << 32 | SIGUSR1, 0);
	for (uint32_t i = 0; i < 3; i++) {
		io_vals(p,
			(struct io){OP_RECV, MECH_POSIX_MQ, mq, 701, 20000 + i * 1000,
				    20010 + i * 1000, 0, 100, flags, 3 - i, 0, 0},
			i < 2 ? 9 : 0, MQ_PRIO_KNOWN);
		io_vals(p,
			(struct io){OP_SEND, MECH_SYSV_MSG, msg, 701, 20500 + i * 1000,
				    20510 + i * 1000, 0, 60, flags, 60, 1, 0},
			7, 0);
		io_vals(p,
			(struct io){OP_RECV, MECH_SYSV_MSG, msg, 702, 19000 + i * 1000,
				    20520 + i * 1000, 1500, 60, OPF_BACKLOG, 0, 0, 0},
			7, 7);
	}
	snap(p, 90000, 0);
	inflight(p, 90000,
		 (struct io){OP_RECV, MECH_SYSV_MSG, msg, 702, 23000, 0, 67000, 0, 0, 0, 0, 0});
	snap(p, 90000, SNAPF_END);
}

static void play_nothing(struct player *p)
{
	(void)p;
}

static char *const true_argv[] = {(char *)"sh", (char *)"-c", (char *)"exit 3; 'x'\n", NULL};

static void map(struct player *p, uint64_t us, uint32_t pid, uint64_t chan, uint64_t start,
		uint64_t len, uint32_t flags)
{
	struct ev_map ev = {.hdr = {.pid = pid, .flags = flags, .ts_ns = at(us)},
			    .chan = chan,
			    .start = start,
			    .len = len,
			    .mech = MECH_SHM};

	feed(p, &ev.hdr, EV_MAP, sizeof(ev));
}

/*
 * A segment with a futex in it, one with a semaphore beside it, one that two write
 * without a sign of how, and one that nobody else has.
 */
static void play_shared(struct player *p)
{
	const uint64_t shm = 0x81, sysv = 0x82, wild = 0x83, own = 0x84, word = 0x85;
	const uint32_t rw = MAPF_READ | MAPF_WRITE;

	proc(p, 0, 800, 1, "server", PROCF_TARGET);
	proc(p, 0, 801, 1, "worker", 0);
	proc(p, 0, 802, 1, "reader", 0);
	proc(p, 0, 803, 1, "stray", 0);
	for (uint64_t id = shm; id <= own; id++)
		obj(p, 10,
		    (struct ev_obj){
			    .hdr = {.pid = 800},
			    .chan = id,
			    .ino = id,
			    .vals = {8192, id == sysv ? 0x5432ull << 32 | SHMV_REMOVED | 800 : 0},
			    .mech = id == sysv ? MECH_SYSV_SHM : MECH_SHM});
	name(p, 800, shm, NAMEF_CHAN, "/dev/shm/ring");
	name(p, 800, wild, NAMEF_CHAN, "memfd:\033[2Jwild");
	obj(p, 20,
	    (struct ev_obj){.hdr = {.pid = 800},
			    .chan = word,
			    .ino = shm,
			    .vals = {shm, 64},
			    .mech = MECH_FUTEX});
	snap(p, 30, SNAPF_FIRST | SNAPF_HOLDS);
	map(p, 30, 800, shm, 0x10000, 8192, rw | MAPF_SNAPSHOT);
	map(p, 30, 802, shm, 0x10000, 4096, MAPF_READ | MAPF_SNAPSHOT);
	map(p, 30, 800, sysv, 0x20000, 8192, rw | MAPF_SNAPSHOT);
	snap(p, 30, SNAPF_FIRST | SNAPF_HOLDS | SNAPF_END);
	map(p, 1000, 801, shm, 0x30000, 8192, rw);
	map(p, 1010, 801, sysv, 0x40000, 8192, rw);
	map(p, 1020, 800, wild, 0x50000, 8192, rw);
	map(p, 1030, 803, wild, 0x50000, 4096, rw);
	map(p, 1040, 800, own, 0x60000, 8192, rw);
	map(p, 2000, 801, 0, 0x40000, 4096, MAPF_GONE);
	io(p, (struct io){OP_RECV, MECH_FUTEX, word, 801, 3000, 4000, 900, 0, 0, 0, 0, 0});
	io(p, (struct io){OP_SEND, MECH_FUTEX, word, 800, 3990, 3995, 0, 1, OPF_TARGET, 0, 0, 0});
	ended(p, 900000, 802, 0);
}

const struct scene scenes[] = {
	{"pipeline", "-p 100,101", NULL, 0, 0, 1000000, play_pipeline},
	{"tcp", "-n nginx", NULL, 0, 0, 2000000, play_tcp},
	{"hostile", "-p 300 -f", NULL, 0, 0, 10000, play_hostile},
	{"loss", "-p 400", NULL, 0, 0, 10000, play_loss},
	{"udp", "-p 600", NULL, 0, 0, 1000000, play_udp},
	{"queues", "-p 700,701", NULL, 0, 0, 100000, play_queues},
	{"shared", "-p 800", NULL, 0, 0, 1000000, play_shared},
	{"empty", "", true_argv, 500, W_EXITCODE(3, 0), 1500, play_nothing},
	{NULL, NULL, NULL, 0, 0, 0, NULL},
};
