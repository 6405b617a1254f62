/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.c - where RAM and virtio-mmio devices lie on x86_64, and what the firmware says of it.
 *
 * RAM fills the addresses up to the hole below 4 GiB, in which the interrupt controllers and the
 * devices are, and goes on at 4 GiB. Devices have a page each, and each a pin of the I/O APIC that
 * no legacy device has: edge-triggered lines cannot be shared.
 */
#include <cpuid.h>
#include <errno.h>

#include "arch.h"
#include "arch/x86_64/memory_map.h"

#define CPUID_ADDRESS_SIZES 0x80000008

size_t arch_memory_layout(uint64_t size, struct gmem_region layout[GMEM_REGIONS_MAX])
{
	layout[0] = (struct gmem_region) {.gpa = 0, .size = MIN(size, MAP_HOLE)};
	if (size <= MAP_HOLE)
		return 1;
	layout[1] = (struct gmem_region) {.gpa = MAP_HOLE_END, .size = size - MAP_HOLE};
	return 2;
}

size_t arch_memory_map(const struct gmem *gmem, struct memmap_entry map[MEMMAP_MAX])
{
	const struct gmem_region *regions;
	size_t n = gmem_regions(gmem, &regions);
	size_t at = 0;

	map[at++] = (struct memmap_entry) {0, MAP_EBDA, MEMMAP_RAM};
	map[at++] = (struct memmap_entry) {MAP_EBDA, MAP_LOW_END - MAP_EBDA, MEMMAP_RESERVED};
	map[at++] = (struct memmap_entry) {MAP_BIOS, MAP_HIGH - MAP_BIOS, MEMMAP_RESERVED};
	map[at++] = (struct memmap_entry) {MAP_HIGH, regions[0].size - MAP_HIGH, MEMMAP_RAM};
	for (size_t i = 1; i < n; i++)
		map[at++] = (struct memmap_entry) {regions[i].gpa, regions[i].size, MEMMAP_RAM};
	return at;
}

static bool is_legacy_line(uint32_t gsi)
{
	return gsi == GSI_KEYBOARD || gsi == GSI_SERIAL || gsi == GSI_RTC || gsi == GSI_EVENT;
}

bool arch_virtio_mmio(unsigned int index, struct acpi_mmio *at)
{
	unsigned int free_lines = 0;

	for (uint32_t gsi = GSI_VIRTIO; gsi < GSI_IOAPIC_END; gsi++) {
		if (is_legacy_line(gsi) || free_lines++ < index)
			continue;
		*at = (struct acpi_mmio) {
			.base = MAP_VIRTIO_MMIO + index * MAP_VIRTIO_MMIO_SIZE,
			.size = MAP_VIRTIO_MMIO_SIZE,
			.gsi = gsi,
		};
		return true;
	}
	return false;
}

int arch_check_memory(const struct gmem *gmem, struct error *err)
{
	const struct gmem_region *regions;
	size_t n = gmem_regions(gmem, &regions);
	const uint64_t end = regions[n - 1].gpa + regions[n - 1].size;
	unsigned int eax, ebx, ecx, edx, bits = 36;

	if (__get_cpuid(CPUID_ADDRESS_SIZES, &eax, &ebx, &ecx, &edx))
		bits = eax & 0xff;
	if (bits >= 64 || end <= UINT64_C(1) << bits)
		return 0;
	return error_set(err, E2BIG,
			 "this host's processor has %u physical address bits, which is too few for "
			 "%llu GiB of guest memory",
			 bits, (unsigned long long)(gmem_size(gmem) / GIB));
}
