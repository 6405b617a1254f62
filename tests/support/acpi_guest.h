/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * acpi_guest.h - machines to describe by ACPI tables, and a reader that finds the tables as a guest
 * does, from the root pointer on, and fails the test where one is malformed.
 */
#ifndef VMM_TEST_ACPI_GUEST_H
#define VMM_TEST_ACPI_GUEST_H

#include "firmware.h"

/* struct acpi_machine - what varies; acpi_machine_platform() adds the rest. */
struct acpi_machine {
	const char *name;
	unsigned int cpus;
	bool serial;
	bool pvpanic;
	size_t virtio_n; /* at most ACPI_MACHINE_VIRTIO_MAX */
	uint64_t virtio_base;
	bool virtio_shared; /* all have one interrupt */
};

#define ACPI_MACHINE_VIRTIO_MAX 300

extern const struct acpi_machine acpi_machines[];
extern const size_t acpi_machines_n;

/* acpi_machine_platform - @virtio: storage, which @platform borrows. */
void acpi_machine_platform(const struct acpi_machine *machine,
			   struct acpi_mmio virtio[ACPI_MACHINE_VIRTIO_MAX],
			   struct acpi_platform *platform);

/* Little endian numbers of 2, 4 and 8 bytes at any alignment. */
uint16_t le16_at(const void *bytes);
uint32_t le32_at(const void *bytes);
uint64_t le64_at(const void *bytes);

/* sum_of - modulo 256. */
uint8_t sum_of(const void *bytes, size_t len);

enum acpi_table_kind { ACPI_XSDT, ACPI_FADT, ACPI_MADT, ACPI_DSDT, ACPI_TABLES };

/* struct acpi_table - @bytes lies in guest memory. */
struct acpi_table {
	char signature[5];
	uint64_t gpa;
	uint32_t len;
	const uint8_t *bytes;
};

/*
 * acpi_find_tables - the four tables that every machine has, checked: signature, length, checksum,
 * identification, alignment.
 */
void acpi_find_tables(const struct gmem *gmem, uint64_t rsdp,
		      struct acpi_table tables[ACPI_TABLES]);

#endif
