// SPDX-License-Identifier: BSD-2-Clause
#include "export/messages.h"

#include <string.h>

#include "export/json.h"
#include "export/walk.h"
#include "lib/human.h"
#include "lib/utf8.h"
#include "model/mech.h"

struct line {
	const struct message *msg;
	uint64_t start_ns;
	bool ascii;
};

/* What a column holds: a number or a string. */
struct value {
	uint64_t u64; /* T_BYTES: how many */
	const char *str;
};

enum type {
	T_U64,
	T_NS,   /* nanoseconds; text: microseconds */
	T_TIME, /* nanoseconds; text: seconds */
	T_STR,
	T_PARTY, /* text only: "comm[pid]" or the address */
	T_NAME,  /* text only: of the channel, and what the message is */
	T_BYTES, /* of the message; in base64 */
};

/* Whether this message has such a field. */
enum presence { ABSENT, UNKNOWN /* it has, but nobody saw its value */, PRESENT };

struct message_column {
	const char *key; /* with the JSON around it; NULL: not in JSON */
	unsigned int key_len;
	const char *title; /* NULL: not in text */
	enum type type;
	unsigned int width; /* text; the last column is as wide as it is */
	enum presence (*get)(const struct line *l, struct value *v);
	const struct party *(*party)(const struct message *msg);
};

static const struct party *src(const struct message *msg)
{
	return msg->src;
}

static const struct party *dst(const struct message *msg)
{
	return msg->dst;
}

#define GET_U64(name, expr)                                                    \
	static enum presence get_##name(const struct line *l, struct value *v) \
	{                                                                      \
		v->u64 = (expr);                                               \
		return PRESENT;                                                \
	}
#define GET_STR(name, expr)                                                    \
	static enum presence get_##name(const struct line *l, struct value *v) \
	{                                                                      \
		v->str = (expr);                                               \
		return PRESENT;                                                \
	}
#define GET_PARTY(end)                                                                  \
	static enum presence get_##end##_pid(const struct line *l, struct value *v)     \
	{                                                                               \
		v->u64 = party_pid(l->msg->end);                                        \
		return is_remote(l->msg->end) ? ABSENT : PRESENT;                       \
	}                                                                               \
	static enum presence get_##end##_tid(const struct line *l, struct value *v)     \
	{                                                                               \
		v->u64 = l->msg->end##_tid;                                             \
		return is_remote(l->msg->end) ? ABSENT : PRESENT;                       \
	}                                                                               \
	static enum presence get_##end##_comm(const struct line *l, struct value *v)    \
	{                                                                               \
		v->str = party_comm(l->msg->end);                                       \
		return is_remote(l->msg->end) ? ABSENT : PRESENT;                       \
	}                                                                               \
	static enum presence get_##end##_addr(const struct line *l, struct value *v)    \
	{                                                                               \
		v->str = l->msg->end->addr;                                             \
		return is_remote(l->msg->end) && !l->msg->end->here ? PRESENT : ABSENT; \
	}

/* A remote end has an address in place of pid, tid and comm. */
static bool is_remote(const struct party *p)
{
	return !p->proc && p->addr;
}

GET_U64(time, l->msg->recv_ns > l->start_ns ? l->msg->recv_ns - l->start_ns : 0)
GET_STR(mechanism, mech_name(l->msg->chan->mech))
GET_U64(channel, l->msg->chan->id)
GET_STR(name, l->msg->chan->name)
/* Who is here, and no process, has a kind. */
static enum presence get_src_kind(const struct line *l, struct value *v)
{
	v->str = l->msg->src->addr;
	return l->msg->src->here ? PRESENT : ABSENT;
}

/* What the message is, where its mechanism has names for that. */
static enum presence get_what(const struct line *l, struct value *v)
{
	v->str = l->msg->what;
	return l->msg->what ? PRESENT : ABSENT;
}

GET_PARTY(src)
GET_PARTY(dst)
GET_U64(bytes, l->msg->bytes)
GET_U64(send_blocked, l->msg->send_blocked_ns)
GET_U64(recv_blocked, l->msg->recv_blocked_ns)
GET_U64(backlog, l->msg->backlog)

/* Only who saw both ends knows how long it took. */
static enum presence get_latency(const struct line *l, struct value *v)
{
	v->u64 = l->msg->latency_ns;
	return l->msg->timed ? PRESENT : UNKNOWN;
}

static enum presence payload_presence(const struct line *l)
{
	static const enum presence known[] = {
		[PAYLOAD_NONE] = ABSENT, [PAYLOAD_KEPT] = PRESENT, [PAYLOAD_GONE] = UNKNOWN};

	return known[l->msg->payload_is];
}

static enum presence get_payload_len(const struct line *l, struct value *v)
{
	v->u64 = l->msg->payload_len;
	return payload_presence(l);
}

static enum presence get_payload(const struct line *l, struct value *v)
{
	v->u64 = l->msg->payload_len;
	v->str = (const char *)l->msg->payload;
	return payload_presence(l);
}

#define KEY(s) ",\"" s "\":", sizeof(",\"" s "\":") - 1
#define NO_KEY NULL, 0

static const struct message_column columns[] = {
	{KEY("t_ns"), "TIME s", T_TIME, 12, get_time, NULL},
	{KEY("mechanism"), "MECHANISM", T_STR, 14, get_mechanism, NULL},
	{KEY("channel"), "ID", T_U64, 5, get_channel, NULL},
	{KEY("name"), NULL, T_STR, 0, get_name, NULL},
	{NO_KEY, "SENDER", T_PARTY, 21, NULL, src},
	{KEY("src_pid"), NULL, T_U64, 0, get_src_pid, NULL},
	{KEY("src_tid"), NULL, T_U64, 0, get_src_tid, NULL},
	{KEY("src_comm"), NULL, T_STR, 0, get_src_comm, NULL},
	{KEY("src_addr"), NULL, T_STR, 0, get_src_addr, NULL},
	{KEY("src_kind"), NULL, T_STR, 0, get_src_kind, NULL},
	{NO_KEY, "RECEIVER", T_PARTY, 21, NULL, dst},
	{KEY("dst_pid"), NULL, T_U64, 0, get_dst_pid, NULL},
	{KEY("dst_tid"), NULL, T_U64, 0, get_dst_tid, NULL},
	{KEY("dst_comm"), NULL, T_STR, 0, get_dst_comm, NULL},
	{KEY("dst_addr"), NULL, T_STR, 0, get_dst_addr, NULL},
	{KEY("bytes"), "BYTES", T_U64, 8, get_bytes, NULL},
	{KEY("latency_ns"), "LATENCY us", T_NS, 11, get_latency, NULL},
	{KEY("send_blocked_ns"), "SEND BLKD us", T_NS, 12, get_send_blocked, NULL},
	{KEY("recv_blocked_ns"), "RECV BLKD us", T_NS, 12, get_recv_blocked, NULL},
	{KEY("backlog"), "BACKLOG", T_U64, 8, get_backlog, NULL},
	{KEY("what"), NULL, T_STR, 0, get_what, NULL},
	{KEY("payload_len"), NULL, T_U64, 0, get_payload_len, NULL},
	{KEY("payload"), NULL, T_BYTES, 0, get_payload, NULL},
	/* Last: a name is as long as it likes. */
	{NO_KEY, "CHANNEL", T_NAME, 0, get_name, NULL},
};

#define COLUMN_CNT (sizeof(columns) / sizeof(columns[0]))

static void put_bytes(struct strbuf *sb, const struct value *v)
{
	strbuf_putc(sb, '"');
	strbuf_put_base64(sb, v->str, v->u64);
	strbuf_putc(sb, '"');
}

int message_jsonl(struct sink *out, const struct message *msg, uint64_t start_ns)
{
	const struct line l = {.msg = msg, .start_ns = start_ns};
	struct strbuf *sb = sink_buf(out);
	size_t begin = sb->len;

	for (size_t i = 0; i < COLUMN_CNT; i++) {
		const struct message_column *c = &columns[i];
		enum presence has = ABSENT;
		struct value v = {0};

		if (c->key)
			has = c->get(&l, &v);
		if (has == ABSENT)
			continue;
		strbuf_put(sb, c->key, c->key_len);
		if (has == UNKNOWN)
			strbuf_puts(sb, "null");
		else if (c->type == T_STR)
			json_put_string(sb, v.str, strlen(v.str));
		else if (c->type == T_BYTES)
			put_bytes(sb, &v);
		else
			strbuf_put_u64(sb, v.u64);
	}
	strbuf_puts(sb, "}\n");
	if (!sb->err)
		sb->s[begin] = '{'; /* where the first key put its comma */
	return sink_spill(out);
}

static bool wants_quotes(const char *s)
{
	return s[strcspn(s, "\",\r\n")] != 0;
}

/* A field; quotes in it are doubled. */
static void put_csv_string(struct strbuf *sb, const char *s, bool escape)
{
	bool quotes = wants_quotes(s);

	if (quotes)
		strbuf_putc(sb, '"');
	while (*s) {
		size_t run = quotes ? strcspn(s, "\"") : strlen(s);

		if (escape)
			strbuf_put_escaped(sb, s, run);
		else
			strbuf_put_utf8(sb, s, run);
		s += run;
		if (*s) {
			strbuf_puts(sb, "\"\"");
			s++;
		}
	}
	if (quotes)
		strbuf_putc(sb, '"');
}

int message_csv_head(struct sink *out, const char *extra)
{
	struct strbuf *sb = sink_buf(out);

	for (size_t i = 0; i < COLUMN_CNT; i++) {
		if (!columns[i].key)
			continue;
		strbuf_put(sb, columns[i].key + 2, columns[i].key_len - 4); /* of ,"key": */
		strbuf_putc(sb, ',');
	}
	strbuf_puts(sb, extra);
	strbuf_puts(sb, "\r\n");
	return sink_spill(out);
}

int message_csv(struct sink *out, const struct message *msg, uint64_t start_ns, bool escape)
{
	const struct line l = {.msg = msg, .start_ns = start_ns};
	struct strbuf *sb = sink_buf(out);

	for (size_t i = 0; i < COLUMN_CNT; i++) {
		const struct message_column *c = &columns[i];
		struct value v = {0};

		if (!c->key)
			continue;
		if (c->get(&l, &v) == PRESENT) {
			if (c->type == T_STR)
				put_csv_string(sb, v.str, escape);
			else if (c->type == T_BYTES)
				strbuf_put_base64(sb, v.str, v.u64);
			else
				strbuf_put_u64(sb, v.u64);
		}
		strbuf_putc(sb, ',');
	}
	strbuf_puts(sb, "\r\n");
	return sink_spill(out);
}

/* v / 10^digits with that many decimals, without printf: this is the hot path of -t. */
static void put_decimal(struct strbuf *sb, uint64_t v, unsigned int digits)
{
	char frac[8];
	uint64_t whole = v;

	for (unsigned int i = digits; i; i--) {
		frac[i - 1] = (char)('0' + whole % 10);
		whole /= 10;
	}
	strbuf_put_u64(sb, whole);
	strbuf_putc(sb, '.');
	strbuf_put(sb, frac, digits);
}

static void put_escaped(struct strbuf *sb, const char *s, bool ascii)
{
	if (ascii)
		strbuf_put_escaped_ascii(sb, s, strlen(s));
	else
		strbuf_put_escaped(sb, s, strlen(s));
}

static void put_party(struct strbuf *sb, const struct party *p, bool ascii)
{
	put_escaped(sb, !p->proc && p->addr ? p->addr : party_comm(p), ascii);
	if (p->proc)
		human_task(sb, p->proc->pid, 0);
}

static void put_cell(struct strbuf *sb, const struct line *l, const struct message_column *c)
{
	struct value v = {0};

	if (c->type == T_PARTY)
		put_party(sb, c->party(l->msg), l->ascii);
	else if (c->get(l, &v) != PRESENT)
		strbuf_putc(sb, '-');
	else if (c->type == T_TIME)
		put_decimal(sb, v.u64 / 1000, 6);
	else if (c->type == T_NS)
		put_decimal(sb, v.u64 / 100, 1);
	else if (c->type == T_STR || c->type == T_NAME)
		put_escaped(sb, v.str, l->ascii);
	else
		strbuf_put_u64(sb, v.u64);
	if (c->type == T_NAME && l->msg->what) {
		strbuf_putc(sb, ' ');
		put_escaped(sb, l->msg->what, l->ascii);
	}
}

/* Pads what stands from begin on: words on the right, numbers on the left. */
static void pad(struct strbuf *sb, size_t begin, const struct message_column *c)
{
	size_t len = sb->len - begin, width = utf8_str_width(sb->s + begin, len), fill;

	if (sb->err || width >= c->width)
		return;
	fill = c->width - width;
	strbuf_fill(sb, ' ', fill);
	if (c->type == T_STR || c->type == T_PARTY || c->type == T_NAME || sb->err)
		return;
	memmove(sb->s + begin + fill, sb->s + begin, len);
	memset(sb->s + begin, ' ', fill);
}

/* Takes off what stands behind the first width columns of what begins at begin. */
static void cut(struct strbuf *sb, size_t begin, unsigned int width, bool ascii)
{
	size_t at = begin, used = 0;

	if (sb->err || !width || utf8_str_width(sb->s + begin, sb->len - begin) <= width)
		return;
	while (at < sb->len) {
		uint32_t cp;
		unsigned int n = utf8_next(sb->s + at, sb->len - at, &cp);
		unsigned int w = n ? utf8_width(cp) : 1;

		if (used + w >= width)
			break;
		used += w;
		at += n ? n : 1;
	}
	sb->len = at;
	strbuf_puts(sb, ascii ? "~" : "…");
}

/* Any bytes between quotes, of which there is none within. */
static void put_quoted(struct strbuf *sb, const char *s, size_t len, bool ascii)
{
	strbuf_putc(sb, '"');
	while (len) {
		const char *quote = memchr(s, '"', len);
		size_t run = quote ? (size_t)(quote - s) : len;

		if (ascii)
			strbuf_put_escaped_ascii(sb, s, run);
		else
			strbuf_put_escaped(sb, s, run);
		if (quote)
			strbuf_puts(sb, "\\\"");
		run += quote != NULL;
		s += run;
		len -= run;
	}
	strbuf_putc(sb, '"');
}

/* In a line of its own, as long as it is: who asked for so many bytes wants them. */
static void put_payload(struct strbuf *sb, const struct line *l)
{
	const struct message *msg = l->msg;

	if (msg->payload_is == PAYLOAD_NONE)
		return;
	if (msg->payload_is == PAYLOAD_GONE) {
		strbuf_puts(sb, "  its bytes are gone: too many came since\n");
		return;
	}
	strbuf_puts(sb, "  ");
	strbuf_put_u64(sb, msg->payload_len);
	if (msg->payload_len < msg->bytes) {
		strbuf_puts(sb, " of ");
		strbuf_put_u64(sb, msg->bytes);
	}
	strbuf_puts(sb, ": ");
	put_quoted(sb, (const char *)msg->payload, msg->payload_len, l->ascii);
	strbuf_putc(sb, '\n');
}

static int text_line(struct sink *out, const struct line *l, unsigned int width, bool ascii)
{
	struct strbuf *sb = sink_buf(out);
	size_t line = sb->len;
	bool first = true;

	for (size_t i = 0; i < COLUMN_CNT; i++) {
		const struct message_column *c = &columns[i];
		size_t begin;

		if (!c->title)
			continue;
		if (!first)
			strbuf_putc(sb, ' ');
		first = false;
		begin = sb->len;
		if (l)
			put_cell(sb, l, c);
		else
			strbuf_puts(sb, c->title);
		pad(sb, begin, c);
	}
	cut(sb, line, width, ascii);
	strbuf_putc(sb, '\n');
	if (l)
		put_payload(sb, l);
	return sink_spill(out);
}

int message_text_head(struct sink *out, unsigned int width, bool ascii)
{
	return text_line(out, NULL, width, ascii);
}

int message_text(struct sink *out, const struct message *msg, uint64_t start_ns, unsigned int width,
		 bool ascii)
{
	const struct line l = {.msg = msg, .start_ns = start_ns, .ascii = ascii};

	return text_line(out, &l, width, ascii);
}
