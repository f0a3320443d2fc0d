/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uring.c - which of the programs in bpf/uring*.bpf.c this kernel can take: the
 * hook at submission was renamed, that at completion got other arguments.
 */
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "probe/internal.h"

#define COMPLETE_CQE_ARGS 4 /* ring, request, completion; and a tracepoint's first */

bool uring_hooks(const struct btf *btf, struct uring_hooks *h)
{
	const struct btf_type *t;
	int id = btf__find_by_name_kind(btf, "btf_trace_io_uring_complete", BTF_KIND_TYPEDEF);

	*h = (struct uring_hooks){0};
	h->submit_req =
		btf__find_by_name_kind(btf, "btf_trace_io_uring_submit_req", BTF_KIND_TYPEDEF) > 0;
	h->submit_sqe =
		!h->submit_req &&
		btf__find_by_name_kind(btf, "btf_trace_io_uring_submit_sqe", BTF_KIND_TYPEDEF) > 0;
	h->overflow = btf__find_by_name_kind(btf, "btf_trace_io_uring_cqe_overflow",
					     BTF_KIND_TYPEDEF) > 0;
	t = id > 0 ? btf__type_by_id(btf, id) : NULL;
	t = t ? btf__type_by_id(btf, t->type) : NULL;                  /* a pointer ... */
	t = t && btf_is_ptr(t) ? btf__type_by_id(btf, t->type) : NULL; /* ... to a function */
	if (t && btf_is_func_proto(t)) {
		h->complete_cqe = btf_vlen(t) == COMPLETE_CQE_ARGS;
		h->complete_res = btf_vlen(t) > COMPLETE_CQE_ARGS;
	}
	return (h->submit_req || h->submit_sqe) && (h->complete_cqe || h->complete_res);
}

void uring_select(struct probe *p, const struct btf *btf)
{
	struct uring_hooks h;

	if (!uring_hooks(btf, &h))
		return;
	bpf_program__set_autoload(p->skel->progs.uring_submit_req, h.submit_req);
	bpf_program__set_autoload(p->skel->progs.uring_submit_sqe, h.submit_sqe);
	bpf_program__set_autoload(p->skel->progs.uring_complete_cqe, h.complete_cqe);
	bpf_program__set_autoload(p->skel->progs.uring_complete_res, h.complete_res);
	bpf_program__set_autoload(p->skel->progs.uring_overflow, h.overflow);
}
