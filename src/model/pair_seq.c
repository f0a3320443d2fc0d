// SPDX-License-Identifier: BSD-2-Clause
#include "model/pair_seq.h"

#include <errno.h>

#define SCAN_MAX    512
#define READS_MERGE 1024
#define QUEUE_MAX   65536
#define BYTES_MAX   (64u << 20) /* more than both socket buffers can hold together */
#define STARVED_NS  200000000ull

void pair_seq_init(struct pair_seq *ps, struct chan *c)
{
	ps->chan = c;
}

void pair_seq_fini(struct pair_seq *ps)
{
	pq_fini(&ps->writes);
	pq_fini(&ps->reads);
}

/* The 64-bit position nearest to the last one that has these low bits. */
static uint64_t extend(struct pair_seq *ps, uint32_t seq)
{
	uint64_t pos;

	/* Far from 0, so that a range may begin before the first number seen. */
	if (!ps->last)
		ps->last = (1ull << 40) | seq;
	pos = ps->last + (uint64_t)(int64_t)(int32_t)(seq - (uint32_t)ps->last);
	if (pos > ps->last)
		ps->last = pos;
	return pos;
}

void pair_seq_begin(struct pair_seq *ps, uint32_t seq)
{
	uint64_t pos = extend(ps, seq);

	if (!ps->known || pos < ps->known)
		ps->known = pos;
	if (!ps->w.next)
		ps->w.next = pos;
}

void pair_seq_begin_read(struct pair_seq *ps, uint32_t seq)
{
	if (!ps->r.next)
		ps->r.next = extend(ps, seq);
}

/* Where a transfer of len bytes that returned with the stream at `end` lies. */
static uint64_t claim(struct seq_end *e, uint64_t end, uint32_t len, bool *late)
{
	uint64_t from = end - len;
	unsigned int i;

	if (e->next && from < e->next) {
		for (i = 0; i < e->gap_cnt; i++) {
			if (e->gaps[i].to - e->gaps[i].from < len)
				continue;
			from = e->gaps[i].from;
			e->gaps[i].from += len;
			if (e->gaps[i].from == e->gaps[i].to)
				e->gaps[i] = e->gaps[--e->gap_cnt];
			break;
		}
		*late = true;
	} else if (e->next && from > e->next) {
		if (e->gap_cnt == SEQ_GAPS)
			e->gaps[0] = e->gaps[--e->gap_cnt];
		e->gaps[e->gap_cnt].from = e->next;
		e->gaps[e->gap_cnt++].to = from;
	}
	if (from + len > e->next)
		e->next = from + len;
	return from;
}

/* The pending write that holds the byte at pos, or the first behind it in *behind. */
static struct xfer *covering(const struct pair_seq *ps, uint64_t pos, struct xfer **behind)
{
	uint32_t i;

	*behind = NULL;
	for (i = 0; i < ps->writes.cnt && i < SCAN_MAX; i++) {
		struct xfer *w = pq_at(&ps->writes, i);

		if (w->flags & XF_DONE || w->pos + w->len <= pos)
			continue;
		if (w->pos <= pos)
			return w;
		*behind = w;
		return NULL;
	}
	return NULL;
}

static bool mismatch(const struct xfer *r, const struct xfer *w)
{
	return r->flags & w->flags & OPF_FP && !((r->flags | w->flags) & XF_STARTED) &&
	       (r->len == w->len || (r->len >= 32 && w->len >= 32)) && r->fp != w->fp;
}

/* Two sends of one length that ran together may have taken each other's place. */
static void swap_by_fp(struct pair_seq *ps, const struct xfer *r, struct xfer *w)
{
	uint64_t pos = w->pos;
	uint32_t i;

	for (i = 0; i < ps->writes.cnt && i < SCAN_MAX; i++) {
		struct xfer *o = pq_at(&ps->writes, i), tmp = *o;

		if (o == w || !(o->flags & XF_OVERLAP) || o->flags & (XF_DONE | XF_STARTED) ||
		    o->len != w->len || mismatch(r, o))
			continue;
		*o = *w;
		o->pos = tmp.pos;
		*w = tmp;
		w->pos = pos;
		return;
	}
}

static int take(struct model *m, struct pair_seq *ps, struct xfer *r, struct xfer *w)
{
	uint64_t n = w->pos + w->len - r->pos;
	struct flow *f;
	int err = 0;

	if (w->flags & XF_OVERLAP) {
		if (r->pos == w->pos && mismatch(r, w))
			swap_by_fp(ps, r, w);
		xfer_set_how(w, r->flags & w->flags & OPF_FP && !mismatch(r, w) ? PAIR_SETTLED
										: PAIR_ASSUMED);
	}
	n = n < r->left ? n : r->left;
	r->pos += n;
	r->left -= n;
	r->flags |= XF_STARTED;
	w->flags |= XF_STARTED;
	pq_take(&ps->writes, w, n < w->left ? n : w->left);
	f = flow_get(m, w->ep, NULL, r->ep, NULL);
	if (!f)
		return -ENOMEM;
	f->bytes += n;
	if (!w->left) {
		err = flow_message(m, f, w, r, xfer_how(w));
		pq_done(&ps->writes, w);
	}
	return err;
}

/* Passes over bytes whose send has no record. */
static void skip(struct xfer *r, uint64_t to)
{
	uint64_t n = to - r->pos < r->left ? to - r->pos : r->left;

	r->pos += n;
	r->left -= n;
}

static int feed(struct model *m, struct pair_seq *ps, struct xfer *r, uint64_t now_ns)
{
	bool late = now_ns > r->exit_ns + STARVED_NS || r->flags & XF_FORCE;
	struct xfer *w, *behind;
	int err = 0, e;

	while (r->left) {
		w = covering(ps, r->pos, &behind);
		if (w) {
			e = take(m, ps, r, w);
			if (e)
				err = e;
		} else if (ps->known && r->pos < ps->known) {
			skip(r, ps->known);
		} else if (behind && late) {
			skip(r, behind->pos);
		} else if ((ps->lossy && late) || r->flags & XF_FORCE) {
			skip(r, r->pos + r->left);
		} else {
			break;
		}
	}
	return err;
}

static int run(struct model *m, struct pair_seq *ps, uint64_t now_ns)
{
	struct xfer *r;
	uint64_t before;
	int err = 0, e;

	while ((r = pq_first(&ps->reads))) {
		before = r->left;
		e = feed(m, ps, r, now_ns);
		if (e)
			err = e;
		ps->reads.bytes -= before - r->left;
		if (r->left)
			break;
		pq_done(&ps->reads, r);
	}
	return err;
}

/* Sends that lie before what was received long ago were received unseen. */
static void bound(struct pair_seq *ps, uint64_t now_ns)
{
	struct xfer *w;

	while ((w = pq_first(&ps->writes)) &&
	       (ps->writes.cnt > QUEUE_MAX || ps->writes.bytes > BYTES_MAX + ps->reads.bytes ||
		(w->pos + w->len <= ps->r.next && w->exit_ns + STARVED_NS < now_ns &&
		 !ps->reads.cnt))) {
		ps->chan->unpaired++;
		pq_done(&ps->writes, w);
	}
}

int pair_seq_write(struct model *m, struct pair_seq *ps, const struct xfer *x, bool has_seq,
		   uint32_t seq)
{
	struct xfer item = *x;
	bool late = false;
	int err;

	task_seen(&ps->w.task, x);
	item.pos = claim(
		&ps->w, has_seq ? extend(ps, seq) : (ps->w.next ? ps->w.next : 1ull << 40) + x->len,
		x->len, &late);
	if (late)
		item.flags |= XF_OVERLAP;
	if (several(&ps->w.task))
		pq_mark_overlap(&ps->writes, &item, x->enter_ns);
	if (!ps->known || item.pos < ps->known)
		ps->known = item.pos;
	if (!pq_push(&ps->writes, &item, true))
		return -ENOMEM;
	err = ps->reads.cnt ? run(m, ps, x->exit_ns) : 0;
	bound(ps, x->exit_ns);
	return err;
}

int pair_seq_read(struct model *m, struct pair_seq *ps, const struct xfer *x, bool has_seq,
		  uint32_t seq)
{
	struct xfer item = *x, *last;
	bool late = false;
	int err = 0;

	task_seen(&ps->r.task, x);
	item.pos = claim(
		&ps->r, has_seq ? extend(ps, seq) : (ps->r.next ? ps->r.next : 1ull << 40) + x->len,
		x->len, &late);
	if (!ps->reads.cnt)
		err = feed(m, ps, &item, x->exit_ns);
	if (!item.left)
		return err;
	chan_hold(m, ps->chan);
	last = ps->reads.cnt ? pq_at(&ps->reads, ps->reads.cnt - 1) : NULL;
	if (ps->reads.cnt >= READS_MERGE && last->ep == item.ep &&
	    last->pos + last->left == item.pos) {
		last->left += item.left;
		ps->reads.bytes += item.left;
		last->exit_ns = item.exit_ns;
		return err;
	}
	if (ps->reads.cnt >= QUEUE_MAX)
		pq_done(&ps->reads, pq_first(&ps->reads));
	return pq_push(&ps->reads, &item, true) ? err : -ENOMEM;
}

int pair_seq_settle(struct model *m, struct pair_seq *ps, uint64_t now_ns, bool finish)
{
	if (finish)
		for (uint32_t i = 0; i < ps->reads.cnt; i++)
			pq_at(&ps->reads, i)->flags |= XF_FORCE;
	return run(m, ps, now_ns);
}
