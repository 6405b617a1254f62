/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_media_offset.c - tests devices/media/offset.c: what a guest gets as offsets of buffers.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "devices/media/offset.h"

static int owner_a, owner_b;

static struct offset_plane plane_of(const void *owner, uint32_t index)
{
	return (struct offset_plane) {
		.owner = owner,
		.type = 1,
		.index = index,
		.plane = index % 8,
	};
}

static uint32_t take(struct offsets *offsets, const void *owner, uint32_t index)
{
	const struct offset_plane plane = plane_of(owner, index);
	uint32_t offset;

	assert_int_equal(offset_take(offsets, &plane, &offset), 0);
	return offset;
}

static int setup(void **state)
{
	struct offsets *offsets;

	assert_int_equal(offsets_new(&offsets), 0);
	*state = offsets;
	return 0;
}

static int teardown(void **state)
{
	offsets_free(*state);
	return 0;
}

static void offset_is_never_zero_and_suits_every_page_size(void **state)
{
	for (uint32_t i = 0; i < 1000; i++) {
		const uint32_t offset = take(*state, &owner_a, i);

		assert_int_not_equal(offset, 0);
		assert_int_equal(offset % (64 * 1024), 0);
	}
}

static void offset_finds_the_plane_it_was_taken_for(void **state)
{
	uint32_t offsets[300];

	for (uint32_t i = 0; i < 300; i++)
		offsets[i] = take(*state, i % 2 ? &owner_a : &owner_b, i);
	for (uint32_t i = 0; i < 300; i++) {
		const struct offset_plane *found = offset_find(*state, offsets[i]);
		const struct offset_plane plane = plane_of(i % 2 ? &owner_a : &owner_b, i);

		assert_non_null(found);
		assert_ptr_equal(found->owner, plane.owner);
		assert_int_equal(found->type, plane.type);
		assert_int_equal(found->index, plane.index);
		assert_int_equal(found->plane, plane.plane);
	}
}

static void offset_of_nothing_is_not_found(void **state)
{
	static const struct {
		const char *name;
		uint32_t difference; /* to one that is taken */
		uint32_t offset;     /* if there is no difference */
	} cases[] = {
		{"none", 0, 0},
		{"a byte further", 1, 0},
		{"a page further", 4096, 0},
		{"a byte before", UINT32_MAX, 0},
		{"the next one", OFFSET_UNIT, 0},
		{"far beyond", 0, UINT32_MAX},
		{"the last one", 0, (uint32_t)(OFFSET_MAX * OFFSET_UNIT)},
	};
	const uint32_t offset = take(*state, &owner_a, 0);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const uint32_t at =
			cases[i].difference ? offset + cases[i].difference : cases[i].offset;

		if (offset_find(*state, at))
			fail_msg("%s: found", cases[i].name);
	}
}

static void offset_that_was_given_back_is_not_found(void **state)
{
	const uint32_t first = take(*state, &owner_a, 0);
	const uint32_t second = take(*state, &owner_a, 1);

	offset_give(*state, first);
	assert_null(offset_find(*state, first));
	assert_non_null(offset_find(*state, second));
}

static void offset_is_not_soon_used_again(void **state)
{
	const uint32_t old = take(*state, &owner_a, 0);

	offset_give(*state, old);
	for (uint32_t i = 0; i < 50; i++)
		assert_int_not_equal(take(*state, &owner_a, i), old);
}

static void offset_take_ends_when_all_are_taken(void **state)
{
	const struct offset_plane plane = plane_of(&owner_a, 0);
	uint32_t last = 0, offset;

	for (uint32_t i = 0; i < OFFSET_MAX; i++)
		last = take(*state, &owner_a, i);
	assert_int_equal(offset_take(*state, &plane, &offset), -ENOMEM);
	offset_give(*state, last);
	assert_int_equal(offset_take(*state, &plane, &offset), 0);
	assert_int_equal(offset, last);
	assert_int_equal(offset_take(*state, &plane, &offset), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(offset_is_never_zero_and_suits_every_page_size,
						setup, teardown),
		cmocka_unit_test_setup_teardown(offset_finds_the_plane_it_was_taken_for, setup,
						teardown),
		cmocka_unit_test_setup_teardown(offset_of_nothing_is_not_found, setup, teardown),
		cmocka_unit_test_setup_teardown(offset_that_was_given_back_is_not_found, setup,
						teardown),
		cmocka_unit_test_setup_teardown(offset_is_not_soon_used_again, setup, teardown),
		cmocka_unit_test_setup_teardown(offset_take_ends_when_all_are_taken, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
