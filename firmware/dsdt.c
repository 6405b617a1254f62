/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dsdt.c - the machine's devices as its DSDT declares them (ACPI 6.5; virtio 1.4, 4.2.2 for the
 * virtio-mmio ones). See dsdt.h. Main thread, before the guest runs.
 *
 * Interrupts are given as global system interrupts in extended descriptors: a hardware-reduced
 * machine has no ISA interrupts, and the descriptor says edge-triggered, active high by itself.
 */
#include "dsdt.h"

#include <assert.h>
#include <stdio.h>

#define SERIAL_PORTS   8
#define RTC_PORTS      2
#define POWER_BUTTON   "PWRB"
#define BUTTON_PRESSED 0x80 /* ACPI 6.5, table 5.149 */

static bool gsi_is_shared(const struct acpi_platform *platform, uint32_t gsi)
{
	unsigned int users = (gsi == platform->event_gsi) + (gsi == platform->rtc_gsi) +
			     (platform->serial && gsi == platform->serial_gsi);

	for (size_t i = 0; i < platform->virtio_n; i++)
		users += gsi == platform->virtio[i].gsi;
	return users > 1;
}

static void add_interrupt(struct aml *aml, const struct acpi_platform *platform, uint32_t gsi)
{
	aml_resource_interrupt(aml, gsi, gsi_is_shared(platform, gsi));
}

static void name_integer(struct aml *aml, const char *name, uint64_t value)
{
	aml_name(aml, name);
	aml_integer(aml, value);
}

/* Open a device and declare who it is; aml_end() closes it. */
static void begin_device(struct aml *aml, const char *name, const char *hid, unsigned int uid)
{
	aml_device(aml, name);
	aml_name(aml, "_HID");
	aml_string(aml, hid);
	name_integer(aml, "_UID", uid);
}

/* The same, for the devices that are many: a prefix and two hexadecimal digits. */
static void begin_numbered(struct aml *aml, const char *prefix, const char *hid, unsigned int n)
{
	char name[8];

	assert(n <= 0xff);
	snprintf(name, sizeof(name), "%.2s%02X", prefix, n & 0xff);
	begin_device(aml, name, hid, n);
}

static void begin_crs(struct aml *aml)
{
	aml_name(aml, "_CRS");
	aml_resources(aml);
}

/* ACPI 6.5, 7.4.2.6: both control registers' SLP_TYP, then two reserved numbers. */
static void add_power_off(struct aml *aml)
{
	aml_name(aml, "_S5");
	aml_package(aml, 4);
	aml_integer(aml, ACPI_SLEEP_TYPE_S5);
	aml_integer(aml, ACPI_SLEEP_TYPE_S5);
	aml_integer(aml, 0);
	aml_integer(aml, 0);
	aml_end(aml);
}

/* If bit @event was read into Local0, tell @device of it. */
static void notify_on(struct aml *aml, uint8_t event, const char *device, uint8_t value)
{
	aml_if(aml);
	aml_op(aml, AML_AND);
	aml_op(aml, AML_LOCAL0);
	aml_integer(aml, event);
	aml_op(aml, AML_NULL_TARGET);

	aml_op(aml, AML_NOTIFY);
	aml_reference(aml, device);
	aml_integer(aml, value);
	aml_end(aml);
}

/*
 * ACPI 6.5, 5.6.9: one interrupt for all events. Reading the port clears it, hence once, into a
 * local that every event is then looked for in.
 */
static void add_events(struct aml *aml, const struct acpi_platform *platform)
{
	begin_device(aml, POWER_BUTTON, "PNP0C0C", 0);
	aml_end(aml);

	begin_device(aml, "GED", "ACPI0013", 0);
	begin_crs(aml);
	add_interrupt(aml, platform, platform->event_gsi);
	aml_end(aml);

	aml_io_region(aml, "PORT", platform->event, 1);
	aml_byte_field(aml, "PORT");
	aml_field_unit(aml, "EVTS", 8);
	aml_end(aml);

	aml_method(aml, "_EVT", 1);
	aml_op(aml, AML_STORE);
	aml_reference(aml, "EVTS");
	aml_op(aml, AML_LOCAL0);
	notify_on(aml, ACPI_EVENT_POWER_BUTTON, POWER_BUTTON, BUTTON_PRESSED);
	aml_end(aml);
	aml_end(aml);
}

static void add_serial(struct aml *aml, const struct acpi_platform *platform)
{
	begin_device(aml, "COM1", "PNP0501", 0);
	begin_crs(aml);
	aml_resource_io(aml, platform->serial_port, SERIAL_PORTS);
	add_interrupt(aml, platform, platform->serial_gsi);
	aml_end(aml);
	aml_end(aml);
}

static void add_rtc(struct aml *aml, const struct acpi_platform *platform)
{
	begin_device(aml, "RTC", "PNP0B00", 0);
	begin_crs(aml);
	aml_resource_io(aml, platform->rtc_port, RTC_PORTS);
	add_interrupt(aml, platform, platform->rtc_gsi);
	aml_end(aml);
	aml_end(aml);
}

static void add_pvpanic(struct aml *aml, uint16_t port)
{
	begin_device(aml, "PVPN", "QEMU0001", 0);
	begin_crs(aml);
	aml_resource_io(aml, port, 1);
	aml_end(aml);
	aml_end(aml);
}

static void add_virtio(struct aml *aml, const struct acpi_platform *platform, unsigned int n)
{
	const struct acpi_mmio *mmio = &platform->virtio[n];

	begin_numbered(aml, "VR", "LNRO0005", n);
	name_integer(aml, "_CCA", 1);
	begin_crs(aml);
	aml_resource_memory(aml, mmio->base, mmio->size);
	add_interrupt(aml, platform, mmio->gsi);
	aml_end(aml);
	aml_end(aml);
}

void dsdt_write(struct aml *aml, const struct acpi_platform *platform)
{
	assert(platform->cpus <= DSDT_CPUS_MAX && platform->virtio_n <= DSDT_VIRTIO_MAX);
	add_power_off(aml);
	aml_scope(aml, "_SB");
	for (unsigned int i = 0; i < platform->cpus; i++) {
		begin_numbered(aml, "CP", "ACPI0007", i);
		aml_end(aml);
	}
	add_events(aml, platform);
	if (platform->serial)
		add_serial(aml, platform);
	add_rtc(aml, platform);
	if (platform->pvpanic_port)
		add_pvpanic(aml, platform->pvpanic_port);
	for (unsigned int i = 0; i < platform->virtio_n; i++)
		add_virtio(aml, platform, i);
	aml_end(aml);
}
