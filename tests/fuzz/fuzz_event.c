// SPDX-License-Identifier: BSD-2-Clause
/* Any bytes as a row of event records: through the decoder into a model, and out as a report. */
#include <stdlib.h>
#include <string.h>

#include "analysis/blame.h"
#include "event/event.h"
#include "export/messages.h"
#include "fuzz.h"

static void on_message(void *arg, const struct message *msg)
{
	struct sink *out = arg;

	message_text(out, msg, 1, 80, false);
	message_jsonl(out, msg, 1);
	strbuf_reset(sink_buf(out));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct blame *blame = blame_new();
	struct sink lines;
	struct model *m = model_new(&(struct model_opts){.start_ns = 1,
							 .on_blocked = blame_on_blocked,
							 .on_fold = blame_on_fold,
							 .on_blocked_arg = blame,
							 .on_message = on_message,
							 .on_message_arg = &lines});
	char *copy = malloc(size + 1); /* aligned, and exactly as long */
	size_t pos = 0, skip = 0;

	if (!blame || !m || !copy)
		abort();
	memcpy(copy, data, size);
	sink_init_mem(&lines);
	while (pos < size) {
		struct event ev;
		int n = event_decode(copy + pos, size - pos, &ev, &skip);

		if (n > 0 && model_feed(m, &ev))
			abort();
		if (n > 0 && pos % 64 == 0 && model_advance(m, ev.hdr->ts_ns))
			abort();
		pos += n > 0 ? (size_t)n : 8;
	}
	if (model_finish(m, model_now_ns(m)))
		abort();
	fuzz_report(m, blame);
	model_free(m);
	blame_free(blame);
	sink_fini(&lines);
	free(copy);
	return 0;
}
