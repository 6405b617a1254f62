/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * firmware.h - what a BIOS and a boot loader would do: put the kernel, its initramfs, its command
 * line and the tables that describe the machine into guest memory.
 *
 * Called once, on the main thread, before the first vCPU runs. Files are the user's: every way in
 * which one can be wrong ends in a sentence in struct error, never in a crash.
 */
#ifndef VMM_FIRMWARE_H
#define VMM_FIRMWARE_H

#include "base.h"
#include "error.h"
#include "gmem.h"

/* The numbers are those of the E820 map and of PVH's memory map. */
enum memmap_type {
	MEMMAP_RAM = 1,
	MEMMAP_RESERVED = 2,
	MEMMAP_ACPI = 3, /* tables; RAM once they are read */
};

struct memmap_entry {
	uint64_t gpa;
	uint64_t size;
	enum memmap_type type;
};

#define MEMMAP_MAX 16

/* struct boot_request - what to boot. All pointers are borrowed for the call. */
struct boot_request {
	const char *kernel;    /* path: bzImage or ELF vmlinux */
	const char *initramfs; /* path, or NULL */
	const char *cmdline;   /* never NULL */
	const struct memmap_entry *memmap;
	size_t memmap_n; /* at most MEMMAP_MAX */
	uint64_t rsdp;	 /* gpa of the ACPI root pointer, 0: none */
};

enum boot_protocol {
	BOOT_LINUX64, /* Documentation/arch/x86/boot.rst, "64-bit boot protocol" */
	BOOT_PVH,     /* xen/include/public/arch-x86/hvm/start_info.h: 32-bit protected mode */
};

/* struct boot_entry - how the first vCPU starts. */
struct boot_entry {
	enum boot_protocol protocol;
	uint64_t entry; /* gpa of the first instruction */
	uint64_t info;	/* gpa of struct boot_params (to rsi) or hvm_start_info (to ebx) */
};

/*
 * kernel_load - open, recognise and load a kernel with all that belongs to it.
 * Return: 0 and *@entry; or -errno and a sentence in @err that names the file and says what is
 * wrong with it (missing, a directory, not a kernel, truncated, of another architecture, an ELF
 * file without PVH note, too large for the memory; command line too long for this kernel).
 */
int kernel_load(struct gmem *gmem, const struct boot_request *request, struct boot_entry *entry,
		struct error *err);

/* struct acpi_mmio - one virtio-mmio device: "LNRO0005". */
struct acpi_mmio {
	uint64_t base;
	uint64_t size;
	uint32_t gsi;
};

/*
 * struct acpi_platform - the machine as ACPI tells it. Ports are I/O ports; a gsi is a global
 * system interrupt. Interrupts are edge-triggered, active high.
 */
struct acpi_platform {
	unsigned int cpus;			     /* APIC ids are 0 .. cpus - 1 */
	uint32_t lapic;				     /* gpa */
	uint32_t ioapic;			     /* gpa */
	uint16_t sleep_control, sleep_status, reset; /* ports of one byte */
	uint8_t reset_value;
	uint16_t event;	    /* port of one byte: which events happened, cleared by reading */
	uint32_t event_gsi; /* raised when one happens */
	bool serial;	    /* 16550 "PNP0501" */
	uint16_t serial_port;
	uint32_t serial_gsi;
	uint16_t rtc_port; /* "PNP0B00" */
	uint32_t rtc_gsi;
	uint16_t pvpanic_port; /* "QEMU0001"; 0: none */
	const struct acpi_mmio *virtio;
	size_t virtio_n;
};

/* Bits of the event port, which the DSDT's GED method reads. */
#define ACPI_EVENT_POWER_BUTTON 0x01

/* The value that goes to the sleep control register for S5: SLP_TYP, then SLP_EN (ACPI 6.5,
 * 4.8.3.7). */
#define ACPI_SLEEP_TYPE_S5    5
#define ACPI_SLEEP_TYPE_SHIFT 2
#define ACPI_SLEEP_ENABLE     0x20

/*
 * acpi_write_tables - RSDP, XSDT, FADT (hardware-reduced), MADT and DSDT into guest memory.
 * @gpa: where to, 16-byte aligned; the RSDP comes first. @max: bytes that may be used.
 * Return: 0 and *@rsdp; -ENOSPC with a sentence if @max is too small (too many devices); -EFAULT.
 */
int acpi_write_tables(struct gmem *gmem, uint64_t gpa, uint64_t max,
		      const struct acpi_platform *platform, uint64_t *rsdp, struct error *err);

/*
 * mptable_write - a table of the MultiProcessor Specification 1.4, for a machine without ACPI.
 * @gpa: where to, 16-byte aligned, within the first MiB. @cpus: 1 to 32. @max: bytes.
 * Interrupts 0 to 23 are ISA's and go to the same pins of the I/O APIC; KVM raises the
 * timer's on pin 0, not on a PC's pin 2.
 * Return: 0; -ENOSPC; -EFAULT.
 */
int mptable_write(struct gmem *gmem, uint64_t gpa, uint64_t max, unsigned int cpus, uint32_t lapic,
		  uint32_t ioapic);

/*
 * reset_vector_write - put code at the BIOS's reset vector, F000:FFF0 in real mode, that writes
 * @value to the I/O port @port. Return: 0; -EFAULT.
 */
int reset_vector_write(struct gmem *gmem, uint16_t port, uint8_t value);

#endif
