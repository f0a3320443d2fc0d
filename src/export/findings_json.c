// SPDX-License-Identifier: BSD-2-Clause
#include "analysis/findings.h"
#include "export/why_json.h"
#include "model/mech.h"

/* A process with several tasks that prove it is in "pids" once. */
#define PROOFS_COMPARED 1000

/* Whether the process of proof k is that of an earlier one. Many are only compared with the last.
 */
static bool is_named(const struct finding *f, size_t k)
{
	for (size_t i = k > PROOFS_COMPARED ? k - 1 : 0; i < k; i++)
		if (f->proofs[i].proc == f->proofs[k].proc)
			return true;
	return false;
}

static void put_proofs(struct json *j, const struct finding *f)
{
	if (f->chan)
		json_u64(j, "channel", f->chan->id);
	else
		json_null(j, "channel");
	json_array(j, "pids");
	for (size_t k = 0; k < f->proof_cnt; k++)
		if (!is_named(f, k))
			json_u64(j, NULL, f->proofs[k].proc->pid);
	json_end(j);
	json_array(j, "fds");
	for (size_t k = 0; k < f->proof_cnt; k++) {
		if (f->proofs[k].fd < 0 || !f->proofs[k].chan)
			continue;
		json_object(j, NULL);
		json_u64(j, "pid", f->proofs[k].proc->pid);
		json_i64(j, "fd", f->proofs[k].fd);
		json_u64(j, "channel", f->proofs[k].chan->id);
		json_end(j);
	}
	json_end(j);
}

/* What no process uses is no channel. */
static void put_object(struct json *j, const struct ipc *ipc)
{
	json_object(j, "object");
	json_str(j, "mechanism", mech_name(ipc->mech));
	json_str(j, "name", ipc->name);
	json_u64(j, "bytes", ipc->bytes);
	json_u64(j, "messages", ipc->messages);
	if (ipc->last_pid)
		json_u64(j, "last_pid", ipc->last_pid);
	else
		json_null(j, "last_pid");
	json_end(j);
}

static void put_findings(struct json *j, const struct findings *f)
{
	json_array(j, "findings");
	for (size_t i = 0; i < f->cnt; i++) {
		json_object(j, NULL);
		json_str(j, "kind", f->v[i].kind);
		json_str(j, "severity", severity_name(f->v[i].severity));
		put_proofs(j, &f->v[i]);
		if (f->v[i].object)
			put_object(j, f->v[i].object);
		json_str(j, "text", f->v[i].text);
		json_end(j);
	}
	json_end(j);
}

int findings_moment_json(struct json *j, const struct model *m)
{
	struct findings f;
	int err = findings_init_moment(&f, m);

	put_findings(j, &f);
	findings_fini(&f);
	return err;
}

int findings_json(struct json *j, const struct model *m, struct blame *blame)
{
	struct findings f;
	int err = findings_init(&f, m, blame);

	put_findings(j, &f);
	findings_fini(&f);
	return err;
}

void unseen_json(struct json *j, const struct model *m)
{
	json_array(j, "not_looked_at");
	for (unsigned int mech = 1; mech < MECH_MAX; mech++)
		if (model_ipcs_unseen(m) & 1u << mech)
			json_str(j, NULL, mech_name((enum ipcspy_mech)mech));
	json_end(j);
}
