// SPDX-License-Identifier: BSD-2-Clause
/* What stays in memory although nobody uses it any more. */
#include <errno.h>
#include <string.h>

#include "analysis/find.h"
#include "lib/human.h"

#define TOLD_MAX 64 /* of one mechanism, each by itself */

static const struct {
	enum ipcspy_mech mech;
	const char *frees; /* before the name or id */
	bool by_id;
	const char *where;
} ways[] = {
	{MECH_SYSV_MSG, "ipcrm -q ", true, ""},
	{MECH_SYSV_SEM, "ipcrm -s ", true, ""},
	{MECH_SYSV_SHM, "ipcrm -m ", true, ""},
	{MECH_POSIX_MQ, "rm /dev/mqueue", false, " (where that is mounted)"},
	{MECH_SHM, "rm ", false, ""},
};

/* To be typed into a shell as it is. */
static bool is_plain(const char *name)
{
	return !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				  "/._-+@:,%")];
}

static void put_way(struct strbuf *sb, const struct ipc *ipc)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (ways[i].mech != ipc->mech)
			continue;
		if (ways[i].by_id)
			strbuf_printf(sb, "`%s%d` frees it", ways[i].frees, ipc->id);
		else if (is_plain(ipc->name))
			strbuf_printf(sb, "`%s%s`%s frees it", ways[i].frees, ipc->name,
				      ways[i].where);
		else
			strbuf_puts(sb, "to remove it frees it");
	}
}

static void put_cost(struct strbuf *sb, const struct ipc *ipc)
{
	if (ipc->mech == MECH_SYSV_MSG || ipc->mech == MECH_POSIX_MQ)
		strbuf_printf(sb, "%llu message%s, ", (unsigned long long)ipc->messages,
			      ipc->messages == 1 ? "" : "s");
	if (ipc->mech == MECH_SYSV_SEM)
		strbuf_puts(sb, "one of the machine's sets");
	else
		human_bytes(sb, ipc->bytes);
}

static int report_orphan(struct findings *f, const struct ipc *ipc)
{
	struct finding *new = find_add(f, "orphaned-ipc", SEVERITY_INFO, NULL);
	struct strbuf sb;

	if (!new)
		return -ENOMEM;
	new->object = ipc;
	strbuf_init(&sb);
	strbuf_printf(&sb, "%s stays although no process uses it", ipc->name);
	if (ipc->last_pid)
		strbuf_printf(&sb, ", the last that did was %u", ipc->last_pid);
	strbuf_puts(&sb, ", and keeps ");
	put_cost(&sb, ipc);
	strbuf_puts(&sb, ": if nobody is to come back to it, ");
	put_way(&sb, ipc);
	strbuf_putc(&sb, '.');
	return find_say(new, &sb);
}

/* Nobody has a queue or a set of semaphores; whoever waits at it uses it, even so. */
static bool is_waited_at(const struct graph *g, const struct ipc *ipc)
{
	for (size_t i = 0; i < g->wait_cnt; i++) {
		const struct chan *c = g->waits[i].chan;

		if (c && c->mech == ipc->mech && !strcmp(c->name, ipc->name))
			return true;
	}
	return false;
}

static int report_rest(struct findings *f, size_t cnt, uint64_t bytes)
{
	struct finding *new = find_add(f, "orphaned-ipc", SEVERITY_INFO, NULL);
	struct strbuf sb;

	if (!new)
		return -ENOMEM;
	strbuf_init(&sb);
	strbuf_printf(&sb,
		      "%zu more queues, segments, semaphores and files stay although no "
		      "process uses them, and keep ",
		      cnt);
	human_bytes(&sb, bytes);
	strbuf_puts(&sb,
		    ": ipcs(1) and the directories /dev/shm and /dev/mqueue have all of them.");
	return find_say(new, &sb);
}

static bool is_orphan(const struct graph *g, const struct ipc *ipc)
{
	return !ipc->users && !is_waited_at(g, ipc);
}

int find_orphans(struct findings *f, const struct graph *g)
{
	size_t told[MECH_MAX] = {0}, rest = 0;
	uint64_t bytes = 0;
	int err = 0;

	list_for_each (ipc, model_ipcs(g->m), struct ipc, in_model) {
		if (err || !is_orphan(g, ipc))
			continue;
		if (told[ipc->mech]++ < TOLD_MAX) {
			err = report_orphan(f, ipc);
			continue;
		}
		bytes += ipc->bytes;
		rest++;
	}
	return err || !rest ? err : report_rest(f, rest, bytes);
}
