/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * class.h - the interface between the model and one kind of channel.
 *
 * A class decides which channel an object belongs to, and finds for every
 * receive the send that it answers. Everything else (processes, endpoints,
 * flows, backlog, holders, folding) is common and in internal.h. A class is one
 * file, one `const struct chan_class`, and one row for each of its mechanisms
 * in mech.c; README.md in this directory says how to add one.
 */
#ifndef IPCSPY_CLASS_H
#define IPCSPY_CLASS_H

#include "ipcspy/event.h"
#include "model/model.h"

struct xfer;

/* What the kernel calls the object: a pipe, one socket. Objects make up channels. */
struct obj {
	uint64_t id;
	struct chan *chan;      /* NULL: belongs to none (yet) */
	void *priv;             /* chan->priv, to fetch it in good time */
	struct endpoint *ep[3]; /* by role: the last process that used it so */
	const struct chan_class *cls;
	uint8_t mech, side;
	uint8_t flags; /* OBJF_* of the latest description */
	bool described, dead;
	bool closed;  /* without a channel: somebody closed it, and nobody used it since */
	bool removed; /* for good: no late record makes its channel open again */
	bool begun;   /* described in the order of the records, not by a snapshot ahead of them */
	uint64_t
		since_ns; /* when it was found at attach: calls that returned before do not count */
	uint32_t netns, capacity;
	uint64_t self, peer, ino;
	struct obj_net *net;   /* addresses and bound name; NULL for pipes */
	struct obj *next_same; /* others in the same bucket of an index */
	struct list_node in_model,
		in_chan;   /* in_chan: in the model's loose ones without a channel */
	uint64_t held_gen; /* the last snapshot in which somebody held it */
};

struct obj_net {
	struct ev_addr_in laddr, raddr;
	struct chan *to; /* datagram senders: where the last one went */
	uint64_t to_key, to_gen;
	struct remote *remote;
	uint16_t name_len;
	uint8_t name[IPCSPY_SUN_LEN + 4];
};

struct chan_class {
	const char *unit; /* of capacity and backlog */
	enum chan_shape shape;
	bool unheld; /* no descriptor holds it open: that nobody holds it says nothing */

	/*
	 * o was described by ev, for the first time or again: sets o->chan, o->side if it can.
	 * A snapshot after the first may be ahead of records that are still to come; what it
	 * says about a new object's content is not in ev, and the next one is the first.
	 */
	int (*on_obj)(struct model *m, struct obj *o, const struct ev_obj *ev, bool first);

	/* p finished a send or a receive on o; called for failed ones, too. */
	int (*on_op)(struct model *m, struct obj *o, struct proc *p, const struct event *ev);

	/* Optional: p finished another operation on o (OP_REMOVE, OP_NOTIFY, ...), or failed to. */
	int (*on_other)(struct model *m, struct obj *o, struct proc *p, const struct event *ev);

	/*
	 * The channel that an operation in flight on o waits for, made if need be,
	 * or NULL. NULL function: o->chan.
	 */
	struct chan *(*chan_for)(struct model *m, struct obj *o, enum ipcspy_op op);

	/* Optional: the entry of the pairing queue that the next send or receive on o will touch.
	 */
	const struct xfer *(*next_xfer)(const struct obj *o, bool send);

	/* Time went on, or (finish) nothing more will come: settle what was held back. */
	int (*settle)(struct model *m, struct chan *c, uint64_t now_ns, bool finish);

	/* Optional: id of the object whose memory c lies in, 0 none. */
	uint64_t (*memory)(const struct chan *c);

	/* Optional: false while c is not what its class calls a channel; it is then in no report.
	 */
	bool (*is_channel)(const struct chan *c);

	/*
	 * Optional: what a listening socket and the sockets that connect to it have in common,
	 * 0 none; and whether o, which has the same, would be accepted there.
	 */
	uint64_t (*accept_key)(const struct obj *o);
	bool (*accepts)(const struct obj *listener, const struct obj *o);

	/* Records of this channel were lost: its byte offsets can no longer be trusted. */
	void (*on_loss)(struct chan *c);

	/* Optional: p, which has an endpoint here, ended. */
	void (*on_exit)(struct model *m, struct chan *c, struct proc *p);

	/* Transfers that wait in c are from now on `to`'s instead of `from`'s. */
	void (*on_merge)(struct chan *c, struct endpoint *from, struct endpoint *to);

	/* o is going away: forget it in the class's own state and indexes. */
	void (*on_gone)(struct model *m, struct obj *o);

	/* Optional: c is about p and closed when p has exited, whoever else used it. */
	bool (*ends_with)(const struct chan *c, const struct proc *p);

	/* Name of the row that closed channels like c are folded into (static or into buf). */
	const char *(*fold_name)(const struct chan *c, char *buf, size_t len);

	/* Optional: what only this class has to tell, see struct fact. c->priv may be NULL
	 * (folded). */
	void (*facts)(const struct model *m, const struct chan *c,
		      void (*put)(void *arg, const struct fact *f), void *arg);

	/* Frees c->priv. */
	void (*fini)(struct model *m, struct chan *c);
};

/* The class of a mechanism, NULL when the model knows none. */
const struct chan_class *mech_class(unsigned int mech);

#endif
