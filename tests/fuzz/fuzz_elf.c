/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_elf.c - any bytes as an ELF kernel: what is taken leaves a machine that can be started.
 */
#include "kernel_fuzz.h"

#include "arch/x86_64/memory_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct test_machine *machine, const struct boot_entry *entry)
{
	const uint64_t info = entry->info;
	const uint64_t module = kernel_fuzz_get(machine, info + 16, 8);
	uint64_t gpa, size;

	kernel_fuzz_require(entry->protocol == BOOT_PVH, "the protocol");
	kernel_fuzz_require(kernel_fuzz_is_ram(machine, entry->entry, 1), "the entry in RAM");
	kernel_fuzz_require(entry->entry < MAP_HOLE_END, "the entry below 4 GiB");
	/* No segment, hostile or not, can have been loaded over the tables. */
	kernel_fuzz_require(info == MAP_START_INFO, "the start info's place");
	kernel_fuzz_require(kernel_fuzz_get(machine, info, 4) == 0x336ec578, "the magic");
	kernel_fuzz_require(kernel_fuzz_get(machine, info + 24, 8) == MAP_CMDLINE, "cmdline_paddr");
	kernel_fuzz_require(kernel_fuzz_get(machine, info + 32, 8) == machine->request.rsdp,
			    "rsdp_paddr");
	kernel_fuzz_require(kernel_fuzz_get(machine, info + 48, 4) == machine->request.memmap_n,
			    "memmap_entries");
	for (size_t i = 0; machine->request.cmdline[i]; i++)
		kernel_fuzz_require(kernel_fuzz_get(machine, MAP_CMDLINE + i, 1) == 'x',
				    "the command line");
	if (!machine->request.initramfs) {
		kernel_fuzz_require(module == 0, "no module");
		return;
	}
	gpa = kernel_fuzz_get(machine, module, 8);
	size = kernel_fuzz_get(machine, module + 8, 8);
	kernel_fuzz_require(size == KERNEL_FUZZ_INITRAMFS, "the module's size");
	kernel_fuzz_require(gpa % 4096 == 0 && gpa < MAP_HOLE, "the module's place");
	kernel_fuzz_require(kernel_fuzz_is_ram(machine, gpa, size), "the module in RAM");
	kernel_fuzz_require(machine_has_pattern(machine, gpa, 0, size), "the module's bytes");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	kernel_fuzz_run(data, size,
			"\x7f"
			"ELF",
			4, 0, check);
	return 0;
}
