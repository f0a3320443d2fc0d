/* SPDX-License-Identifier: BSD-2-Clause */
#include "message.h"

#include <stddef.h>
#include <string.h>

#define MSG_MAGIC   0x69706373u
#define TRAILER_LEN 8u /* the last bytes differ per message, so that a torn one is noticed */

/* Finaliser of a well-mixed 64-bit hash: every input bit changes about half of the output. */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static uint64_t msg_random(const struct msg_spec *spec, uint32_t lane, uint64_t seq)
{
	return mix(mix(spec->seed ^ lane) + seq);
}

static uint64_t trailer_of(const struct msg_spec *spec, uint32_t lane, uint64_t seq)
{
	uint64_t trailer = msg_random(spec, lane, seq);

	if (spec->newline)
		((uint8_t *)&trailer)[TRAILER_LEN - 1] = '\n';
	return trailer;
}

static uint8_t filler_at(const struct msg_spec *spec, uint32_t lane, uint32_t pos)
{
	return (uint8_t)(mix(spec->seed ^ ((uint64_t)lane << 32) ^ (pos / 8)) >> (pos % 8 * 8));
}

static bool has_trailer(uint32_t len)
{
	return len >= MSG_HEADER_LEN + TRAILER_LEN;
}

uint32_t msg_len(const struct msg_spec *spec, uint32_t lane, uint64_t seq)
{
	uint32_t span = spec->size - (uint32_t)MSG_HEADER_LEN + 1;

	if (!spec->vary)
		return spec->size;
	return (uint32_t)MSG_HEADER_LEN + (uint32_t)((msg_random(spec, lane, seq) >> 16) % span);
}

void msg_fill(const struct msg_spec *spec, uint32_t lane, void *buf)
{
	uint8_t *p = buf;

	for (uint32_t i = MSG_HEADER_LEN; i < spec->size; i++)
		p[i] = filler_at(spec, lane, i);
}

uint32_t msg_seal(const struct msg_spec *spec, uint32_t lane, uint64_t seq, void *buf,
		  uint32_t prev_len)
{
	struct msg_header h = {.magic = MSG_MAGIC,
			       .lane = lane,
			       .seq = seq,
			       .len = msg_len(spec, lane, seq),
			       .salt = (uint32_t)mix(spec->seed)};
	uint64_t trailer = trailer_of(spec, lane, seq);
	uint8_t *p = buf;

	if (prev_len != h.len && has_trailer(prev_len))
		for (uint32_t i = prev_len - TRAILER_LEN; i < prev_len; i++)
			p[i] = filler_at(spec, lane, i);
	memcpy(p, &h, sizeof(h));
	if (has_trailer(h.len))
		memcpy(p + h.len - TRAILER_LEN, &trailer, sizeof(trailer));
	return h.len;
}

void msg_stamp(void *buf, uint64_t now_ns)
{
	memcpy((uint8_t *)buf + offsetof(struct msg_header, stamp_ns), &now_ns, sizeof(now_ns));
}

/* A few bytes at places that wander with the sequence number: cheap, and a shift shows. */
static bool filler_ok(const struct msg_spec *spec, const struct msg_header *h, const uint8_t *p)
{
	uint32_t span = h->len - (uint32_t)MSG_HEADER_LEN - TRAILER_LEN;

	for (uint64_t i = 0; span && i < 4; i++) {
		uint32_t pos = (uint32_t)MSG_HEADER_LEN + (uint32_t)(mix(h->seq * 4 + i) % span);

		if (p[pos] != filler_at(spec, h->lane, pos))
			return false;
	}
	return true;
}

const char *msg_check(const struct msg_spec *spec, const void *buf, uint64_t len)
{
	const uint8_t *p = buf;
	struct msg_header h;
	uint64_t trailer;

	if (len < sizeof(h))
		return "is shorter than its header";
	memcpy(&h, p, sizeof(h));
	if (h.magic != MSG_MAGIC || h.salt != (uint32_t)mix(spec->seed))
		return "does not begin with a header of this run";
	if (h.len != msg_len(spec, h.lane, h.seq) || h.len != len)
		return "has the wrong length";
	if (!has_trailer(h.len))
		return NULL;
	memcpy(&trailer, p + h.len - TRAILER_LEN, sizeof(trailer));
	if (trailer != trailer_of(spec, h.lane, h.seq))
		return "does not end with its own trailer";
	return filler_ok(spec, &h, p) ? NULL : "has foreign bytes in the middle";
}
