// SPDX-License-Identifier: BSD-2-Clause
#include "model/payload.h"

#include <stdlib.h>
#include <string.h>

void payloads_fini(struct payloads *p)
{
	free(p->bytes);
	free(p->slots);
	memset(p, 0, sizeof(*p));
}

static bool make(struct payloads *p)
{
	p->bytes = malloc(PAYLOADS_BYTES);
	p->slots = calloc(PAYLOADS_SLOTS, sizeof(*p->slots));
	if (p->bytes && p->slots)
		return true;
	payloads_fini(p);
	return false;
}

uint32_t payloads_put(struct payloads *p, const void *bytes, uint32_t len)
{
	struct payload_slot *slot;
	uint32_t room;

	if (!p->bytes && !make(p))
		return 0;
	/* none lies across the end of the ring */
	room = PAYLOADS_BYTES - (uint32_t)(p->next % PAYLOADS_BYTES);
	if (room < len)
		p->next += room;
	if (!++p->last_id)
		p->last_id++;
	slot = &p->slots[p->last_id % PAYLOADS_SLOTS];
	*slot = (struct payload_slot){.at = p->next, .id = p->last_id, .len = len};
	memcpy(p->bytes + p->next % PAYLOADS_BYTES, bytes, len);
	p->next += len;
	return slot->id;
}

bool payloads_get(const struct payloads *p, uint32_t id, const uint8_t **bytes, uint32_t *len)
{
	const struct payload_slot *slot = p->slots ? &p->slots[id % PAYLOADS_SLOTS] : NULL;

	if (!slot || slot->id != id || p->next - slot->at > PAYLOADS_BYTES)
		return false;
	*bytes = p->bytes + slot->at % PAYLOADS_BYTES;
	*len = slot->len;
	return true;
}
