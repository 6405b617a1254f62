/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bus.c - a sorted table of address ranges. See bus.h.
 */
#include "bus.h"

#include <errno.h>
#include <string.h>

struct range {
	uint64_t base;
	uint64_t last; /* inclusive, so that a range may end at 2^64 */
	const struct bus_ops *ops;
	void *dev;
	const char *name;
};

struct bus {
	uint64_t last;
	size_t n;
	struct range *ranges; /* ascending */
};

int bus_new(struct bus **out, uint64_t size)
{
	struct bus *bus = calloc(1, sizeof(*bus));

	if (!bus)
		return -ENOMEM;
	bus->last = size - 1;
	*out = bus;
	return 0;
}

void bus_free(struct bus *bus)
{
	if (!bus)
		return;
	free(bus->ranges);
	free(bus);
}

/* Index of the first range that ends at or behind @addr. */
static size_t find(const struct bus *bus, uint64_t addr)
{
	size_t low = 0, high = bus->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (bus->ranges[mid].last < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int bus_attach(struct bus *bus, uint64_t base, uint64_t size, const struct bus_ops *ops, void *dev,
	       const char *name)
{
	struct range *ranges;
	uint64_t last;
	size_t at;

	if (size == 0 || base > bus->last || size - 1 > bus->last - base)
		return -EINVAL;
	last = base + (size - 1);
	at = find(bus, base);
	if (at < bus->n && bus->ranges[at].base <= last)
		return -EEXIST;
	ranges = reallocarray(bus->ranges, bus->n + 1, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	bus->ranges = ranges;
	memmove(&ranges[at + 1], &ranges[at], (bus->n - at) * sizeof(*ranges));
	ranges[at] = (struct range) {
		.base = base,
		.last = last,
		.ops = ops,
		.dev = dev,
		.name = name,
	};
	bus->n++;
	return 0;
}

static const struct range *lookup(const struct bus *bus, uint64_t addr, unsigned int size)
{
	size_t at = find(bus, addr);

	if (at == bus->n || bus->ranges[at].base > addr || bus->ranges[at].last - addr < size - 1)
		return NULL;
	return &bus->ranges[at];
}

static uint64_t mask(unsigned int size)
{
	return size >= 8 ? UINT64_MAX : (UINT64_C(1) << (size * 8)) - 1;
}

uint64_t bus_read(const struct bus *bus, uint64_t addr, unsigned int size)
{
	const struct range *range = lookup(bus, addr, size);

	if (!range || !range->ops->read)
		return mask(size);
	return range->ops->read(range->dev, addr - range->base, size) & mask(size);
}

void bus_write(const struct bus *bus, uint64_t addr, unsigned int size, uint64_t value)
{
	const struct range *range = lookup(bus, addr, size);

	if (range && range->ops->write)
		range->ops->write(range->dev, addr - range->base, size, value & mask(size));
}
