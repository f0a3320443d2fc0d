/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz.h - what the fuzz targets have in common: every way in which a model is looked at.
 */
#ifndef IPCSPY_FUZZ_H
#define IPCSPY_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "export/report.h"
#include "view/report_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Prints the report in each form, to nowhere. */
static inline void fuzz_report(const struct model *m, struct blame *blame)
{
	static char word[] = "true";
	static char *const argv[] = {word, NULL};
	const struct report_info info = {
		.blame = blame, .host = "", .kernel = "", .arch = "", .filter = "", .argv = argv};
	const struct text_opts text = {.style = {.width = 80}};
	struct sink out;
	struct json j;

	sink_init_mem(&out);
	report_text(&out, &text, &info, m);
	json_init(&j, &out, 0);
	report_json(&j, NULL, &info, m);
	json_finish(&j);
	sink_fini(&out);
}

#endif
