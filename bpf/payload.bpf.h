/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * payload.bpf.h - the bytes that a call moved, from the caller's memory into its record.
 *
 * Taken where a message is sent, when the call has returned: by then the kernel has touched
 * what it took, so no page is missing. A receive carries its bytes only where its sender is
 * perhaps seen by nobody. While cfg.payload_bytes is 0 the verifier removes all of this.
 */
#ifndef IPCSPY_PAYLOAD_BPF_H
#define IPCSPY_PAYLOAD_BPF_H

#include "op.bpf.h"

#define UIO_MAXIOV 1024 /* the kernel's own limit of parts or messages of one call */

/* A record is put together from its end: what is before the payload differs in length. */
struct payload_room {
	__u8 head[sizeof(struct op_to_un)];
	struct ev_payload payload;
	__u8 bytes[2 * PAYLOAD_MAX]; /* the verifier knows where a part begins and how long it is,
				      * not that both together are less */
};

/* For programs at the exits of system calls only: see what is said of the scratch. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct payload_room);
} payloads __weak SEC(".maps");

static __always_inline struct payload_room *payload_room(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&payloads, &zero);
}

/* What a call moved, and what else its record says. */
struct moved {
	__u64 buf;           /* user address, as `how` says */
	__u64 addr;          /* user address of a struct sockaddr, 0 none */
	struct ev_vals vals; /* with has_vals */
	__u32 how;           /* BUF_PLAIN, BUF_IOV */
	__u32 parts;         /* of BUF_IOV */
	__u32 addr_len;
	__s32 ret; /* bytes */
	__u32 has_vals;
	__u32 want; /* bytes to be copied */
};

struct part_walk {
	__u64 iov;
	__u32 at, want;
};

static long payload_part(__u32 i, void *arg)
{
	struct payload_room *room = payload_room();
	struct part_walk *w = arg;
	__u32 at = w->at, n = w->want - at;
	struct iovec_user v;

	if (!room || bpf_probe_read_user(&v, sizeof(v), (void *)w->iov + (__u64)i * sizeof(v)))
		return 1;
	if (v.len < n)
		n = v.len;
	barrier_var(at);
	barrier_var(n);
	if (at >= PAYLOAD_MAX || n > PAYLOAD_MAX)
		return 1;
	if (n && bpf_probe_read_user(room->bytes + at, n, (void *)v.base))
		return 1;
	w->at = at + n;
	return w->at >= w->want;
}

/* Copies what is wanted, as far as it can be read, and returns how much that was. */
GLOBAL int payload_copy(const struct moved *mv)
{
	struct payload_room *room = payload_room();
	struct part_walk w = {};
	__u32 want;

	if (!mv || !room)
		return 0;
	want = mv->want;
	if (mv->how == BUF_IOV) {
		w.iov = mv->buf;
		w.want = want;
		bpf_loop(mv->parts < UIO_MAXIOV ? mv->parts : UIO_MAXIOV, payload_part, &w, 0);
		return w.at;
	}
	barrier_var(want);
	if (want > PAYLOAD_MAX || bpf_probe_read_user(room->bytes, want, (void *)mv->buf))
		return 0;
	return want;
}

/* The record, with tail bytes between the operation and the payload. */
static __always_inline void payload_out(struct payload_room *room, const struct inflight *in,
					const struct sample *s, __s32 ret, __u32 flags,
					const __u32 tail, __u32 n)
{
	struct ev_op *e = (void *)room->head + sizeof(room->head) - sizeof(*e) - tail;
	__u32 len = sizeof(*e) + tail;

	if (flags & OPF_PAYLOAD)
		len += sizeof(room->payload) + ((n + 7) & (2 * PAYLOAD_MAX - 8));
	op_fill(e, in, &in->a, s, ret, flags);
	e->hdr.len = len;
	barrier_var(len);
	if (len > sizeof(struct op_to_un) + sizeof(room->payload) + PAYLOAD_MAX)
		return;
	if (bpf_ringbuf_output(&events, e, len, BPF_RB_NO_WAKEUP))
		lose(in->a.mech, in->a.id);
}

/* The other address of a datagram, right before the payload. 0: none, else OPF_ADDR_*. */
GLOBAL int payload_addr(const struct moved *mv)
{
	struct payload_room *room = payload_room();
	struct scratch *sc = get_scratch();
	int family;

	if (!mv || !room || !sc || !mv->addr || !mv->addr_len)
		return 0;
	__builtin_memset(&sc->obj.raddr, 0, sizeof(sc->obj.raddr) + sizeof(sc->obj.name));
	family = addr_from_user(&sc->obj.raddr, &sc->obj.name, mv->addr, mv->addr_len);
	if (!family)
		return 0;
	if (family == AF_UNIX) {
		__builtin_memcpy(room->head + sizeof(room->head) - sizeof(sc->obj.name),
				 &sc->obj.name, sizeof(sc->obj.name));
		return OPF_ADDR_UN;
	}
	__builtin_memcpy(room->head + sizeof(room->head) - sizeof(sc->obj.raddr), &sc->obj.raddr,
			 sizeof(sc->obj.raddr));
	return OPF_ADDR_IN;
}

/* The record of a call with the first bytes that it moved. */
GLOBAL int op_emit_payload(const struct inflight *in, const struct sample *s, struct moved *mv)
{
	struct payload_room *room = payload_room();
	__u32 n, flags = 0;
	__u64 *last;

	if (!in || !s || !mv || !room)
		return 0;
	mv->want = mv->ret < 0 ? 0 : mv->ret;
	if (mv->want > cfg.payload_bytes)
		mv->want = cfg.payload_bytes;
	n = mv->want ? payload_copy(mv) : 0;
	barrier_var(n);
	if (n > PAYLOAD_MAX)
		return 0;
	room->payload.len = n;
	/* no byte of an earlier one behind it */
	last = (__u64 *)(room->bytes + (n & ~7u));
	*last &= (1ull << 8 * (n & 7)) - 1;
	if (n || !mv->ret)
		flags = OPF_PAYLOAD;
	if (mv->has_vals) {
		__builtin_memcpy(room->head + sizeof(room->head) - sizeof(mv->vals), &mv->vals,
				 sizeof(mv->vals));
		payload_out(room, in, s, mv->ret, flags | OPF_VALS, sizeof(mv->vals), n);
		return 0;
	}
	flags |= payload_addr(mv);
	if (flags & OPF_ADDR_UN)
		payload_out(room, in, s, mv->ret, flags, sizeof(struct ev_addr_un), n);
	else if (flags & OPF_ADDR_IN)
		payload_out(room, in, s, mv->ret, flags, sizeof(struct ev_addr_in), n);
	else
		payload_out(room, in, s, mv->ret, flags, 0, n);
	return 0;
}

/*
 * Whether who sent what is received here is perhaps traced by nobody: it is on another host, or
 * sent before the trace began.
 */
GLOBAL int sender_unseen(const struct objref *o)
{
	struct scratch *sc = get_scratch();
	struct tuple t;
	__u32 *l, *r;

	if (!o || !sc)
		return 0;
	if (o->mech != MECH_TCP && o->mech != MECH_UDP)
		return o->mech == MECH_UNIX_DGRAM;
	if (!cfg.peers)
		return 1;
	sock_tuple(&t, (void *)o->ptr, o->family, &sc->span);
	l = (__u32 *)t.l.addr;
	r = (__u32 *)t.r.addr;
	if ((t.l.family == AF_INET && t.l.addr[0] == 127) ||
	    (t.l.family == AF_INET6 && !l[0] && !l[1] && !l[2] && l[3] == (__u32)bpf_htonl(1)))
		return 0;
	return !t.r.port || l[0] != r[0] || l[1] != r[1] || l[2] != r[2] || l[3] != r[3];
}

static __always_inline bool wants_payload(const struct inflight *in, __s32 ret)
{
	if (ret < 0 || in->flags & (OPF_PEEK | OPF_ERRQUEUE))
		return false;
	return in->op == OP_SEND || (in->op == OP_RECV && ret > 0 && sender_unseen(&in->a));
}

/*
 * op_emit_vals() with the bytes themselves, where they are asked for. False: it is still to be
 * emitted.
 */
static __noinline bool emit_vals_payload(const struct inflight *in, const struct sample *s,
					 __u64 buf, __s32 ret, const struct ev_vals *vals)
{
	struct moved mv = {.buf = buf, .how = BUF_PLAIN, .ret = ret, .vals = *vals, .has_vals = 1};

	if (!wants_payload(in, ret))
		return false;
	op_emit_payload(in, s, &mv);
	return true;
}

#endif
