// SPDX-License-Identifier: BSD-2-Clause
/*
 * empty.c - keeps the two empty programs of empty.bpf.o attached.
 *
 *   empty OBJECT	says "ready" when they are, detaches at the end of stdin
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROGS_MAX 2

static int attach_all(struct bpf_object *obj, struct bpf_link *links[PROGS_MAX])
{
	struct bpf_program *prog;
	int n = 0;

	bpf_object__for_each_program (prog, obj) {
		if (n == PROGS_MAX)
			return -E2BIG;
		links[n] = bpf_program__attach(prog);
		if (!links[n])
			return -errno;
		n++;
	}
	return n == PROGS_MAX ? 0 : -ENOENT;
}

int main(int argc, char **argv)
{
	struct bpf_link *links[PROGS_MAX] = {0};
	struct bpf_object *obj;
	int err = 0;
	char c;

	if (argc != 2) {
		fputs("usage: empty OBJECT\n", stderr);
		return 2;
	}
	obj = bpf_object__open_file(argv[1], NULL);
	if (!obj || bpf_object__load(obj))
		err = -errno;
	if (!err)
		err = attach_all(obj, links);
	if (err)
		fprintf(stderr, "empty: %s: %s\n", argv[1], strerror(-err));
	else if (puts("ready") < 0 || fflush(stdout))
		err = -errno;
	while (!err && read(STDIN_FILENO, &c, 1) > 0)
		;
	for (int i = 0; i < PROGS_MAX; i++)
		bpf_link__destroy(links[i]);
	bpf_object__close(obj);
	return err ? 1 : 0;
}
