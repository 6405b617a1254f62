/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * machine.h - how a device tells the machine that the guest wants it to end.
 *
 * The machine decides once: the first request counts, later ones are ignored. The vCPU that wrote
 * the register goes on until it is stopped. Any thread.
 */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include "base.h"

enum machine_request {
	MACHINE_POWER_OFF, /* ACPI S5 */
	MACHINE_RESET,	   /* reset register, keyboard controller */
	MACHINE_PANIC,	   /* the guest's kernel says that it crashed */
};

struct machine;
struct machine_ops {
	void (*request)(struct machine *machine, enum machine_request request);
};

/* struct machine - embedded in whoever decides; outlives the devices. */
struct machine {
	const struct machine_ops *ops;
};

static inline void machine_request(struct machine *machine, enum machine_request request)
{
	machine->ops->request(machine, request);
}

#endif
