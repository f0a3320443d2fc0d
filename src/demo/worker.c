/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int worker_init(struct worker *w, struct demo_run *run, unsigned int idx)
{
	*w = (struct worker){.run = run, .proc = &run->procs[idx], .idx = idx};
	w->delay_ns = run->opts.receiver_delay_ns;
	w->out = malloc(run->spec.size);
	w->class_cnt = run->opts.priorities > 1 ? run->opts.priorities : 1;
	if (run->opts.types > w->class_cnt)
		w->class_cnt = run->opts.types;
	w->next_seq = calloc(run->lane_cnt * w->class_cnt, sizeof(*w->next_seq));
	meter_init(&w->meter);
	w->proc->exact = meter_exact(&w->meter);
	if (w->out && w->next_seq)
		return 0;
	worker_fini(w);
	return run_fail_errno(run, -ENOMEM, "set-up");
}

void worker_fini(struct worker *w)
{
	meter_fini(&w->meter);
	free(w->out);
	free(w->next_seq);
}

int worker_start(struct worker *w)
{
	if (w->proc->sends)
		msg_fill(&w->run->spec, w->idx, w->out);
	run_gate(w->run);
	w->first_send_ns = w->run->board->go_ns + w->run->opts.sender_delay_ns;
	meter_skip(&w->meter);
	return 0;
}

void worker_sleep_until(struct worker *w, uint64_t when_ns)
{
	if (when_ns <= demo_now_ns())
		return;
	run_sleep_until(when_ns);
	meter_skip(&w->meter);
}

void worker_pace(struct worker *w, uint64_t seq)
{
	uint64_t rate = w->run->opts.rate;
	uint64_t due_ns = w->first_send_ns;

	if (rate)
		due_ns += seq / rate * DEMO_NS_PER_S + seq % rate * DEMO_NS_PER_S / rate;
	else if (seq)
		return;
	worker_sleep_until(w, due_ns);
}

uint64_t worker_called(struct worker *w, struct demo_side *s, uint64_t start_ns, uint64_t end_ns)
{
	uint64_t slept_ns = meter_call(&w->meter, end_ns - start_ns);

	s->calls++;
	s->blocked_ns += slept_ns;
	s->blocked_cnt += slept_ns > 0;
	if (end_ns - start_ns > s->longest_ns)
		s->longest_ns = end_ns - start_ns;
	return slept_ns;
}

/*
 * From the start of a send to the start of the receive that made room, 0 when
 * none began meanwhile. A receiver without delay may have made several receives
 * before the sender got a CPU, so there the first one counts, which is known
 * while the channel is held; a receiver that sleeps in between has begun just
 * one more: the latest.
 */
static uint64_t planned_send(const struct worker *w, const struct demo_chan *c, uint64_t start_ns,
			     uint64_t end_ns)
{
	const struct demo_opts *o = &w->run->opts;
	uint64_t recv_ns = 0;

	if (w->delay_ns)
		recv_ns = atomic_load_explicit(&c->last_recv_ns, memory_order_relaxed);
	else if (o->hold_ns)
		recv_ns = atomic_load_explicit(&c->first_recv_ns, memory_order_relaxed);
	return recv_ns > start_ns && recv_ns <= end_ns ? recv_ns - start_ns : 0;
}

static struct demo_sample *sample_of(struct demo_run *run, uint32_t lane, uint64_t seq)
{
	return seq < run->lane_samples ? &run->samples[lane * run->lane_samples + seq] : NULL;
}

static const char *port_name(const struct port *p)
{
	return p->chan ? p->chan->mechanism : "socket";
}

int worker_send(struct worker *w, struct port *p, uint64_t seq)
{
	struct demo_side *s = &w->proc->send;
	uint64_t start_ns, end_ns, call_ns, slept_ns = 0;
	struct demo_sample *sample = sample_of(w->run, w->idx, seq);
	size_t len, at = 0;
	ssize_t n;

	len = w->out_len = msg_seal(&w->run->spec, w->idx, seq, w->out, w->out_len);
	if (p->ops->admit)
		p->ops->admit(w, p, len);
	start_ns = demo_now_ns();
	msg_stamp(w->out, start_ns);
	for (; at < len; start_ns = end_ns) {
		atomic_store_explicit(&s->call_since_ns, start_ns, memory_order_relaxed);
		n = p->ops->send(p, w->out + at, len - at);
		end_ns = demo_now_ns();
		if (n <= 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return run_fail(w->run, -EIO, "sending to a %s: %s", port_name(p),
					n ? strerror(errno) : "nothing was taken");
		call_ns = worker_called(w, s, start_ns, end_ns);
		slept_ns += call_ns;
		/* A receive may also begin while the sender merely lost its CPU. */
		if (call_ns)
			s->planned_ns += planned_send(w, p->chan, start_ns, end_ns);
		at += (size_t)n;
	}
	atomic_store_explicit(&s->call_since_ns, 0, memory_order_relaxed);
	if (sample && slept_ns)
		sample->blocked_ns = slept_ns;
	s->bytes += p->ops->bodiless ? 0 : len;
	atomic_fetch_add_explicit(&s->messages, 1, memory_order_relaxed);
	return 0;
}

int worker_port_init(struct worker *w, struct port *p)
{
	size_t chunk = p->ops->stream ? w->run->opts.chunk : 0;

	p->have = 0;
	p->done = false;
	/* One byte more, so that a datagram longer than the longest message is noticed. */
	p->buf = malloc(w->run->spec.size + chunk + 1);
	return p->buf ? 0 : run_fail_errno(w->run, -ENOMEM, "set-up");
}

void worker_port_fini(struct port *p)
{
	free(p->buf);
	p->buf = NULL;
}

/* How much to ask for: a whole message, or as much of one as is known to belong to it. */
static size_t want(const struct worker *w, const struct port *p)
{
	const struct msg_spec *spec = &w->run->spec;
	struct msg_header h;

	if (!p->ops->stream)
		return spec->size + 1;
	if (w->run->opts.chunk)
		return w->run->opts.chunk;
	if (!spec->vary)
		return spec->size - p->have;
	if (p->have < MSG_HEADER_LEN)
		return MSG_HEADER_LEN - p->have;
	memcpy(&h, p->buf, sizeof(h));
	return h.len - p->have;
}

/* Verifies the message at the start of p->buf and puts it on the board. */
static int take_message(struct worker *w, struct port *p, const struct msg_header *h,
			uint64_t got_ns)
{
	struct demo_run *run = w->run;
	const char *wrong = msg_check(&run->spec, p->buf, h->len);
	struct demo_sample *sample;
	uint64_t *next_seq;
	int flow;

	if (wrong)
		return run_fail(run, -EBADMSG, "a message received from a %s %s", port_name(p),
				wrong);
	if (h->lane >= run->lane_cnt || (flow = w->flow_of[h->lane]) < 0)
		return run_fail(run, -EBADMSG, "sender %" PRIu32 " does not send here", h->lane);
	next_seq = &w->next_seq[h->lane * w->class_cnt];
	if (w->class_of)
		next_seq += w->class_of(run, h->seq);
	if (h->seq < *next_seq)
		return run_fail(run, -EBADMSG,
				"message %" PRIu64 " of sender %" PRIu32
				" came after number %" PRIu64,
				h->seq, h->lane, *next_seq - 1);
	*next_seq = h->seq + 1;
	sample = sample_of(run, h->lane, h->seq);
	if (sample && sample->flow_plus_1)
		return run_fail(run, -EBADMSG,
				"message %" PRIu64 " of sender %" PRIu32 " came twice", h->seq,
				h->lane);
	if (sample) {
		sample->since_send_ns = got_ns - h->stamp_ns;
		sample->flow_plus_1 = (uint32_t)flow + 1;
	}
	run->flows[flow].messages++;
	if (!p->ops->bodiless) {
		run->flows[flow].bytes += h->len;
		w->proc->recv.bytes += h->len;
	}
	atomic_fetch_add_explicit(&w->proc->recv.messages, 1, memory_order_relaxed);
	if (p->ops->taken)
		p->ops->taken(p, h->len);
	if (w->delay_ns)
		worker_sleep_until(w, demo_now_ns() + w->delay_ns);
	return 0;
}

/*
 * Takes all messages that p->buf holds whole. start_ns: of the call that brought the last;
 * got_ns: when they were there.
 */
static int take_all(struct worker *w, struct port *p, uint64_t start_ns, uint64_t got_ns)
{
	const struct msg_spec *spec = &w->run->spec;
	struct msg_header h;
	bool first = true;
	int err;

	while (p->have >= MSG_HEADER_LEN) {
		memcpy(&h, p->buf, sizeof(h));
		/* Before its length is believed: it decides how much is read into the buffer. */
		if (h.len < MSG_HEADER_LEN || h.len > spec->size ||
		    (!p->ops->stream && h.len != p->have))
			return run_fail(w->run, -EBADMSG,
					"a message received from a %s has a wrong length",
					port_name(p));
		if (p->have < h.len)
			break;
		if (first && h.stamp_ns > start_ns)
			w->proc->recv.planned_ns += h.stamp_ns - start_ns;
		first = false;
		err = take_message(w, p, &h, got_ns);
		if (err)
			return err;
		p->have -= h.len;
		memmove(p->buf, p->buf + h.len, p->have);
	}
	return 0;
}

static void note_recv_start(struct demo_chan *c, uint64_t start_ns)
{
	uint64_t none = 0;

	if (!atomic_load_explicit(&c->first_recv_ns, memory_order_relaxed))
		atomic_compare_exchange_strong(&c->first_recv_ns, &none, start_ns);
	atomic_store_explicit(&c->last_recv_ns, start_ns, memory_order_relaxed);
}

int worker_recv(struct worker *w, struct port *p)
{
	struct demo_side *s = &w->proc->recv;
	uint64_t start_ns, end_ns;
	size_t len = want(w, p);
	ssize_t n;

	start_ns = demo_now_ns();
	note_recv_start(p->chan, start_ns);
	atomic_store_explicit(&s->call_since_ns, start_ns, memory_order_relaxed);
	n = p->ops->recv(p, p->buf + p->have, len);
	end_ns = demo_now_ns();
	atomic_store_explicit(&s->call_since_ns, 0, memory_order_relaxed);
	if (n < 0 && errno == EINTR) {
		p->done = atomic_load(&w->run->board->stop);
		return 0;
	}
	if (n < 0)
		return run_fail(w->run, -EIO, "receiving from a %s: %s", port_name(p),
				strerror(errno));
	worker_called(w, s, start_ns, end_ns);
	if (!n) {
		p->done = true;
		return p->have ? run_fail(w->run, -EBADMSG, "a %s ended inside a message",
					  port_name(p))
			       : 0;
	}
	p->have += (size_t)n;
	if (!p->ops->stream && p->have < MSG_HEADER_LEN)
		return run_fail(w->run, -EBADMSG, "a message received from a %s is too short",
				port_name(p));
	return take_all(w, p, start_ns, p->got_ns ? p->got_ns : end_ns);
}
