// SPDX-License-Identifier: BSD-2-Clause
/* What shows over the time of a trace: queues that stay full, signals that became one. */
#include <errno.h>
#include <string.h>

#include "analysis/find.h"
#include "lib/human.h"
#include "model/mech.h"

#define FULL_SHARE  2             /* at least one in so many parts of the time */
#define FULL_MIN_NS 1000000000ull /* a burst may fill it for less */

static uint64_t full_ns(const struct model *m, const struct chan *c)
{
	uint64_t since = c->backlog.full_since_ns, now_ns = model_now_ns(m);

	return c->backlog.full_ns + (since && now_ns > since ? now_ns - since : 0);
}

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
	uint64_t ns = full_ns(m, c), span_ns = model_now_ns(m) - model_start_ns(m);
	struct finding *new;
	struct strbuf sb;
	int err = 0;

	if (c->folded || find_has(f, c) || ns < FULL_MIN_NS || ns < span_ns / FULL_SHARE ||
	    (c->mech != MECH_POSIX_MQ && c->mech != MECH_SYSV_MSG && c->mech != MECH_UNIX_DGRAM))
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
