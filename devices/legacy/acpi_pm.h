/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * acpi_pm.h - the registers by which ACPI switches the machine off, resets it and hears of its
 * power button.
 *
 * Sleep control, sleep status (ACPI 6.5, 4.8.3.7) and reset register (4.8.3.6) of a
 * hardware-reduced machine, and an event register that the DSDT's GED method reads. Registers are
 * served on vCPU threads.
 */
#ifndef VMM_ACPI_PM_H
#define VMM_ACPI_PM_H

#include "base.h"
#include "bus.h"
#include "irq.h"
#include "machine.h"

/* Registers of one byte, by their offset from the base port. */
enum acpi_pm_register {
	ACPI_PM_SLEEP_CONTROL = 0,
	ACPI_PM_SLEEP_STATUS = 1,
	ACPI_PM_RESET = 2,
	ACPI_PM_EVENT = 4, /* ACPI_EVENT_ bits of firmware.h; reading clears them */
	ACPI_PM_PORTS = 8,
};

#define ACPI_PM_RESET_VALUE 0x01 /* resets when written to the reset register */

struct acpi_pm;

/*
 * acpi_pm_new - @machine: asked to power off and to reset. @irq: raised for each event.
 * Both are borrowed until acpi_pm_free(). Return: 0 and *@out; -ENOMEM.
 */
int acpi_pm_new(struct acpi_pm **out, struct machine *machine, const struct irq *irq);

/* acpi_pm_free - after the last vCPU has stopped. NULL is fine. */
void acpi_pm_free(struct acpi_pm *pm);

/* acpi_pm_attach - ACPI_PM_PORTS ports from @base on. Return: 0 or -errno, as bus_attach(). */
int acpi_pm_attach(struct acpi_pm *pm, struct bus *bus, uint64_t base);

/*
 * acpi_pm_press_power_button - tell the guest; what it does about it is up to it. Any thread.
 * Return: 0, or -errno if its interrupt cannot be raised.
 */
int acpi_pm_press_power_button(struct acpi_pm *pm);

/*
 * acpi_pm_repeat_event - raise the interrupt again if the guest has not read its events yet: an
 * edge is lost on a guest whose driver does not listen so far. Any thread.
 * Return: 1 if it was raised; 0 if there is nothing to tell; -errno.
 */
int acpi_pm_repeat_event(struct acpi_pm *pm);

#endif
