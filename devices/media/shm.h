/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shm.h - which ranges of a region of shared memory are taken: a pure allocator.
 *
 * Ranges are whole units of @align bytes. First fit, so that what is used stays together.
 */
#ifndef VMM_MEDIA_SHM_H
#define VMM_MEDIA_SHM_H

#include "base.h"

struct shm;

/* shm_new - all of [0, @size) is free. @align: a power of two. Return: 0 and *@out; -ENOMEM. */
int shm_new(struct shm **out, uint64_t size, uint64_t align);
void shm_free(struct shm *shm);

/* shm_take - Return: 0 and *@offset; -ENOSPC; -EINVAL for no bytes; -ENOMEM. */
int shm_take(struct shm *shm, uint64_t len, uint64_t *offset);

/* shm_give - free the range that starts at @offset. Return: its length in bytes, 0 if there is
 * none.
 */
uint64_t shm_give(struct shm *shm, uint64_t offset);

/* shm_taken - bytes in use. */
uint64_t shm_taken(const struct shm *shm);

/* struct shm_range - one that is taken. @offset, @len: bytes, whole units. */
struct shm_range {
	uint64_t offset, len;
	bool mark; /* the taker's; false at first */
};

/*
 * shm_ranges - all that are taken, ascending. Return: their number; *@ranges is borrowed until the
 * next take or give.
 */
size_t shm_ranges(struct shm *shm, struct shm_range **ranges);

/* shm_find - the range that the byte at @offset lies in, or NULL. Borrowed in the same way. */
struct shm_range *shm_find(struct shm *shm, uint64_t offset);

#endif
