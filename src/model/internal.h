/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal.h - the model's state and the kit that channel classes are made from.
 *
 * Private to src/model. Ownership: the model owns processes, objects, channels,
 * conversations, operations in flight; a channel owns its endpoints, flows,
 * remote ends, holders and the class's state. Maps own nothing.
 */
#ifndef IPCSPY_MODEL_INTERNAL_H
#define IPCSPY_MODEL_INTERNAL_H

#include "model/ahead.h"
#include "model/class.h"
#include "model/model.h"
#include "model/payload.h"

#define LATE_LEN 4

struct model {
	struct model_opts opts;
	uint64_t now_ns, swept_ns;
	struct hmap procs_by_pid, objs_by_id;
	struct hmap eps, flows, convs; /* by key */
	struct hmap index;             /* the classes' own, keys mixed with a tag of theirs */
	struct hmap fold_rows;         /* by mechanism and name */
	struct hmap standins;          /* for exited processes, by comm */
	struct list_head procs, chans, objs, inflight, conv_list;
	struct list_head tasks; /* of the latest snapshot */
	struct hmap tasks_by_tid;
	size_t polled_cnt;     /* all that they poll */
	struct list_head ipcs; /* struct ipc of the latest snapshot */
	size_t ipc_cnt;
	uint32_t ipc_unseen;     /* 1u << MECH_*: not all were looked at */
	struct list_head held;   /* channels to be settled when time goes on */
	struct list_head closed; /* channels, oldest first */
	struct list_head gone;   /* exited processes, oldest first */
	struct list_head passes; /* oldest first */
	unsigned int pass_cnt;
	unsigned int closed_cnt, gone_cnt;
	struct list_head loose;  /* objects without a channel, by in_chan, oldest first */
	unsigned int loose_made; /* since they were last looked through */
	struct loss loss;
	uint64_t next_chan_id;
	size_t holder_cnt; /* of all channels */
	uint64_t snap_gen; /* counts snapshots with holders */
	uint64_t snap_ns;  /* begin of the current one */
	uint64_t holds_ns; /* begin of the latest that told who holds what */
	bool snap_holds;
	bool snap_ahead;   /* inside one that is not the first: records before it may come later */
	uint64_t addr_gen; /* changes whenever a datagram address may lead elsewhere */
	struct proc *last_proc;
	struct obj *last_obj;
	struct ahead ahead; /* operations that wait for memory */
	int err;            /* of an operation done out of turn */
	struct {
		struct hist *to;
		uint64_t value;
	} late[LATE_LEN]; /* latencies not yet added: their counters are being fetched */
	unsigned int late_next;
	struct payloads payloads;
	uint32_t payload;         /* of the operation that is being fed, 0 none */
	const char *message_what; /* by a class around flow_message(): see struct message */
};

/* Adds the latencies that wait; before any flow goes away or is looked at. */
int flow_catch_up(struct model *m);

/* How long a receive waits for a send whose record may still come. */
#define SETTLE_NS 20000000ull

/* A remote end of a channel, or one that is no process: what struct party's addr points to. */
struct remote {
	struct remote *next;
	struct ev_addr_in addr;
	bool here; /* without an address, see struct party */
	char text[64];
};

/* A transfer, as the pairing code takes it. */
struct xfer {
	struct endpoint *ep; /* NULL: bytes of an unknown sender */
	uint64_t enter_ns, exit_ns, blocked_ns;
	union {
		uint64_t pos;                /* pair_seq: offset of the first byte */
		const struct remote *remote; /* pair_msgs: the sender, when it is not here */
	};
	uint64_t addr_key; /* pair_msgs: the sender's address, 0 unknown */
	uint64_t left;     /* bytes not yet paired */
	uint32_t len, fp, tid, backlog;
	uint32_t flags;   /* OPF_* below 1 << 16, XF_* above */
	uint32_t payload; /* in the model's payloads, 0 none */
};
#define XF_DONE     0x010000 /* paired; stays in the queue until it is at its head */
#define XF_STARTED  0x020000 /* some of its bytes are paired */
#define XF_OVERLAP  0x040000 /* another pending one ran at the same time */
#define XF_FORCE    0x080000 /* waited long enough: take what is there */
#define XF_ANY      0x400000 /* the end: order no longer matters, totals do */
#define XF_SEARCHED 0x800000 /* no pending write starts like it; new ones are offered */
#define XF_HOW      0x300000 /* enum pairing of the pieces so far, the worst */
#define XF_HOW_BIT  20

/* proc.c */
struct proc *proc_get(struct model *m, uint32_t pid); /* made when unknown; NULL: no memory */
int proc_describe(struct model *m, const struct ev_proc *ev);
void proc_exit(struct model *m, const struct ev_exit *ev);
int proc_set_exe(struct model *m, uint32_t pid, const char *path);
void proc_put(struct proc *p);
/* A new process that stands for exited ones; on no list but the model's. */
struct proc *proc_new_standin(struct model *m, const char *comm);
void proc_free(struct model *m, struct proc *p);
void procs_fini(struct model *m);

/* obj.c */
struct obj *obj_find(struct model *m, uint64_t id);
struct obj *obj_get(struct model *m, uint64_t id, unsigned int mech);
int obj_describe(struct model *m, const struct ev_obj *ev);
void obj_join(struct obj *o, struct chan *c, unsigned int side);
void obj_free(struct model *m, struct obj *o);
/* o belongs to no channel any more. */
void obj_leave(struct model *m, struct obj *o);
/* p closed a descriptor of o: when nobody else used it, o is as good as closed. */
void obj_closed_by(struct model *m, struct obj *o, const struct proc *p);

/* index.c: buckets of objects under a key, newest first */
int index_add(struct model *m, uint64_t key, struct obj *o);
void index_del(struct model *m, uint64_t key, struct obj *o);
struct obj *index_first(const struct model *m, uint64_t key);

/* addr.c */
bool addr_is_loopback(const struct ev_addr_in *a);
bool addr_is_any(const struct ev_addr_in *a);
bool addr_same_host(const struct ev_addr_in *a, const struct ev_addr_in *b);
bool addr_equal(const struct ev_addr_in *a, const struct ev_addr_in *b);
int addr_compare(const struct ev_addr_in *a, const struct ev_addr_in *b);
uint64_t addr_hash(const struct ev_addr_in *a);
#define ADDR_TEXT_LEN 64
const char *addr_text(const struct ev_addr_in *a, char buf[ADDR_TEXT_LEN]);

/* chan.c */
struct chan *chan_new(struct model *m, unsigned int mech, size_t priv_size, uint64_t ts_ns);
void chan_free(struct model *m, struct chan *c);
/* Copies name (len bytes, NUL becomes '@'). On failure the old name stays. */
int chan_set_name(struct chan *c, const char *name, size_t len);
void chan_close(struct model *m, struct chan *c);
void chan_reopen(struct model *m, struct chan *c);
/* Was it open then? A snapshot may have closed it before all records of its time came. */
bool chan_was_open(const struct chan *c, uint64_t at_ns);
/* Has settle() called when time goes on. */
void chan_hold(struct model *m, struct chan *c);
void chan_backlog(struct chan *c, unsigned int dir, uint64_t now);
void chan_full(struct chan *c, unsigned int dir, bool full, uint64_t at_ns);
struct remote *chan_remote(struct chan *c, const struct ev_addr_in *addr, bool make);
/* The end of c that is no process but has this name, made if need be; names are few. */
struct remote *chan_named(struct chan *c, const char *name);

/* endpoint.c */
struct endpoint *ep_find(const struct model *m, const struct chan *c, const struct proc *p,
			 enum ep_role role);
struct endpoint *ep_get(struct model *m, struct chan *c, struct proc *p, enum ep_role role,
			unsigned int side);
void ep_free(struct model *m, struct endpoint *ep);
/* The endpoint of p on c in this role, remembered in o. */
struct endpoint *ep_of_obj(struct model *m, struct obj *o, struct chan *c, struct proc *p,
			   enum ep_role role);
/*
 * Counts the call. Returns true when it moved data; an empty message does,
 * if `messages`, an end of file never. What is in the error queue is not the
 * channel's: of such a call nothing else counts (recv(2), MSG_ERRQUEUE).
 */
bool ep_count(struct endpoint *ep, const struct ev_op *op, bool messages);
/* Fullness of one direction after a call. */
void ep_fullness(struct endpoint *ep, unsigned int dir, const struct ev_op *op);
/* m: whose payload at hand is the operation's. */
void xfer_init(const struct model *m, struct xfer *x, struct endpoint *ep, const struct ev_op *op);

/* flow.c */
/* Sender and receiver: an endpoint or, where that is NULL, a remote end (NULL: unknown). */
struct flow *flow_get(struct model *m, struct endpoint *src, const struct remote *src_remote,
		      struct endpoint *dst, const struct remote *dst_remote);
/* A whole message arrived: w was sent, r received its last byte (either may be remote: NULL). */
int flow_message(struct model *m, struct flow *f, const struct xfer *w, const struct xfer *r,
		 enum pairing how);
void flow_free(struct model *m, struct flow *f);
void conv_drop_chan(struct model *m, const struct chan *c);
void conv_free(struct model *m, struct conversation *v);
/*
 * v becomes the conversation between to's processes over to's channels, or part
 * of the one that is there. Flows forget it: what is moved has ended.
 */
int conv_move(struct model *m, struct conversation *v, const struct conversation *to);

/* ipc.c */
int ipc_event(struct model *m, const struct ev_ipc *ev);
void ipcs_clear(struct model *m);

/* pass.c */
int pass_event(struct model *m, const struct ev_pass *ev);
/* How often c was handed over, as far as rows tell. */
uint64_t passes_of(const struct chan *c);
/* c goes away. */
void passes_drop(struct model *m, const struct chan *c);
void passes_facts(const struct chan *c, void (*put)(void *arg, const struct fact *f), void *arg);

/* fold.c */
int fold_closed(struct model *m, unsigned int keep);
int fold_gone(struct model *m);

/* snap.c */
int snap_event(struct model *m, const struct event *ev);
int snap_inflight(struct model *m, const struct ev_inflight *ev);
int snap_hold(struct model *m, const struct ev_hold *ev);
void inflight_done(struct model *m, struct proc *p, const struct ev_op *op);
void inflight_free(struct inflight *i);
void holder_free(struct chan *c, struct holder *h);

#endif
