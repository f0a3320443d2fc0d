// SPDX-License-Identifier: BSD-2-Clause
#include "model/pair_loose.h"

#include <errno.h>

#define WRITES_MAX 4096 /* more than a terminal holds bytes, but for the smallest */
#define READS_MAX  64
#define AT_ONCE    2048         /* tty_write() puts no more in at a time */
#define LATE_NS    200000000ull /* a read waits so long for the record of a write */

void pair_loose_init(struct pair_loose *pl, struct chan *c)
{
	pl->chan = c;
}

void pair_loose_fini(struct pair_loose *pl)
{
	pq_fini(&pl->writes);
	pq_fini(&pl->reads);
}

void pair_loose_begin(struct pair_loose *pl, uint64_t bytes, uint64_t at_ns)
{
	pl->nameless = bytes;
	pl->begin_ns = at_ns;
}

/* r got n bytes of w; with all, it is the read that w's message ended in. */
static int give(struct model *m, struct pair_loose *pl, const struct xfer *r, struct xfer *w,
		uint64_t n, bool all)
{
	struct flow *f = flow_get(m, w->ep, NULL, r->ep, NULL);
	int err = f ? 0 : -ENOMEM;

	if (f)
		f->bytes += n;
	if (f && all)
		err = flow_message(m, f, w, r, PAIR_ASSUMED);
	pq_take(&pl->writes, w, n);
	if (all)
		pq_done(&pl->writes, w);
	return err;
}

/*
 * Was w in the stream when the last read left nothing in it? While both were under
 * way, bytes tell, unless some were erased; then that a reader of lines does not
 * return before the line is whole.
 */
static bool was_in(const struct pair_loose *pl, const struct xfer *w)
{
	return w->exit_ns <= pl->empty.exit_ns ||
	       (pl->lines && pl->erased && w->enter_ns < pl->empty.exit_ns && w->len <= AT_ONCE);
}

/* As many bytes as both have left. */
static int feed(struct model *m, struct pair_loose *pl, struct xfer *r, struct xfer *w)
{
	uint64_t n = r->left < w->left ? r->left : w->left;

	r->left -= n;
	return give(m, pl, r, w, n, n == w->left);
}

static void give_up(struct pair_loose *pl, struct xfer *r)
{
	pl->added += r->left;
	pq_done(&pl->reads, r);
}

/* Reads that returned before w was called have nothing of it, nor of any later one. */
static void give_up_before(struct pair_loose *pl, const struct xfer *w)
{
	struct xfer *r;

	while ((r = pq_first(&pl->reads)) && r->exit_ns <= w->enter_ns)
		give_up(pl, r);
}

int pair_loose_write(struct model *m, struct pair_loose *pl, const struct xfer *x)
{
	struct xfer *w, *r;
	bool whole = false;
	int err = 0, e;

	if (x->exit_ns <= pl->begin_ns)
		return 0;
	w = pq_push(&pl->writes, x, false);
	if (!w)
		return -ENOMEM;
	give_up_before(pl, w);
	while (!whole && (r = pq_first(&pl->reads)) && r->exit_ns > w->enter_ns) {
		uint64_t n = r->left < w->left ? r->left : w->left;

		whole = n == w->left;
		pl->reads.bytes -= n;
		e = feed(m, pl, r, w);
		if (e)
			err = e;
		if (!r->left)
			pq_done(&pl->reads, r);
	}
	/* its record is late: that read took it, whatever it became */
	if (!whole && pl->empty.ep && was_in(pl, w)) {
		e = give(m, pl, &pl->empty, w, w->left, true);
		if (e)
			err = e;
	}
	while (pl->writes.cnt > WRITES_MAX) {
		pl->chan->unpaired++;
		pq_done(&pl->writes, pq_first(&pl->writes));
	}
	return err;
}

/* All that was written before r returned is gone from the stream. */
static int drained(struct model *m, struct pair_loose *pl, const struct xfer *r)
{
	struct xfer *w;
	int err = 0;

	pl->nameless = 0;
	pl->empty = *r;
	w = pq_first(&pl->writes);
	pl->erased = w && w->exit_ns <= r->exit_ns;
	while ((w = pq_first(&pl->writes)) && was_in(pl, w))
		if (give(m, pl, r, w, w->left, true))
			err = -ENOMEM;
	return err;
}

int pair_loose_read(struct model *m, struct pair_loose *pl, const struct xfer *x)
{
	struct xfer r = *x, *w;
	uint64_t n;
	int err = 0;

	if (x->exit_ns <= pl->begin_ns)
		return 0;
	n = r.left < pl->nameless ? r.left : pl->nameless;
	pl->nameless -= n;
	r.left -= n;
	while (r.left && (w = pq_first(&pl->writes)) && w->enter_ns < r.exit_ns)
		if (feed(m, pl, &r, w))
			err = -ENOMEM;
	if (r.flags & OPF_EMPTY && drained(m, pl, &r))
		err = -ENOMEM;
	if (!r.left)
		return err;
	chan_hold(m, pl->chan);
	if (pl->reads.cnt >= READS_MAX)
		give_up(pl, pq_first(&pl->reads));
	return pq_push(&pl->reads, &r, false) ? err : -ENOMEM;
}

void pair_loose_settle(struct pair_loose *pl, uint64_t now_ns, bool finish)
{
	struct xfer *r;

	while ((r = pq_first(&pl->reads)) && (finish || r->exit_ns + LATE_NS < now_ns))
		give_up(pl, r);
}

void pair_loose_replace(struct pair_loose *pl, const struct endpoint *from, struct endpoint *to)
{
	pq_replace(&pl->writes, from, to);
	pq_replace(&pl->reads, from, to);
	if (pl->empty.ep == from)
		pl->empty.ep = to;
}
