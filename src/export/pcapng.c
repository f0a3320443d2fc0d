// SPDX-License-Identifier: BSD-2-Clause
/*
 * Messages as packets in a pcapng file (draft-ietf-opsawg-pcapng): an interface for each
 * mechanism, a packet for each message, at the time of its receive. A packet begins with tags
 * that say what it is (LINKTYPE_WIRESHARK_UPPER_PDU, epan/exported_pdu.h), so that readers show
 * who sent it to whom without being told how; what was kept of its bytes is behind them.
 */
#include <errno.h>
#include <string.h>

#include "export/format.h"
#include "export/walk.h"
#include "lib/human.h"
#include "model/mech.h"

#define BLOCK_SECTION   0x0a0d0d0au
#define BLOCK_INTERFACE 1
#define BLOCK_PACKET    6 /* "enhanced" */
#define BYTE_ORDER_MARK 0x1a2b3c4du
#define LINKTYPE_UPPER  252
#define TSRESOL_NS      9 /* 10^-9 s */

enum option {
	OPT_END = 0,
	OPT_COMMENT = 1,
	OPT_SECTION_APP = 4,
	OPT_IF_NAME = 2,
	OPT_IF_TSRESOL = 9,
};

enum tag {
	TAG_END = 0,
	TAG_DISSECTOR = 12,
	TAG_COL_PROTOCOL = 33,
	TAG_COL_INFO = 36,
};

struct pcapng {
	uint32_t number[MECH_MAX]; /* of its interface, from 1 on; 0: it has none yet */
	uint32_t cnt;
	struct strbuf text;
};

static void put_le(struct strbuf *sb, uint64_t v, unsigned int bytes)
{
	for (; bytes; bytes--, v >>= 8)
		strbuf_putc(sb, (char)(v & 0xff));
}

static void put_be16(struct strbuf *sb, size_t v)
{
	strbuf_putc(sb, (char)(v >> 8 & 0xff));
	strbuf_putc(sb, (char)(v & 0xff));
}

/* Everything is a multiple of four bytes long. */
static size_t padding(size_t len)
{
	return -len & 3;
}

/* Returns where the block begins; its length is put in by block_end(). */
static size_t block_begin(struct strbuf *sb, uint32_t type)
{
	size_t at = sb->len;

	put_le(sb, type, 4);
	put_le(sb, 0, 4);
	return at;
}

static int block_end(struct exporter *x, size_t at)
{
	struct strbuf *sb = sink_buf(x->out);
	uint32_t len = (uint32_t)(sb->len - at + 4);

	put_le(sb, len, 4);
	for (unsigned int i = 0; !sb->err && i < 4; i++)
		sb->s[at + 4 + i] = (char)(len >> 8 * i & 0xff);
	return sink_spill(x->out);
}

static void put_option(struct strbuf *sb, enum option code, const void *v, size_t len)
{
	put_le(sb, code, 2);
	put_le(sb, len, 2);
	strbuf_put(sb, v, len);
	strbuf_fill(sb, '\0', padding(len));
}

static void put_tag(struct strbuf *sb, enum tag tag, const char *s, size_t len)
{
	put_be16(sb, tag);
	put_be16(sb, len + padding(len));
	strbuf_put(sb, s, len);
	strbuf_fill(sb, '\0', padding(len));
}

static int pcapng_begin(struct exporter *x)
{
	static const char app[] = "ipcspy " IPCSPY_VERSION;
	struct strbuf *sb = sink_buf(x->out);
	struct pcapng *p = x->state;
	size_t at;

	strbuf_init(&p->text);
	if (!x->info->payload_bytes)
		x->note = "it has no bytes of messages: packets say only how many there were; see "
			  "record --payload";
	at = block_begin(sb, BLOCK_SECTION);
	put_le(sb, BYTE_ORDER_MARK, 4);
	put_le(sb, 1, 2);
	put_le(sb, 0, 2);
	put_le(sb, UINT64_MAX, 8); /* as long as it is */
	put_option(sb, OPT_SECTION_APP, app, sizeof(app) - 1);
	if (x->note)
		put_option(sb, OPT_COMMENT, x->note, strlen(x->note));
	put_option(sb, OPT_END, NULL, 0);
	return block_end(x, at);
}

/* The interface of a mechanism, described before its first packet. */
static int interface_of(struct exporter *x, enum ipcspy_mech mech, uint32_t *number)
{
	static const char tsresol = TSRESOL_NS;
	struct strbuf *sb = sink_buf(x->out);
	struct pcapng *p = x->state;
	const char *name = mech_name(mech);
	size_t at;
	int err = 0;

	if (!p->number[mech]) {
		at = block_begin(sb, BLOCK_INTERFACE);
		put_le(sb, LINKTYPE_UPPER, 2);
		put_le(sb, 0, 2);
		put_le(sb, 0, 4); /* packets are as long as they are */
		put_option(sb, OPT_IF_NAME, name, strlen(name));
		put_option(sb, OPT_IF_TSRESOL, &tsresol, 1);
		put_option(sb, OPT_END, NULL, 0);
		err = block_end(x, at);
		p->number[mech] = ++p->cnt;
	}
	*number = p->number[mech] - 1;
	return err;
}

static void put_party(struct strbuf *sb, const struct party *p)
{
	const char *name = !p->proc && p->addr ? p->addr : party_comm(p);

	strbuf_put_escaped(sb, name, strlen(name));
	if (p->proc)
		human_task(sb, p->proc->pid, 0);
}

#define TEXT_MAX 4096 /* a name may be as long as it likes, a tag must not */

/* Who to whom, through what, how much: for people. */
static void say(struct strbuf *sb, const struct message *msg)
{
	put_party(sb, msg->src);
	strbuf_puts(sb, " -> ");
	put_party(sb, msg->dst);
	strbuf_putc(sb, ' ');
	strbuf_put_escaped(sb, msg->chan->name, strlen(msg->chan->name));
	if (msg->what) {
		strbuf_putc(sb, ' ');
		strbuf_put_escaped(sb, msg->what, strlen(msg->what));
	}
	if (sb->len > TEXT_MAX)
		sb->len = TEXT_MAX;
	strbuf_printf(sb, " %llu bytes", (unsigned long long)msg->bytes);
}

/* What the other formats have in columns. */
static void say_more(struct strbuf *sb, const struct message *msg)
{
	if (msg->timed)
		strbuf_printf(sb, ", latency %llu ns", (unsigned long long)msg->latency_ns);
	strbuf_printf(sb, ", send blocked %llu ns, receive blocked %llu ns, backlog %llu",
		      (unsigned long long)msg->send_blocked_ns,
		      (unsigned long long)msg->recv_blocked_ns, (unsigned long long)msg->backlog);
	if (msg->payload_is == PAYLOAD_GONE)
		strbuf_puts(sb, ", its bytes are gone: too many came since");
}

static int pcapng_message(struct exporter *x, const struct message *msg)
{
	static const char dissector[] = "data";
	uint32_t kept = msg->payload_is == PAYLOAD_KEPT ? msg->payload_len : 0, number;
	uint64_t ns = x->info->start_realtime_ns, whole;
	const char *mech = mech_name(msg->chan->mech);
	struct strbuf *sb = sink_buf(x->out);
	struct pcapng *p = x->state;
	size_t at, tags;
	int err = interface_of(x, msg->chan->mech, &number);

	if (err)
		return err;
	if (msg->recv_ns > x->start_ns)
		ns += msg->recv_ns - x->start_ns;
	strbuf_reset(&p->text);
	say(&p->text, msg);
	if (p->text.err)
		return p->text.err;
	tags = 4 * 4 + sizeof(dissector) - 1 + padding(sizeof(dissector) - 1) + strlen(mech) +
	       padding(strlen(mech)) + p->text.len + padding(p->text.len);
	whole = tags + msg->bytes;
	at = block_begin(sb, BLOCK_PACKET);
	put_le(sb, number, 4);
	put_le(sb, ns >> 32, 4);
	put_le(sb, ns, 4);
	put_le(sb, tags + kept, 4);
	put_le(sb, whole < UINT32_MAX ? whole : UINT32_MAX, 4);
	put_tag(sb, TAG_DISSECTOR, dissector, sizeof(dissector) - 1);
	put_tag(sb, TAG_COL_PROTOCOL, mech, strlen(mech));
	put_tag(sb, TAG_COL_INFO, p->text.s, p->text.len);
	put_tag(sb, TAG_END, NULL, 0);
	strbuf_put(sb, (const char *)msg->payload, kept);
	strbuf_fill(sb, '\0', padding(tags + kept));
	say_more(&p->text, msg);
	put_option(sb, OPT_COMMENT, p->text.s, p->text.len);
	put_option(sb, OPT_END, NULL, 0);
	return p->text.err ? p->text.err : block_end(x, at);
}

static void pcapng_fini(struct exporter *x)
{
	struct pcapng *p = x->state;

	if (p->text.s)
		strbuf_fini(&p->text);
}

const struct export_format format_pcapng = {
	.name = "pcapng",
	.summary = "messages as packets, for Wireshark",
	.binary = true,
	.state_size = sizeof(struct pcapng),
	.begin = pcapng_begin,
	.message = pcapng_message,
	.fini = pcapng_fini,
};
