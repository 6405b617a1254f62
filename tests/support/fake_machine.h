/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_machine.h - a machine that goes on, and remembers what it was asked for. Any thread.
 */
#ifndef VMM_FAKE_MACHINE_H
#define VMM_FAKE_MACHINE_H

#include <stdatomic.h>

#include "machine.h"

struct fake_machine {
	struct machine machine; /* for the device under test */
	atomic_uint requests[MACHINE_PANIC + 1];
};

void fake_machine_init(struct fake_machine *fake);

/* fake_machine_take - Return: how often @request was made since the last call. */
unsigned int fake_machine_take(struct fake_machine *fake, enum machine_request request);

/* fake_machine_idle - Return: true if nothing was asked for that has not been taken. */
bool fake_machine_idle(struct fake_machine *fake);

#endif
