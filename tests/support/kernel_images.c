/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_images.c - kernels for tests. See kernel_images.h.
 */
#include "kernel_images.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "arch/x86_64/memory_map.h"

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			perror("kernel_images: " #condition);                                      \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

void image_init(struct image *image, const void *bytes, size_t size)
{
	image->fd = memfd_create("image", MFD_CLOEXEC);
	CHECK(image->fd >= 0);
	snprintf(image->path, sizeof(image->path), "/proc/self/fd/%d", image->fd);
	image_write(image, 0, bytes, size);
}

void image_deinit(struct image *image)
{
	closep(&image->fd);
	image->fd = -1;
}

void image_write(const struct image *image, uint64_t at, const void *bytes, size_t size)
{
	CHECK(pwrite(image->fd, bytes, size, (off_t)at) == (ssize_t)size);
}

void image_read_back(const struct image *image, uint64_t at, void *bytes, size_t size)
{
	CHECK(pread(image->fd, bytes, size, (off_t)at) == (ssize_t)size);
}

void image_patch(const struct image *image, const struct patch *patch)
{
	image_write(image, patch->at, &patch->value, patch->width);
}

void image_resize(const struct image *image, uint64_t size)
{
	CHECK(ftruncate(image->fd, (off_t)size) == 0);
}

uint8_t pattern_byte(uint64_t i)
{
	return (uint8_t)(i + (i >> 8) * 7 + (i >> 16) * 13 + 1);
}

static void fill_pattern(uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = pattern_byte(i);
}

void pattern_init(struct image *image, size_t size)
{
	uint8_t *bytes = malloc(size);

	CHECK(bytes);
	fill_pattern(bytes, size);
	image_init(image, bytes, size);
	free(bytes);
}

static void write_patches(const struct image *image, const struct patch *patches, size_t n)
{
	for (size_t i = 0; i < n; i++)
		image_patch(image, &patches[i]);
}

void bzimage_init(struct image *image, size_t payload)
{
	const size_t size = BZ_PAYLOAD + payload;
	uint8_t *bytes = calloc(1, size);
	const struct patch header[] = {
		{BZ_SETUP_SECTS, 1, BZ_PAYLOAD / 512 - 1},
		{BZ_SYSSIZE, 4, payload / 16},
		{BZ_VID_MODE, 2, 0x1234},
		{BZ_BOOT_FLAG, 2, 0xaa55},
		{BZ_JUMP, 2, 0xeb | (BZ_HEADER_END - 0x202) << 8},
		{BZ_MAGIC, 4, 0x53726448},
		{BZ_VERSION, 2, 0x020f},
		{BZ_LOADFLAGS, 1, 0x81}, /* LOADED_HIGH, CAN_USE_HEAP */
		{BZ_CODE32_START, 4, 0x100000},
		{BZ_INITRD_ADDR_MAX, 4, 0x7fffffff},
		{BZ_KERNEL_ALIGNMENT, 4, BZ_ALIGNMENT},
		{BZ_RELOCATABLE, 1, 1},
		{BZ_XLOADFLAGS, 2, 0x7f},
		{BZ_CMDLINE_SIZE, 4, 2047},
		{BZ_PREF_ADDRESS, 8, BZ_PREFERRED},
		{BZ_INIT_SIZE, 4, BZ_INIT_BYTES},
	};

	CHECK(bytes);
	/* Around the header is the rest of the boot sector and code, none of which may get away. */
	memset(bytes, 0xff, BZ_PAYLOAD);
	memset(bytes + BZ_HEADER, 0, BZ_HEADER_END - BZ_HEADER);
	fill_pattern(bytes + BZ_PAYLOAD, payload);
	image_init(image, bytes, size);
	write_patches(image, header, ARRAY_SIZE(header));
	free(bytes);
}

void vmlinux_init(struct image *image)
{
	uint8_t bytes[ELF_SIZE] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
	const struct patch headers[] = {
		{ELF_TYPE, 2, 2},     /* ET_EXEC */
		{ELF_MACHINE, 2, 62}, /* EM_X86_64 */
		{20, 4, 1},
		{ELF_PHOFF, 8, ELF_CODE},
		{52, 2, 64},
		{ELF_PHENTSIZE, 2, 56},
		{ELF_PHNUM, 2, 3},
		{ELF_CODE + PH_TYPE, 4, 1},
		{ELF_CODE + PH_OFFSET, 8, ELF_CODE_AT},
		{ELF_CODE + PH_PADDR, 8, ELF_CODE_PADDR},
		{ELF_CODE + PH_FILESZ, 8, ELF_CODE_SIZE},
		{ELF_CODE + PH_MEMSZ, 8, ELF_CODE_SIZE},
		{ELF_DATA2 + PH_TYPE, 4, 1},
		{ELF_DATA2 + PH_OFFSET, 8, ELF_DATA_AT},
		{ELF_DATA2 + PH_PADDR, 8, ELF_DATA_PADDR},
		{ELF_DATA2 + PH_FILESZ, 8, ELF_DATA_SIZE},
		{ELF_DATA2 + PH_MEMSZ, 8, ELF_DATA_MEMSZ},
		{ELF_NOTE + PH_TYPE, 4, 4},
		{ELF_NOTE + PH_OFFSET, 8, ELF_NOTES_AT},
		{ELF_NOTE + PH_FILESZ, 8, ELF_NOTES_SIZE},
		{ELF_NOTE + PH_MEMSZ, 8, ELF_NOTES_SIZE},
		/* A note "GNU" of 1 byte, padded; then the one that counts, of 8 bytes. */
		{ELF_NOTES_AT, 4, 4},
		{ELF_NOTES_AT + 4, 4, 1},
		{ELF_NOTES_AT + 8, 4, 18},
		{ELF_NOTES_AT + 12, 4, 0x554e47},
		{ELF_NOTES_AT + 16, 4, 0x01},
		{ELF_PVH_NOTE_AT, 4, 4},
		{ELF_PVH_NOTE_AT + 4, 4, 8},
		{ELF_PVH_NOTE_AT + 8, 4, 18},
		{ELF_PVH_NOTE_AT + 12, 4, 0x6e6558},
		{ELF_PVH_NOTE_AT + 16, 8, ELF_ENTRY},
	};

	fill_pattern(bytes + ELF_CODE_AT, ELF_SIZE - ELF_CODE_AT);
	image_init(image, bytes, sizeof(bytes));
	write_patches(image, headers, ARRAY_SIZE(headers));
}

void machine_init(struct test_machine *machine, uint64_t low, uint64_t high)
{
	const struct gmem_region layout[] = {
		{.gpa = 0, .size = low},
		{.gpa = MAP_HOLE_END, .size = high},
	};
	const struct gmem_options options = {.shared = true};
	const struct memmap_entry map[] = {
		{0, MAP_EBDA, MEMMAP_RAM},
		{MAP_EBDA, MAP_LOW_END - MAP_EBDA, MEMMAP_RESERVED},
		{MAP_BIOS, MAP_HIGH - MAP_BIOS, MEMMAP_RESERVED},
		{MAP_HIGH, low - MAP_HIGH, MEMMAP_RAM},
		{MAP_HOLE_END, high, MEMMAP_RAM},
	};

	*machine = (struct test_machine) {0};
	CHECK(gmem_new(&machine->gmem, layout, high ? 2 : 1, &options, NULL) == 0);
	memcpy(machine->memmap, map, sizeof(map));
	machine->request = (struct boot_request) {
		.cmdline = "",
		.memmap = machine->memmap,
		.memmap_n = ARRAY_SIZE(map) - (high ? 0 : 1),
	};
}

void machine_deinit(struct test_machine *machine)
{
	gmem_free(machine->gmem);
	machine->gmem = NULL;
}

int machine_load(struct test_machine *machine, const struct image *image, struct boot_entry *entry,
		 struct error *err)
{
	*entry = (struct boot_entry) {0};
	*err = (struct error) {0};
	machine->request.kernel = image->path;
	return kernel_load(machine->gmem, &machine->request, entry, err);
}

bool machine_has_pattern(const struct test_machine *machine, uint64_t gpa, uint64_t from,
			 uint64_t size)
{
	const uint8_t *host = gmem_at(machine->gmem, gpa, size);

	for (uint64_t i = 0; host && i < size; i++)
		if (host[i] != pattern_byte(from + i))
			return false;
	return host;
}

bool machine_is_zero(const struct test_machine *machine, uint64_t gpa, uint64_t size)
{
	const uint8_t *host = gmem_at(machine->gmem, gpa, size);

	for (uint64_t i = 0; host && i < size; i++)
		if (host[i])
			return false;
	return host;
}

uint64_t machine_pages(const struct test_machine *machine)
{
	struct stat st;

	CHECK(fstat(gmem_fd(machine->gmem), &st) == 0);
	return (uint64_t)st.st_blocks * 512 / 4096;
}
