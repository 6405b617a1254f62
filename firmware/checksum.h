/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checksum.h - the checksum that ACPI tables and MP tables have in common. Any thread.
 */
#ifndef VMM_CHECKSUM_H
#define VMM_CHECKSUM_H

#include "base.h"

/* checksum_complement - the byte that makes @len bytes, itself counted as 0 there, add up to 0. */
static inline uint8_t checksum_complement(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint8_t sum = 0;

	while (len--)
		sum += *at++;
	return (uint8_t)-sum;
}

#endif
