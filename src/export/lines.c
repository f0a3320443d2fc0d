// SPDX-License-Identifier: BSD-2-Clause
/* Formats of one line for each message: jsonl and csv. */
#include "export/format.h"
#include "export/json.h"
#include "export/messages.h"

/* The epoch is a string: a double, which is all that many readers have, cannot hold it. */
static int jsonl_begin(struct exporter *x)
{
	struct strbuf epoch;
	struct json j;
	int err;

	strbuf_init(&epoch);
	put_epoch(&epoch, x->info);
	json_init(&j, x->out, 0);
	json_object(&j, NULL);
	json_str(&j, "ipcspy", IPCSPY_VERSION);
	json_u64(&j, "schema", 1);
	json_str(&j, "epoch", epoch.s);
	json_str(&j, "host", x->info->host);
	json_str(&j, "filter", x->info->filter);
	json_end(&j);
	err = epoch.err ? epoch.err : json_finish(&j);
	strbuf_fini(&epoch);
	return err;
}

static int jsonl_message(struct exporter *x, const struct message *msg)
{
	return message_jsonl(x->out, msg, x->start_ns);
}

const struct export_format format_jsonl = {
	.name = "jsonl",
	.summary = "messages, one JSON object a line",
	.begin = jsonl_begin,
	.message = jsonl_message,
};

/* The epoch is a title: a line of its own would be one that is no row. */
static int csv_begin(struct exporter *x)
{
	struct strbuf title;
	int err;

	strbuf_init(&title);
	strbuf_puts(&title, "epoch=");
	put_epoch(&title, x->info);
	err = title.err ? title.err : message_csv_head(x->out, title.s);
	strbuf_fini(&title);
	return err;
}

static int csv_message(struct exporter *x, const struct message *msg)
{
	return message_csv(x->out, msg, x->start_ns, x->escape);
}

const struct export_format format_csv = {
	.name = "csv",
	.summary = "messages as a table",
	.begin = csv_begin,
	.message = csv_message,
};
