// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/findings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analysis.h"
#include "analysis/find.h"
#include "lib/human.h"
#include "lib/vec.h"
#include "model/mech.h"

const char *severity_name(enum severity s)
{
	static const char *const names[] = {"info", "warning", "critical"};

	return (unsigned int)s < sizeof(names) / sizeof(names[0]) ? names[s] : "?";
}

struct finding *find_add(struct findings *f, const char *kind, enum severity severity,
			 const struct chan *c)
{
	if (vec_room((void **)&f->v, &f->cap, f->cnt, sizeof(*f->v)) ||
	    (c && hmap_put(&f->chans, (uintptr_t)c, f)))
		return NULL;
	f->v[f->cnt] = (struct finding){.kind = kind, .severity = severity, .chan = c};
	return &f->v[f->cnt++];
}

int find_prove(struct finding *f, struct proc *p, uint32_t tid, const struct chan *c, int fd)
{
	if (vec_room((void **)&f->proofs, &f->proof_cap, f->proof_cnt, sizeof(*f->proofs)))
		return -ENOMEM;
	f->proofs[f->proof_cnt++] = (struct proof){p, tid, c, fd};
	return 0;
}

int find_say(struct finding *f, struct strbuf *sb)
{
	if (sb->err) {
		strbuf_fini(sb);
		return -ENOMEM;
	}
	free(f->text);
	f->text = sb->s;
	return 0;
}

void find_put_proc(struct strbuf *sb, const struct proc *p, uint32_t tid)
{
	strbuf_puts(sb, p->comm);
	human_task(sb, p->pid, tid);
}

void find_put_chan(struct strbuf *sb, const struct chan *c)
{
	const char *mech = mech_name(c->mech);
	size_t len = strlen(mech);

	if (strncmp(c->name, mech, len) || c->name[len] != ':')
		strbuf_printf(sb, "%s ", mech);
	strbuf_puts(sb, c->name);
}

/* What is stuck comes first. */
static int (*const by_moment[])(struct findings *f, const struct graph *g) = {
	find_knots, find_stopped, find_one_sided, find_unopened, find_lost_wakeups, find_orphans,
};

static int (*const by_chan[])(struct findings *f, const struct model *m, const struct chan *c) = {
	find_full_queue,
	find_unsynchronised_shm,
	find_coalesced_signals,
};

bool find_has(const struct findings *f, const struct chan *c)
{
	return hmap_get(&f->chans, (uintptr_t)c);
}

static int find_moment(struct findings *f, const struct model *m)
{
	struct graph g;
	int err = graph_build(&g, m);

	for (size_t i = 0; !err && i < sizeof(by_moment) / sizeof(by_moment[0]); i++)
		err = by_moment[i](f, &g);
	graph_fini(&g);
	return err;
}

int findings_init_moment(struct findings *f, const struct model *m)
{
	*f = (struct findings){0};
	return find_moment(f, m);
}

static int find_blamed(struct findings *f, const struct model *m, struct blame *blame)
{
	struct blame_table t;
	int err = blame_table_init(&t, blame, m);

	if (!err)
		err = find_slow(f, m, &t);
	blame_table_fini(&t);
	return err;
}

int findings_init(struct findings *f, const struct model *m, struct blame *blame)
{
	int err = findings_init_moment(f, m);

	if (!err)
		err = find_blamed(f, m, blame);
	for (size_t i = 0; i < sizeof(by_chan) / sizeof(by_chan[0]); i++) {
		list_for_each (c, model_chans(m), struct chan, in_model)
			if (!err && chan_concerns_target(c))
				err = by_chan[i](f, m, c);
	}
	return err;
}

void findings_fini(struct findings *f)
{
	for (size_t i = 0; i < f->cnt; i++) {
		free(f->v[i].proofs);
		free(f->v[i].text);
	}
	free(f->v);
	hmap_fini(&f->chans);
	*f = (struct findings){0};
}
