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
#include "arch/x86_64/x86.h"

#define CPUID_ADDRESS_SIZES 0x80000008
#define WINDOW_ALIGN	    GIB /* the largest page that KVM may map at once */

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

static uint64_t end_of_ram(const struct gmem *gmem)
{
	const struct gmem_region *regions;
	size_t n = gmem_regions(gmem, &regions);

	return regions[n - 1].gpa + regions[n - 1].size;
}

static unsigned int address_bits(void)
{
	unsigned int eax, ebx, ecx, edx, physical, guest;

	if (!__get_cpuid(CPUID_ADDRESS_SIZES, &eax, &ebx, &ecx, &edx))
		return 36;
	physical = eax & 0xff;
	guest = eax >> 16 & 0xff; /* 0: as physical */
	return guest ? MIN(guest, physical) : physical;
}

int arch_check_memory(const struct gmem *gmem, struct error *err)
{
	const unsigned int bits = address_bits();

	if (bits >= 64 || end_of_ram(gmem) <= UINT64_C(1) << bits)
		return 0;
	return error_set(err, E2BIG,
			 "this host's processor has %u physical address bits, which is too few for "
			 "%llu GiB of guest memory",
			 bits, (unsigned long long)(gmem_size(gmem) / GIB));
}

int x86_window(uint64_t ram_end, unsigned int bits, uint64_t *next, uint64_t size, uint64_t *gpa,
	       struct error *err)
{
	const uint64_t limit = bits >= 64 ? UINT64_MAX : UINT64_C(1) << bits;
	const uint64_t low = MAX(ram_end, MAP_HOLE_END), above = MAX(low, *next);
	const uint64_t start = ALIGN_UP(above, WINDOW_ALIGN);

	if (start >= above && start < limit && size <= limit - start) {
		*gpa = start;
		*next = start + size;
		return 0;
	}
	return error_set(err, E2BIG,
			 "this host's processor has %u physical address bits, which is too few for "
			 "%llu GiB of guest memory and, above that, the shared memory of the "
			 "media devices: make %s smaller",
			 bits, (unsigned long long)(ram_end / GIB),
			 ram_end > limit / 2 ? "memory=" : "their shm=");
}

int arch_window(const struct gmem *gmem, uint64_t *next, uint64_t size, uint64_t *gpa,
		struct error *err)
{
	return x86_window(end_of_ram(gmem), address_bits(), next, size, gpa, err);
}
