/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * unix.bpf.h - unix sockets: names, peers, queues (net/unix/af_unix.c). A part of
 * sock.bpf.h, which has what all sockets share.
 */
#ifndef IPCSPY_UNIX_BPF_H
#define IPCSPY_UNIX_BPF_H

static __always_inline struct sock *unix_peer(struct sock *sk)
{
	struct sock *peer = NULL;

	KREAD(&peer, &((struct unix_sock *)sk)->peer);
	return peer;
}

/* The inode number of a socket's file; 0 while it has none: not accepted yet. */
static __always_inline __u64 sock_ino(struct sock *sk)
{
	struct socket *socket = NULL;
	unsigned long ino = 0;

	KREAD(&socket, &sk->sk_socket);
	if (socket)
		bpf_probe_read_kernel(
			&ino, sizeof(ino),
			(void *)socket + bpf_core_field_offset(struct socket_alloc, vfs_inode) +
				bpf_core_field_offset(struct inode, i_ino));
	return ino;
}

static __always_inline __u8 unix_mech(__u16 type)
{
	switch (type) {
	case SOCK_STREAM:
		return MECH_UNIX_STREAM;
	case SOCK_DGRAM:
		return MECH_UNIX_DGRAM;
	case SOCK_SEQPACKET:
		return MECH_UNIX_SEQPACKET;
	}
	return MECH_NONE;
}

/* Hash of a unix address; len counts the bytes of sun_path that matter. */
GLOBAL __u64 un_name_key(const struct ev_addr_un *n)
{
	const __u64 *w;
	__u64 h;

	if (!n)
		return 0;
	w = (const __u64 *)n->name;
	h = mix(KEY_UN_NAME, n->len);

	for (int i = 0; i < IPCSPY_SUN_LEN / 8; i++)
		h = mix(h, w[i]);
	return h;
}

/* The bound name of a unix socket into *n, which is zeroed. False: it has none. */
static __always_inline bool unix_name(struct ev_addr_un *n, struct sock *sk)
{
	struct unix_address *addr = NULL;
	int len = 0;

	KREAD(&addr, &((struct unix_sock *)sk)->addr);
	if (!addr || KREAD(&len, &addr->len))
		return false;
	len -= 2; /* sun_family */
	if (len <= 0)
		return false;
	if (len > IPCSPY_SUN_LEN)
		len = IPCSPY_SUN_LEN;
	bpf_probe_read_kernel(n->name, len & 127, &addr->name[0].sun_path);
	n->len = len;
	if (n->name[0] && !n->name[(len - 1) & 127])
		n->len--; /* a path's terminator is no part of it */
	return true;
}

/*
 * Whether a stranger's datagram socket is watched by its bound name: a target
 * sends to that name, and the receiver does not know.
 */
GLOBAL int watched_by_name(const struct objref *o)
{
	struct scratch *s = get_scratch();

	if (!s || !o || o->mech != MECH_UNIX_DGRAM)
		return 0;
	__builtin_memset(&s->name, 0, sizeof(s->name));
	if (!unix_name(&s->name, (void *)o->ptr) || !is_watched(un_name_key(&s->name), 0))
		return 0;
	watch_key(o->wkey, o->ino); /* found sooner next time */
	return 1;
}

#define SKB_WALK_MAX 64
#define SKB_LEN_MAX  (1 << 20) /* more than unix_stream_sendmsg() puts in one */

struct skb_walk {
	struct sk_buff *skb;
	__u64 end;
	__u32 bytes;
	__u32 torn; /* the queue changed under us: without its lock a freed buffer may be read */
};

static long skb_add(__u32 i, void *arg)
{
	struct skb_walk *w = arg;
	struct sk_buff *skb = w->skb;
	struct unix_skb_parms *cb;
	__u32 len = 0, consumed = 0;

	if ((__u64)skb == w->end)
		return 1;
	cb = (void *)&skb->cb;
	if (!skb || KREAD(&len, &skb->len) || KREAD(&consumed, &cb->consumed) || consumed > len ||
	    len > SKB_LEN_MAX) {
		w->torn = 1;
		return 1;
	}
	w->bytes += len - consumed;
	KREAD(&w->skb, &skb->next);
	return 0;
}

/* Unread bytes in a unix stream socket's receive queue. False: it cannot be counted now. */
static __always_inline bool unix_inq(struct sock *sk, __u32 *bytes)
{
	struct sk_buff_head *q = &sk->sk_receive_queue;
	struct skb_walk w = {.end = (__u64)q};
	__u32 qlen = 0;

	if (bpf_core_field_exists(((struct unix_sock___inq *)0)->inq_len)) {
		KREAD(bytes, &((struct unix_sock___inq *)sk)->inq_len);
		return true;
	}
	KREAD(&qlen, &q->qlen);
	if (qlen > SKB_WALK_MAX)
		return false;
	KREAD(&w.skb, &q->next);
	bpf_loop(qlen, skb_add, &w, 0);
	*bytes = w.bytes;
	return !w.torn;
}

#define SNDBUF_MIN 4096 /* setsockopt() makes none smaller: SOCK_MIN_SNDBUF, include/net/sock.h */

/* No room for this sender: what it has under way is charged to its own send buffer. */
static __always_inline bool unix_sndbuf_full(struct sock *sk)
{
	int sndbuf = 0, charged = 0;

	/* sock_alloc_send_pskb() waits while what is charged reaches sk_sndbuf */
	KREAD(&charged, &sk->sk_wmem_alloc.refs.counter);
	if (charged - 1 < SNDBUF_MIN)
		return false;
	KREAD(&sndbuf, &sk->sk_sndbuf);
	return charged - 1 >= sndbuf;
}

/*
 * Connected to each other: then the length of the receive queue limits nobody,
 * the senders' buffers do (unix_dgram_sendmsg(), which serves seqpacket, too).
 */
static __always_inline bool unix_is_pair(struct sock *sk)
{
	struct sock *peer = unix_peer(sk);

	return peer && unix_peer(peer) == sk;
}

static __always_inline void unix_sample(struct sample *s, const struct objref *o, __u8 op)
{
	struct sock *sk = (void *)o->ptr, *to = sk;
	__u32 n = 0, max = 0;

	if (op == OP_SEND)
		to = unix_peer(sk);
	s->dir = o->mech == MECH_UNIX_STREAM ? mix((__u64)to, 0) : DIR_ALWAYS;
	if (!to)
		return;
	if (o->mech == MECH_UNIX_STREAM) {
		if (!unix_inq(to, &n))
			return;
		if (op == OP_SEND && n && unix_sndbuf_full(sk))
			s->flags |= OPF_FULL;
	} else {
		KREAD(&n, &to->sk_receive_queue.qlen);
		KREAD(&max, &to->sk_max_ack_backlog);
		if (unix_is_pair(to) ? op == OP_SEND && unix_sndbuf_full(sk) : n > max)
			s->flags |= OPF_FULL;
	}
	if (!n)
		s->flags |= OPF_EMPTY;
	s->backlog = n;
	s->flags |= OPF_BACKLOG;
}

static __always_inline void unix_describe(struct ev_obj *e, const struct objref *o)
{
	struct sock *sk = (void *)o->ptr;
	struct sock *peer = unix_peer(sk);

	e->self = mix((__u64)sk, 0);
	if (peer) {
		e->peer = mix((__u64)peer, 0);
		e->hdr.flags |= OBJF_CONNECTED;
	}
	if (!unix_name(&e->name, sk) && peer && unix_name(&e->name, peer))
		e->hdr.flags |= OBJF_PEER_NAME;
	if (o->mech == MECH_UNIX_STREAM) {
		if (unix_inq(sk, &e->backlog))
			e->hdr.flags |= OBJF_BACKLOG | (unix_sndbuf_full(sk) ? OBJF_FULL : 0);
		return;
	}
	KREAD(&e->backlog, &sk->sk_receive_queue.qlen);
	e->hdr.flags |= OBJF_BACKLOG;
	e->capacity = 0; /* a pair: bytes limit it, not messages */
	if (unix_is_pair(sk))
		return;
	KREAD(&e->capacity, &sk->sk_max_ack_backlog);
	e->capacity++; /* full is more than sk_max_ack_backlog: unix_recvq_full() */
	e->hdr.flags |= e->backlog >= e->capacity ? OBJF_FULL : 0;
}

#endif
