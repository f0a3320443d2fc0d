// SPDX-License-Identifier: BSD-2-Clause
#include "feed.h"

#include <arpa/inet.h>
#include <string.h>

#include "analysis/blame.h"

void feed_init_opts(struct feed *f, const struct model_opts *opts)
{
	struct model_opts with_blame = *opts;

	f->blame = blame_new();
	assert_non_null(f->blame);
	with_blame.on_blocked = blame_on_blocked;
	with_blame.on_fold = blame_on_fold;
	with_blame.on_blocked_arg = f->blame;
	f->m = model_new(&with_blame);
	assert_non_null(f->m);
}

void feed_init(struct feed *f)
{
	feed_init_opts(f, &(struct model_opts){.start_ns = T0});
}

void feed_fini(struct feed *f)
{
	model_free(f->m);
	blame_free(f->blame);
}

void feed_raw(struct feed *f, const void *rec)
{
	const struct ev_hdr *hdr = rec;
	struct event ev;

	assert_int_equal(event_decode(rec, hdr->len, &ev, NULL), hdr->len);
	assert_int_equal(model_feed(f->m, &ev), 0);
	model_now_ns(f->m); /* nothing is kept back: tests look at what they hold */
}

void feed_proc_start(struct feed *f, uint32_t pid, const char *comm, uint64_t start_ns)
{
	struct ev_proc p = {
		.hdr = {.kind = EV_PROC, .len = sizeof(p), .pid = pid, .tid = pid, .ts_ns = T0},
		.start_ns = start_ns,
		.ppid = 1,
	};

	memcpy(p.comm, comm, strnlen(comm, sizeof(p.comm)));
	feed_raw(f, &p);
}

void feed_proc(struct feed *f, uint32_t pid, const char *comm)
{
	feed_proc_start(f, pid, comm, T0 - SEC);
}

void feed_exit(struct feed *f, uint32_t pid, uint64_t ts_ns)
{
	struct ev_exit e = {
		.hdr = {.kind = EV_EXIT,
			.len = sizeof(e),
			.pid = pid,
			.tid = pid,
			.flags = EXITF_GROUP,
			.ts_ns = ts_ns},
	};

	feed_raw(f, &e);
}

struct ev_obj obj_make(enum ipcspy_mech mech, uint64_t id, uint64_t ts_ns)
{
	return (struct ev_obj){
		.hdr = {.kind = EV_OBJ, .len = sizeof(struct ev_obj), .ts_ns = ts_ns},
		.chan = id,
		.self = id,
		.ino = id,
		.fd = 3,
		.netns = 1,
		.capacity = 65536,
		.mech = (uint8_t)mech,
	};
}

void feed_obj(struct feed *f, const struct ev_obj *o)
{
	feed_raw(f, o);
}

void feed_pipe(struct feed *f, uint64_t id)
{
	struct ev_obj o = obj_make(MECH_PIPE, id, T0);

	o.hdr.flags = OBJF_CREATED;
	feed_obj(f, &o);
}

struct ev_op op_make(enum ipcspy_mech mech, enum ipcspy_op kind, uint64_t id, uint32_t pid,
		     uint64_t enter_ns, uint64_t exit_ns, int ret)
{
	return (struct ev_op){
		.hdr = {.kind = EV_OP,
			.len = sizeof(struct ev_op),
			.pid = pid,
			.tid = pid,
			.flags = OPF_TARGET,
			.ts_ns = exit_ns},
		.chan = id,
		.enter_ns = enter_ns,
		.ret = ret,
		.op = (uint8_t)kind,
		.mech = (uint8_t)mech,
	};
}

void feed_op(struct feed *f, const struct ev_op *op)
{
	feed_raw(f, op);
}

void feed_op_in(struct feed *f, const struct ev_op *op, const struct ev_addr_in *addr)
{
	struct {
		struct ev_op op;
		struct ev_addr_in addr;
	} rec = {*op, *addr};

	rec.op.hdr.len = sizeof(rec);
	rec.op.hdr.flags |= OPF_ADDR_IN;
	feed_raw(f, &rec);
}

void feed_op_vals(struct feed *f, const struct ev_op *op, uint64_t v0, uint64_t v1)
{
	struct {
		struct ev_op op;
		struct ev_vals vals;
	} rec = {*op, {{v0, v1}}};

	rec.op.hdr.len = sizeof(rec);
	rec.op.hdr.flags |= OPF_VALS;
	feed_raw(f, &rec);
}

void feed_op_payload(struct feed *f, const struct ev_op *op, const void *bytes, uint32_t len)
{
	struct {
		struct ev_op op;
		struct ev_payload payload;
		uint8_t bytes[PAYLOAD_MAX];
	} rec = {.op = *op, .payload.len = len};

	memcpy(rec.bytes, bytes, len);
	rec.op.hdr.len = (uint16_t)(sizeof(rec.op) + sizeof(rec.payload) + (len + 7) / 8 * 8);
	rec.op.hdr.flags |= OPF_PAYLOAD;
	feed_raw(f, &rec);
}

void feed_op_un(struct feed *f, const struct ev_op *op, const char *name, size_t len)
{
	struct {
		struct ev_op op;
		struct ev_addr_un addr;
	} rec = {.op = *op};

	rec.op.hdr.len = sizeof(rec);
	rec.op.hdr.flags |= OPF_ADDR_UN;
	rec.addr.len = (uint16_t)len;
	memcpy(rec.addr.name, name, len);
	feed_raw(f, &rec);
}

void feed_send(struct feed *f, enum ipcspy_mech mech, uint64_t id, uint32_t pid, uint64_t enter_ns,
	       uint64_t exit_ns, int ret)
{
	struct ev_op op = op_make(mech, OP_SEND, id, pid, enter_ns, exit_ns, ret);

	feed_op(f, &op);
}

void feed_recv(struct feed *f, enum ipcspy_mech mech, uint64_t id, uint32_t pid, uint64_t enter_ns,
	       uint64_t exit_ns, int ret)
{
	struct ev_op op = op_make(mech, OP_RECV, id, pid, enter_ns, exit_ns, ret);

	feed_op(f, &op);
}

void feed_snap(struct feed *f, uint32_t flags, uint64_t ts_ns)
{
	struct ev_snap s = {
		.hdr = {.kind = EV_SNAP, .len = sizeof(s), .flags = flags, .ts_ns = ts_ns},
	};

	feed_raw(f, &s);
}

void feed_hold(struct feed *f, uint64_t id, uint32_t pid, uint32_t can)
{
	struct ev_hold h = {
		.hdr = {.kind = EV_HOLD, .len = sizeof(h), .pid = pid, .tid = pid, .flags = can},
		.chan = id,
		.fd = 3,
	};

	feed_raw(f, &h);
}

void feed_inflight(struct feed *f, enum ipcspy_mech mech, enum ipcspy_op kind, uint64_t id,
		   uint32_t pid, uint64_t enter_ns, uint64_t seen_ns, uint64_t blocked_ns)
{
	struct ev_inflight i = {
		.hdr = {.kind = EV_INFLIGHT,
			.len = sizeof(i),
			.pid = pid,
			.tid = pid,
			.flags = OPF_TARGET | OPF_ASLEEP,
			.ts_ns = seen_ns},
		.chan = id,
		.enter_ns = enter_ns,
		.blocked_ns = blocked_ns,
		.op = (uint8_t)kind,
		.mech = (uint8_t)mech,
	};

	feed_raw(f, &i);
}

struct ev_task task_make(uint32_t pid, uint32_t tid, char state, enum ipcspy_why why, int who,
			 uint64_t since_ns, uint64_t seen_ns)
{
	return (struct ev_task){
		.hdr = {.kind = EV_TASK,
			.len = sizeof(struct ev_task),
			.pid = pid,
			.tid = tid,
			.ts_ns = seen_ns},
		.since_ns = since_ns,
		.who = who,
		.nr = TASK_NO_CALL,
		.state = (uint8_t)state,
		.why = (uint8_t)why,
	};
}

void feed_task(struct feed *f, uint32_t pid, char state, enum ipcspy_why why, int who,
	       uint64_t since_ns, uint64_t seen_ns)
{
	struct ev_task t = task_make(pid, pid, state, why, who, since_ns, seen_ns);

	feed_raw(f, &t);
}

void feed_poll(struct feed *f, uint32_t pid, uint64_t id, uint32_t events, uint32_t flags)
{
	struct ev_set s = {
		.hdr = {.kind = EV_SET, .len = sizeof(s), .pid = pid, .tid = pid, .flags = flags},
		.cnt = id != 0,
	};

	s.of[0] = (struct ev_set_member){.chan = id, .fd = 3, .events = events};
	feed_raw(f, &s);
}

void feed_word(struct feed *f, uint32_t pid, uint32_t expected, uint32_t found)
{
	const struct ev_word w = {
		.hdr = {.kind = EV_WORD, .len = sizeof(w), .pid = pid, .tid = pid},
		.expected = expected,
		.found = found,
	};

	feed_raw(f, &w);
}

void feed_ipc(struct feed *f, enum ipcspy_mech mech, int id, const char *text, uint32_t users)
{
	struct ev_ipc e = {
		.hdr = {.kind = EV_IPC, .len = sizeof(e), .pid = 4711},
		.bytes = 2048,
		.messages = 1,
		.users = users,
		.id = id,
		.key = 0xab,
		.mech = (uint8_t)mech,
	};

	strncpy((char *)e.name, text, sizeof(e.name) - 1);
	feed_raw(f, &e);
}

void feed_loss(struct feed *f, uint32_t flags, unsigned int mech, uint64_t chan, uint64_t cnt)
{
	struct ev_loss l = {
		.hdr = {.kind = EV_LOSS, .len = sizeof(l), .flags = flags},
		.chan = chan,
		.cnt = cnt,
		.mech = (uint8_t)mech,
	};

	feed_raw(f, &l);
}

struct ev_addr_in addr4(const char *host, unsigned int port)
{
	struct ev_addr_in a = {.family = AF_INET, .port = (uint16_t)port};

	assert_int_equal(inet_pton(AF_INET, host, a.addr), 1);
	return a;
}

struct chan *feed_chan(const struct feed *f, unsigned int n)
{
	list_for_each (c, model_chans(f->m), struct chan, in_model)
		if (n-- == 0)
			return c;
	return NULL;
}

struct chan *feed_chan_named(const struct feed *f, const char *name)
{
	list_for_each (c, model_chans(f->m), struct chan, in_model)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

unsigned int feed_chan_cnt(const struct feed *f)
{
	unsigned int cnt = 0;

	list_for_each (c, model_chans(f->m), struct chan, in_model)
		cnt++;
	return cnt;
}

static bool is_party(const struct party *p, uint32_t pid, const char *addr)
{
	if (addr)
		return p->addr && strcmp(p->addr, addr) == 0;
	return p->proc && p->proc->pid == pid;
}

static struct flow *find_flow(const struct feed *f, const struct chan *only, uint32_t src,
			      const char *src_addr, uint32_t dst, const char *dst_addr)
{
	list_for_each (c, model_chans(f->m), struct chan, in_model) {
		if (only && only != c)
			continue;
		list_for_each (fl, &c->flows, struct flow, in_chan)
			if (is_party(&fl->src, src, src_addr) && is_party(&fl->dst, dst, dst_addr))
				return fl;
	}
	return NULL;
}

struct flow *feed_flow(const struct feed *f, const struct chan *c, uint32_t src, uint32_t dst)
{
	return find_flow(f, c, src, NULL, dst, NULL);
}

struct flow *feed_flow_from(const struct feed *f, const char *addr, uint32_t dst)
{
	return find_flow(f, NULL, 0, addr, dst, NULL);
}

struct flow *feed_flow_to(const struct feed *f, uint32_t src, const char *addr)
{
	return find_flow(f, NULL, src, NULL, 0, addr);
}

struct endpoint *feed_ep(const struct chan *c, uint32_t pid, enum ep_role role)
{
	list_for_each (ep, &c->endpoints, struct endpoint, in_chan)
		if (ep->proc->pid == pid && ep->role == role)
			return ep;
	return NULL;
}

uint64_t rnd_next(struct rnd *r)
{
	r->s += 0x9e3779b97f4a7c15ull;
	return hmap_mix(r->s, 0);
}

uint64_t rnd_below(struct rnd *r, uint64_t n)
{
	return rnd_next(r) % n;
}
