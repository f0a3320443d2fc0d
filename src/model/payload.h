/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * payload.h - the first bytes of messages that wait for their receive.
 *
 * A ring of bounded size, made when the first comes: nobody frees an entry, the
 * newest takes the place of the oldest. So what refers to one may be copied and
 * dropped at will, and finds out whether it is still there when it asks. The
 * model owns it.
 */
#ifndef IPCSPY_MODEL_PAYLOAD_H
#define IPCSPY_MODEL_PAYLOAD_H

#include <stdbool.h>
#include <stdint.h>

#define PAYLOADS_BYTES (16u << 20) /* power of two */
#define PAYLOADS_SLOTS (1u << 17)  /* power of two: entries of 128 bytes fill both alike */

struct payload_slot {
	uint64_t at; /* bytes put in before it, in all */
	uint32_t id, len;
};

struct payloads {
	uint8_t *bytes;             /* PAYLOADS_BYTES, NULL at first */
	struct payload_slot *slots; /* PAYLOADS_SLOTS, by id */
	uint64_t next;              /* where the next one goes, as payload_slot.at */
	uint32_t last_id;
};

void payloads_fini(struct payloads *p);

/* Keeps a copy of len <= PAYLOAD_MAX bytes. Returns its id, 0: out of memory. */
uint32_t payloads_put(struct payloads *p, const void *bytes, uint32_t len);

/* False: it is gone. Else *bytes is valid until the next payloads_put(). */
bool payloads_get(const struct payloads *p, uint32_t id, const uint8_t **bytes, uint32_t *len);

#endif
