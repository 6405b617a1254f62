/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_cases.c - what the tests of both kernel loaders have in common. See kernel_cases.h.
 */
#include "kernel_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

uint64_t machine_get(const struct test_machine *machine, uint64_t gpa, unsigned int width)
{
	uint64_t value = 0;

	assert_int_equal(gmem_read(machine->gmem, gpa, &value, width), 0);
	return value;
}

static void check_broken(const struct broken_case *c, void (*init)(struct image *))
{
	char expected[ERROR_TEXT_MAX];
	struct test_machine machine;
	struct boot_entry entry;
	struct image image;
	struct error err;
	int r;

	init(&image);
	for (size_t i = 0; i < ARRAY_SIZE(c->patches); i++)
		image_patch(&image, &c->patches[i]);
	if (c->size)
		image_resize(&image, c->size);
	machine_init(&machine, (c->low ? c->low : LOW) * MIB, 16 * MIB);
	r = machine_load(&machine, &image, &entry, &err);
	snprintf(expected, sizeof(expected), "kernel '%s': %s", image.path, c->reason);
	if (r != c->code || strcmp(err.text, expected) != 0)
		fail_msg("%s: %d, \"%s\"", c->name, r, err.text);
	assert_int_equal(machine_pages(&machine), 0);
	machine_deinit(&machine);
	image_deinit(&image);
}

void check_broken_cases(const struct broken_case *cases, size_t n, void (*init)(struct image *))
{
	for (size_t i = 0; i < n; i++)
		check_broken(&cases[i], init);
}
