/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * offset.h - the offsets that a guest gets for the planes of MMAP buffers, instead of the host's.
 *
 * V4L2's m.offset and m.mem_offset. The host's repeat between the files of a memory-to-memory
 * device and mean nothing without their file; these are unique in a device, so that a mapping can
 * be asked for by offset alone. Pure; device's thread.
 */
#ifndef VMM_MEDIA_OFFSET_H
#define VMM_MEDIA_OFFSET_H

#include "base.h"

/* Offsets are whole pages to every guest, and never 0: at most OFFSET_MAX at a time. */
#define OFFSET_UNIT (64 * KIB)
#define OFFSET_MAX  65535u

struct offsets;

/* struct offset_plane - what an offset stands for. */
struct offset_plane {
	const void *owner; /* not NULL; never looked into */
	uint32_t type;	   /* V4L2_BUF_TYPE_ */
	uint32_t index;
	uint32_t plane;
};

/* offsets_new - Return: 0 and *@out, owned by the caller; -ENOMEM. */
int offsets_new(struct offsets **out);

/* offsets_free - NULL is fine. */
void offsets_free(struct offsets *offsets);

/*
 * offset_take - one for @plane, of those that have been free for longest, for a guest may still
 * use an old one. Return: 0 and *@offset; -ENOMEM, also if OFFSET_MAX are taken.
 */
int offset_take(struct offsets *offsets, const struct offset_plane *plane, uint32_t *offset);

/* offset_give - @offset is taken, and free from now on. */
void offset_give(struct offsets *offsets, uint32_t offset);

/* offset_find - Return: what @offset, any number, stands for; borrowed; NULL: nothing. */
const struct offset_plane *offset_find(const struct offsets *offsets, uint32_t offset);

#endif
