// SPDX-License-Identifier: BSD-2-Clause
#include "model/pair_bytes.h"

#include <errno.h>

#define SCAN_MAX         512            /* pending writes compared with one read */
#define SCAN_READS       256            /* held reads compared with one write */
#define READS_MERGE      1024           /* held reads beyond are joined with their neighbour */
#define QUEUE_MAX        65536          /* no stream holds more messages than that */
#define DEFAULT_CAPACITY (4u << 20)     /* when the record says none */
#define STARVED_NS       200000000ull   /* a read whose write must have been lost */
#define PATIENCE_NS      10000000000ull /* ... although nothing says so */
#define DRIFT_NS         100000000ull   /* how long, and how often, offsets must be off ... */
#define DRIFT_CNT        16             /* ... before they are corrected among overlapping calls */
#define ATOMIC_BYTES     4096           /* PIPE_BUF: goes in at once, so after its last sleep */

enum match { MATCH_UNKNOWN = 0, MATCH_YES = 1, MATCH_NO = 2 };

void pair_bytes_init(struct pair_bytes *pb, struct chan *c)
{
	pb->chan = c;
}

void pair_bytes_fini(struct pair_bytes *pb)
{
	pq_fini(&pb->writes);
	pq_fini(&pb->reads);
}

/* The earliest moment at which the call can have moved its first byte. */
static uint64_t earliest(const struct xfer *x, bool read)
{
	return read || x->len <= ATOMIC_BYTES ? x->enter_ns + x->blocked_ns : x->enter_ns;
}

/* Does the read begin with the same bytes as the write? Only where both hashed as many. */
static enum match compare(const struct xfer *r, const struct xfer *w)
{
	if (!(r->flags & w->flags & OPF_FP) || (r->flags | w->flags) & XF_STARTED)
		return MATCH_UNKNOWN;
	if (r->len != w->len && (r->len < 32 || w->len < 32))
		return MATCH_UNKNOWN;
	return r->fp == w->fp ? MATCH_YES : MATCH_NO;
}

/* A write cannot feed a read that returned before the write was called. */
static bool possible(const struct xfer *r, const struct xfer *w)
{
	return w->enter_ns < r->exit_ns || w->flags & OPF_BEFORE_ATTACH || !w->ep ||
	       r->flags & XF_ANY;
}

/* The kernel's count after the read equals ours: nothing unseen is in the stream. */
static bool conserved(const struct pair_bytes *pb, const struct xfer *r)
{
	uint64_t known = pb->writes.bytes - r->left;

	return pb->reads.cnt <= 1 && pb->writes.bytes >= r->left &&
	       ((r->flags & OPF_BACKLOG && r->backlog == known) ||
		(r->flags & OPF_EMPTY && known == 0));
}

static void unpaired(struct pair_bytes *pb, struct xfer *w)
{
	if (w->ep)
		pb->chan->unpaired++;
	if (w->flags & XF_STARTED)
		pb->open--;
	pq_done(&pb->writes, w);
}

/* Forgets the oldest n bytes that wait for a read. */
static void drop_oldest(struct pair_bytes *pb, uint64_t n)
{
	struct xfer *w;

	while (n && (w = pq_first(&pb->writes))) {
		if (w->left > n) {
			pq_take(&pb->writes, w, n);
			return;
		}
		n -= w->left;
		unpaired(pb, w);
	}
}

void pair_bytes_discard(struct pair_bytes *pb)
{
	drop_oldest(pb, pb->writes.bytes);
	while (pb->reads.cnt)
		pq_done(&pb->reads, pq_first(&pb->reads));
}

/* Puts n bytes of nobody in front of everything known. */
static int nameless(struct pair_bytes *pb, uint64_t n)
{
	struct xfer x = {.left = n, .len = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n};
	struct xfer *first = pq_first(&pb->writes);

	if (!n)
		return 0;
	if (first && !first->ep) {
		first->left += n;
		pb->writes.bytes += n;
		return 0;
	}
	return pq_push_front(&pb->writes, &x) ? 0 : -ENOMEM;
}

/* Bytes of writes that had returned by then, and of nobody. */
static uint64_t written_by(const struct pair_bytes *pb, uint64_t by_ns)
{
	const struct xfer *first = pq_first(&pb->writes);
	uint64_t bytes = pb->writes.bytes;
	uint32_t i;

	if (first && first->ep && first->exit_ns > by_ns)
		return 0;
	for (i = pb->writes.cnt; i > 0; i--) {
		const struct xfer *w = pq_at(&pb->writes, i - 1);

		if (!w->ep || w->exit_ns <= by_ns)
			break;
		bytes -= w->left;
	}
	return bytes;
}

int pair_bytes_begin(struct pair_bytes *pb, uint64_t bytes, uint64_t at_ns)
{
	uint64_t known = written_by(pb, at_ns);

	pb->synced = true;
	pb->begin_ns = at_ns;
	if (bytes >= known)
		return nameless(pb, bytes - known);
	drop_oldest(pb, known - bytes);
	return 0;
}

/* The write that r's first bytes are of, if its record is here: by fingerprint. */
static struct xfer *search(struct pair_bytes *pb, const struct xfer *r)
{
	uint32_t i, end = pb->writes.cnt < SCAN_MAX ? pb->writes.cnt : SCAN_MAX;

	if (!(r->flags & OPF_FP))
		return NULL;
	for (i = 0; i < end; i++) {
		struct xfer *w = pq_at(&pb->writes, i);

		if (!(w->flags & XF_DONE) && compare(r, w) == MATCH_YES && possible(r, w))
			return w;
	}
	return NULL;
}

/*
 * The write that r goes on with when no fingerprint says otherwise: one that
 * is begun and not finished, else the first that r can have read. Writes are in
 * order of their return: one that was held up in its return comes late.
 */
static struct xfer *next_write(struct pair_bytes *pb, const struct xfer *r)
{
	uint32_t i, end = pb->writes.cnt < SCAN_MAX ? pb->writes.cnt : SCAN_MAX;
	struct xfer *w = pq_first(&pb->writes), *next = NULL;

	if (!w || w->flags & XF_STARTED || !w->ep || (!pb->open && possible(r, w)))
		return w;
	for (i = 0; i < end; i++) {
		w = pq_at(&pb->writes, i);
		if (w->flags & XF_DONE)
			continue;
		if (w->flags & XF_STARTED)
			return w;
		if (!next && possible(r, w)) {
			next = w;
			if (!pb->open)
				break;
		}
	}
	return next;
}

/*
 * Chooses the write that r goes on with; NULL when that cannot be said yet.
 * Says in *how the choice was made.
 */
static struct xfer *choose(struct pair_bytes *pb, struct xfer *r, enum pairing *how)
{
	bool many = several(&pb->writer) || several(&pb->reader);
	struct xfer *w = next_write(pb, r), *found;
	enum match match;

	if (!w || (pb->writes.bytes < r->left && !(r->flags & XF_FORCE)))
		return NULL;
	if (!w->ep)
		return w;
	match = compare(r, w);
	if (!many && !(w->flags & XF_OVERLAP) && match != MATCH_NO) {
		*how = PAIR_EXACT;
		return w;
	}
	if (w->flags & XF_STARTED && !several(&pb->reader)) {
		*how = PAIR_EXACT;
		return w;
	}
	if ((r->flags | w->flags) & XF_OVERLAP || !conserved(pb, r))
		*how = match == MATCH_YES ? PAIR_SETTLED : PAIR_ASSUMED;
	else
		*how = PAIR_EXACT;
	if (match == MATCH_YES || (r->flags & XF_STARTED))
		return w;
	/* In the middle of a write: another reader may go on there, if this one starts elsewhere.
	 */
	found = r->flags & XF_SEARCHED ? NULL : search(pb, r);
	if (found && !(w->flags & XF_STARTED && found->fp == w->fp)) {
		*how = PAIR_SETTLED;
		return found;
	}
	/* Its write may come yet; or was lost, and then this one is another's. */
	if (!found && (several(&pb->writer) || several(&pb->reader)))
		r->flags |= XF_SEARCHED;
	if (match == MATCH_NO && (!(r->flags & XF_FORCE) || (pb->lossy && !(r->flags & XF_ANY))))
		return NULL;
	return w;
}

/* Gives r bytes of w, as many as both have. w may be gone afterwards. */
static int take(struct model *m, struct pair_bytes *pb, struct xfer *r, struct xfer *w,
		enum pairing how)
{
	uint64_t n = r->left < w->left ? r->left : w->left;
	struct flow *f;
	int err = 0;

	if (!(w->flags & XF_STARTED) && w->ep) {
		w->flags |= XF_STARTED;
		pb->open++;
	}
	xfer_set_how(w, how);
	pq_take(&pb->writes, w, n);
	r->left -= n;
	if (w->ep) {
		f = flow_get(m, w->ep, NULL, r->ep, NULL);
		if (f) {
			f->bytes += n;
			if (!w->left)
				err = flow_message(m, f, w, r, xfer_how(w));
		} else {
			err = -ENOMEM;
		}
	}
	r->flags |= XF_STARTED;
	if (!w->left) {
		if (w->ep)
			pb->open--;
		pq_done(&pb->writes, w);
	}
	return err;
}

/* Feeds r until it has all its bytes or must wait. */
static int feed(struct model *m, struct pair_bytes *pb, struct xfer *r)
{
	enum pairing how = PAIR_EXACT;
	struct xfer *w;
	int err = 0, e;

	while (r->left && (w = choose(pb, r, &how))) {
		e = take(m, pb, r, w, how);
		if (e)
			err = e;
	}
	return err;
}

/* Feeds an entry of the queue of held reads, and takes it out when it has all. */
static int feed_held(struct model *m, struct pair_bytes *pb, struct xfer *r)
{
	uint64_t before = r->left;
	int err = feed(m, pb, r);

	pb->reads.bytes -= before - r->left;
	if (!r->left)
		pq_done(&pb->reads, r);
	return err;
}

/* A process that was killed inside a write leaves its bytes and no record. */
static bool writer_died(const struct pair_bytes *pb)
{
	list_for_each (ep, &pb->chan->endpoints, struct endpoint, in_chan)
		if (ep->role == EP_SEND && ep->proc->exited)
			return true;
	return false;
}

/*
 * No write that could have fed the first held read will come any more. A large
 * write may be under way for long; so without a reason to doubt, patience.
 */
static bool starved(struct pair_bytes *pb, const struct xfer *r, uint64_t now_ns)
{
	uint64_t held_ns = now_ns > r->exit_ns ? now_ns - r->exit_ns : 0;

	if (pb->lossy && held_ns > STARVED_NS)
		return true;
	if (!pb->writes.live || next_write(pb, r))
		return false;
	if (pb->lossy && !several(&pb->writer))
		return true;
	return held_ns > PATIENCE_NS || (held_ns > STARVED_NS && writer_died(pb));
}

static int run(struct model *m, struct pair_bytes *pb, uint64_t now_ns)
{
	struct xfer *r;
	int err = 0, e;
	uint32_t live;

	while ((r = pq_first(&pb->reads))) {
		live = pb->reads.live;
		e = feed_held(m, pb, r);
		if (e)
			err = e;
		if (pb->reads.live != live)
			continue;
		if (!starved(pb, r, now_ns))
			break;
		pq_done(&pb->reads, r);
	}
	return err;
}

/*
 * What cannot be in the channel any more was read unseen. Reads take at most
 * one capacity at once, so twice the capacity is safe.
 */
static void bound(struct pair_bytes *pb)
{
	uint64_t capacity = pb->capacity ? pb->capacity : DEFAULT_CAPACITY;
	uint64_t most = pb->reads.bytes + 2 * capacity;

	if (pb->writes.bytes > most)
		drop_oldest(pb, pb->writes.bytes - pb->reads.bytes - capacity);
	while (pb->writes.cnt > QUEUE_MAX)
		unpaired(pb, pq_first(&pb->writes));
}

/*
 * A call that was under way when the stream was first looked at returns all its
 * bytes, those from before included: only what the kernel has beyond our count
 * is new.
 */
static void trim_first_write(const struct pair_bytes *pb, struct xfer *x)
{
	uint64_t inside = (uint64_t)x->backlog + pb->reads.bytes;
	uint64_t fresh = inside > pb->writes.bytes ? inside - pb->writes.bytes : 0;

	if (x->flags & OPF_BACKLOG && fresh < x->len)
		x->left = fresh;
}

/* The first record of a stream that was found in the middle. */
static int settle_first(struct pair_bytes *pb, const struct xfer *x, bool write)
{
	uint64_t inside = x->backlog;

	pb->synced = true;
	if (!(x->flags & OPF_BACKLOG))
		return 0;
	if (write)
		return nameless(pb, inside > x->len ? inside - x->len : 0);
	inside += x->len;
	return nameless(pb, inside > pb->writes.bytes ? inside - pb->writes.bytes : 0);
}

/* Reads behind one that waits may start with this very write. */
static int offer(struct model *m, struct pair_bytes *pb, struct xfer *w)
{
	uint32_t i, end = pb->reads.cnt < SCAN_READS ? pb->reads.cnt : SCAN_READS;
	int err;

	for (i = 0; i < end; i++) {
		struct xfer *r = pq_at(&pb->reads, i);

		if (r->flags & XF_DONE || compare(r, w) != MATCH_YES || !possible(r, w))
			continue;
		pb->reads.bytes -= r->left < w->left ? r->left : w->left;
		err = take(m, pb, r, w, PAIR_SETTLED);
		if (!r->left)
			pq_done(&pb->reads, r);
		return err;
	}
	return 0;
}

int pair_bytes_write(struct model *m, struct pair_bytes *pb, const struct xfer *x)
{
	struct xfer item = *x, *w;
	int err = 0, e;

	if (x->exit_ns <= pb->begin_ns)
		return 0;
	if (!pb->synced)
		err = settle_first(pb, x, true);
	task_seen(&pb->writer, x);
	if (x->flags & OPF_BEFORE_ATTACH || x->enter_ns < pb->begin_ns)
		trim_first_write(pb, &item);
	if (!item.left)
		return err;
	if (several(&pb->writer))
		pq_mark_overlap(&pb->writes, &item, earliest(&item, false));
	w = pq_push(&pb->writes, &item, false);
	if (!w)
		return -ENOMEM;
	if (pb->reads.cnt) {
		e = several(&pb->writer) || several(&pb->reader) ? offer(m, pb, w) : 0;
		if (!e)
			e = run(m, pb, x->exit_ns);
		if (e)
			err = e;
	}
	bound(pb);
	return err;
}

static uint64_t excess(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/*
 * The kernel had `inside` bytes when x read. Writes that had returned before
 * are in the stream for certain, except what reads under way took that have no
 * record yet. How many bytes more than the kernel do we have that no such read
 * explains: because records were lost and there is no other reader, or because
 * those writes are old.
 */
static uint64_t surely_gone(const struct pair_bytes *pb, const struct xfer *x, uint64_t inside)
{
	uint64_t from = earliest(x, true), old, all;

	if (pb->lossy && !several(&pb->reader))
		return excess(written_by(pb, from), inside);
	old = from > STARVED_NS ? written_by(pb, from - STARVED_NS) : 0;
	if (!old || inside > x->len)
		return excess(old, inside);
	/* It left nothing behind: what was written until then is gone. */
	all = excess(written_by(pb, x->exit_ns), inside);
	return all < old ? all : old;
}

/* Drops what was read, or thrown away, unseen: when it is sure, or stays so for long. */
static void check_over(struct pair_bytes *pb, const struct xfer *x, uint64_t inside)
{
	uint64_t over, sure;

	if (pb->writes.bytes <= inside) {
		pb->over_cnt = 0;
		return;
	}
	sure = surely_gone(pb, x, inside);
	over = excess(written_by(pb, earliest(x, true)), inside);
	if (!over)
		pb->over_cnt = 0;
	else if (!pb->over_cnt++ || over < pb->over)
		pb->over = over;
	if (pb->over_cnt == 1)
		pb->over_ns = x->exit_ns;
	if (!sure && over && pb->over_cnt >= DRIFT_CNT && x->exit_ns - pb->over_ns >= DRIFT_NS)
		sure = pb->over;
	if (!sure)
		return;
	drop_oldest(pb, sure);
	pb->over_cnt = 0;
}

/*
 * The kernel has more than we know of: writes under way, or, when it stays so
 * and records were lost, writes that we shall never see.
 */
static int check_under(struct pair_bytes *pb, const struct xfer *x, uint64_t inside)
{
	if (!pb->lossy || inside <= pb->writes.bytes) {
		pb->under_cnt = 0;
		return 0;
	}
	if (!pb->under_cnt++ || inside - pb->writes.bytes < pb->under)
		pb->under = inside - pb->writes.bytes;
	if (pb->under_cnt == 1)
		pb->under_ns = x->exit_ns;
	if (pb->under_cnt < DRIFT_CNT || x->exit_ns - pb->under_ns < DRIFT_NS)
		return 0;
	pb->under_cnt = 0;
	return nameless(pb, pb->under);
}

/* Keeps a read for later; very many of them in less detail. */
static int hold(struct model *m, struct pair_bytes *pb, const struct xfer *r)
{
	struct xfer *last = pb->reads.cnt ? pq_at(&pb->reads, pb->reads.cnt - 1) : NULL;

	chan_hold(m, pb->chan);
	if (pb->reads.cnt >= READS_MERGE && last->ep == r->ep && !(last->flags & XF_DONE)) {
		last->left += r->left;
		pb->reads.bytes += r->left;
		last->exit_ns = r->exit_ns;
		return 0;
	}
	if (pb->reads.cnt >= QUEUE_MAX)
		pq_done(&pb->reads, pq_first(&pb->reads));
	return pq_push(&pb->reads, r, false) ? 0 : -ENOMEM;
}

int pair_bytes_read(struct model *m, struct pair_bytes *pb, const struct xfer *x)
{
	uint64_t inside = (uint64_t)(x->flags & OPF_BACKLOG ? x->backlog : 0) + x->len;
	struct xfer r = *x, *w;
	int err = 0, e;

	if (x->exit_ns <= pb->begin_ns)
		return 0;
	if (!pb->synced)
		err = settle_first(pb, x, false);
	task_seen(&pb->reader, x);
	if (earliest(x, true) < pb->last_read_ns && several(&pb->reader))
		r.flags |= XF_OVERLAP;
	if (x->exit_ns > pb->last_read_ns)
		pb->last_read_ns = x->exit_ns;
	if (!pb->reads.cnt && x->flags & (OPF_BACKLOG | OPF_EMPTY)) {
		check_over(pb, x, inside);
		e = check_under(pb, x, inside);
		if (e)
			err = e;
	}
	if (!pb->reads.cnt) {
		e = feed(m, pb, &r);
	} else {
		/* Behind one that waits only a fingerprint says where to go on. */
		w = search(pb, &r);
		e = w ? take(m, pb, &r, w, PAIR_SETTLED) : 0;
	}
	if (r.left && !e)
		e = hold(m, pb, &r);
	return e ? e : err;
}

int pair_bytes_settle(struct model *m, struct pair_bytes *pb, uint64_t now_ns, bool finish)
{
	struct xfer *r;
	uint32_t live;
	int err = 0, e;

	while ((r = pq_first(&pb->reads))) {
		if (!finish && r->exit_ns + STARVED_NS >= now_ns)
			break;
		/* Bytes that are not here yet may be long in coming; a doubt about order is not. */
		if (finish || pb->writes.bytes >= r->left)
			r->flags |= finish ? XF_FORCE | XF_ANY : XF_FORCE;
		live = pb->reads.live;
		e = run(m, pb, now_ns);
		if (e)
			err = e;
		if (pb->reads.live != live)
			continue;
		if (!finish)
			break;
		pq_done(&pb->reads, pq_first(&pb->reads));
	}
	return err;
}
