// SPDX-License-Identifier: BSD-2-Clause
/* Shared memory: who maps it, and how they synchronise. */
#include <errno.h>

#include "analysis/shm.h"

#include "lib/human.h"
#include "view/sections.h"

#define NAMED_MAX 4 /* processes named in one cell */
#define SYNCS_MAX 2

static enum style cell_size(struct strbuf *cell, const void *row, const void *arg)
{
	const struct chan *c = row;

	(void)arg;
	if (c->capacity)
		human_bytes(cell, c->capacity);
	else
		strbuf_putc(cell, '-');
	return STYLE_NONE;
}

static enum style cell_mapped_by(struct strbuf *cell, const void *row, const void *arg)
{
	static const char *const rights[] = {"-", "r", "w", "rw"};
	size_t cnt = 0;

	list_for_each (a, model_attaches(row), struct attach, in_chan) {
		if (a->passed || ++cnt > NAMED_MAX)
			continue;
		if (cnt > 1)
			strbuf_puts(cell, ", ");
		view_put_proc(cell, arg, a->ep->proc, 0);
		strbuf_printf(
			cell, " %s",
			rights[(a->now.cnt ? &a->now : &a->most)->can & (MAPF_READ | MAPF_WRITE)]);
	}
	if (cnt > NAMED_MAX)
		strbuf_printf(cell, ", %zu more", cnt - NAMED_MAX);
	return STYLE_NONE;
}

static enum style cell_since(struct strbuf *cell, const void *row, const void *arg)
{
	const struct view *v = arg;
	uint64_t since_ns = ~0ull, start_ns = model_start_ns(v->m);

	list_for_each (a, model_attaches(row), struct attach, in_chan) {
		if (a->before_attach)
			since_ns = 0;
		else if (a->since_ns < since_ns)
			since_ns = a->since_ns;
	}
	if (since_ns <= start_ns)
		strbuf_puts(cell, "before");
	else if (since_ns != ~0ull)
		human_ns(cell, since_ns - start_ns);
	else
		strbuf_putc(cell, '-');
	return STYLE_NONE;
}

static enum style cell_synced_by(struct strbuf *cell, const void *row, const void *arg)
{
	const struct view *v = arg;
	struct shm_users u;

	if (shm_users_init(&u, v->m, row))
		cell->err = -ENOMEM;
	for (size_t i = 0; i < u.sync_cnt && i < SYNCS_MAX; i++) {
		if (i)
			strbuf_puts(cell, ", ");
		view_put_chan(cell, v, u.syncs[i].chan);
	}
	if (u.sync_cnt > SYNCS_MAX)
		strbuf_printf(cell, ", %zu more", u.sync_cnt - SYNCS_MAX);
	if (!u.sync_cnt)
		strbuf_puts(cell, "nothing seen");
	shm_users_fini(&u);
	return STYLE_NONE;
}

int view_shared(const struct view *v)
{
	static const struct column cols[] = {
		{"MECHANISM", ALIGN_LEFT, 0, 0, view_cell_mech},
		{"OBJECT", ALIGN_LEFT, 20, CUT_ADDR, view_cell_chan},
		{"SIZE", ALIGN_RIGHT, 0, 0, cell_size},
		{"SINCE", ALIGN_RIGHT, 0, 0, cell_since},
		{"MAPPED BY", ALIGN_LEFT, 30, CUT_LIST, cell_mapped_by},
		{"SYNCHRONISED BY", ALIGN_LEFT, 30, CUT_LIST, cell_synced_by},
	};
	struct walk w = WALK_INIT;
	size_t kept = 0;
	int err;

	err = walk_chans(&w, v->m);
	for (size_t i = 0; i < w.cnt; i++)
		if (chan_shape(w.v[i]) == SHAPE_MEMORY)
			w.v[kept++] = w.v[i];
	w.cnt = kept;
	if (!err)
		err = view_table(v,
				 "SHARED MEMORY: what goes through it makes no system call, "
				 "so bytes are not observable",
				 "objects", cols, sizeof(cols) / sizeof(cols[0]), &w);
	walk_fini(&w);
	return err;
}
