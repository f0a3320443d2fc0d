/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model.h - processes, channels, endpoints and flows, made from events.
 *
 * In the structs, what every event touches comes first: with ten thousand
 * channels nothing is in the cache but what lies together.
 *
 * The model owns everything reachable from struct model and frees it in
 * model_free(). It does no I/O. Events are fed in stream order by one thread;
 * views and exports walk it between feeds and change nothing. Pointers into the
 * model stay valid until the next model_feed() or model_advance().
 *
 * All times are CLOCK_MONOTONIC nanoseconds; what the numbers mean is said in
 * the manual page, section NUMBERS.
 */
#ifndef IPCSPY_MODEL_H
#define IPCSPY_MODEL_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "event/event.h"
#include "ipcspy/types.h"
#include "lib/hmap.h"
#include "lib/list.h"
#include "metrics/hist.h"

struct chan_class;
struct remote;

/*
 * Identity of a process: pid and start time. Of very many exited processes only
 * the latest keep a place of their own; one with pid 0 then stands for all
 * earlier ones with its comm.
 */
struct proc {
	uint32_t pid, ppid;
	uint32_t ns_pid; /* in its own pid namespace; 0 unknown */
	uint64_t start_ns;
	bool target, exited;
	bool status_known;              /* its end was seen, not only that another has its pid */
	unsigned int inflight_cnt;      /* operations of the latest snapshot */
	int exit_status;                /* as wait(2) gives it; valid when status_known */
	uint64_t exited_ns;             /* when; the same */
	char comm[IPCSPY_COMM_LEN + 1]; /* any bytes, terminated */
	char *exe;                      /* path, NULL unknown */
	struct {
		uint64_t count, total_ns, max_ns, now_ns;
	} waits;           /* asleep in poll, select, epoll */
	unsigned int refs; /* endpoints, holders, operations, tasks, conversations that name it */
	struct list_node in_model;

	/* the model's own */
	struct list_head endpoints; /* by in_proc */
	struct list_head tasks;     /* struct task by in_proc */
	struct maps *maps;          /* memory that others may share, NULL none: see maps.h */
	struct list_node in_gone;   /* exited, oldest first */
	struct proc *standin;       /* what stands for it, while it is being folded */
};

/* A time that tasks spent asleep, or an endpoint could not send. */
struct span_stat {
	uint64_t count, total_ns, max_ns, now_ns; /* now_ns: still going on, not in total_ns */
};

enum ep_role { EP_ATTACH = 0, EP_SEND = 1, EP_RECV = 2 };

/*
 * Process x channel x role. A process that both sends and receives on a
 * channel has two endpoints. EP_ATTACH: holds it open and did nothing yet
 * (only kept while it has no other endpoint there).
 */
struct endpoint {
	struct chan *chan;
	struct proc *proc;
	enum ep_role role;
	uint8_t side; /* stream sockets: which of the channel's two ends */
	uint64_t calls, messages, bytes;
	struct flow *last_flow; /* the model's own; receivers: the flow of the last message */
	uint64_t sent_ns;       /* the model's own; end of the last send, and ... */
	uint64_t full_mark_ns;  /* ... the channel's time without room until then */
	struct span_stat blocked;
	uint64_t stall_since_ns;  /* 0: not stalled */
	struct span_stat stalled; /* EAGAIN until the next successful send */
	uint64_t errors, would_block;
	struct list_node in_chan;

	/* the model's own */
	struct list_node in_proc;
	uint64_t key;            /* in the map of endpoints */
	struct endpoint *merged; /* its successor, while it is being folded */
};

/* One end of a flow: a process here, an address elsewhere, or what is here and no process. */
struct party {
	struct proc *proc; /* NULL: remote, no process, or unknown */
	char *addr;        /* "10.0.0.5:443" when proc is NULL; NULL then means unknown */
	bool here;         /* addr is no address: "kernel", "terminal", "timer" */
};

enum pairing { PAIR_EXACT = 0, PAIR_SETTLED = 1, PAIR_ASSUMED = 2, PAIR_MAX = 3 };

struct flow {
	const void *from, *to; /* the model's own: endpoint or struct remote */
	uint64_t messages, bytes;
	uint64_t first_ns, last_ns; /* first message's send, last message's receive */
	uint64_t paired[PAIR_MAX];
	struct conversation *conv; /* the model's own */
	struct hist latency;
	struct party src, dst;
	struct chan *chan;
	struct list_node in_chan;
	uint64_t key; /* the model's own: in the map of flows */
};

/* The endpoint of its sender or receiver; NULL: that end is no process here. */
static inline const struct endpoint *flow_endpoint(const struct flow *f, enum ep_role role)
{
	if (role == EP_SEND)
		return f->src.proc ? f->from : NULL;
	return f->dst.proc ? f->to : NULL;
}

/* Who can end a wait on this channel. */
enum chan_shape {
	SHAPE_PIPE = 0,   /* one object, ends told apart by what the descriptor allows */
	SHAPE_PAIR = 1,   /* two objects, each side waits for the other */
	SHAPE_QUEUE = 2,  /* the receivers hold the object, senders are whoever sent */
	SHAPE_MEMORY = 3, /* nobody waits: who shares it finds out by other means */
	SHAPE_INBOX = 4,  /* of one process, for anybody to send to: to wait on it is to be idle */
	SHAPE_CALL = 5,   /* nobody: one side's call moves it all, the other does nothing */
};

struct chan {
	bool open, incomplete;
	bool touched_by_target;
	bool reached;      /* at the latest snapshot the wait of a target led to who waits here */
	uint8_t full_dirs; /* the model's own: bit per direction that has no room */
	enum ipcspy_mech mech;
	const struct chan_class *cls;
	void *priv; /* the class's own state */
	uint64_t last_ns;
	struct {
		uint64_t now, max;
		uint64_t full_ns;       /* total time without room */
		uint64_t full_since_ns; /* 0: has room */
	} backlog;
	uint64_t dir_now[2];  /* backlog per direction; of SHAPE_PAIR: from side 0, from side 1 */
	uint64_t was_full[2]; /* the model's own: begin and end of the last time without room */
	uint64_t capacity;    /* 0 unknown */
	uint64_t id;          /* small number, counted from 1, as shown in reports */
	char *name;           /* never NULL; may hold any bytes but NUL */
	const char *unit;     /* "bytes", "messages", "connections", ...: of capacity and backlog */
	uint64_t dropped;     /* datagrams sent and never received (overflow) */
	uint64_t unpaired;    /* messages no receive was seen for */
	uint64_t lost;        /* records lost, 0 unless incomplete */
	uint64_t folded;      /* closed channels merged into this row, 0: a channel of its own */
	uint64_t first_ns;
	struct list_head endpoints, flows;
	struct list_head passes; /* struct pass by in_chan: how others came to hold this channel */
	bool carries;            /* it is the via of some */
	uint64_t passes_forgotten;
	unsigned int holders_left; /* descriptors that model_holders() has no room for */
	struct list_node in_model;

	/* the model's own */
	struct model *model;
	struct list_head objs;    /* struct obj by in_chan */
	struct list_head holders; /* struct holder by in_chan */
	unsigned int holder_cnt;
	struct list_node in_held; /* receives wait for their send; unlinked: next is NULL */
	struct list_node in_closed;
	struct remote *remotes;
	unsigned int remote_cnt;
	uint64_t closed_ns;
};

/* A process that maps the object of a shared-memory channel, or did. */
struct attach {
	struct list_node in_chan;
	struct endpoint *ep; /* of role EP_ATTACH: names the process */
	struct attached {
		uint64_t bytes, offset; /* of the lowest range in the object */
		unsigned int cnt;       /* ranges */
		unsigned int can;       /* MAPF_READ | MAPF_WRITE */
	} now, most;                    /* most: when the most bytes were mapped */
	unsigned int ever_can;
	bool before_attach;
	bool inherited;    /* by fork, and nothing changed since */
	bool passed;       /* ... until it executed another program: to be left out everywhere */
	uint64_t since_ns; /* the first range */
	uint64_t until_ns; /* the last one was unmapped; valid when now.cnt is 0 */
	struct list_node in_dirty; /* the model's own */
};

/* A descriptor of a channel was handed from one process to another. */
struct pass {
	struct list_node in_model, in_chan;
	struct chan *chan, *via; /* what, and through what; via NULL: pidfd_getfd(2) */
	uint32_t from, to;       /* pids, 0: that half was not seen */
	char from_comm[IPCSPY_COMM_LEN + 1], to_comm[IPCSPY_COMM_LEN + 1];
	uint64_t count;
};

/* An operation entered and not returned, from the latest snapshot. */
struct inflight {
	struct list_node in_model;
	struct proc *proc;
	uint32_t tid;
	struct chan *chan;  /* NULL: OP_WAIT */
	struct proc *owner; /* has the lock it waits for; NULL: not known to be one */
	enum ipcspy_op op;
	enum ipcspy_mech mech;
	uint16_t nr;
	bool asleep, before_attach;
	uint64_t enter_ns, blocked_ns, seen_ns;
};

/* One of the things that a task polls. */
struct polled {
	uint64_t obj;    /* id; see model_polled_chan() */
	uint32_t events; /* of poll(2): POLLIN, POLLOUT and their like */
	int fd;
};

#define TASK_NO_CALL 0xffff

/* A task of the latest snapshot. */
struct task {
	struct list_node in_model, in_proc;
	struct proc *proc;
	uint32_t tid;
	enum ipcspy_why why;
	int32_t who;        /* see enum ipcspy_why */
	bool shared;        /* the lock that it waits for: others may have it, too (TASKF_SHARED) */
	bool traces;        /* others: it or another thread may wait for these, too */
	char *opens;        /* WHY_OPEN: the path; NULL unknown */
	uint64_t opens_obj; /* ... the object that it leads to, 0 when nobody has it open */
	uint16_t nr;        /* system call, TASK_NO_CALL none */
	char state;         /* as in proc_pid_stat(5), '?' unknown */
	bool polls;         /* it waits for one of ... */
	bool polls_others;  /* ... or for what is no channel, or is not told ... */
	bool children;      /* ... or for one of its children to end (TASKF_CHILDREN) */
	struct polled *polled; /* polled_cnt */
	size_t polled_cnt, polled_cap;
	uint64_t seen_ns;
	uint64_t since_ns, until_ns; /* it sleeps at least since, goes on by itself at; 0 unknown */
	bool word_changed;           /* it sleeps on a futex word that is no more what it was ... */
	uint32_t expected, found;    /* ... when it fell asleep */
};

/* An object that is there without anybody who uses it, of the latest snapshot. */
struct ipc {
	struct list_node in_model;
	enum ipcspy_mech mech;
	char *name; /* as that of its channel would be; never NULL, any bytes but NUL */
	uint64_t bytes, messages; /* as struct ev_ipc says */
	uint32_t users, last_pid;
	int32_t id; /* System V */
};

/*
 * What is to be said of a channel beyond what all channels have. A group is a
 * list of rows ("signals", "semaphores"), NULL the channel itself; rows of a
 * group come one after the other, counted from 0.
 */
struct fact {
	const char *group;
	unsigned int row;
	const char *name; /* as JSON spells it */
	const char *text; /* may hold any bytes; NULL: value */
	uint64_t value;
};

/* Texts that JSON spells true, false and null. */
extern const char fact_yes[], fact_no[], fact_none[];
extern const char fact_zero[]; /* 0, which is not worth a word: only JSON says it */

#define HOLDERS_MAX 64 /* of one process on one side of a channel */

/*
 * Who holds which end of a channel open, from the latest snapshot with holds. Of a process that
 * has very many descriptors of one side the last stands for those that are not listed.
 */
struct holder {
	struct list_node in_chan;
	struct proc *proc;
	unsigned int can; /* HOLDF_READ | HOLDF_WRITE: what the descriptor allows */
	uint8_t side;
	int fd;
	unsigned int nth; /* of those of its process and side, from 1 on; up to HOLDERS_MAX */
	uint16_t refs;    /* to the open file, HOLD_REFS_MAX: so many or more; 0 not known */
	uint16_t file;    /* tells the open files of one channel apart */
};

/* What is known of the bytes of a message. */
enum payload_is {
	PAYLOAD_NONE = 0, /* nobody asked for them, or they were not in the caller's memory */
	PAYLOAD_KEPT = 1,
	PAYLOAD_GONE = 2, /* they were kept, but too many others since */
};

/* One message that found its receive, as -t and exports print it. */
struct message {
	uint64_t recv_ns;
	const struct chan *chan;
	const struct party *src, *dst;
	uint32_t src_tid, dst_tid;
	uint64_t bytes, latency_ns, send_blocked_ns, recv_blocked_ns, backlog;
	bool timed;       /* both ends were seen: latency_ns holds a value */
	const char *what; /* the class's name for it ("SIGINT"), NULL none */
	enum pairing pairing;
	uint64_t sent_ns; /* when the call began that sent it, 0 not seen */
	enum payload_is payload_is;
	uint32_t payload_len;   /* with PAYLOAD_KEPT; at most bytes */
	const uint8_t *payload; /* its first bytes, any; lives for the call */
};

/* A call that is over, as exports draw it. */
struct operation {
	const struct proc *proc;
	const struct chan *chan; /* NULL: poll, select, epoll_wait */
	unsigned int dir;        /* of SHAPE_PAIR: which of its two directions */
	const struct ev_op *ev;
};

/* Opposite flows between the same two processes. */
struct conversation {
	struct list_node in_model;
	struct proc *a, *b;
	struct chan *chan_ab, *chan_ba; /* the same for a socket */
	struct hist turnaround_a,
		turnaround_b; /* end of a receive to start of that process's next send */

	/* the model's own */
	uint64_t received_a_ns,
		received_b_ns; /* end of a receive that no send answered yet, 0 none */
	uint64_t key;
};

/* A sleep that is over, or a time in which an endpoint could not send. */
struct blocked {
	struct proc *proc;
	struct chan *chan; /* NULL: in poll, select, epoll_wait */
	enum ep_role role;
	int side;
	uint32_t tid, waker_tid; /* 0 unknown */
	uint64_t slept_ns, end_ns;
	bool timed_out; /* of poll: nothing happened */
};

struct loss {
	uint64_t events; /* all mechanisms */
	uint64_t by_mech[MECH_MAX];
	uint64_t compat_syscalls, table, io_uring;
	uint64_t channels_incomplete;
};

struct model_opts {
	uint64_t start_ns; /* CLOCK_MONOTONIC at the start of the trace */
	bool no_peers;     /* endpoints and flows need a target */
	/* Called for every paired message, or NULL. The message lives for the call. */
	void (*on_message)(void *arg, const struct message *msg);
	void *on_message_arg;
	/*
	 * Called for every operation on a channel and every poll that slept, or NULL; before
	 * its messages are told, and before it changes the channel. It lives for the call.
	 */
	void (*on_op)(void *arg, const struct operation *op);
	void *on_op_arg;
	/* Called for every struct blocked, which lives for the call, or NULL. */
	void (*on_blocked)(void *arg, const struct blocked *b);
	/* Processes that have a standin are about to be freed: it takes their place. Or NULL. */
	void (*on_fold)(void *arg);
	void *on_blocked_arg; /* of both */
	/*
	 * Called for every object (id of an EV_OBJ) that the model forgets while the trace goes
	 * on, or NULL. Should it be used again, it is to be described again.
	 */
	void (*on_forget)(void *arg, uint64_t id);
	void *on_forget_arg;
	unsigned int
		keep_closed; /* closed channels kept as rows of their own; 0: the default, 1024 */
};

struct model;

/* Returns a new model or NULL when out of memory. */
struct model *model_new(const struct model_opts *opts);
void model_free(struct model *m);

/*
 * Takes one event. A few operations are kept back for a while; every other
 * function here first does them. Returns 0 or -ENOMEM (an event is then only
 * partly accounted, perhaps an earlier one).
 */
int model_feed(struct model *m, const struct event *ev);

/*
 * Time went on to now_ns although no event came: settles receives that were
 * held for a send that is not coming, folds what has been closed for long.
 */
int model_advance(struct model *m, uint64_t now_ns);

/* No more events: pairs what can still be paired, ends open spans at now_ns. Idempotent. */
int model_finish(struct model *m, uint64_t now_ns);

uint64_t model_start_ns(const struct model *m);
uint64_t model_now_ns(const struct model *m); /* latest time the model knows of */

/* When the latest snapshot began to ask who holds what, 0: none did. */
uint64_t model_holds_ns(const struct model *m);

/* Lists for walks: struct proc, chan, inflight, conversation by in_model. */
const struct list_head *model_procs(const struct model *m);
const struct list_head *model_chans(const struct model *m);

/*
 * Of a listening socket, and of a connection of which one end is nobody's: what those two have
 * in common, 0 where it is neither. *listens: which it is.
 */
uint64_t model_accept_key(const struct chan *c, bool *listens);

/* Could it be that connection c waits to be accepted there? Both have the same key. */
bool model_accepts(const struct chan *listener, const struct chan *c);
const struct list_head *model_inflight(const struct model *m);
const struct list_head *model_tasks(const struct model *m); /* struct task by in_model */
const struct list_head *model_ipcs(const struct model *m);  /* struct ipc by in_model */
uint32_t model_ipcs_unseen(const struct model *m); /* 1u << MECH_*: there may be more of them */
const struct list_head *model_conversations(const struct model *m);
const struct list_head *model_holders(const struct chan *c); /* struct holder by in_chan */
enum chan_shape chan_shape(const struct chan *c);

/*
 * What closed channels like c have in common beside their mechanism: the name
 * of the listener, of the file, or only that they are closed. Static or in buf.
 */
const char *chan_place(const struct chan *c, char *buf, size_t len);

/* No descriptor holds such a channel: no snapshot says who has it. */
bool chan_is_unheld(const struct chan *c);

/* struct attach by in_chan; empty where nothing is mapped, passed ones included. */
const struct list_head *model_attaches(const struct chan *c);

/* How long two or more processes at a time had it mapped. */
uint64_t model_shared_ns(const struct model *m, const struct chan *c);

/* The channel of the shared memory that c, a futex, lies in, or NULL. */
const struct chan *model_memory_of(const struct model *m, const struct chan *c);

/* The name of the POSIX semaphore (sem_overview(7)) that this memory is, or NULL. */
const char *model_posix_semaphore(const struct chan *c);

/* Calls put with the id of each object that the channel is made of: one, or one for each end. */
void model_objects_of(const struct chan *c, void (*put)(void *arg, uint64_t id), void *arg);

/* False while it is none yet, and in no report: memory that one process alone has mapped. */
bool chan_is_channel(const struct chan *c);
const struct list_head *model_passes(const struct model *m); /* struct pass by in_model */
const struct loss *model_loss(const struct model *m);

/* Calls put for each fact that the channel's class knows. */
void model_facts(const struct model *m, const struct chan *c,
		 void (*put)(void *arg, const struct fact *f), void *arg);

/* The channel that is polled and the side that is polled of it; NULL, -1: it is none any more. */
struct chan *model_polled_chan(const struct model *m, const struct polled *p);
int model_polled_side(const struct model *m, const struct polled *p);

/* The task of the latest snapshot with this number, or NULL. */
const struct task *model_task(const struct model *m, uint32_t tid);

/* The live process with this pid, or the last that had it, or NULL. */
struct proc *model_proc_by_pid(const struct model *m, uint32_t pid);

#endif
