/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_mptable.c - tests mptable.c: a guest searches its memory for the floating pointer and walks
 * the table (MultiProcessor Specification 1.4, chapter 4).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "acpi_guest.h"
#include "arch/x86_64/memory_map.h"

#define GUARD 0xa5

static int setup(void **state)
{
	static const struct gmem_region layout = {.gpa = 0, .size = MAP_HIGH};
	static const struct gmem_options options;

	return gmem_new((struct gmem **)state, &layout, 1, &options, NULL);
}

static int teardown(void **state)
{
	gmem_free(*state);
	return 0;
}

/* Where kernels look: on 16-byte boundaries of these ranges, in this order. */
static uint64_t find_pointer(const struct gmem *gmem)
{
	static const struct {
		uint64_t gpa, size;
	} ranges[] = {{0, KIB}, {639 * KIB, KIB}, {0xf0000, 64 * KIB}};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		for (uint64_t at = 0; at < ranges[i].size; at += 16) {
			const uint8_t *bytes = gmem_at(gmem, ranges[i].gpa + at, 16);

			if (memcmp(bytes, "_MP_", 4) == 0 && bytes[8] == 1 && bytes[9] == 4 &&
			    sum_of(bytes, 16) == 0)
				return ranges[i].gpa + at;
		}
	fail_msg("no floating pointer");
	return 0;
}

/* What the walk of one table has seen. */
struct seen {
	unsigned int cpus, buses, ioapics, irqs, last_type;
	uint32_t pins; /* bit n: an interrupt goes there */
	bool extint, nmi;
};

static void see_irq(const uint8_t *entry, unsigned int cpus, struct seen *seen)
{
	const unsigned int irq = entry[5], pin = entry[7];

	assert_int_equal(entry[1], 0);		 /* vectored */
	assert_int_equal(le16_at(entry + 2), 0); /* as is usual on the bus */
	assert_int_equal(entry[4], 0);
	assert_int_equal(entry[6], cpus);
	assert_int_not_equal(irq, 2);
	assert_int_equal(pin, irq);
	assert_true(pin < GSI_IOAPIC_END);
	assert_false(seen->pins & 1u << pin);
	seen->pins |= 1u << pin;
	seen->irqs++;
}

/* Return: the entry's size. */
static size_t see_entry(const uint8_t *entry, unsigned int cpus, struct seen *seen)
{
	assert_true(entry[0] >= seen->last_type); /* 4.3: in the order of their types */
	seen->last_type = entry[0];
	switch (entry[0]) {
	case 0:
		assert_int_equal(entry[1], seen->cpus);
		assert_int_equal(entry[3], seen->cpus == 0 ? 3 : 1);
		seen->cpus++;
		return 20;
	case 1:
		assert_int_equal(entry[1], 0);
		assert_memory_equal(entry + 2, "ISA   ", 6);
		seen->buses++;
		return 8;
	case 2:
		assert_int_equal(entry[1], cpus); /* no processor has this id */
		assert_int_equal(entry[3], 1);
		assert_int_equal(le32_at(entry + 4), MAP_IOAPIC);
		seen->ioapics++;
		return 8;
	case 3:
		see_irq(entry, cpus, seen);
		return 8;
	case 4:
		if (entry[1] == 3) {
			assert_int_equal(entry[7], 0);
			seen->extint = true;
		} else {
			assert_int_equal(entry[1], 1);
			assert_int_equal(entry[6], 0xff);
			assert_int_equal(entry[7], 1);
			seen->nmi = true;
		}
		return 8;
	default:
		fail_msg("entry of type %u", entry[0]);
		return 0;
	}
}

/* Return: the offset behind the table. */
static uint64_t check_table(const struct gmem *gmem, unsigned int cpus)
{
	const uint8_t *pointer = gmem_at(gmem, find_pointer(gmem), 16);
	const uint64_t gpa = le32_at(pointer + 4);
	const uint8_t *table = gmem_at(gmem, gpa, 44);
	struct seen seen = {0};
	unsigned int entries = 0;
	size_t at = 44, len;

	assert_int_equal(pointer[11], 0); /* a table, not a default configuration */
	assert_int_equal(pointer[12], 0); /* virtual wire mode */
	assert_non_null(table);
	assert_memory_equal(table, "PCMP", 4);
	len = le16_at(table + 4);
	assert_non_null(gmem_at(gmem, gpa, len));
	assert_int_equal(table[6], 4);
	assert_int_equal(sum_of(table, len), 0);
	assert_memory_equal(table + 8, "VMM     VMM         ", 20);
	assert_int_equal(le32_at(table + 36), MAP_LAPIC);
	assert_int_equal(le32_at(table + 40), 0); /* no extended table */
	for (; at < len; entries++)
		at += see_entry(table + at, cpus, &seen);
	assert_int_equal(at, len);
	assert_int_equal(le16_at(table + 34), entries);
	assert_int_equal(seen.cpus, cpus);
	assert_int_equal(seen.buses, 1);
	assert_int_equal(seen.ioapics, 1);
	assert_int_equal(seen.irqs, GSI_IOAPIC_END - 1);
	assert_int_equal(seen.pins, 0xfffffb); /* all but the cascade */
	assert_true(seen.extint && seen.nmi);
	return gpa + len;
}

static void table_is_found_and_complete(void **state)
{
	static const struct {
		const char *name;
		uint64_t gpa, max;
		unsigned int cpus;
	} cases[] = {
		{"1 CPU", MAP_MPTABLE, MAP_MPTABLE_MAX, 1},
		{"2 CPUs", MAP_MPTABLE, MAP_MPTABLE_MAX, 2},
		{"4 CPUs", MAP_MPTABLE, MAP_MPTABLE_MAX, 4},
		{"32 CPUs", MAP_MPTABLE, MAP_MPTABLE_MAX, 32},
		{"32 CPUs, end of base memory", MAP_EBDA, MAP_EBDA_MAX, 32},
		{"32 CPUs, below 1 MiB", MAP_HIGH - KIB, KIB, 32},
	};
	struct gmem *gmem = *state;
	uint8_t *memory = gmem_at(gmem, 0, MAP_HIGH);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t end;

		print_message("# %s\n", cases[i].name);
		memset(memory, GUARD, MAP_HIGH);
		assert_int_equal(mptable_write(gmem, cases[i].gpa, cases[i].max, cases[i].cpus,
					       MAP_LAPIC, MAP_IOAPIC),
				 0);
		assert_int_equal(find_pointer(gmem), cases[i].gpa);
		end = check_table(gmem, cases[i].cpus);
		assert_true(end <= cases[i].gpa + cases[i].max);
		for (uint64_t gpa = 0; gpa < MAP_HIGH; gpa++)
			if ((gpa < cases[i].gpa || gpa >= end) && memory[gpa] != GUARD)
				fail_msg("written to: %#llx", (unsigned long long)gpa);
	}
}

static void too_little_room_is_refused(void **state)
{
	struct gmem *gmem = *state;
	uint8_t *memory = gmem_at(gmem, 0, MAP_HIGH);

	for (unsigned int cpus = 1; cpus <= 32; cpus++) {
		uint64_t size;

		assert_int_equal(mptable_write(gmem, MAP_MPTABLE, MAP_MPTABLE_MAX, cpus, MAP_LAPIC,
					       MAP_IOAPIC),
				 0);
		size = check_table(gmem, cpus) - MAP_MPTABLE;
		memset(memory, GUARD, MAP_HIGH);
		assert_int_equal(mptable_write(gmem, MAP_MPTABLE, size - 1, cpus, MAP_LAPIC,
					       MAP_IOAPIC),
				 -ENOSPC);
		assert_int_equal(memory[MAP_MPTABLE], GUARD);
		assert_int_equal(
			mptable_write(gmem, MAP_MPTABLE, size, cpus, MAP_LAPIC, MAP_IOAPIC), 0);
	}
}

static void a_place_outside_ram_is_refused(void **state)
{
	struct gmem *gmem = *state;

	assert_int_equal(mptable_write(gmem, MAP_HIGH - 16, KIB, 1, MAP_LAPIC, MAP_IOAPIC),
			 -EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_found_and_complete),
		cmocka_unit_test(too_little_room_is_refused),
		cmocka_unit_test(a_place_outside_ram_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
