/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * byte_ports.h - a wide access to registers of one byte: what a PC's bus bridge does with it.
 *
 * The bridge cuts the access into bytes and runs them in ascending order, each to its own port.
 * For the legacy devices, whose chips have an eight bit data bus. Any thread.
 */
#ifndef VMM_BYTE_PORTS_H
#define VMM_BYTE_PORTS_H

#include "base.h"

/* byte_ports_read - @size bytes (1 to 8) from @offset on, each by one call of @read. */
static inline uint64_t byte_ports_read(void *dev, uint64_t offset, unsigned int size,
				       uint8_t (*read)(void *dev, uint64_t offset))
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < size; i++)
		value |= (uint64_t)read(dev, offset + i) << (i * 8);
	return value;
}

/* byte_ports_write - the counterpart. */
static inline void byte_ports_write(void *dev, uint64_t offset, unsigned int size, uint64_t value,
				    void (*write)(void *dev, uint64_t offset, uint8_t value))
{
	for (unsigned int i = 0; i < size; i++)
		write(dev, offset + i, (uint8_t)(value >> (i * 8)));
}

#endif
