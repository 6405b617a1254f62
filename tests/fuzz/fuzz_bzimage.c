/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_bzimage.c - any bytes as a bzImage: what is taken leaves a machine that can be started.
 */
#include "kernel_fuzz.h"

#include <string.h>

#include "arch/x86_64/memory_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_initramfs(const struct test_machine *machine, uint64_t params)
{
	const uint64_t gpa = kernel_fuzz_get(machine, params + BZ_RAMDISK_IMAGE, 4) |
			     kernel_fuzz_get(machine, params + 0xc0, 4) << 32;
	const uint64_t size = kernel_fuzz_get(machine, params + BZ_RAMDISK_SIZE, 4) |
			      kernel_fuzz_get(machine, params + 0xc4, 4) << 32;
	const uint64_t preferred = kernel_fuzz_get(machine, params + BZ_PREF_ADDRESS, 8);
	const uint64_t init_size = kernel_fuzz_get(machine, params + BZ_INIT_SIZE, 4);
	const uint64_t max = kernel_fuzz_get(machine, params + BZ_INITRD_ADDR_MAX, 4);
	const uint64_t flags = kernel_fuzz_get(machine, params + BZ_XLOADFLAGS, 2);

	if (!machine->request.initramfs) {
		kernel_fuzz_require(gpa == 0 && size == 0, "no initramfs");
		return;
	}
	kernel_fuzz_require(size == KERNEL_FUZZ_INITRAMFS, "the initramfs's size");
	kernel_fuzz_require(gpa % 4096 == 0, "the initramfs's alignment");
	kernel_fuzz_require(kernel_fuzz_is_ram(machine, gpa, size), "the initramfs in RAM");
	kernel_fuzz_require(gpa >= preferred + init_size, "the initramfs behind the kernel");
	kernel_fuzz_require(gpa + size - 1 <= max || (gpa >= MAP_HOLE_END && flags & 2),
			    "the initramfs where the kernel looks for it");
	kernel_fuzz_require(machine_has_pattern(machine, gpa, 0, size), "the initramfs's bytes");
}

static void check(const struct test_machine *machine, const struct boot_entry *entry)
{
	const uint64_t params = entry->info;
	const uint64_t load = entry->entry - 0x200;
	const uint64_t size = kernel_fuzz_get(machine, params + BZ_SYSSIZE, 4) * 16;
	const uint64_t relocatable = kernel_fuzz_get(machine, params + BZ_RELOCATABLE, 1);
	const uint64_t align = kernel_fuzz_get(machine, params + BZ_KERNEL_ALIGNMENT, 4);
	const uint64_t preferred = kernel_fuzz_get(machine, params + BZ_PREF_ADDRESS, 8);
	const uint64_t init_size = kernel_fuzz_get(machine, params + BZ_INIT_SIZE, 4);

	kernel_fuzz_require(entry->protocol == BOOT_LINUX64, "the protocol");
	kernel_fuzz_require(load >= MAP_HIGH && load < MAP_HOLE, "the load address");
	kernel_fuzz_require(kernel_fuzz_is_ram(machine, load, size), "the payload in RAM");
	kernel_fuzz_require(!relocatable || load % align == 0, "the payload's alignment");
	kernel_fuzz_require(kernel_fuzz_is_ram(machine, MAX(load, preferred), init_size),
			    "room to unpack");
	kernel_fuzz_require(strlen(machine->request.cmdline) <=
				    kernel_fuzz_get(machine, params + BZ_CMDLINE_SIZE, 4),
			    "the command line's length");
	kernel_fuzz_require(kernel_fuzz_get(machine, params + 0x1e8, 1) ==
				    machine->request.memmap_n,
			    "the memory map");
	check_initramfs(machine, params);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	kernel_fuzz_run(data, size, "HdrS", 4, BZ_MAGIC, check);
	return 0;
}
