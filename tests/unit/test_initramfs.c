/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_initramfs.c - where an initramfs goes, beside a bzImage, and what is said of one for which
 * there is no room.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/memory_map.h"
#include "kernel_images.h"

#define PAYLOAD 0x5000
#define PAGE	4096

/* Offsets in boot_params: Documentation/arch/x86/zero-page.rst of Linux. */
enum {
	BP_EXT_RAMDISK_IMAGE = 0x0c0,
	BP_EXT_RAMDISK_SIZE = 0x0c4,
};

static uint64_t param(const struct test_machine *machine, uint64_t at)
{
	uint32_t value = 0;

	assert_int_equal(gmem_read(machine->gmem, MAP_BOOT_PARAMS + at, &value, 4), 0);
	return value;
}

/* Where an initramfs goes; the kernel ends at 20 MiB. */
struct initramfs_case {
	const char *name;
	uint64_t low, high; /* MiB */
	uint32_t max;	    /* initrd_addr_max */
	bool above_4g;
	uint64_t size;
	uint64_t gpa; /* 0: refused */
	const char *reason;
};

static const struct initramfs_case initramfs_cases[] = {
	{"end of memory", 64, 0, 0x7fffffff, true, PAGE, 64 * MIB - PAGE, NULL},
	{"aligned down", 64, 0, 0x7fffffff, true, 1, 64 * MIB - PAGE, NULL},
	{"below the limit", 64, 0, 0x2ffffff, true, PAGE, 48 * MIB - PAGE, NULL},
	{"limit inside a page", 64, 0, 0x2fffffe, true, PAGE, 48 * MIB - 2 * PAGE, NULL},
	{"no limit", 64, 0, 0xffffffff, false, PAGE, 64 * MIB - PAGE, NULL},
	{"low memory before high", 64, 64, 0x7fffffff, true, PAGE, 64 * MIB - PAGE, NULL},
	{"all that is left", 24, 0, 0x7fffffff, true, 4 * MIB, 20 * MIB, NULL},
	{"above 4 GiB", 24, 64, 0x7fffffff, true, 4 * MIB + 1, 4 * GIB + 60 * MIB - PAGE, NULL},
	{"one byte too much", 24, 0, 0x7fffffff, true, 4 * MIB + 1, 0,
	 "its 5 MiB do not fit into 24 MiB of memory behind the kernel, which takes the first 20 "
	 "MiB: 25 MiB of memory would be enough"},
	{"not above 4 GiB", 24, 64, 0x7fffffff, false, 4 * MIB + 1, 0,
	 "its 5 MiB do not fit into 88 MiB of memory behind the kernel, which takes the first 20 "
	 "MiB: 25 MiB of memory would be enough"},
	{"nor above 4 GiB", 24, 4, 0x7fffffff, true, 4 * MIB + 1, 0,
	 "its 5 MiB do not fit into 28 MiB of memory behind the kernel, which takes the first 20 "
	 "MiB: 25 MiB of memory would be enough"},
	{"too much for the limit", 64, 0, 0x17fffff, false, 5 * MIB, 0,
	 "its 5 MiB are too much for this kernel, which looks for it between 20 and 24 MiB"},
	{"limit below the kernel", 64, 0, 0xffffff, false, 1, 0,
	 "its 1 MiB are too much for this kernel, which looks for it between 20 and 16 MiB"},
	{"too much for the limit, but not above 4 GiB", 64, 0, 0x17fffff, true, 5 * MIB, 0,
	 "its 5 MiB do not fit into 64 MiB of memory behind the kernel, which takes the first 20 "
	 "MiB: 3077 MiB of memory would be enough"},
};

static void run_initramfs_case(const struct initramfs_case *c, const struct image *image)
{
	struct test_machine machine;
	struct image initramfs;
	struct boot_entry entry;
	struct error err;
	char expected[ERROR_TEXT_MAX];
	int r;

	pattern_init(&initramfs, c->size);
	machine_init(&machine, c->low * MIB, c->high * MIB);
	machine.request.initramfs = initramfs.path;
	image_patch(image, &(struct patch) {BZ_INITRD_ADDR_MAX, 4, c->max});
	image_patch(image, &(struct patch) {BZ_XLOADFLAGS, 2, c->above_4g ? 3 : 1});
	r = machine_load(&machine, image, &entry, &err);
	if (c->gpa) {
		if (r != 0)
			fail_msg("%s: %s", c->name, err.text);
		if (param(&machine, BZ_RAMDISK_IMAGE) != (c->gpa & 0xffffffff) ||
		    param(&machine, BP_EXT_RAMDISK_IMAGE) != c->gpa >> 32 ||
		    param(&machine, BZ_RAMDISK_SIZE) != c->size ||
		    param(&machine, BP_EXT_RAMDISK_SIZE) != 0)
			fail_msg("%s: placed elsewhere", c->name);
		if (!machine_has_pattern(&machine, c->gpa, 0, c->size))
			fail_msg("%s: other bytes than the file's", c->name);
	} else {
		snprintf(expected, sizeof(expected), "initramfs '%s': %s", initramfs.path,
			 c->reason);
		if (r >= 0 || strcmp(err.text, expected) != 0)
			fail_msg("%s: %d, \"%s\"", c->name, r, err.text);
		/* Found out before the kernel was read. */
		assert_true(machine_is_zero(&machine, BZ_PREFERRED, PAGE));
	}
	machine_deinit(&machine);
	image_deinit(&initramfs);
}

static void initramfs_load_places_it_high_or_says_what_is_enough(void **state)
{
	struct image image;

	bzimage_init(&image, PAYLOAD);
	for (size_t i = 0; i < ARRAY_SIZE(initramfs_cases); i++)
		run_initramfs_case(&initramfs_cases[i], &image);
	image_deinit(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(initramfs_load_places_it_high_or_says_what_is_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
