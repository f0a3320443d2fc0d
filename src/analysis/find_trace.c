// SPDX-License-Identifier: BSD-2-Clause
/* What shows over the time of a trace: who is slow, queues that stay full, signals that became one.
 */
#include <errno.h>
#include <string.h>

#include "analysis/analysis.h"
#include "analysis/find.h"
#include "lib/human.h"
#include "model/mech.h"

#define FULL_SHARE  2             /* at least one in so many parts of the time */
#define FULL_MIN_NS 1000000000ull /* a burst may fill it for less */

static bool is_read(const struct chan *c)
{
	list_for_each (ep, &c->endpoints, struct endpoint, in_chan)
		if (ep->role == EP_RECV && ep->messages)
			return true;
	return false;
}

/* Message queues, whose readers are often not those whom a full one keeps waiting. */
int find_full_queue(struct findings *f, const struct model *m, const struct chan *c)
{
	uint64_t ns = chan_full_ns(m, c), span_ns = model_now_ns(m) - model_start_ns(m);
	struct finding *new;
	struct strbuf sb;
	int err = 0;

	if ((c->mech != MECH_POSIX_MQ && c->mech != MECH_SYSV_MSG && c->mech != MECH_UNIX_DGRAM) ||
	    c->folded || ns < FULL_MIN_NS || ns < span_ns / FULL_SHARE || find_has(f, c))
		return 0;
	new = find_add(f, "full-queue", is_read(c) ? SEVERITY_INFO : SEVERITY_WARNING, c);
	if (!new)
		return -ENOMEM;
	list_for_each (ep, &c->endpoints, struct endpoint, in_chan)
		if (!err && ep->role == EP_RECV)
			err = find_prove(new, ep->proc, 0, c, -1);
	strbuf_init(&sb);
	strbuf_printf(&sb, "%s was full for ", c->name);
	human_ns(&sb, ns);
	strbuf_puts(&sb, is_read(c) ? ": its readers are slower than those who send."
				    : ", and nobody was seen to read from it.");
	return find_say(new, &sb) ? -ENOMEM : err;
}

static void add_coalesced(void *arg, const struct fact *fact)
{
	uint64_t *sum = arg;

	if (fact->name && !strcmp(fact->name, "coalesced") && !fact->text)
		*sum += fact->value;
}

/* A standard signal that is pending already is not sent again (signal(7)). */
int find_coalesced_signals(struct findings *f, const struct model *m, const struct chan *c)
{
	struct finding *new;
	struct strbuf sb;
	uint64_t sum = 0;
	int err = 0;

	if (c->mech != MECH_SIGNAL)
		return 0;
	model_facts(m, c, add_coalesced, &sum);
	if (!sum)
		return 0;
	new = find_add(f, "coalesced-signals", SEVERITY_INFO, c);
	if (!new)
		return -ENOMEM;
	list_for_each (ep, &c->endpoints, struct endpoint, in_chan)
		if (!err && ep->role == EP_RECV)
			err = find_prove(new, ep->proc, 0, c, -1);
	strbuf_init(&sb);
	strbuf_printf(&sb,
		      "%llu signal%s to %s came while one of the same number was pending, and "
		      "will not be delivered: who counts them must not count deliveries.",
		      (unsigned long long)sum, sum == 1 ? "" : "s", c->name);
	return find_say(new, &sb) ? -ENOMEM : err;
}

/* The share of a flow's time that its other end waited for p, in permille; 0: p is not the cause.
 */
static unsigned int slowness(const struct model *m, const struct flow *fl, const struct proc *p)
{
	struct verdict v = verdict_of_flow(m, fl);

	if (fl->src.proc == fl->dst.proc)
		return 0;
	if (v.kind == VERDICT_CONSUMER_BOUND && fl->dst.proc == p)
		return v.send_blocked > v.full ? v.send_blocked : v.full;
	return v.kind == VERDICT_PRODUCER_BOUND && fl->src.proc == p ? v.recv_blocked : 0;
}

static int report_slow(struct findings *f, const struct blame_table *t, const struct flow *fl)
{
	struct proc *slow = t->rows[0].proc;
	bool consumer = fl->dst.proc == slow;
	struct proc *other = consumer ? fl->src.proc : fl->dst.proc;
	struct finding *new =
		find_add(f, consumer ? "slow-consumer" : "slow-producer", SEVERITY_INFO, fl->chan);
	struct strbuf sb;

	if (!new || find_prove(new, slow, 0, fl->chan, -1) ||
	    (other && find_prove(new, other, 0, fl->chan, -1)))
		return -ENOMEM;
	strbuf_init(&sb);
	find_put_proc(&sb, slow, 0);
	strbuf_printf(&sb, " keeps %u process%s waiting, ", t->rows[0].waiters,
		      t->rows[0].waiters == 1 ? "" : "es");
	human_ns(&sb, t->rows[0].caused_ns);
	strbuf_printf(&sb,
		      " in all, which shows most where it %s %s: what it does in between "
		      "takes the time.",
		      consumer ? "reads from" : "writes to", fl->chan->name);
	return find_say(new, &sb);
}

/* Whom the others waited for most, and over which channel they felt it most. */
int find_slow(struct findings *f, const struct model *m, const struct blame_table *t)
{
	const struct blame_row *worst = blame_worst(t, m);
	const struct flow *most = NULL;
	unsigned int share, best = 0;

	if (!worst)
		return 0;
	list_for_each (c, model_chans(m), struct chan, in_model) {
		if (!chan_concerns_target(c) || find_has(f, c))
			continue;
		list_for_each (fl, &c->flows, struct flow, in_chan) {
			share = slowness(m, fl, worst->proc);
			if (share > best) {
				best = share;
				most = fl;
			}
		}
	}
	return most ? report_slow(f, t, most) : 0;
}
