/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * own_memory.h - what this process's memory looks like to the kernel: proc(5). Test's thread.
 */
#ifndef VMM_TEST_OWN_MEMORY_H
#define VMM_TEST_OWN_MEMORY_H

#include "base.h"

#define OWN_MEMORY_FLAGS_MAX 256

/* own_memory_touched - bytes that it has got by touching them. */
uint64_t own_memory_touched(void);

/* own_memory_touched_in - of these the ones in all mappings that have bytes of [@at, @at + @len).
 */
uint64_t own_memory_touched_in(const void *at, uint64_t len);

/* own_memory_mappings - how many there are. */
unsigned int own_memory_mappings(void);

/* own_memory_flags - of the mapping at @at, each after a space: " rd wr mr". */
void own_memory_flags(const void *at, char flags[OWN_MEMORY_FLAGS_MAX]);

#endif
