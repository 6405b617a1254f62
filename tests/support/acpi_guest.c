/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * acpi_guest.c - see acpi_guest.h. Offsets are those of ACPI 6.5, chapter 5.
 */
#include "acpi_guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/memory_map.h"

#define HEADER_SIZE 36
#define RSDP_SIZE   36
#define HIGH_MMIO   UINT64_C(0x4000000000)

const struct acpi_machine acpi_machines[] = {
	{.name = "smallest", .cpus = 1},
	{.name = "usual", 1, true, true, 3, MAP_VIRTIO_MMIO},
	{.name = "4 CPUs, 19 devices", 4, true, true, 19, MAP_VIRTIO_MMIO},
	{.name = "32 CPUs, 64 devices", 32, true, true, 64, MAP_VIRTIO_MMIO},
	{.name = "no serial port", 2, false, true, 1, MAP_VIRTIO_MMIO},
	{.name = "no pvpanic", 2, true, false, 1, MAP_VIRTIO_MMIO},
	{.name = "one interrupt for all", 1, true, true, 4, MAP_VIRTIO_MMIO, true},
	{.name = "up to 4 GiB", 1, true, true, 1, MAP_HOLE_END - 0x1000},
	{.name = "devices above 4 GiB", 1, true, true, 2, HIGH_MMIO},
	{.name = "as many as there are names", 255, true, true, 256, MAP_VIRTIO_MMIO},
};
const size_t acpi_machines_n = ARRAY_SIZE(acpi_machines);

void acpi_machine_platform(const struct acpi_machine *machine,
			   struct acpi_mmio virtio[ACPI_MACHINE_VIRTIO_MAX],
			   struct acpi_platform *platform)
{
	*platform = (struct acpi_platform) {
		.cpus = machine->cpus,
		.lapic = MAP_LAPIC,
		.ioapic = MAP_IOAPIC,
		.sleep_control = PORT_SLEEP_CONTROL,
		.sleep_status = PORT_SLEEP_STATUS,
		.reset = PORT_RESET,
		.reset_value = RESET_VALUE,
		.event = PORT_EVENT,
		.event_gsi = GSI_EVENT,
		.serial = machine->serial,
		.serial_port = PORT_SERIAL,
		.serial_gsi = GSI_SERIAL,
		.rtc_port = PORT_RTC,
		.rtc_gsi = GSI_RTC,
		.pvpanic_port = machine->pvpanic ? PORT_PVPANIC : 0,
		.virtio = virtio,
		.virtio_n = machine->virtio_n,
	};
	/* Beyond the I/O APIC's pins on purpose: numbers of more than one byte, each used once. */
	for (size_t i = 0; i < machine->virtio_n; i++)
		virtio[i] = (struct acpi_mmio) {
			.base = machine->virtio_base + i * 0x1000,
			.size = 0x1000,
			.gsi = machine->virtio_shared ? GSI_VIRTIO : 16 + (uint32_t)i,
		};
}

static uint64_t le_at(const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint64_t value = 0;

	while (size--)
		value = value << 8 | at[size];
	return value;
}

uint16_t le16_at(const void *bytes)
{
	return (uint16_t)le_at(bytes, 2);
}

uint32_t le32_at(const void *bytes)
{
	return (uint32_t)le_at(bytes, 4);
}

uint64_t le64_at(const void *bytes)
{
	return le_at(bytes, 8);
}

uint8_t sum_of(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += at[i];
	return sum;
}

static struct acpi_table table_at(const struct gmem *gmem, uint64_t gpa, const char *signature)
{
	struct acpi_table table = {.gpa = gpa};
	const uint8_t *header = gmem_at(gmem, gpa, HEADER_SIZE);

	assert_non_null(header);
	assert_int_equal(gpa % 16, 0);
	memcpy(table.signature, header, 4);
	assert_string_equal(table.signature, signature);
	table.len = le32_at(header + 4);
	assert_true(table.len >= HEADER_SIZE);
	table.bytes = gmem_at(gmem, gpa, table.len);
	assert_non_null(table.bytes);
	assert_int_equal(sum_of(table.bytes, table.len), 0);
	assert_memory_equal(table.bytes + 10, "VMM   VMMACPI ", 14);
	return table;
}

void acpi_find_tables(const struct gmem *gmem, uint64_t rsdp, struct acpi_table tables[ACPI_TABLES])
{
	static const char *const named_by_xsdt[] = {"FACP", "APIC"};
	const uint8_t *root = gmem_at(gmem, rsdp, RSDP_SIZE);
	const struct acpi_table *xsdt = &tables[ACPI_XSDT];

	assert_non_null(root);
	assert_int_equal(rsdp % 16, 0);
	assert_memory_equal(root, "RSD PTR ", 8);
	assert_int_equal(sum_of(root, 20), 0);
	assert_memory_equal(root + 9, "VMM   ", 6);
	assert_int_equal(root[15], 2);
	assert_int_equal(le32_at(root + 20), RSDP_SIZE);
	assert_int_equal(sum_of(root, RSDP_SIZE), 0);

	tables[ACPI_XSDT] = table_at(gmem, le64_at(root + 24), "XSDT");
	assert_int_equal(xsdt->len, HEADER_SIZE + 8 * ARRAY_SIZE(named_by_xsdt));
	for (size_t i = 0; i < ARRAY_SIZE(named_by_xsdt); i++)
		tables[ACPI_FADT + i] = table_at(gmem, le64_at(xsdt->bytes + HEADER_SIZE + 8 * i),
						 named_by_xsdt[i]);
	assert_int_equal(tables[ACPI_FADT].len, 276);
	tables[ACPI_DSDT] = table_at(gmem, le64_at(tables[ACPI_FADT].bytes + 140), "DSDT");
}
