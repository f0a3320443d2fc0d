// SPDX-License-Identifier: BSD-2-Clause
#include "lib/human.h"

#include <stddef.h>

#include "ipcspy/types.h"

#define NSEC_PER_SEC 1000000000ull
#define COUNT_EXACT  99999999ull

/* Three significant digits of v / div; a whole v (div 1) as it is. */
static void put_scaled(struct strbuf *sb, uint64_t v, uint64_t div, const char *unit)
{
	double x = (double)v / (double)div;
	int decimals = div == 1 ? 0 : x < 9.995 ? 2 : x < 99.95 ? 1 : 0;

	strbuf_printf(sb, "%.*f %s", decimals, x, unit);
}

void human_bytes(struct strbuf *sb, uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	uint64_t div = 1;
	size_t i = 0;

	/* 1023.5 would be rounded to 1024: that is the next unit's 1.00. */
	while (i < sizeof(units) / sizeof(units[0]) - 1 &&
	       (double)bytes / (double)div >= (div == 1 ? 1024 : 1023.5)) {
		div *= 1024;
		i++;
	}
	put_scaled(sb, bytes, div, units[i]);
}

void human_count(struct strbuf *sb, uint64_t cnt)
{
	static const char *const units[] = {"M", "G", "T", "P", "E"};
	uint64_t div = 1000000;
	size_t i = 0;

	if (cnt <= COUNT_EXACT) {
		strbuf_put_u64(sb, cnt);
		return;
	}
	while (i < sizeof(units) / sizeof(units[0]) - 1 && (double)cnt / (double)div >= 999.5) {
		div *= 1000;
		i++;
	}
	put_scaled(sb, cnt, div, units[i]);
}

void human_ns(struct strbuf *sb, uint64_t ns)
{
	static const struct {
		double below;
		uint64_t div;
		const char *unit;
	} steps[] = {
		{1e3, 1, "ns"},
		{999.5e3, 1000, "us"},
		{999.5e6, 1000000, "ms"},
		{99.95e9, NSEC_PER_SEC, "s"},
	};
	unsigned long long sec = ns / NSEC_PER_SEC + (ns % NSEC_PER_SEC >= NSEC_PER_SEC / 2);

	if (!ns) {
		strbuf_putc(sb, '0');
		return;
	}
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if ((double)ns < steps[i].below) {
			put_scaled(sb, ns, steps[i].div, steps[i].unit);
			return;
		}
	}
	if (sec < 3600)
		strbuf_printf(sb, "%llum%02llus", sec / 60, sec % 60);
	else if (sec < 100 * 3600)
		strbuf_printf(sb, "%lluh%02llum", sec / 3600, sec / 60 % 60);
	else
		strbuf_printf(sb, "%llud%02lluh", sec / 86400, sec / 3600 % 24);
}

void human_rate(struct strbuf *sb, uint64_t bytes, uint64_t duration_ns)
{
	if (!duration_ns) {
		strbuf_putc(sb, '-');
		return;
	}
	human_bytes(sb, (uint64_t)((double)bytes * (double)NSEC_PER_SEC / (double)duration_ns));
	strbuf_puts(sb, "/s");
}

void human_pid(struct strbuf *sb, uint32_t pid)
{
	if (pid & PID_OUTSIDE)
		strbuf_puts(sb, "outside:");
	strbuf_put_u64(sb, pid & ~PID_OUTSIDE);
}

void human_task(struct strbuf *sb, uint32_t pid, uint32_t tid)
{
	strbuf_putc(sb, '[');
	human_pid(sb, pid);
	if (tid && tid != pid)
		strbuf_printf(sb, "/%u", tid & ~PID_OUTSIDE);
	strbuf_putc(sb, ']');
}
