/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * message.h - what a message looks like: a header that no two messages share,
 * then filler that can be checked without having been sent along.
 *
 * The header is exactly 32 bytes because a tracer that tells messages apart by
 * their content may look at no more than that.
 */
#ifndef DEMO_MESSAGE_H
#define DEMO_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

struct msg_header {
	uint32_t magic;
	uint32_t lane;     /* sender, counted from 0 */
	uint64_t seq;      /* per lane, from 0 */
	uint64_t stamp_ns; /* CLOCK_MONOTONIC, immediately before the send */
	uint32_t len;      /* of the whole message */
	uint32_t salt;     /* from the seed: a message of another run is noticed */
};

#define MSG_HEADER_LEN ((uint64_t)32)
_Static_assert(sizeof(struct msg_header) == MSG_HEADER_LEN, "the header is 32 bytes");

/* What both sides know before the first message. */
struct msg_spec {
	uint64_t seed;
	uint32_t size; /* the longest */
	bool vary;
	bool newline; /* a message long enough for a trailer ends with '\n' */
};

/* Length of message seq of a lane: spec->size, or with vary something from 32 to that. */
uint32_t msg_len(const struct msg_spec *spec, uint32_t lane, uint64_t seq);

/* Fills buf (spec->size bytes) with the lane's filler, once before its first msg_seal(). */
void msg_fill(const struct msg_spec *spec, uint32_t lane, void *buf);

/*
 * Makes buf message seq of its lane: header and trailer, not the stamp. Returns its length.
 * prev_len is what the call before returned, 0 at first: its trailer is removed.
 */
uint32_t msg_seal(const struct msg_spec *spec, uint32_t lane, uint64_t seq, void *buf,
		  uint32_t prev_len);
void msg_stamp(void *buf, uint64_t now_ns);

/* NULL when the len bytes in buf are a whole message of this run, else what is wrong. */
const char *msg_check(const struct msg_spec *spec, const void *buf, uint64_t len);

#endif
