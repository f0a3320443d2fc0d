/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * sock.bpf.h - sockets: struct sock and its unix, TCP and UDP kinds
 * (include/net/sock.h, af_unix.h, tcp.h).
 *
 * A socket is known by its address and inode number. Its watch key is what both
 * ends can compute: for a unix socket its own address (a target watches its
 * peer's, too), for TCP the connection's tuple, for UDP the place it receives at.
 */
#ifndef IPCSPY_SOCK_BPF_H
#define IPCSPY_SOCK_BPF_H

#define AF_UNIX  1
#define AF_INET  2
#define AF_INET6 10

#define SOCK_STREAM    1
#define SOCK_DGRAM     2
#define SOCK_SEQPACKET 5

#define IPPROTO_TCP 6
#define IPPROTO_UDP 17

/* include/net/tcp_states.h; a listening unix socket is in TCP_LISTEN, too */
#define TCP_SYN_SENT   2
#define TCP_TIME_WAIT  6
#define TCP_CLOSE      7
#define TCP_CLOSE_WAIT 8
#define TCP_LAST_ACK   9
#define TCP_LISTEN     10
#define TCP_CLOSING    11

#define KEY_UDP     0x756470 /* keeps key spaces apart */
#define KEY_TCP     0x746370
#define KEY_UN_NAME 0x756e

#include "unix.bpf.h"

struct tuple {
	struct ev_addr_in l, r;
};

static __always_inline bool is_socket(__u8 mech)
{
	return mech >= MECH_UNIX_STREAM && mech <= MECH_UDP;
}

static __always_inline bool is_stream(__u8 mech)
{
	return mech == MECH_UNIX_STREAM || mech == MECH_UNIX_SEQPACKET || mech == MECH_TCP;
}

static __always_inline bool is_dgram(__u8 mech)
{
	return mech == MECH_UNIX_DGRAM || mech == MECH_UDP;
}

/* IPv4 in IPv6 counts as IPv4, so that both ends of a connection agree. */
static __always_inline void addr_normalize(struct ev_addr_in *a)
{
	__u32 *w = (__u32 *)a->addr;

	if (a->family == AF_INET6 && !w[0] && !w[1] && w[2] == (__u32)bpf_htonl(0xffff)) {
		a->family = AF_INET;
		w[0] = w[3];
		w[2] = w[3] = 0;
	}
}

/* The addresses of an IPv4 or IPv6 socket, out of a copy of its struct sock_common. */
static __always_inline void tuple_of(struct tuple *t, struct span *span, struct sock_common *c,
				     __u16 family)
{
	__be16 dport = 0;

	__builtin_memset(t, 0, sizeof(*t));
	t->l.family = t->r.family = family;
	SPAN_GET(&t->l.port, span, c, struct sock_common, skc_daddr, skc_num);
	SPAN_GET(&dport, span, c, struct sock_common, skc_daddr, skc_dport);
	t->r.port = bpf_ntohs(dport);
	if (family == AF_INET) {
		SPAN_GET((__u32 *)t->l.addr, span, c, struct sock_common, skc_daddr, skc_rcv_saddr);
		SPAN_GET((__u32 *)t->r.addr, span, c, struct sock_common, skc_daddr, skc_daddr);
	} else {
		SPAN_GET(&t->l.addr, span, c, struct sock_common, skc_daddr, skc_v6_rcv_saddr);
		SPAN_GET(&t->r.addr, span, c, struct sock_common, skc_daddr, skc_v6_daddr);
		addr_normalize(&t->l);
		addr_normalize(&t->r);
	}
}

static __always_inline void sock_tuple(struct tuple *t, struct sock *sk, __u16 family,
				       struct span *span)
{
	SPAN_READ(span, &sk->__sk_common, struct sock_common, skc_daddr);
	tuple_of(t, span, &sk->__sk_common, family);
}

static __always_inline __u64 addr_hash(const struct ev_addr_in *a)
{
	const __u64 *w = (const __u64 *)a->addr;

	return mix(w[0], w[1] ^ a->port);
}

static __always_inline __u32 sock_netns(struct sock *sk)
{
	struct net *net = NULL;
	__u32 inum = 0;

	KREAD(&net, &sk->__sk_common.skc_net.net);
	KREAD(&inum, &net->ns.inum);
	return inum;
}

/* Where somebody receives or listens; port 0 is nowhere. what: KEY_UDP, KEY_TCP. */
static __always_inline __u64 place_key(__u32 what, __u32 netns, const struct ev_addr_in *a)
{
	return a->port ? mix(addr_hash(a) ^ what, netns) : 0;
}

/* The same place, bound to no address in particular. */
static __always_inline __u64 any_place_key(__u32 what, __u32 netns, __u16 port)
{
	struct ev_addr_in any = {.port = port};

	return place_key(what, netns, &any);
}

static __always_inline bool inet_resolve(struct objref *o, struct sock *sk, struct span *span,
					 __u16 type, __u16 proto)
{
	struct tuple t;

	tuple_of(&t, span, &sk->__sk_common, o->family);
	if (type == SOCK_STREAM && proto == IPPROTO_TCP) {
		o->mech = MECH_TCP;
		o->connected = t.r.port != 0;
		/* the same from both ends of a connection */
		o->wkey = addr_hash(&t.l) ^ addr_hash(&t.r);
		return true;
	}
	if (type == SOCK_DGRAM && proto == IPPROTO_UDP) {
		o->mech = MECH_UDP;
		o->connected = false;
		o->wkey = place_key(KEY_UDP, sock_netns(sk), &t.l);
		return true;
	}
	return false;
}

/*
 * o->ptr is the struct socket when called, the struct sock afterwards. Strangers
 * pass here on every call, so it reads little.
 */
static __always_inline bool sock_resolve(struct objref *o, struct span *span)
{
	struct socket *socket = (void *)o->ptr;
	__u16 type = 0, proto = 0;
	struct sock *sk = NULL;

	if (KREAD(&sk, &socket->sk) || !sk ||
	    SPAN_READ(span, &sk->__sk_common, struct sock_common, skc_daddr))
		return false;
	o->ptr = (__u64)sk;
	SPAN_GET(&o->family, span, &sk->__sk_common, struct sock_common, skc_daddr, skc_family);
	if (o->family != AF_UNIX && o->family != AF_INET && o->family != AF_INET6)
		return false;
	o->id = mix((__u64)sk, o->ino);
	KREAD(&type, &sk->sk_type);
	if (o->family == AF_UNIX) {
		o->mech = unix_mech(type);
		o->wkey = mix((__u64)sk, 0);
		o->connected = o->mech == MECH_UNIX_STREAM || o->mech == MECH_UNIX_SEQPACKET;
		return o->mech != MECH_NONE;
	}
	KREAD(&proto, &sk->sk_protocol);
	return inet_resolve(o, sk, span, type, proto);
}

/* A caller's sockaddr, `len` bytes at `uaddr`, into *in or *un. Returns its family, 0 not ours. */
GLOBAL int addr_from_user(struct ev_addr_in *in, struct ev_addr_un *un, __u64 uaddr, __u32 len)
{
	__u16 family = 0;
	__be16 port = 0;

	if (!in || !un || len < 2 || bpf_probe_read_user(&family, sizeof(family), (void *)uaddr))
		return 0;
	if (family == AF_INET || family == AF_INET6) {
		if (len < (family == AF_INET ? 8 : 24))
			return 0;
		bpf_probe_read_user(&port, sizeof(port), (void *)uaddr + 2);
		in->family = family;
		in->port = bpf_ntohs(port);
		if (family == AF_INET) {
			bpf_probe_read_user(in->addr, 4, (void *)uaddr + 4);
		} else {
			bpf_probe_read_user(in->addr, 16, (void *)uaddr + 8);
			addr_normalize(in);
		}
		return family;
	}
	if (family == AF_UNIX && len > 2) {
		__u8 first = 0;

		len -= 2;
		if (len > IPCSPY_SUN_LEN)
			len = IPCSPY_SUN_LEN;
		bpf_probe_read_user(&first, 1, (void *)uaddr + 2);
		if (first) { /* a path ends at its terminator, wherever len is */
			long n = bpf_probe_read_user_str(un->name, (len + 1) & 127,
							 (void *)uaddr + 2);

			un->len = n > 0 ? n - 1 : 0;
		} else {
			bpf_probe_read_user(un->name, len & 127, (void *)uaddr + 2);
			un->len = len;
		}
		return family;
	}
	return 0;
}

/*
 * A target listens, or receives datagrams, under this address: whoever connects
 * is watched from its connect on, since it may send before the target accepts.
 */
static __always_inline void listener_watch(const struct objref *o, struct scratch *s)
{
	struct sock *sk = (void *)o->ptr;
	struct tuple t;

	if (o->family != AF_UNIX) {
		sock_tuple(&t, sk, o->family, &s->span);
		watch_key(place_key(KEY_TCP, sock_netns(sk), &t.l), 0);
		return;
	}
	__builtin_memset(&s->name, 0, sizeof(s->name));
	if (unix_name(&s->name, sk))
		watch_key(un_name_key(&s->name), 0);
}

/* What stands behind a cached descriptor must not change its peer without a call of ours. */
static __always_inline bool sock_settled(const struct objref *o)
{
	return o->family != AF_UNIX || unix_peer((void *)o->ptr);
}

/* A target uses this socket: watch the keys under which the other end comes. */
static __always_inline void sock_watch(const struct objref *o)
{
	struct sock *sk = (void *)o->ptr, *peer;
	struct scratch *s = get_scratch();
	__u8 state = 0;

	KREAD(&state, (__u8 *)&sk->__sk_common.skc_state);
	if (s && ((is_stream(o->mech) && state == TCP_LISTEN) || o->mech == MECH_UNIX_DGRAM))
		listener_watch(o, s);
	if (o->family == AF_UNIX) {
		peer = unix_peer(sk);
		if (peer)
			watch_key(mix((__u64)peer, 0), sock_ino(peer));
	}
}

/*
 * The keys under which the receiver of a datagram is watched: bound to that very
 * address, or to none in particular. 0 where nothing says who that is.
 */
struct dest_keys {
	__u64 exact, any;
	__u64 ino; /* of a connected unix socket, 0 unknown */
};

static __always_inline void dgram_dest(struct dest_keys *k, const struct objref *o,
				       struct ev_addr_in *in, const struct ev_addr_un *un,
				       struct span *span)
{
	struct sock *sk = (void *)o->ptr;
	struct sock *peer;
	struct tuple t;
	__u32 netns;

	if (o->mech == MECH_UDP) {
		if (!in->family) {
			sock_tuple(&t, sk, o->family, span);
			*in = t.r;
		}
		netns = sock_netns(sk);
		k->exact = place_key(KEY_UDP, netns, in);
		k->any = any_place_key(KEY_UDP, netns, in->port);
	} else if (un->len) {
		k->exact = un_name_key(un);
	} else {
		peer = unix_peer(sk);
		if (peer) {
			k->exact = mix((__u64)peer, 0);
			k->ino = sock_ino(peer);
		}
	}
}

/*
 * The sequence number behind the last byte read. A receive that reaches the end
 * of the stream consumes the sender's FIN with it, which counts as one byte.
 */
static __always_inline __u32 tcp_read_seq(struct sock *sk, __u32 copied, __u32 rcv_nxt)
{
	const __u32 fin_came = 1 << TCP_TIME_WAIT | 1 << TCP_CLOSE | 1 << TCP_CLOSE_WAIT |
			       1 << TCP_LAST_ACK | 1 << TCP_CLOSING;
	__u8 state = 0;

	if (copied != rcv_nxt)
		return copied;
	KREAD(&state, (__u8 *)&sk->__sk_common.skc_state);
	return fin_came & (1 << (state & 31)) ? copied - 1 : copied;
}

static __always_inline void tcp_sample(struct sample *s, const struct objref *o, __u8 op)
{
	struct sock *sk = (void *)o->ptr;
	struct tcp_sock *tp = (void *)sk;
	int queued = 0, sndbuf = 0;
	__u32 other = 0;

	s->flags |= OPF_SEQ | OPF_BACKLOG;
	if (op == OP_SEND) {
		KREAD(&s->seq, &tp->write_seq);
		KREAD(&other, &tp->snd_una);
		s->backlog = s->seq - other;
		KREAD(&queued, &sk->sk_wmem_queued);
		KREAD(&sndbuf, &sk->sk_sndbuf);
		if (queued >= sndbuf)
			s->flags |= OPF_FULL;
	} else {
		KREAD(&s->seq, &tp->copied_seq);
		KREAD(&other, &tp->rcv_nxt);
		s->backlog = other - s->seq;
		s->seq = tcp_read_seq(sk, s->seq, other);
	}
}

static __always_inline void sock_sample(struct sample *s, const struct objref *o, __u8 op)
{
	struct sock *sk = (void *)o->ptr;

	if (o->family == AF_UNIX) {
		unix_sample(s, o, op);
	} else if (o->mech == MECH_TCP) {
		tcp_sample(s, o, op);
	} else {
		s->dir = DIR_ALWAYS;
		if (op != OP_RECV)
			return;
		KREAD(&s->backlog, &sk->sk_backlog.rmem_alloc.counter);
		s->flags |= OPF_BACKLOG | (s->backlog ? 0 : OPF_EMPTY);
	}
}

static __always_inline void tcp_describe(struct ev_obj *e, struct sock *sk)
{
	struct tcp_sock *tp = (void *)sk;
	__u32 rcv_nxt = 0;
	__u8 state = 0;

	KREAD(&state, (__u8 *)&sk->__sk_common.skc_state);
	if (!(e->hdr.flags & OBJF_CONNECTED) || state == TCP_SYN_SENT)
		return; /* the other end's first sequence number is not known yet */
	KREAD(&e->snd_seq, &tp->write_seq);
	KREAD(&e->rcv_seq, &tp->copied_seq);
	KREAD(&rcv_nxt, &tp->rcv_nxt);
	e->backlog = rcv_nxt - e->rcv_seq;
	e->rcv_seq = tcp_read_seq(sk, e->rcv_seq, rcv_nxt);
	e->hdr.flags |= OBJF_BACKLOG | OBJF_SEQ;
}

static __always_inline void inet_describe(struct ev_obj *e, const struct objref *o,
					  struct span *span)
{
	struct sock *sk = (void *)o->ptr;
	struct tuple t;

	e->self = mix((__u64)sk, 0);
	sock_tuple(&t, sk, o->family, span);
	e->laddr = t.l;
	e->raddr = t.r;
	if (t.r.port)
		e->hdr.flags |= OBJF_CONNECTED;
	if (o->mech == MECH_TCP) {
		tcp_describe(e, sk);
	} else {
		KREAD(&e->capacity, &sk->sk_rcvbuf);
		KREAD(&e->backlog, &sk->sk_backlog.rmem_alloc.counter);
		e->hdr.flags |= OBJF_BACKLOG;
	}
}

static __always_inline void sock_describe(struct ev_obj *e, const struct objref *o,
					  struct span *span)
{
	struct sock *sk = (void *)o->ptr;
	__u8 state = 0;

	KREAD(&e->capacity, &sk->sk_sndbuf);
	KREAD(&e->rcvbuf, &sk->sk_rcvbuf);
	e->netns = sock_netns(sk);
	if (o->family == AF_UNIX)
		unix_describe(e, o);
	else
		inet_describe(e, o, span);
	KREAD(&state, (__u8 *)&sk->__sk_common.skc_state);
	if (is_stream(o->mech) && state == TCP_LISTEN) {
		e->hdr.flags |= OBJF_LISTEN | OBJF_BACKLOG;
		KREAD(&e->backlog, &sk->sk_ack_backlog);
		KREAD(&e->capacity, &sk->sk_max_ack_backlog);
		if (o->family == AF_UNIX) /* unix_listen() queues in sk_receive_queue */
			KREAD(&e->backlog, &sk->sk_receive_queue.qlen);
	}
}

#endif
