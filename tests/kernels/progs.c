/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * progs.c - what the running kernel's verifier took to accept each program.
 *
 * Loads what a trace, one with --payload and a look load and prints a line for each program: its
 * name and how many instructions were looked at (bpf_prog_info.verified_insns). For a machine that
 * has no other BPF programs, as root: it reads the kernel's list of all.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipcspy/event.h"
#include "probe/probe.h"

static int on_record(void *arg, const void *data, size_t len)
{
	(void)arg;
	(void)data;
	(void)len;
	return 0;
}

static int list(const char *what)
{
	__u32 id = 0;
	int cnt = 0;

	while (!bpf_prog_get_next_id(id, &id)) {
		struct bpf_prog_info info = {0};
		__u32 len = sizeof(info);
		int fd = bpf_prog_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (!bpf_obj_get_info_by_fd(fd, &info, &len)) {
			printf("%s %.*s %u\n", what, (int)sizeof(info.name), info.name,
			       info.verified_insns);
			cnt++;
		}
		close(fd);
	}
	return cnt ? 0 : -ENOENT;
}

static int load_and_list(const char *what, const struct probe_opts *opts)
{
	struct probe *p;
	int err = probe_new(&p, opts);

	if (err)
		fprintf(stderr, "progs: %s: %s\n", what, probe_error(p));
	else
		err = list(what);
	probe_free(p);
	return err;
}

int main(void)
{
	const struct probe_opts trace = {.all = true, .on_record = on_record};
	const struct probe_opts payload = {
		.all = true, .payload_bytes = PAYLOAD_MAX, .on_record = on_record};
	const struct probe_opts look = {.look = true, .on_record = on_record};
	int err = load_and_list("trace", &trace);

	if (load_and_list("payload", &payload))
		err = -1;
	if (load_and_list("look", &look))
		err = -1;
	return err ? 1 : 0;
}
