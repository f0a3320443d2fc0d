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

#include "lib/hmap.h"
#include "lib/strbuf.h"
#include "model/model.h"

struct blame;

enum severity {
	SEVERITY_INFO = 0,     /* may be as it should be */
	SEVERITY_WARNING = 1,  /* somebody should look */
	SEVERITY_CRITICAL = 2, /* will not go on by itself */
};

/* One of those that the finding is about. */
struct proof {
	struct proc *proc;
	uint32_t tid;            /* 0: the process as a whole */
	const struct chan *chan; /* that it waits on, NULL none */
	int fd;                  /* through which, -1 not known */
};

struct finding {
	const char *kind; /* as JSON spells it */
	enum severity severity;
	const struct chan *chan;  /* NULL: about no channel, or several */
	const struct ipc *object; /* that nobody uses, NULL: not about one */
	struct proof *proofs;
	size_t proof_cnt, proof_cap;
	char *text; /* may hold any bytes, as names do */
};

struct findings {
	struct finding *v;
	size_t cnt, cap;
	struct hmap chans; /* that there is one about */
};

/* Runs all detectors; blame of the trace, or NULL. Returns 0 or -ENOMEM; fini in both cases. */
int findings_init(struct findings *f, const struct model *m, struct blame *blame);
/* Only those that need no more than one moment: who is stuck. */
int findings_init_moment(struct findings *f, const struct model *m);
void findings_fini(struct findings *f);

/* "info", "warning", "critical" */
const char *severity_name(enum severity s);

#endif
