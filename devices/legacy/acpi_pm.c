/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * acpi_pm.c - ACPI's sleep, reset and event registers. See acpi_pm.h.
 *
 * One lock guards the registers; the machine is asked outside it.
 */
#include "devices/legacy/acpi_pm.h"

#include <errno.h>
#include <pthread.h>

#include "devices/legacy/byte_ports.h"
#include "firmware.h"
#include "log.h"

#define SLEEP_TYPE_MASK (0x7 << ACPI_SLEEP_TYPE_SHIFT)
#define SLEEP_WAKE	0x80 /* WAK_STS; cleared by writing it */

struct acpi_pm {
	struct machine *machine;
	const struct irq *irq;
	struct log_limit limit;

	pthread_mutex_t lock;
	uint8_t sleep_type; /* in place */
	uint8_t sleep_status;
	uint8_t events;
};

static uint8_t read_byte(void *dev, uint64_t offset)
{
	struct acpi_pm *pm = dev;
	uint8_t value = 0xff;

	pthread_mutex_lock(&pm->lock);
	switch (offset) {
	case ACPI_PM_SLEEP_CONTROL: /* SLP_EN reads as 0 */
		value = pm->sleep_type;
		break;
	case ACPI_PM_SLEEP_STATUS:
		value = pm->sleep_status;
		break;
	case ACPI_PM_RESET:
		value = 0;
		break;
	case ACPI_PM_EVENT:
		value = pm->events;
		pm->events = 0;
		break;
	}
	pthread_mutex_unlock(&pm->lock);
	return value;
}

static void write_sleep_control(struct acpi_pm *pm, uint8_t value)
{
	const unsigned int type = (value & SLEEP_TYPE_MASK) >> ACPI_SLEEP_TYPE_SHIFT;
	const bool off = value & ACPI_SLEEP_ENABLE && type == ACPI_SLEEP_TYPE_S5;
	const bool wake = value & ACPI_SLEEP_ENABLE && !off;

	pthread_mutex_lock(&pm->lock);
	pm->sleep_type = value & SLEEP_TYPE_MASK;
	/* The guest goes on as if it had slept and been woken; it may be polling for that. */
	if (wake)
		pm->sleep_status |= SLEEP_WAKE;
	pthread_mutex_unlock(&pm->lock);
	if (off)
		machine_request(pm->machine, MACHINE_POWER_OFF);
	if (wake)
		log_limited(&pm->limit, LOG_LEVEL_WARNING,
			    "the guest asks for sleep type %u, which there is not: it stays awake",
			    type);
}

static void write_byte(void *dev, uint64_t offset, uint8_t value)
{
	struct acpi_pm *pm = dev;

	switch (offset) {
	case ACPI_PM_SLEEP_CONTROL:
		write_sleep_control(pm, value);
		break;
	case ACPI_PM_SLEEP_STATUS:
		pthread_mutex_lock(&pm->lock);
		pm->sleep_status &= (uint8_t) ~(value & SLEEP_WAKE);
		pthread_mutex_unlock(&pm->lock);
		break;
	case ACPI_PM_RESET:
		if (value == ACPI_PM_RESET_VALUE)
			machine_request(pm->machine, MACHINE_RESET);
		break;
	}
}

static uint64_t pm_read(void *dev, uint64_t offset, unsigned int size)
{
	return byte_ports_read(dev, offset, size, read_byte);
}

static void pm_write(void *dev, uint64_t offset, unsigned int size, uint64_t value)
{
	byte_ports_write(dev, offset, size, value, write_byte);
}

static const struct bus_ops bus_ops = {
	.read = pm_read,
	.write = pm_write,
};

int acpi_pm_new(struct acpi_pm **out, struct machine *machine, const struct irq *irq)
{
	struct acpi_pm *pm = calloc(1, sizeof(*pm));

	if (!pm)
		return -ENOMEM;
	pm->machine = machine;
	pm->irq = irq;
	pthread_mutex_init(&pm->lock, NULL);
	*out = pm;
	return 0;
}

void acpi_pm_free(struct acpi_pm *pm)
{
	if (!pm)
		return;
	pthread_mutex_destroy(&pm->lock);
	free(pm);
}

int acpi_pm_attach(struct acpi_pm *pm, struct bus *bus, uint64_t base)
{
	return bus_attach(bus, base, ACPI_PM_PORTS, &bus_ops, pm, "acpi");
}

int acpi_pm_press_power_button(struct acpi_pm *pm)
{
	pthread_mutex_lock(&pm->lock);
	pm->events |= ACPI_EVENT_POWER_BUTTON;
	pthread_mutex_unlock(&pm->lock);
	/* After the bit, or the guest could look too early. */
	return irq_raise(pm->irq);
}

int acpi_pm_repeat_event(struct acpi_pm *pm)
{
	bool pending;
	int r;

	pthread_mutex_lock(&pm->lock);
	pending = pm->events != 0;
	pthread_mutex_unlock(&pm->lock);
	if (!pending)
		return 0;
	r = irq_raise(pm->irq);
	return r < 0 ? r : 1;
}
