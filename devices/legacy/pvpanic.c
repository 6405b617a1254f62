/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pvpanic.c - the guest's word that it crashed. See pvpanic.h.
 *
 * No state, no lock.
 */
#include "devices/legacy/pvpanic.h"

#include <errno.h>

#include "log.h"

enum {
	EVENT_PANICKED = 0x01,
	EVENT_CRASH_LOADED = 0x02, /* it crashed, and goes on with its own crash kernel */
};

struct pvpanic {
	struct machine *machine;
	struct log_limit limit;
};

static uint64_t events_read(void *dev, uint64_t offset, unsigned int size)
{
	return EVENT_PANICKED | EVENT_CRASH_LOADED;
}

static void event_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	struct pvpanic *pvpanic = dev;

	if (value & EVENT_PANICKED)
		machine_request(pvpanic->machine, MACHINE_PANIC);
	else if (value & EVENT_CRASH_LOADED)
		log_limited(&pvpanic->limit, LOG_LEVEL_INFO,
			    "the guest's kernel crashed and starts its crash kernel");
}

/* A range of one port, so that accesses have one byte. */
static const struct bus_ops bus_ops = {
	.read = events_read,
	.write = event_write,
};

int pvpanic_new(struct pvpanic **out, struct machine *machine)
{
	struct pvpanic *pvpanic = calloc(1, sizeof(*pvpanic));

	if (!pvpanic)
		return -ENOMEM;
	pvpanic->machine = machine;
	*out = pvpanic;
	return 0;
}

void pvpanic_free(struct pvpanic *pvpanic)
{
	free(pvpanic);
}

int pvpanic_attach(struct pvpanic *pvpanic, struct bus *bus, uint64_t port)
{
	return bus_attach(bus, port, 1, &bus_ops, pvpanic, "pvpanic");
}
