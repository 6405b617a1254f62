/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pvpanic.h - one port by which a guest says that its kernel has crashed.
 *
 * As QEMU's "pvpanic" ISA device (docs/specs/pvpanic), for which guests have a driver. Served on
 * vCPU threads.
 */
#ifndef VMM_PVPANIC_H
#define VMM_PVPANIC_H

#include "base.h"
#include "bus.h"
#include "machine.h"

struct pvpanic;

/* pvpanic_new - @machine: borrowed until pvpanic_free(). Return: 0 and *@out; -ENOMEM. */
int pvpanic_new(struct pvpanic **out, struct machine *machine);

/* pvpanic_free - after the last vCPU has stopped. NULL is fine. */
void pvpanic_free(struct pvpanic *pvpanic);

/* pvpanic_attach - the port @port. Return: 0 or -errno, as bus_attach(). */
int pvpanic_attach(struct pvpanic *pvpanic, struct bus *bus, uint64_t port);

#endif
