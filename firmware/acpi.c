/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * acpi.c - the ACPI tables of a hardware-reduced machine (ACPI 6.5, chapter 5): RSDP, XSDT, FADT,
 * MADT; the DSDT's content is dsdt.c's. See firmware.h.
 *
 * They lie one behind the other, each 16-byte aligned, and are written in place: the guest does
 * not run yet. All fields are little endian, as are the processors that this runs on.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "aml.h"
#include "checksum.h"
#include "dsdt.h"
#include "firmware.h"

#define TABLE_ALIGN 16

struct rsdp {
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes, which ACPI 1.0 defined */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));

#define RSDP_V1_SIZE 20

struct table_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct xsdt {
	struct table_header header;
	uint64_t tables[2];
} __attribute__((packed));

/* 5.2.3.2 */
struct generic_address {
	uint8_t space;
	uint8_t bits;
	uint8_t bit_offset;
	uint8_t access_size;
	uint64_t address;
} __attribute__((packed));

#define SPACE_SYSTEM_IO 1
#define ACCESS_BYTE	1

/* 5.2.9. What a hardware-reduced machine must leave 0 is kept together in no_* members. */
struct fadt {
	struct table_header header;
	uint32_t facs;
	uint32_t dsdt;
	uint8_t reserved_1;
	uint8_t pm_profile;
	uint8_t no_sci_and_power_blocks[54];
	uint16_t cache_flush[2];
	uint8_t duty[2];
	uint8_t rtc_alarm_index[2];
	uint8_t rtc_century_index;
	uint16_t boot_flags;
	uint8_t reserved_2;
	uint32_t flags;
	struct generic_address reset;
	uint8_t reset_value;
	uint16_t arm_boot_flags;
	uint8_t minor_revision;
	uint64_t x_facs;
	uint64_t x_dsdt;
	struct generic_address no_fixed_registers[8];
	struct generic_address sleep_control;
	struct generic_address sleep_status;
	char hypervisor[8];
} __attribute__((packed));

#define FADT_REVISION	    6 /* of ACPI 6.5 */
#define FADT_MINOR_REVISION 5
#define FADT_NO_VGA	    0x0004
#define FADT_NO_MSI	    0x0008
#define FADT_NO_ASPM	    0x0010
#define FADT_WBINVD	    (1u << 0)
#define FADT_PROC_C1	    (1u << 2)
#define FADT_POWER_BUTTON   (1u << 4) /* not fixed hardware, as the two below */
#define FADT_SLEEP_BUTTON   (1u << 5)
#define FADT_RTC_WAKE	    (1u << 6)
#define FADT_RESET_REGISTER (1u << 10)
#define FADT_HW_REDUCED	    (1u << 20)

#define CMOS_CENTURY 0x32 /* where a PC's clock keeps it: devices/legacy/rtc.h */

/* 5.2.12 */
struct madt_cpu {
	uint8_t type, length;
	uint8_t uid;
	uint8_t apic_id;
	uint32_t flags;
} __attribute__((packed));

struct madt_ioapic {
	uint8_t type, length;
	uint8_t id;
	uint8_t reserved;
	uint32_t address;
	uint32_t gsi_base;
} __attribute__((packed));

struct madt_nmi {
	uint8_t type, length;
	uint8_t uid;
	uint16_t flags;
	uint8_t lint;
} __attribute__((packed));

struct madt {
	struct table_header header;
	uint32_t lapic;
	uint32_t flags;
	struct madt_ioapic ioapic;
	struct madt_nmi nmi;
	struct madt_cpu cpus[];
} __attribute__((packed));

enum { MADT_CPU = 0, MADT_IOAPIC = 1, MADT_NMI = 4 };

#define MADT_REVISION	 6 /* of ACPI 6.5 */
#define MADT_CPU_ENABLED 1
#define MADT_ALL_CPUS	 0xff

static_assert(sizeof(struct rsdp) == 36, "ACPI 6.5, table 5.3");
static_assert(sizeof(struct table_header) == 36, "ACPI 6.5, table 5.4");
static_assert(offsetof(struct fadt, cache_flush) == 100 &&
		      offsetof(struct fadt, rtc_century_index) == 108 &&
		      offsetof(struct fadt, flags) == 112 && offsetof(struct fadt, x_dsdt) == 140 &&
		      offsetof(struct fadt, sleep_control) == 244 && sizeof(struct fadt) == 276,
	      "ACPI 6.5, table 5.9");
static_assert(sizeof(struct madt_cpu) == 8 && sizeof(struct madt_ioapic) == 12 &&
		      sizeof(struct madt_nmi) == 6,
	      "ACPI 6.5, tables 5.21, 5.23 and 5.27");

/* struct layout - offsets of the tables from the RSDP, which is at 0. */
struct layout {
	size_t xsdt, fadt, madt, dsdt;
	size_t madt_len;
};

static struct table_header make_header(const char *signature, size_t len, uint8_t revision)
{
	struct table_header header = {
		.length = (uint32_t)len,
		.revision = revision,
		.oem_revision = 1,
		.creator_revision = 1,
	};

	memcpy(header.signature, signature, sizeof(header.signature));
	memcpy(header.oem_id, "VMM   ", sizeof(header.oem_id));
	memcpy(header.oem_table_id, "VMMACPI ", sizeof(header.oem_table_id));
	memcpy(header.creator_id, "VMM ", sizeof(header.creator_id));
	return header;
}

/* The content of a table is complete: make its bytes add up to 0. */
static void seal(void *table)
{
	struct table_header *header = table;

	header->checksum = checksum_complement(table, header->length);
}

static struct generic_address io_byte(uint16_t port)
{
	return (struct generic_address) {SPACE_SYSTEM_IO, 8, 0, ACCESS_BYTE, port};
}

static void write_rsdp(struct rsdp *rsdp, uint64_t xsdt)
{
	*rsdp = (struct rsdp) {.revision = 2, .length = sizeof(*rsdp), .xsdt = xsdt};
	memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
	memcpy(rsdp->oem_id, "VMM   ", sizeof(rsdp->oem_id));
	rsdp->checksum = checksum_complement(rsdp, RSDP_V1_SIZE);
	rsdp->extended_checksum = checksum_complement(rsdp, sizeof(*rsdp));
}

static void write_xsdt(struct xsdt *xsdt, uint64_t fadt, uint64_t madt)
{
	*xsdt = (struct xsdt) {
		.header = make_header("XSDT", sizeof(*xsdt), 1),
		.tables = {fadt, madt},
	};
	seal(xsdt);
}

/*
 * Of the boot flags, those that are not set tell a guest not to look for ISA devices and for a
 * keyboard controller; the CMOS clock is there. The index of its century is by the letter of 5.2.9
 * ignored on a hardware-reduced machine; Linux reads the century if and only if it is not 0.
 */
static void write_fadt(struct fadt *fadt, uint64_t dsdt, const struct acpi_platform *platform)
{
	*fadt = (struct fadt) {
		.header = make_header("FACP", sizeof(*fadt), FADT_REVISION),
		.rtc_century_index = CMOS_CENTURY,
		.boot_flags = FADT_NO_VGA | FADT_NO_MSI | FADT_NO_ASPM,
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_POWER_BUTTON | FADT_SLEEP_BUTTON |
			 FADT_RTC_WAKE | FADT_RESET_REGISTER | FADT_HW_REDUCED,
		.reset = io_byte(platform->reset),
		.reset_value = platform->reset_value,
		.minor_revision = FADT_MINOR_REVISION,
		.x_dsdt = dsdt,
		.sleep_control = io_byte(platform->sleep_control),
		.sleep_status = io_byte(platform->sleep_status),
	};
	memcpy(fadt->hypervisor, "VMM     ", sizeof(fadt->hypervisor));
	seal(fadt);
}

/*
 * No interrupt source override: without one an ISA interrupt is edge-triggered, active high and on
 * the pin of its own number, as it is here. One for interrupt 0 would do harm: Linux takes the
 * override of the FADT's SCI, which is 0 on a hardware-reduced machine, for the SCI's own and makes
 * it level-triggered, active low.
 */
static void write_madt(struct madt *madt, size_t len, const struct acpi_platform *platform)
{
	*madt = (struct madt) {
		.header = make_header("APIC", len, MADT_REVISION),
		.lapic = platform->lapic,
		.ioapic = {MADT_IOAPIC, sizeof(madt->ioapic), .address = platform->ioapic},
		.nmi = {MADT_NMI, sizeof(madt->nmi), .uid = MADT_ALL_CPUS, .lint = 1},
	};
	for (unsigned int i = 0; i < platform->cpus; i++)
		madt->cpus[i] = (struct madt_cpu) {
			MADT_CPU, sizeof(madt->cpus[i]), (uint8_t)i, (uint8_t)i, MADT_CPU_ENABLED,
		};
	seal(madt);
}

/*
 * Write the DSDT at offset @at of @host, which has @max bytes.
 * Return: 0 or -ENOSPC; *@end in both cases: the offset behind it.
 */
static int write_dsdt(uint8_t *host, uint64_t max, size_t at, const struct acpi_platform *platform,
		      size_t *end)
{
	const size_t code = at + sizeof(struct table_header);
	const bool fits = max > code;
	struct table_header header;
	struct aml aml;
	size_t len;
	int r;

	aml_init(&aml, fits ? host + code : NULL, fits ? max - code : 0);
	dsdt_write(&aml, platform);
	r = aml_finish(&aml, &len);
	*end = code + len;
	if (r < 0)
		return r;
	header = make_header("DSDT", sizeof(header) + len, 2); /* 2: integers have 64 bits */
	memcpy(host + at, &header, sizeof(header));
	seal(host + at);
	return 0;
}

static struct layout plan(unsigned int cpus)
{
	struct layout layout = {.madt_len = sizeof(struct madt) + cpus * sizeof(struct madt_cpu)};

	layout.xsdt = ALIGN_UP(sizeof(struct rsdp), TABLE_ALIGN);
	layout.fadt = ALIGN_UP(layout.xsdt + sizeof(struct xsdt), TABLE_ALIGN);
	layout.madt = ALIGN_UP(layout.fadt + sizeof(struct fadt), TABLE_ALIGN);
	layout.dsdt = ALIGN_UP(layout.madt + layout.madt_len, TABLE_ALIGN);
	return layout;
}

int acpi_write_tables(struct gmem *gmem, uint64_t gpa, uint64_t max,
		      const struct acpi_platform *platform, uint64_t *rsdp, struct error *err)
{
	const struct layout layout = plan(platform->cpus);
	uint8_t *host;
	size_t end;

	assert(platform->cpus >= 1 && platform->cpus <= DSDT_CPUS_MAX);
	assert(gpa % TABLE_ALIGN == 0);
	if (platform->virtio_n > DSDT_VIRTIO_MAX)
		return error_set(err, ENOSPC, "%zu devices are too many: ACPI has names for %d",
				 platform->virtio_n, DSDT_VIRTIO_MAX);
	host = gmem_at(gmem, gpa, max);
	if (!host)
		return error_set(err, EFAULT,
				 "the %llu bytes at %#llx, where the ACPI tables go, are not RAM",
				 (unsigned long long)max, (unsigned long long)gpa);

	/* Only the DSDT's size is not known beforehand; it comes last in memory. */
	if (write_dsdt(host, max, layout.dsdt, platform, &end) < 0)
		return error_set(err, ENOSPC,
				 "the ACPI tables of %u CPUs and %zu devices take %zu bytes, there "
				 "is room for %llu: use fewer devices",
				 platform->cpus, platform->virtio_n, end, (unsigned long long)max);
	memset(host, 0, layout.dsdt); /* what alignment skips */
	write_madt((struct madt *)(host + layout.madt), layout.madt_len, platform);
	write_fadt((struct fadt *)(host + layout.fadt), gpa + layout.dsdt, platform);
	write_xsdt((struct xsdt *)(host + layout.xsdt), gpa + layout.fadt, gpa + layout.madt);
	write_rsdp((struct rsdp *)host, gpa + layout.xsdt);
	*rsdp = gpa;
	return 0;
}
