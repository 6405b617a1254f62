/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shm.c - which ranges of a region of shared memory are taken. See shm.h.
 *
 * The taken ranges in a sorted array: there are few, and what is looked for most is a range by its
 * address. The first gap that is long enough is found by going along the array.
 */
#include "devices/media/shm.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

struct shm {
	uint64_t size, align, taken;
	struct shm_range *ranges;
	size_t n, room;
};

int shm_new(struct shm **out, uint64_t size, uint64_t align)
{
	struct shm *shm;

	assert(align && (align & (align - 1)) == 0);
	shm = calloc(1, sizeof(*shm));
	if (!shm)
		return -ENOMEM;
	shm->size = ALIGN_DOWN(size, align);
	shm->align = align;
	*out = shm;
	return 0;
}

void shm_free(struct shm *shm)
{
	if (!shm)
		return;
	free(shm->ranges);
	free(shm);
}

/* Index of the first range that ends behind @offset; n if there is none. */
static size_t search(const struct shm *shm, uint64_t offset)
{
	size_t low = 0, high = shm->n;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const struct shm_range *range = &shm->ranges[middle];

		if (range->offset + range->len <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int make_room(struct shm *shm)
{
	const size_t room = shm->room ? shm->room * 2 : 16;
	struct shm_range *ranges;

	if (shm->n < shm->room)
		return 0;
	ranges = reallocarray(shm->ranges, room, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	shm->ranges = ranges;
	shm->room = room;
	return 0;
}

/* The end of the range before index @i, where a gap may start. */
static uint64_t gap_start(const struct shm *shm, size_t i)
{
	return i ? shm->ranges[i - 1].offset + shm->ranges[i - 1].len : 0;
}

static uint64_t gap_end(const struct shm *shm, size_t i)
{
	return i < shm->n ? shm->ranges[i].offset : shm->size;
}

int shm_take(struct shm *shm, uint64_t len, uint64_t *offset)
{
	size_t i = 0;
	int r;

	if (len == 0)
		return -EINVAL;
	if (len > shm->size - shm->taken)
		return -ENOSPC;
	len = ALIGN_UP(len, shm->align);
	while (i <= shm->n && gap_end(shm, i) - gap_start(shm, i) < len)
		i++;
	if (i > shm->n)
		return -ENOSPC;
	r = make_room(shm);
	if (r < 0)
		return r;
	*offset = gap_start(shm, i);
	memmove(&shm->ranges[i + 1], &shm->ranges[i], (shm->n - i) * sizeof(*shm->ranges));
	shm->ranges[i] = (struct shm_range) {.offset = *offset, .len = len};
	shm->n++;
	shm->taken += len;
	return 0;
}

uint64_t shm_give(struct shm *shm, uint64_t offset)
{
	const size_t i = search(shm, offset);
	uint64_t len;

	if (i == shm->n || shm->ranges[i].offset != offset)
		return 0;
	len = shm->ranges[i].len;
	shm->n--;
	memmove(&shm->ranges[i], &shm->ranges[i + 1], (shm->n - i) * sizeof(*shm->ranges));
	shm->taken -= len;
	return len;
}

uint64_t shm_taken(const struct shm *shm)
{
	return shm->taken;
}

size_t shm_ranges(struct shm *shm, struct shm_range **ranges)
{
	*ranges = shm->ranges;
	return shm->n;
}

struct shm_range *shm_find(struct shm *shm, uint64_t offset)
{
	const size_t i = search(shm, offset);

	return i < shm->n && shm->ranges[i].offset <= offset ? &shm->ranges[i] : NULL;
}
