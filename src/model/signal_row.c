// SPDX-License-Identifier: BSD-2-Clause
#include "model/signal_row.h"

#include "model/signal_names.h"

void signal_row_facts(const struct sig_row *row, unsigned int signo, bool before, unsigned int nth,
		      void (*put)(void *arg, const struct fact *f), void *arg)
{
	static const struct sig_row none;
	char name[SIGNAL_NAME_LEN];
	struct fact f = {.group = "signals", .row = nth};

	if (!row)
		row = &none;
	const struct {
		const char *name;
		uint64_t value;
	} facts[] = {
		{"generated", row->generated},
		{"delivered", row->delivered},
		{"handled", row->handled},
		{"default", row->by_default},
		{"taken", row->taken},
		{"ignored", row->ignored},
		{"coalesced", row->coalesced},
		{"discarded", row->discarded},
		{"pending", row->waiting.live + before},
		{"blocked_ns", row->blocked_ns},
		{"handler_p50_ns", row->handler.count ? hist_quantile(&row->handler, 500) : 0},
		{"handler_p99_ns", row->handler.count ? hist_quantile(&row->handler, 990) : 0},
	};

	f.name = "number";
	f.value = signo;
	put(arg, &f);
	f.name = "name";
	f.text = signal_name(signo, name);
	put(arg, &f);
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		f.name = facts[i].name;
		f.value = facts[i].value;
		f.text = f.value ? NULL : fact_zero;
		put(arg, &f);
	}
}
