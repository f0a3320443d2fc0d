// SPDX-License-Identifier: BSD-2-Clause
/*
 * Blocked time as folded stacks, for flame graphs: "process;channel (send);peer ns", the
 * peer being who ended the sleep. What is still blocked at the end has those who could end it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analysis.h"
#include "export/format.h"
#include "export/walk.h"
#include "lib/human.h"
#include "lib/vec.h"
#include "model/mech.h"

#define PEERS_MAX 8

struct stack {
	char *text;
	uint64_t ns;
};

struct folded {
	struct hmap by_key;  /* index in stacks + 1 */
	struct hmap threads; /* tid -> struct who: those that made a call */
	struct stack *stacks;
	size_t cnt, cap;
	struct strbuf text;
};

struct who {
	uint32_t pid;
	char comm[IPCSPY_COMM_LEN + 1];
};

static uint64_t hash_text(const char *s)
{
	uint64_t h = 0;

	for (; *s; s++)
		h = hmap_mix(h, (unsigned char)*s);
	return h;
}

/* A frame ends at ';', a stack at the last blank; escaping takes care of the rest. */
static void put_frame(struct strbuf *sb, const char *s)
{
	size_t run;

	for (; *s; s += run) {
		run = strcspn(s, ";");
		strbuf_put_escaped(sb, s, run);
		if (s[run]) {
			strbuf_puts(sb, "\\x3b");
			run++;
		}
	}
}

static void put_who(struct strbuf *sb, const char *comm, uint32_t pid)
{
	put_frame(sb, comm);
	human_task(sb, pid, 0);
}

/* Adds ns to the stack of this text; the texts are as many as process, channel, peer. */
static int add(struct folded *f, uint64_t ns)
{
	uint64_t key = hash_text(f->text.s);
	struct stack *s;
	size_t i;
	int err;

	if (f->text.err)
		return f->text.err;
	while ((i = (size_t)hmap_get(&f->by_key, key))) {
		s = &f->stacks[i - 1];
		if (!strcmp(s->text, f->text.s)) {
			s->ns += ns;
			return 0;
		}
		key++;
	}
	err = vec_room((void **)&f->stacks, &f->cap, f->cnt, sizeof(*f->stacks));
	if (err)
		return err;
	s = &f->stacks[f->cnt];
	*s = (struct stack){.text = strdup(f->text.s), .ns = ns};
	if (!s->text)
		return -ENOMEM;
	return hmap_put(&f->by_key, key, (void *)++f->cnt);
}

/* The frames of who waits, and on what. */
static void begin_stack(struct folded *f, const struct proc *p, const struct chan *c,
			enum ipcspy_op op)
{
	strbuf_reset(&f->text);
	put_who(&f->text, p->comm, p->pid);
	strbuf_putc(&f->text, ';');
	put_frame(&f->text, c->name);
	strbuf_printf(&f->text, " (%s);", op_name(op));
}

static int note_thread(struct folded *f, const struct operation *op)
{
	uint32_t tid = op->ev->hdr.tid;
	struct who *w = hmap_get(&f->threads, tid);

	if (!w) {
		w = calloc(1, sizeof(*w));
		if (!w || hmap_put(&f->threads, tid, w)) {
			free(w);
			return -ENOMEM;
		}
	}
	w->pid = op->proc->pid;
	memcpy(w->comm, op->proc->comm, sizeof(w->comm));
	return 0;
}

static int folded_begin(struct exporter *x)
{
	struct folded *f = x->state;

	hmap_init(&f->by_key);
	hmap_init(&f->threads);
	strbuf_init(&f->text);
	return 0;
}

/* As blocked in the report's endpoints. */
static bool counts(const struct operation *op)
{
	const struct ev_op *ev = op->ev;

	return op->chan && ev->blocked_ns && !(ev->hdr.flags & OPF_ERRQUEUE) &&
	       (ev->op == OP_SEND || ev->op == OP_RECV);
}

static int folded_op(struct exporter *x, const struct operation *op)
{
	struct folded *f = x->state;
	const struct who *waker;
	int err = note_thread(f, op);

	if (err || !counts(op))
		return err;
	begin_stack(f, op->proc, op->chan, op->ev->op);
	waker = op->ev->waker_tid ? hmap_get(&f->threads, op->ev->waker_tid) : NULL;
	if (waker)
		put_who(&f->text, waker->comm, waker->pid);
	else
		strbuf_putc(&f->text, '?');
	return add(f, op->ev->blocked_ns);
}

static int add_inflight(struct folded *f, const struct inflight *i)
{
	struct proc *peers[PEERS_MAX];
	size_t cnt;

	if (!i->chan || (i->op != OP_SEND && i->op != OP_RECV))
		return 0;
	cnt = waits_for(i, peers, PEERS_MAX);
	begin_stack(f, i->proc, i->chan, i->op);
	for (size_t k = 0; k < cnt && k < PEERS_MAX; k++) {
		if (k)
			strbuf_putc(&f->text, ',');
		put_who(&f->text, peers[k]->comm, peers[k]->pid);
	}
	if (!cnt)
		strbuf_puts(&f->text, "nobody");
	return add(f, i->blocked_ns);
}

static int folded_end(struct exporter *x, const struct model *m)
{
	struct folded *f = x->state;
	struct walk blocked = WALK_INIT;
	int err = walk_blocked(&blocked, m);

	for (size_t i = 0; !err && i < blocked.cnt; i++)
		err = add_inflight(f, blocked.v[i]);
	walk_fini(&blocked);
	for (size_t i = 0; !err && i < f->cnt; i++) {
		strbuf_puts(sink_buf(x->out), f->stacks[i].text);
		strbuf_putc(sink_buf(x->out), ' ');
		strbuf_put_u64(sink_buf(x->out), f->stacks[i].ns);
		strbuf_putc(sink_buf(x->out), '\n');
		err = sink_spill(x->out);
	}
	return err;
}

static void folded_fini(struct exporter *x)
{
	struct folded *f = x->state;

	for (size_t i = 0; i < f->cnt; i++)
		free(f->stacks[i].text);
	hmap_for_each (slot, &f->threads)
		free(slot->val);
	free(f->stacks);
	hmap_fini(&f->threads);
	hmap_fini(&f->by_key);
	strbuf_fini(&f->text);
}

const struct export_format format_folded = {
	.name = "folded",
	.summary = "blocked time, for flame graphs",
	.state_size = sizeof(struct folded),
	.begin = folded_begin,
	.op = folded_op,
	.end = folded_end,
	.fini = folded_fini,
};
