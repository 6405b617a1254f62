/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bus.h - which device answers an address; one bus for port I/O, one for memory-mapped I/O.
 *
 * Devices attach before the first vCPU runs; after that the table is constant and vCPU threads
 * look it up without a lock. A device's ops run on the vCPU thread that made the access, several
 * at once: a device with state guards it.
 */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include "base.h"

/*
 * @offset: bytes from the start of the attached range; the whole access lies inside the range.
 * @size: 1, 2, 4 or 8 bytes. @value: little endian number; bits above @size are 0 on write and
 * ignored on read.
 */
struct bus_ops {
	uint64_t (*read)(void *dev, uint64_t offset, unsigned int size);
	void (*write)(void *dev, uint64_t offset, unsigned int size, uint64_t value);
};

struct bus;

/* bus_new - a bus of @size addresses (0: all of 2^64). Return: 0 and *@out, or -ENOMEM. */
int bus_new(struct bus **out, uint64_t size);
void bus_free(struct bus *bus);

/*
 * bus_attach - let @dev answer [@base, @base + @size).
 * @ops, @dev, @name: borrowed until bus_free(). @name: for messages and for the list of ranges.
 * Return: 0; -EINVAL for an empty range or one beyond the bus; -EEXIST if it overlaps another;
 * -ENOMEM.
 */
int bus_attach(struct bus *bus, uint64_t base, uint64_t size, const struct bus_ops *ops, void *dev,
	       const char *name);

/*
 * bus_read, bus_write - one access of 1, 2, 4 or 8 bytes. What no device claims whole reads as all
 * ones and swallows writes, as on real hardware.
 */
uint64_t bus_read(const struct bus *bus, uint64_t addr, unsigned int size);
void bus_write(const struct bus *bus, uint64_t addr, unsigned int size, uint64_t value);

#endif
