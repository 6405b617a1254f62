/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory_map.h - where things are on the x86_64 machine: guest physical addresses, I/O ports and
 * interrupts. The one place for these numbers; arch/, firmware/ and vmm.c read it.
 */
#ifndef VMM_X86_MEMORY_MAP_H
#define VMM_X86_MEMORY_MAP_H

#include "base.h"

/* Below 1 MiB: what the boot loader leaves for the kernel, all inside RAM. */
#define MAP_GDT		 UINT64_C(0x0500)
#define MAP_START_INFO	 UINT64_C(0x6000) /* PVH: hvm_start_info, module list, memory map */
#define MAP_BOOT_PARAMS	 UINT64_C(0x7000) /* Linux: the "zero page", 4 KiB */
#define MAP_PAGE_TABLES	 UINT64_C(0x9000) /* PML4, PDPT, four page directories: 24 KiB */
#define MAP_CMDLINE	 UINT64_C(0x20000)
#define MAP_CMDLINE_MAX	 (64 * KIB)
#define MAP_EBDA	 UINT64_C(0x9fc00) /* reserved from here on */
#define MAP_EBDA_MAX	 KIB
#define MAP_LOW_END	 UINT64_C(0xa0000)
#define MAP_BIOS	 UINT64_C(0xe0000) /* ACPI tables */
#define MAP_BIOS_MAX	 (64 * KIB)
#define MAP_MPTABLE	 UINT64_C(0xf0000) /* MP table (without ACPI), where kernels look for it */
#define MAP_MPTABLE_MAX	 (60 * KIB)
#define MAP_RESET_VECTOR UINT64_C(0xffff0)
#define MAP_HIGH	 UINT64_C(0x100000) /* RAM without holes from here on */

/* The hole below 4 GiB. RAM that does not fit under it goes on at 4 GiB. */
#define MAP_HOLE	     UINT64_C(0xc0000000)
#define MAP_VIRTIO_MMIO	     UINT64_C(0xd0000000) /* register files of virtio-mmio devices */
#define MAP_VIRTIO_MMIO_SIZE UINT64_C(0x1000)	  /* of each, one after the other */
#define MAP_IOAPIC	     UINT64_C(0xfec00000)
#define MAP_LAPIC	     UINT64_C(0xfee00000)
#define MAP_KVM_TSS	     UINT64_C(0xfffbd000) /* 3 pages that KVM needs on Intel, and one more */
#define MAP_KVM_IDENTITY     UINT64_C(0xfffbc000)
#define MAP_HOLE_END	     UINT64_C(0x100000000)

#define PORT_RTC	   0x70
#define PORT_I8042	   0x60
#define PORT_SERIAL	   0x3f8
#define PORT_PVPANIC	   0x505 /* where QEMU has it */
#define PORT_PM		   0x600 /* 8 ports: sleep control, sleep status, reset, -, event */
#define PORT_SLEEP_CONTROL (PORT_PM + 0)
#define PORT_SLEEP_STATUS  (PORT_PM + 1)
#define PORT_RESET	   (PORT_PM + 2)
#define PORT_EVENT	   (PORT_PM + 4)

#define RESET_VALUE 0x01

#define GSI_KEYBOARD   1
#define GSI_SERIAL     4
#define GSI_RTC	       8
#define GSI_EVENT      9
#define GSI_VIRTIO     5  /* first candidate; the taken ones above are skipped */
#define GSI_IOAPIC_END 24 /* pins of KVM's I/O APIC */

#endif
