// SPDX-License-Identifier: BSD-2-Clause
#include "export/sink.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define SPILL_BYTES (64u << 10)

void sink_init_fd(struct sink *out, int fd)
{
	*out = (struct sink){.fd = fd};
	strbuf_init(&out->buf);
}

void sink_init_mem(struct sink *out)
{
	sink_init_fd(out, -1);
}

void sink_fini(struct sink *out)
{
	strbuf_fini(&out->buf);
}

static int write_all(int fd, const char *s, size_t len)
{
	while (len) {
		ssize_t n = write(fd, s, len);

		if (n >= 0) {
			s += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			/* Somebody made our terminal or pipe non-blocking: wait for room. */
			struct pollfd p = {.fd = fd, .events = POLLOUT};

			if (poll(&p, 1, -1) < 0 && errno != EINTR)
				return -errno;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

int sink_flush(struct sink *out)
{
	if (!out->err)
		out->err = out->buf.err;
	if (out->fd < 0)
		return out->err;
	if (!out->err && out->put)
		out->err = out->put(out->put_arg, out->buf.s, out->buf.len);
	else if (!out->err)
		out->err = write_all(out->fd, out->buf.s, out->buf.len);
	strbuf_reset(&out->buf);
	return out->err;
}

int sink_spill(struct sink *out)
{
	if (out->fd >= 0 && (out->buf.len >= SPILL_BYTES || out->buf.err))
		return sink_flush(out);
	return out->err ? out->err : out->buf.err;
}
