/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mptable.c - the configuration table of the MultiProcessor Specification 1.4, chapter 4, by which
 * a kernel without ACPI finds its processors and interrupts. See firmware.h.
 *
 * The floating pointer comes first, the table right behind it; the kernel searches for the former
 * in the first and the last KiB of base memory and in the 64 KiB below 1 MiB.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "checksum.h"
#include "firmware.h"

#define CPUS_MAX	  32
#define PARAGRAPH	  16
#define SPEC_REVISION	  4 /* 1.4 */
#define LAPIC_VERSION	  0x14
#define IOAPIC_VERSION	  0x11
#define IOAPIC_PINS	  24
#define IOAPIC_ENABLED	  1
#define CPU_ENABLED	  0x01
#define CPU_BOOT	  0x02
#define CPU_FAMILY_6	  0x600
#define CPU_FPU_AND_APIC  0x201
#define BUS_ISA		  0
#define CASCADE_IRQ	  2
#define ALL_APICS	  0xff
#define BOOT_APIC	  0
#define CONFORMS_WITH_BUS 0 /* on ISA: edge-triggered, active high */

enum mp_type { MP_CPU, MP_BUS, MP_IOAPIC, MP_IO_INTERRUPT, MP_LOCAL_INTERRUPT };
enum mp_interrupt { MP_INT, MP_NMI, MP_SMI, MP_EXTINT };

struct mp_pointer {
	char signature[4];
	uint32_t table;
	uint8_t paragraphs;
	uint8_t revision;
	uint8_t checksum;
	uint8_t features[5]; /* 0: there is a table; virtual wire mode */
} __attribute__((packed));

struct mp_header {
	char signature[4];
	uint16_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem[8];
	char product[12];
	uint32_t oem_table;
	uint16_t oem_length;
	uint16_t entries;
	uint32_t lapic;
	uint16_t extended_length;
	uint8_t extended_checksum;
	uint8_t reserved;
} __attribute__((packed));

struct mp_cpu {
	uint8_t type;
	uint8_t apic_id;
	uint8_t apic_version;
	uint8_t flags;
	uint32_t signature;
	uint32_t features;
	uint32_t reserved[2];
} __attribute__((packed));

struct mp_bus {
	uint8_t type;
	uint8_t id;
	char name[6];
} __attribute__((packed));

struct mp_ioapic {
	uint8_t type;
	uint8_t id;
	uint8_t version;
	uint8_t flags;
	uint32_t address;
} __attribute__((packed));

/* @pin: of the I/O APIC, or the local APIC's LINTIN. */
struct mp_irq {
	uint8_t type;
	uint8_t interrupt;
	uint16_t flags;
	uint8_t bus;
	uint8_t irq;
	uint8_t apic;
	uint8_t pin;
} __attribute__((packed));

static_assert(sizeof(struct mp_pointer) == PARAGRAPH && sizeof(struct mp_header) == 44 &&
		      sizeof(struct mp_cpu) == 20 && sizeof(struct mp_bus) == 8 &&
		      sizeof(struct mp_ioapic) == 8 && sizeof(struct mp_irq) == 8,
	      "MultiProcessor Specification 1.4, chapter 4");

/* struct mp_table - the largest one; entries follow each other without a gap. */
struct mp_table {
	struct mp_pointer pointer;
	struct mp_header header;
	uint8_t entries[CPUS_MAX * sizeof(struct mp_cpu) + sizeof(struct mp_bus) +
			sizeof(struct mp_ioapic) + (IOAPIC_PINS + 2) * sizeof(struct mp_irq)];
} __attribute__((packed));

static_assert(sizeof(struct mp_table) <= KIB, "what is searched at the end of base memory");

/* The header's length counts what was added so far. */
static void add(struct mp_table *table, const void *entry, size_t size)
{
	size_t at = table->header.length - sizeof(table->header);

	assert(at + size <= sizeof(table->entries));
	memcpy(table->entries + at, entry, size);
	table->header.length += (uint16_t)size;
	table->header.entries++;
}

static void add_cpus(struct mp_table *table, unsigned int cpus)
{
	for (unsigned int i = 0; i < cpus; i++) {
		struct mp_cpu cpu = {
			.type = MP_CPU,
			.apic_id = (uint8_t)i,
			.apic_version = LAPIC_VERSION,
			.flags = CPU_ENABLED | (i == 0 ? CPU_BOOT : 0),
			.signature = CPU_FAMILY_6,
			.features = CPU_FPU_AND_APIC,
		};

		add(table, &cpu, sizeof(cpu));
	}
}

static void add_irq(struct mp_table *table, enum mp_type type, enum mp_interrupt interrupt,
		    unsigned int irq, unsigned int apic, unsigned int pin)
{
	struct mp_irq entry = {
		.type = type,
		.interrupt = interrupt,
		.flags = CONFORMS_WITH_BUS,
		.bus = BUS_ISA,
		.irq = (uint8_t)irq,
		.apic = (uint8_t)apic,
		.pin = (uint8_t)pin,
	};

	add(table, &entry, sizeof(entry));
}

/*
 * An ISA bus has 16 interrupts. The pins above them are declared in the same way, so that devices
 * named on the command line can have them, too; Linux asks for no more than an entry.
 */
static void add_irqs(struct mp_table *table, unsigned int ioapic)
{
	for (unsigned int irq = 0; irq < IOAPIC_PINS; irq++) {
		if (irq == CASCADE_IRQ)
			continue;
		add_irq(table, MP_IO_INTERRUPT, MP_INT, irq, ioapic, irq);
	}
	add_irq(table, MP_LOCAL_INTERRUPT, MP_EXTINT, 0, BOOT_APIC, 0);
	add_irq(table, MP_LOCAL_INTERRUPT, MP_NMI, 0, ALL_APICS, 1);
}

int mptable_write(struct gmem *gmem, uint64_t gpa, uint64_t max, unsigned int cpus, uint32_t lapic,
		  uint32_t ioapic)
{
	const struct mp_bus bus = {.type = MP_BUS,
				   .id = BUS_ISA,
				   .name = {'I', 'S', 'A', ' ', ' ', ' '}};
	const struct mp_ioapic controller = {
		.type = MP_IOAPIC,
		.id = (uint8_t)cpus, /* the first that no processor has */
		.version = IOAPIC_VERSION,
		.flags = IOAPIC_ENABLED,
		.address = ioapic,
	};
	struct mp_table table = {
		.pointer = {.paragraphs = 1, .revision = SPEC_REVISION},
		.header = {.length = sizeof(table.header),
			   .revision = SPEC_REVISION,
			   .lapic = lapic},
	};
	uint64_t size;

	assert(cpus >= 1 && cpus <= CPUS_MAX);
	assert(gpa % PARAGRAPH == 0 && gpa < MIB);
	memcpy(table.pointer.signature, "_MP_", sizeof(table.pointer.signature));
	table.pointer.table = (uint32_t)(gpa + offsetof(struct mp_table, header));
	table.pointer.checksum = checksum_complement(&table.pointer, sizeof(table.pointer));

	memcpy(table.header.signature, "PCMP", sizeof(table.header.signature));
	memcpy(table.header.oem, "VMM     ", sizeof(table.header.oem));
	memcpy(table.header.product, "VMM         ", sizeof(table.header.product));
	add_cpus(&table, cpus);
	add(&table, &bus, sizeof(bus));
	add(&table, &controller, sizeof(controller));
	add_irqs(&table, controller.id);
	size = sizeof(table.pointer) + table.header.length;
	table.header.checksum = checksum_complement((const uint8_t *)&table + sizeof(table.pointer),
						    table.header.length);

	if (size > max)
		return -ENOSPC;
	return gmem_write(gmem, gpa, &table, size);
}
