/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_bzimage.c - what a bzImage leaves in guest memory, and which ones are refused with what
 * sentence. boot_params is checked whole: every byte that is not expected has to be zero.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/memory_map.h"
#include "kernel_cases.h"

#define PAYLOAD 0x5000

/* Offsets in boot_params: Documentation/arch/x86/zero-page.rst of Linux. */
enum {
	BP_ACPI_RSDP = 0x070,
	BP_E820_ENTRIES = 0x1e8,
	BP_E820_TABLE = 0x2d0,
	BP_SIZE = 4096,
};

static void put(uint8_t *bytes, uint64_t at, unsigned int width, uint64_t value)
{
	memcpy(bytes + at, &value, width);
}

static uint64_t param(const struct test_machine *machine, uint64_t at, unsigned int width)
{
	return machine_get(machine, MAP_BOOT_PARAMS + at, width);
}

/* boot_params as they have to be for @image as bzimage_init() makes it. */
static void expect_params(uint8_t *params, const struct image *image,
			  const struct test_machine *machine, uint64_t initramfs,
			  uint64_t initramfs_size)
{
	memset(params, 0, BP_SIZE);
	image_read_back(image, BZ_HEADER, params + BZ_HEADER, BZ_HEADER_END - BZ_HEADER);
	put(params, BZ_VID_MODE, 2, 0xffff);
	put(params, BZ_TYPE_OF_LOADER, 1, 0xff);
	put(params, BZ_LOADFLAGS, 1, 0x01);
	put(params, BZ_CODE32_START, 4, BZ_PREFERRED);
	put(params, BZ_RAMDISK_IMAGE, 4, initramfs);
	put(params, BZ_RAMDISK_SIZE, 4, initramfs_size);
	put(params, BZ_CMD_LINE_PTR, 4, 0x20000);
	put(params, BP_ACPI_RSDP, 8, machine->request.rsdp);
	put(params, BP_E820_ENTRIES, 1, machine->request.memmap_n);
	for (size_t i = 0; i < machine->request.memmap_n; i++) {
		put(params, BP_E820_TABLE + i * 20, 8, machine->memmap[i].gpa);
		put(params, BP_E820_TABLE + i * 20 + 8, 8, machine->memmap[i].size);
		put(params, BP_E820_TABLE + i * 20 + 16, 4, machine->memmap[i].type);
	}
}

static void bzimage_load_fills_exactly_these_bytes(void **state)
{
	const uint64_t at = LOW * MIB - 3 * PAGE;
	const size_t size = 2 * PAGE + 1;
	uint8_t expected[BP_SIZE], *params;
	struct test_machine machine;
	struct image image, initramfs;
	struct boot_entry entry;
	struct error err;

	bzimage_init(&image, PAYLOAD);
	pattern_init(&initramfs, size);
	machine_init(&machine, LOW * MIB, 16 * MIB);
	machine.request.initramfs = initramfs.path;
	machine.request.cmdline = "console=ttyS0 quiet";
	machine.request.rsdp = 0xe0010;
	assert_int_equal(machine_load(&machine, &image, &entry, &err), 0);
	assert_string_equal(err.text, "");

	/* The command line, boot_params, five pages of kernel, three of initramfs: none else. */
	assert_int_equal(machine_pages(&machine), 1 + 1 + PAYLOAD / PAGE + 3);
	assert_int_equal(entry.protocol, BOOT_LINUX64);
	assert_int_equal(entry.entry, BZ_PREFERRED + 0x200);
	assert_int_equal(entry.info, 0x7000);
	assert_true(machine_has_pattern(&machine, BZ_PREFERRED, 0, PAYLOAD));
	assert_true(machine_has_pattern(&machine, at, 0, size));
	assert_true(machine_is_zero(&machine, at + size, 3 * PAGE - size));
	assert_string_equal(gmem_at(machine.gmem, 0x20000, 64), "console=ttyS0 quiet");

	expect_params(expected, &image, &machine, at, size);
	params = gmem_at(machine.gmem, entry.info, BP_SIZE);
	for (size_t i = 0; i < BP_SIZE; i++)
		if (params[i] != expected[i])
			fail_msg("boot_params: byte 0x%zx is 0x%02x instead of 0x%02x", i,
				 params[i], expected[i]);
	machine_deinit(&machine);
	image_deinit(&initramfs);
	image_deinit(&image);
}

static void bzimage_load_without_initramfs_names_none(void **state)
{
	struct test_machine machine;
	struct image image;
	struct boot_entry entry;
	struct error err;

	bzimage_init(&image, PAYLOAD);
	machine_init(&machine, LOW * MIB, 0);
	/* What stands in the file is not for the loader to pass on. */
	image_patch(&image, &(struct patch) {BZ_RAMDISK_IMAGE, 4, 0x12345678});
	image_patch(&image, &(struct patch) {BZ_RAMDISK_SIZE, 4, 0x12345678});
	image_patch(&image, &(struct patch) {BZ_SETUP_DATA, 8, 0x1122334455667788});
	assert_int_equal(machine_load(&machine, &image, &entry, &err), 0);
	assert_int_equal(param(&machine, BZ_RAMDISK_IMAGE, 4), 0);
	assert_int_equal(param(&machine, BZ_RAMDISK_SIZE, 4), 0);
	assert_int_equal(param(&machine, BZ_SETUP_DATA, 8), 0);
	assert_int_equal(param(&machine, BP_ACPI_RSDP, 8), 0);
	assert_int_equal(machine_get(&machine, MAP_CMDLINE, 1), 0);
	machine_deinit(&machine);
	image_deinit(&image);
}

/* Where a kernel goes. */
struct place_case {
	const char *name;
	struct patch patches[4];
	uint64_t low; /* MiB */
	uint64_t load;
};

static const struct place_case place_cases[] = {
	{"preferred", {{0}}, LOW, 0x1000000},
	{"as small as it may be", {{0}}, 20, 0x1000000},
	{"as a distribution's, with 128 MiB", {{BZ_INIT_SIZE, 4, 0x3f98000}}, 128, 0x1000000},
	{"not relocatable", {{BZ_RELOCATABLE, 1, 0}}, LOW, 0x100000},
	{"not relocatable, needs no alignment",
	 {{BZ_RELOCATABLE, 1, 0}, {BZ_KERNEL_ALIGNMENT, 4, 3}},
	 LOW,
	 0x100000},
	{"no preference", {{BZ_PREF_ADDRESS, 8, 0}}, LOW, 0x200000},
	{"preference below 1 MiB",
	 {{BZ_PREF_ADDRESS, 8, 0x1000}, {BZ_KERNEL_ALIGNMENT, 4, 1}},
	 LOW,
	 0x100000},
	{"aligned up", {{BZ_PREF_ADDRESS, 8, 0x1000001}}, LOW, 0x1200000},
	{"largest alignment",
	 {{BZ_KERNEL_ALIGNMENT, 4, 0x80000000}, {BZ_PREF_ADDRESS, 8, 1}},
	 2052,
	 0x80000000},
	{"init size below the payload's", {{BZ_INIT_SIZE, 4, 0}}, 17, 0x1000000},
	{"setup_sects 0 means 4",
	 {{BZ_SETUP_SECTS, 1, 0}, {BZ_SYSSIZE, 4, (PAYLOAD - 0x400) / 16}},
	 LOW,
	 0x1000000},
	{"bytes behind the payload", {{BZ_SYSSIZE, 4, 0x300 / 16}}, LOW, 0x1000000},
	{"oldest protocol", {{BZ_VERSION, 2, 0x020c}}, LOW, 0x1000000},
	{"newer protocol and longer header",
	 {{BZ_VERSION, 2, 0x0210}, {BZ_JUMP + 1, 1, 0x7f}, {BZ_HEADER_END, 2, 0x55aa}},
	 LOW,
	 0x1000000},
	{"largest setup", {{BZ_SETUP_SECTS, 1, 255}, {BZ_SYSSIZE, 4, 0x300 / 16}}, LOW, 0x1000000},
};

static void bzimage_load_places_the_payload(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(place_cases); i++) {
		const struct place_case *c = &place_cases[i];
		struct test_machine machine;
		struct boot_entry entry;
		struct error err;
		struct image image;
		uint8_t sects;
		uint32_t syssize;
		uint64_t from, size;

		bzimage_init(&image, PAYLOAD + 0x20000);
		image_patch(&image, &(struct patch) {BZ_SYSSIZE, 4, PAYLOAD / 16});
		for (size_t j = 0; j < ARRAY_SIZE(c->patches); j++)
			image_patch(&image, &c->patches[j]);
		machine_init(&machine, c->low * MIB, 0);
		if (machine_load(&machine, &image, &entry, &err) != 0)
			fail_msg("%s: %s", c->name, err.text);
		image_read_back(&image, BZ_SETUP_SECTS, &sects, 1);
		image_read_back(&image, BZ_SYSSIZE, &syssize, 4);
		from = (sects ? sects + 1 : 5) * UINT64_C(512) - BZ_PAYLOAD;
		size = syssize * UINT64_C(16);
		if (entry.entry != c->load + 0x200 ||
		    param(&machine, BZ_CODE32_START, 4) != c->load)
			fail_msg("%s: loaded at 0x%llx", c->name, (unsigned long long)entry.entry);
		if (!machine_has_pattern(&machine, c->load, from, size) ||
		    !machine_is_zero(&machine, c->load + size, PAGE))
			fail_msg("%s: other bytes than the file's", c->name);
		machine_deinit(&machine);
		image_deinit(&image);
	}
}

static void bzimage_load_copies_a_longer_header(void **state)
{
	struct test_machine machine;
	struct image image;
	struct boot_entry entry;
	struct error err;

	bzimage_init(&image, PAYLOAD);
	machine_init(&machine, LOW * MIB, 0);
	image_patch(&image, &(struct patch) {BZ_JUMP + 1, 1, 0x7f});
	assert_int_equal(machine_load(&machine, &image, &entry, &err), 0);
	assert_int_equal(param(&machine, 0x280, 1), 0xff);
	assert_int_equal(param(&machine, 0x281, 1), 0);
	machine_deinit(&machine);
	image_deinit(&image);
}

/* Large enough to be spliced, and of a size that fills neither a pipe nor a page. */
static void bzimage_load_reads_a_large_payload(void **state)
{
	const size_t payload = 3 * MIB + 0x1230;
	struct test_machine machine;
	struct image image;
	struct boot_entry entry;
	struct error err;

	bzimage_init(&image, payload);
	machine_init(&machine, LOW * MIB, 0);
	assert_int_equal(machine_load(&machine, &image, &entry, &err), 0);
	assert_int_equal(machine_pages(&machine), 2 + payload / PAGE + 1);
	assert_true(machine_has_pattern(&machine, BZ_PREFERRED, 0, payload));
	assert_true(machine_is_zero(&machine, BZ_PREFERRED + payload, PAGE));
	machine_deinit(&machine);
	image_deinit(&image);
}

/* How long the command line may be. */
struct cmdline_case {
	const char *name;
	uint32_t max; /* cmdline_size */
	size_t len;
	const char *reason; /* NULL: taken */
};

static const struct cmdline_case cmdline_cases[] = {
	{"longest", 2047, 2047, NULL},
	{"one too long", 2047, 2048,
	 "the command line has 2048 bytes, and this kernel takes at most 2047"},
	{"kernel of few words", 255, 300,
	 "the command line has 300 bytes, and this kernel takes at most 255"},
	{"none allowed, none given", 0, 0, NULL},
	{"none allowed, one given", 0, 1,
	 "the command line has 1 bytes, and this kernel takes at most 0"},
	{"all of the room", 0xffffffff, 65535, NULL},
	{"more than the room", 0xffffffff, 65536,
	 "the command line has 65536 bytes, and this kernel takes at most 65535"},
};

static void bzimage_load_keeps_to_the_kernels_own_cmdline_size(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cmdline_cases); i++) {
		const struct cmdline_case *c = &cmdline_cases[i];
		char *cmdline = calloc(1, c->len + 1);
		char expected[ERROR_TEXT_MAX];
		struct test_machine machine;
		struct image image;
		struct boot_entry entry;
		struct error err;
		int r;

		memset(cmdline, 'x', c->len);
		bzimage_init(&image, PAYLOAD);
		image_patch(&image, &(struct patch) {BZ_CMDLINE_SIZE, 4, c->max});
		machine_init(&machine, LOW * MIB, 0);
		machine.request.cmdline = cmdline;
		r = machine_load(&machine, &image, &entry, &err);
		if (c->reason) {
			snprintf(expected, sizeof(expected), "kernel '%s': %s", image.path,
				 c->reason);
			if (r != -E2BIG || strcmp(err.text, expected) != 0)
				fail_msg("%s: %d, \"%s\"", c->name, r, err.text);
		} else {
			if (r != 0)
				fail_msg("%s: %s", c->name, err.text);
			assert_string_equal(gmem_at(machine.gmem, MAP_CMDLINE, MAP_CMDLINE_MAX),
					    cmdline);
		}
		machine_deinit(&machine);
		image_deinit(&image);
		free(cmdline);
	}
}

#define WHOLE (BZ_PAYLOAD + PAYLOAD)

static const struct broken_case broken_cases[] = {
	{"one byte short",
	 {{0}},
	 WHOLE - 1,
	 0,
	 -ENOEXEC,
	 "is truncated: it has 22015 bytes, and its header promises 22016"},
	{"header only",
	 {{0}},
	 0x26c,
	 0,
	 -ENOEXEC,
	 "is truncated: it has 620 bytes, and its header promises 22016"},
	{"header cut off",
	 {{0}},
	 0x263,
	 0,
	 -ENOEXEC,
	 "is truncated: it has 611 bytes, and a boot header alone ends at 612"},
	{"magic only",
	 {{0}},
	 0x206,
	 0,
	 -ENOEXEC,
	 "is truncated: it has 518 bytes, and a boot header alone ends at 612"},
	{"largest promise",
	 {{BZ_SYSSIZE, 4, 0xffffffff}},
	 0,
	 0,
	 -ENOEXEC,
	 "is truncated: it has 22016 bytes, and its header promises 68719478256"},
	{"no payload",
	 {{BZ_SYSSIZE, 4, 0}},
	 0,
	 0,
	 -ENOEXEC,
	 "has a damaged boot header: it announces 0 bytes of code, which end before the entry"},
	{"payload ends at the entry",
	 {{BZ_SYSSIZE, 4, 0x20}},
	 0,
	 0,
	 -ENOEXEC,
	 "has a damaged boot header: it announces 512 bytes of code, which end before the entry"},
	{"zImage",
	 {{BZ_LOADFLAGS, 1, 0}},
	 0,
	 0,
	 -ENOEXEC,
	 "is a zImage, which is loaded low: a bzImage is needed"},
	{"old protocol",
	 {{BZ_VERSION, 2, 0x020b}},
	 0,
	 0,
	 -ENOEXEC,
	 "has boot protocol 2.11, and 2.12 (Linux 3.8) is the oldest with a 64-bit entry"},
	{"32 bit",
	 {{BZ_XLOADFLAGS, 2, 0xfffe}},
	 0,
	 0,
	 -ENOEXEC,
	 "is a 32-bit kernel, without a 64-bit entry: an x86-64 kernel is needed"},
	{"no jump",
	 {{BZ_JUMP, 1, 0xe9}},
	 0,
	 0,
	 -ENOEXEC,
	 "has a damaged boot header: its length cannot be told"},
	{"header too short",
	 {{BZ_JUMP + 1, 1, 0x61}},
	 0,
	 0,
	 -ENOEXEC,
	 "has a damaged boot header: its length cannot be told"},
	{"header too long",
	 {{BZ_JUMP + 1, 1, 0x8f}},
	 0,
	 0,
	 -ENOEXEC,
	 "has a damaged boot header: its length cannot be told"},
	{"no alignment",
	 {{BZ_KERNEL_ALIGNMENT, 4, 0}},
	 0,
	 0,
	 -ENOEXEC,
	 "has a damaged boot header: its alignment 0x0 is not a power of two"},
	{"odd alignment",
	 {{BZ_KERNEL_ALIGNMENT, 4, 0x300000}},
	 0,
	 0,
	 -ENOEXEC,
	 "has a damaged boot header: its alignment 0x300000 is not a power of two"},
	{"prefers the hole",
	 {{BZ_PREF_ADDRESS, 8, 0xc0000000}},
	 0,
	 0,
	 -ENOEXEC,
	 "prefers the address 0xc0000000, which is not below 3 GiB"},
	{"prefers the end of the world",
	 {{BZ_PREF_ADDRESS, 8, UINT64_MAX}},
	 0,
	 0,
	 -ENOEXEC,
	 "prefers the address 0xffffffffffffffff, which is not below 3 GiB"},
	{"does not fit",
	 {{BZ_INIT_SIZE, 4, 0x3000001}},
	 0,
	 0,
	 -ENOSPC,
	 "is too large for 64 MiB of memory: it needs 65 MiB to start"},
	{"prefers to be beyond",
	 {{BZ_PREF_ADDRESS, 8, 0x4000000}},
	 0,
	 0,
	 -ENOSPC,
	 "is too large for 64 MiB of memory: it needs 68 MiB to start"},
	{"not relocatable does not fit",
	 {{BZ_RELOCATABLE, 1, 0}},
	 0,
	 19,
	 -ENOSPC,
	 "is too large for 19 MiB of memory: it needs 20 MiB to start"},
	{"payload does not fit",
	 {{BZ_INIT_SIZE, 4, 0}},
	 0,
	 16,
	 -ENOSPC,
	 "is too large for 16 MiB of memory: it needs 17 MiB to start"},
	{"fits nowhere",
	 {{BZ_INIT_SIZE, 4, 0xffffffff}},
	 0,
	 0,
	 -EFBIG,
	 "is too large for any memory: it needs the first 4112 MiB to start, and no more than 3072 "
	 "MiB are in one piece"},
};

static void init_sound(struct image *image)
{
	bzimage_init(image, PAYLOAD);
}

static void bzimage_load_refuses_broken_images(void **state)
{
	check_broken_cases(broken_cases, ARRAY_SIZE(broken_cases), init_sound);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bzimage_load_fills_exactly_these_bytes),
		cmocka_unit_test(bzimage_load_without_initramfs_names_none),
		cmocka_unit_test(bzimage_load_places_the_payload),
		cmocka_unit_test(bzimage_load_copies_a_longer_header),
		cmocka_unit_test(bzimage_load_reads_a_large_payload),
		cmocka_unit_test(bzimage_load_keeps_to_the_kernels_own_cmdline_size),
		cmocka_unit_test(bzimage_load_refuses_broken_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
