// SPDX-License-Identifier: BSD-2-Clause
/*
 * Any bytes as a recording. Checksums are not looked at, so that what is behind them is
 * reached: see FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION in src/store/reader.c.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cmd/replay.h"
#include "fuzz.h"

/* A terabyte in a file of a few bytes would not fit in memory: what is read must be bounded. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct replay_hooks hooks = {0};
	struct replay r;
	struct strbuf why;
	char path[32];
	int fd = memfd_create("recording", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	strbuf_init(&why);
	if (!replay_open(&r, path, &hooks, &why)) {
		if (replay_run(&r))
			abort();
		fuzz_report(r.model, r.blame);
	}
	replay_close(&r);
	strbuf_fini(&why);
	close(fd);
	return 0;
}
