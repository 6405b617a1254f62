/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_machine.c - counts requests. See fake_machine.h.
 */
#include "fake_machine.h"

static void request(struct machine *machine, enum machine_request what)
{
	struct fake_machine *fake = container_of(machine, struct fake_machine, machine);

	atomic_fetch_add(&fake->requests[what], 1);
}

static const struct machine_ops ops = {
	.request = request,
};

void fake_machine_init(struct fake_machine *fake)
{
	*fake = (struct fake_machine) {.machine = {.ops = &ops}};
}

unsigned int fake_machine_take(struct fake_machine *fake, enum machine_request what)
{
	return atomic_exchange(&fake->requests[what], 0);
}

bool fake_machine_idle(struct fake_machine *fake)
{
	for (size_t i = 0; i < ARRAY_SIZE(fake->requests); i++) {
		if (atomic_load(&fake->requests[i]))
			return false;
	}
	return true;
}
