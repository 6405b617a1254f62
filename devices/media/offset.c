/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * offset.c - a table of what each offset stands for, with a queue of the free ones through it. See
 * offset.h.
 *
 * Slot n stands for offset n * OFFSET_UNIT; slot 0 stands for nothing and ends lists.
 */
#include "devices/media/offset.h"

#include <assert.h>
#include <errno.h>

#define SLOTS_FIRST 64u

struct slot {
	struct offset_plane plane; /* .owner NULL: free */
	uint32_t next;		   /* free slot; 0: the last one */
};

struct offsets {
	struct slot *slots;
	uint32_t n;
	uint32_t free_first, free_last; /* 0: none is free */
};

static void add_free(struct offsets *offsets, uint32_t slot)
{
	offsets->slots[slot] = (struct slot) {};
	if (offsets->free_last)
		offsets->slots[offsets->free_last].next = slot;
	else
		offsets->free_first = slot;
	offsets->free_last = slot;
}

static int grow(struct offsets *offsets)
{
	const uint32_t n = offsets->n ? MIN(offsets->n * 2, OFFSET_MAX + 1) : SLOTS_FIRST;
	struct slot *slots;

	if (n == offsets->n)
		return -ENOMEM;
	slots = reallocarray(offsets->slots, n, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	offsets->slots = slots;
	for (uint32_t i = MAX(offsets->n, 1u); i < n; i++)
		add_free(offsets, i);
	offsets->n = n;
	return 0;
}

int offsets_new(struct offsets **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void offsets_free(struct offsets *offsets)
{
	if (!offsets)
		return;
	free(offsets->slots);
	free(offsets);
}

int offset_take(struct offsets *offsets, const struct offset_plane *plane, uint32_t *offset)
{
	uint32_t slot;
	int r = 0;

	assert(plane->owner);
	if (!offsets->free_first)
		r = grow(offsets);
	if (r < 0)
		return r;
	slot = offsets->free_first;
	offsets->free_first = offsets->slots[slot].next;
	if (!offsets->free_first)
		offsets->free_last = 0;
	offsets->slots[slot].plane = *plane;
	*offset = slot * (uint32_t)OFFSET_UNIT;
	return 0;
}

void offset_give(struct offsets *offsets, uint32_t offset)
{
	assert(offset_find(offsets, offset));
	add_free(offsets, offset / (uint32_t)OFFSET_UNIT);
}

const struct offset_plane *offset_find(const struct offsets *offsets, uint32_t offset)
{
	const uint32_t slot = offset / (uint32_t)OFFSET_UNIT;

	if (offset % OFFSET_UNIT || slot == 0 || slot >= offsets->n)
		return NULL;
	return offsets->slots[slot].plane.owner ? &offsets->slots[slot].plane : NULL;
}
