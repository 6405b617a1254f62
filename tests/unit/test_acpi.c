/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_acpi.c - tests acpi.c: the tables as a guest finds and reads them, and how a lack of room is
 * reported. Offsets are those of ACPI 6.5, chapter 5.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "acpi_guest.h"
#include "arch/x86_64/memory_map.h"
#include "devices/legacy/rtc.h"

#define GUARD	   0xa5
#define GUARD_SIZE 256

struct fixture {
	struct gmem *gmem;
	struct acpi_platform platform;
	struct acpi_mmio virtio[ACPI_MACHINE_VIRTIO_MAX];
	struct acpi_table tables[ACPI_TABLES];
	uint64_t rsdp;
};

static int setup(void **state)
{
	static const struct gmem_region layout = {.gpa = 0, .size = MAP_HIGH};
	static const struct gmem_options options;
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (!fixture || gmem_new(&fixture->gmem, &layout, 1, &options, NULL) < 0)
		return -1;
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	gmem_free(fixture->gmem);
	free(fixture);
	return 0;
}

/* All of memory holds a pattern, so that what is written and what is not can be told apart. */
static void write_machine(struct fixture *fixture, const struct acpi_machine *machine)
{
	struct error err = {0};

	memset(gmem_at(fixture->gmem, 0, MAP_HIGH), GUARD, MAP_HIGH);
	acpi_machine_platform(machine, fixture->virtio, &fixture->platform);
	assert_int_equal(acpi_write_tables(fixture->gmem, MAP_BIOS, MAP_BIOS_MAX,
					   &fixture->platform, &fixture->rsdp, &err),
			 0);
	acpi_find_tables(fixture->gmem, fixture->rsdp, fixture->tables);
}

static bool is_untouched(const struct gmem *gmem, uint64_t gpa, size_t len)
{
	const uint8_t *at = gmem_at(gmem, gpa, len);

	assert_non_null(at);
	for (size_t i = 0; i < len; i++)
		if (at[i] != GUARD)
			return false;
	return true;
}

static void root_pointer_comes_first(void **state)
{
	struct fixture *fixture = *state;

	write_machine(fixture, &acpi_machines[0]);
	assert_int_equal(fixture->rsdp, MAP_BIOS);
}

static void tables_of_every_machine_are_well_formed(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < acpi_machines_n; i++) {
		print_message("# %s\n", acpi_machines[i].name);
		write_machine(fixture, &acpi_machines[i]);
	}
}

static void tables_neither_overlap_nor_exceed_their_place(void **state)
{
	struct fixture *fixture = *state;
	const struct acpi_table *tables = fixture->tables;

	for (size_t n = 0; n < acpi_machines_n; n++) {
		uint64_t end = 0;

		write_machine(fixture, &acpi_machines[n]);
		for (size_t i = 0; i < ACPI_TABLES; i++) {
			assert_true(tables[i].gpa >= MAP_BIOS + 36);
			end = MAX(end, tables[i].gpa + tables[i].len);
			for (size_t j = 0; j < ACPI_TABLES; j++)
				assert_true(i == j ||
					    tables[i].gpa + tables[i].len <= tables[j].gpa ||
					    tables[j].gpa + tables[j].len <= tables[i].gpa);
		}
		assert_true(end <= MAP_BIOS + MAP_BIOS_MAX);
		assert_true(is_untouched(fixture->gmem, end, MAP_HIGH - end));
		assert_true(is_untouched(fixture->gmem, MAP_BIOS - GUARD_SIZE, GUARD_SIZE));
	}
}

static void fadt_describes_hardware_reduced_machine(void **state)
{
	static const struct {
		const char *name;
		size_t offset, size;
		uint64_t value;
	} fields[] = {
		{"major revision", 8, 1, 6},
		{"minor revision", 131, 1, 5},
		{"no FACS", 36, 4, 0},
		{"no FACS above 4 GiB", 132, 8, 0},
		{"no SCI", 46, 2, 0},
		{"no SMI command port", 48, 4, 0},
		{"no PM1 event block", 56, 4, 0},
		{"no PM1 control block", 64, 4, 0},
		{"no PM timer", 76, 4, 0},
		{"no general purpose events", 80, 4, 0},
		{"no extended PM1 event block", 152, 8, 0},
		{"no extended PM timer", 212, 8, 0},
		{"no alarm by day or month", 106, 2, 0},
		{"the clock's century", 108, 1, RTC_CENTURY},
		/* bit 1 clear: no 8042; bits 2 to 4: no VGA, MSI, ASPM; bit 5 clear: a CMOS clock
		 */
		{"boot architecture", 109, 2, 0x1c},
		/* WBINVD, C1, no fixed power button, sleep button, RTC; reset; hardware-reduced */
		{"flags", 112, 4, 0x100475},
		/* system I/O, 8 bits at bit 0, byte access */
		{"reset register", 116, 4, 0x01000801},
		{"reset port", 120, 8, PORT_RESET},
		{"reset value", 128, 1, RESET_VALUE},
		{"sleep control register", 244, 4, 0x01000801},
		{"sleep control port", 248, 8, PORT_SLEEP_CONTROL},
		{"sleep status register", 256, 4, 0x01000801},
		{"sleep status port", 260, 8, PORT_SLEEP_STATUS},
	};
	struct fixture *fixture = *state;
	const uint8_t *fadt;

	write_machine(fixture, &acpi_machines[1]);
	fadt = fixture->tables[ACPI_FADT].bytes;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		uint8_t bytes[8] = {0};

		print_message("# %s\n", fields[i].name);
		memcpy(bytes, fadt + fields[i].offset, fields[i].size);
		assert_int_equal(le64_at(bytes), fields[i].value);
	}
	assert_int_equal(fixture->tables[ACPI_DSDT].bytes[8], 2);
}

/* What the walk of one MADT has seen. */
struct madt_seen {
	unsigned int cpus, ioapics, nmis;
};

static void see_madt_entry(const uint8_t *entry, struct madt_seen *seen)
{
	switch (entry[0]) {
	case 0: /* local APIC: id and processor of the same number, enabled */
		assert_int_equal(entry[1], 8);
		assert_int_equal(entry[2], seen->cpus);
		assert_int_equal(entry[3], seen->cpus);
		assert_int_equal(le32_at(entry + 4), 1);
		seen->cpus++;
		return;
	case 1: /* I/O APIC: id 0, from interrupt 0 on */
		assert_int_equal(entry[1], 12);
		assert_int_equal(entry[2], 0);
		assert_int_equal(le32_at(entry + 4), MAP_IOAPIC);
		assert_int_equal(le32_at(entry + 8), 0);
		seen->ioapics++;
		return;
	case 4: /* NMI: of all processors, at LINT1 */
		assert_int_equal(entry[1], 6);
		assert_int_equal(entry[2], 0xff);
		assert_int_equal(entry[5], 1);
		seen->nmis++;
		return;
	default:
		fail_msg("MADT entry of type %u", entry[0]);
	}
}

static void madt_lists_every_cpu_once(void **state)
{
	struct fixture *fixture = *state;

	for (size_t n = 0; n < acpi_machines_n; n++) {
		struct madt_seen seen = {0};
		const struct acpi_table *madt = &fixture->tables[ACPI_MADT];
		uint32_t at = 44;

		write_machine(fixture, &acpi_machines[n]);
		assert_int_equal(le32_at(madt->bytes + 36), MAP_LAPIC);
		assert_int_equal(le32_at(madt->bytes + 40), 0); /* no 8259 */
		while (at < madt->len) {
			assert_true(madt->bytes[at + 1] >= 2);
			assert_true(at + madt->bytes[at + 1] <= madt->len);
			see_madt_entry(madt->bytes + at, &seen);
			at += madt->bytes[at + 1];
		}
		assert_int_equal(seen.cpus, acpi_machines[n].cpus);
		assert_int_equal(seen.ioapics, 1);
		assert_int_equal(seen.nmis, 1);
	}
}

static void too_little_room_is_refused_at_every_size(void **state)
{
	struct fixture *fixture = *state;
	const struct acpi_table *dsdt = &fixture->tables[ACPI_DSDT];
	uint8_t *memory = gmem_at(fixture->gmem, 0, MAP_HIGH);
	char needed[32];
	uint64_t size;

	write_machine(fixture, &acpi_machines[1]);
	size = dsdt->gpa + dsdt->len - MAP_BIOS;
	snprintf(needed, sizeof(needed), "take %llu bytes", (unsigned long long)size);
	for (uint64_t max = 0; max < size; max++) {
		struct error err = {0};

		memset(memory + MAP_BIOS, GUARD, size + GUARD_SIZE);
		assert_int_equal(acpi_write_tables(fixture->gmem, MAP_BIOS, max, &fixture->platform,
						   &fixture->rsdp, &err),
				 -ENOSPC);
		assert_non_null(strstr(err.text, needed));
		assert_true(is_untouched(fixture->gmem, MAP_BIOS + max, size + GUARD_SIZE - max));
	}
	assert_int_equal(acpi_write_tables(fixture->gmem, MAP_BIOS, size, &fixture->platform,
					   &fixture->rsdp, NULL),
			 0);
	acpi_find_tables(fixture->gmem, fixture->rsdp, fixture->tables);
	assert_true(is_untouched(fixture->gmem, MAP_BIOS + size, GUARD_SIZE));
}

static void more_devices_than_names_are_refused(void **state)
{
	static const struct acpi_machine machine = {
		.cpus = 1,
		.virtio_n = 257,
		.virtio_base = MAP_VIRTIO_MMIO,
	};
	struct fixture *fixture = *state;
	struct error err = {0};

	acpi_machine_platform(&machine, fixture->virtio, &fixture->platform);
	assert_int_equal(acpi_write_tables(fixture->gmem, MAP_BIOS, MAP_BIOS_MAX,
					   &fixture->platform, &fixture->rsdp, &err),
			 -ENOSPC);
	assert_non_null(strstr(err.text, "257"));
	assert_non_null(strstr(err.text, "256"));
}

static void a_place_outside_ram_is_refused(void **state)
{
	static const struct {
		uint64_t gpa, max;
	} places[] = {
		{MAP_HIGH, MAP_BIOS_MAX},
		{MAP_HIGH - 0x1000, MAP_BIOS_MAX},
		{UINT64_MAX - 0xf, MAP_BIOS_MAX},
	};
	struct fixture *fixture = *state;

	acpi_machine_platform(&acpi_machines[1], fixture->virtio, &fixture->platform);
	memset(gmem_at(fixture->gmem, 0, MAP_HIGH), GUARD, MAP_HIGH);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct error err = {0};

		assert_int_equal(acpi_write_tables(fixture->gmem, places[i].gpa, places[i].max,
						   &fixture->platform, &fixture->rsdp, &err),
				 -EFAULT);
		assert_non_null(strstr(err.text, "not RAM"));
	}
	assert_true(is_untouched(fixture->gmem, 0, MAP_HIGH));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_pointer_comes_first),
		cmocka_unit_test(tables_of_every_machine_are_well_formed),
		cmocka_unit_test(tables_neither_overlap_nor_exceed_their_place),
		cmocka_unit_test(fadt_describes_hardware_reduced_machine),
		cmocka_unit_test(madt_lists_every_cpu_once),
		cmocka_unit_test(too_little_room_is_refused_at_every_size),
		cmocka_unit_test(more_devices_than_names_are_refused),
		cmocka_unit_test(a_place_outside_ram_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
