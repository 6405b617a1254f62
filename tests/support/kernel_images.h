/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_images.h - small kernels for tests: sound ones, to be broken by patches, and a machine to
 * load them into.
 *
 * The images are written by the offsets of the specifications and not by the loaders' structs, so
 * that a mistake in one shows. Each is a memfd, which a loader opens by its path in /proc. What
 * fails here aborts.
 */
#ifndef VMM_TESTS_KERNEL_IMAGES_H
#define VMM_TESTS_KERNEL_IMAGES_H

#include "base.h"
#include "firmware.h"

/* struct image - a file in memory. */
struct image {
	int fd;
	char path[32];
};

/* struct patch - a little endian number of @width bytes, to be written at @at; width 0: none. */
struct patch {
	uint64_t at;
	unsigned int width;
	uint64_t value;
};

void image_init(struct image *image, const void *bytes, size_t size);
void image_deinit(struct image *image);
void image_patch(const struct image *image, const struct patch *patch);
void image_write(const struct image *image, uint64_t at, const void *bytes, size_t size);
void image_read_back(const struct image *image, uint64_t at, void *bytes, size_t size);
void image_resize(const struct image *image, uint64_t size);

/* pattern_byte - what the payloads hold at @i; no page is like another. */
uint8_t pattern_byte(uint64_t i);

/* pattern_init - a file of @size bytes of the pattern, such as an initramfs. */
void pattern_init(struct image *image, size_t size);

/* Offsets of the setup header: Documentation/arch/x86/boot.rst of Linux. */
enum {
	BZ_SETUP_SECTS = 0x1f1,
	BZ_HEADER = 0x1f1,
	BZ_SYSSIZE = 0x1f4,
	BZ_VID_MODE = 0x1fa,
	BZ_BOOT_FLAG = 0x1fe,
	BZ_JUMP = 0x200,
	BZ_MAGIC = 0x202,
	BZ_VERSION = 0x206,
	BZ_TYPE_OF_LOADER = 0x210,
	BZ_LOADFLAGS = 0x211,
	BZ_CODE32_START = 0x214,
	BZ_RAMDISK_IMAGE = 0x218,
	BZ_RAMDISK_SIZE = 0x21c,
	BZ_CMD_LINE_PTR = 0x228,
	BZ_INITRD_ADDR_MAX = 0x22c,
	BZ_KERNEL_ALIGNMENT = 0x230,
	BZ_RELOCATABLE = 0x234,
	BZ_XLOADFLAGS = 0x236,
	BZ_CMDLINE_SIZE = 0x238,
	BZ_SETUP_DATA = 0x250,
	BZ_PREF_ADDRESS = 0x258,
	BZ_INIT_SIZE = 0x260,
	BZ_HEADER_END = 0x26c, /* as protocol 2.15 has it */
};

/* What bzimage_init() makes: relocatable, wanting 16 MiB, two sectors of setup. */
enum {
	BZ_PAYLOAD = 3 * 512, /* offset of the protected-mode code */
	BZ_PREFERRED = 0x1000000,
	BZ_ALIGNMENT = 0x200000,
	BZ_INIT_BYTES = 0x400000,
};

/* bzimage_init - a sound bzImage with @payload bytes of pattern, a multiple of 16. */
void bzimage_init(struct image *image, size_t payload);

/* Offsets of the file that vmlinux_init() makes: System V gABI, ELF-64. */
enum {
	ELF_CLASS = 4,
	ELF_DATA = 5,
	ELF_VERSION = 6,
	ELF_TYPE = 16,
	ELF_MACHINE = 18,
	ELF_PHOFF = 32,
	ELF_PHENTSIZE = 54,
	ELF_PHNUM = 56,
	ELF_CODE = 64,	 /* program header of the code: PT_LOAD */
	ELF_DATA2 = 120, /* of data with zeroes behind: PT_LOAD */
	ELF_NOTE = 176,	 /* of the notes: PT_NOTE */
	/* Inside a program header. */
	PH_TYPE = 0,
	PH_OFFSET = 8,
	PH_PADDR = 24,
	PH_FILESZ = 32,
	PH_MEMSZ = 40,
	/* The contents. */
	ELF_NOTES_AT = 256,
	ELF_PVH_NOTE_AT = 256 + 20, /* after one of another kind */
	ELF_NOTES_SIZE = 20 + 24,
	ELF_CODE_AT = 512,
	ELF_CODE_SIZE = 5000,
	ELF_DATA_AT = ELF_CODE_AT + ELF_CODE_SIZE,
	ELF_DATA_SIZE = 1234,
	ELF_SIZE = ELF_DATA_AT + ELF_DATA_SIZE,
	/* In memory. */
	ELF_CODE_PADDR = 0x1000000,
	ELF_DATA_PADDR = 0x1200000,
	ELF_DATA_MEMSZ = 0x100000,
	ELF_ENTRY = ELF_CODE_PADDR + 0x30,
};

/* vmlinux_init - a sound ELF kernel with a PVH note; file bytes from ELF_CODE_AT on are pattern. */
void vmlinux_init(struct image *image);

/* struct test_machine - guest memory, its map, and a request with an empty command line. */
struct test_machine {
	struct gmem *gmem;
	struct memmap_entry memmap[MEMMAP_MAX];
	struct boot_request request;
};

/* machine_init - @low bytes of RAM from 0 on (at least 2 MiB), @high bytes from 4 GiB on. */
void machine_init(struct test_machine *machine, uint64_t low, uint64_t high);
void machine_deinit(struct test_machine *machine);

/* machine_load - kernel_load() of @image. */
int machine_load(struct test_machine *machine, const struct image *image, struct boot_entry *entry,
		 struct error *err);

/* machine_has_pattern - @size bytes at @gpa are the pattern from its byte @from on. */
bool machine_has_pattern(const struct test_machine *machine, uint64_t gpa, uint64_t from,
			 uint64_t size);

/* machine_is_zero - @size bytes at @gpa are 0. */
bool machine_is_zero(const struct test_machine *machine, uint64_t gpa, uint64_t size);

/* machine_pages - how many pages of guest memory have been allocated. */
uint64_t machine_pages(const struct test_machine *machine);

#endif
