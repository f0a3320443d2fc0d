/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * findings.h - what deserves a look, found in the model by one detector each.
 *
 * A struct findings is the caller's and freed with findings_fini(); it borrows
 * channels and processes from the model.
 */
#ifndef IPCSPY_ANALYSIS_FINDINGS_H
#define IPCSPY_ANALYSIS_FINDINGS_H

#include <stddef.h>

#include "lib/strbuf.h"
#include "model/model.h"

enum severity {
	SEVERITY_INFO = 0,    /* may be as it should be */
	SEVERITY_WARNING = 1, /* somebody should look */
};

struct finding {
	const char *kind; /* as JSON spells it */
	enum severity severity;
	const struct chan *chan;
	struct proc **procs;
	size_t proc_cnt;
	char *text; /* may hold any bytes, as names do */
};

struct findings {
	struct finding *v;
	size_t cnt, cap;
};

/* Runs all detectors. Returns 0 or -ENOMEM; fini in both cases. */
int findings_init(struct findings *f, const struct model *m);
void findings_fini(struct findings *f);

/* "info", "warning" */
const char *severity_name(enum severity s);

#endif
