/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_shm.c - which ranges of a region are taken: first fit, units, bounds, what is found where.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "devices/media/shm.h"

#define UNIT  UINT64_C(4096)
#define UNITS 64
#define SIZE  (UNITS * UNIT)

static int setup(void **state)
{
	struct shm *shm;

	assert_int_equal(shm_new(&shm, SIZE, UNIT), 0);
	*state = shm;
	return 0;
}

static int teardown(void **state)
{
	shm_free(*state);
	return 0;
}

static uint64_t take(struct shm *shm, uint64_t units)
{
	uint64_t offset = UINT64_MAX;

	assert_int_equal(shm_take(shm, units * UNIT, &offset), 0);
	assert_int_equal(offset % UNIT, 0);
	return offset / UNIT;
}

static void ranges_lie_side_by_side(void **state)
{
	struct shm *shm = *state;

	assert_int_equal(take(shm, 1), 0);
	assert_int_equal(take(shm, 3), 1);
	assert_int_equal(take(shm, 2), 4);
	assert_int_equal(shm_taken(shm), 6 * UNIT);
}

static void lengths_are_whole_units(void **state)
{
	static const struct {
		const char *name;
		uint64_t len;
		int result;
		uint64_t taken;
	} cases[] = {
		{"nothing", 0, -EINVAL, 0},
		{"one byte", 1, 0, UNIT},
		{"one unit", UNIT, 0, UNIT},
		{"a byte more", UNIT + 1, 0, 2 * UNIT},
		{"all", SIZE, 0, SIZE},
		{"all but a byte", SIZE - 1, 0, SIZE},
		{"a byte too many", SIZE + 1, -ENOSPC, 0},
		{"the largest number", UINT64_MAX, -ENOSPC, 0},
	};
	struct shm *shm = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t offset = UINT64_MAX;

		if (shm_take(shm, cases[i].len, &offset) != cases[i].result)
			fail_msg("%s", cases[i].name);
		if (shm_taken(shm) != cases[i].taken)
			fail_msg("%s: %llu bytes are taken", cases[i].name,
				 (unsigned long long)shm_taken(shm));
		if (cases[i].result == 0)
			assert_int_equal(shm_give(shm, offset), cases[i].taken);
		assert_int_equal(shm_taken(shm), 0);
	}
}

static void size_that_is_no_whole_unit_is_cut(void **state)
{
	struct shm *shm;
	uint64_t offset;

	assert_int_equal(shm_new(&shm, 2 * UNIT + 100, UNIT), 0);
	assert_int_equal(shm_take(shm, 2 * UNIT + 1, &offset), -ENOSPC);
	assert_int_equal(take(shm, 2), 0);
	assert_int_equal(shm_take(shm, 1, &offset), -ENOSPC);
	shm_free(shm);
}

static void first_gap_that_is_long_enough_is_taken(void **state)
{
	struct shm *shm = *state;

	assert_int_equal(take(shm, 2), 0);
	assert_int_equal(take(shm, 1), 2);
	assert_int_equal(take(shm, 4), 3);
	assert_int_equal(take(shm, 1), 7);
	assert_int_equal(shm_give(shm, 0), 2 * UNIT);
	assert_int_equal(shm_give(shm, 3 * UNIT), 4 * UNIT);
	assert_int_equal(take(shm, 3), 3);
	assert_int_equal(take(shm, 1), 0);
	assert_int_equal(take(shm, 2), 8);
	assert_int_equal(take(shm, 1), 1);
	assert_int_equal(take(shm, 1), 6);
}

static void full_region_has_no_space_until_some_is_given(void **state)
{
	struct shm *shm = *state;
	uint64_t offset;

	for (unsigned int i = 0; i < UNITS; i++)
		assert_int_equal(take(shm, 1), i);
	assert_int_equal(shm_take(shm, 1, &offset), -ENOSPC);
	assert_int_equal(shm_give(shm, 17 * UNIT), UNIT);
	assert_int_equal(shm_give(shm, 19 * UNIT), UNIT);
	assert_int_equal(shm_take(shm, 2 * UNIT, &offset), -ENOSPC); /* enough, but not in one */
	assert_int_equal(take(shm, 1), 17);
	assert_int_equal(take(shm, 1), 19);
	assert_int_equal(shm_take(shm, 1, &offset), -ENOSPC);
}

static void only_starts_are_given(void **state)
{
	struct shm *shm = *state;

	take(shm, 1);
	assert_int_equal(take(shm, 4), 1);
	assert_int_equal(shm_give(shm, 2 * UNIT), 0); /* in the middle */
	assert_int_equal(shm_give(shm, UNIT + 1), 0);
	assert_int_equal(shm_give(shm, 5 * UNIT), 0); /* behind the last */
	assert_int_equal(shm_give(shm, UINT64_MAX), 0);
	assert_int_equal(shm_taken(shm), 5 * UNIT);
	assert_int_equal(shm_give(shm, UNIT), 4 * UNIT);
	assert_int_equal(shm_give(shm, UNIT), 0); /* twice */
}

static void ranges_are_found_by_any_byte_of_theirs(void **state)
{
	struct shm *shm = *state;
	struct shm_range *ranges;

	assert_null(shm_find(shm, 0));
	take(shm, 1);
	take(shm, 2);
	take(shm, 1);
	shm_give(shm, 0);
	assert_null(shm_find(shm, UNIT - 1));
	assert_int_equal(shm_find(shm, UNIT)->offset, UNIT);
	assert_int_equal(shm_find(shm, 3 * UNIT - 1)->offset, UNIT);
	assert_int_equal(shm_find(shm, 3 * UNIT)->offset, 3 * UNIT);
	assert_null(shm_find(shm, 4 * UNIT));
	assert_null(shm_find(shm, UINT64_MAX));
	assert_int_equal(shm_ranges(shm, &ranges), 2);
	assert_int_equal(ranges[0].len, 2 * UNIT);
	assert_int_equal(ranges[1].offset, 3 * UNIT);
}

static void marks_move_with_their_ranges(void **state)
{
	struct shm *shm = *state;

	take(shm, 1);
	take(shm, 1);
	take(shm, 1);
	shm_find(shm, UNIT)->mark = true;
	shm_give(shm, 0);
	assert_true(shm_find(shm, UNIT)->mark);
	take(shm, 1);
	assert_false(shm_find(shm, 0)->mark);
	assert_true(shm_find(shm, UNIT)->mark);
	shm_give(shm, UNIT);
	assert_int_equal(take(shm, 1), 1);
	assert_false(shm_find(shm, UNIT)->mark); /* a new one */
}

/* Against a plain map of the units, in an order that a fixed sequence of numbers gives. */
static void agrees_with_a_map_of_the_units(void **state)
{
	struct shm *shm = *state;
	uint8_t map[UNITS] = {0}; /* 0: free; else the length of the range, at each of its units */
	uint32_t seed = 1;

	for (unsigned int round = 0; round < 20000; round++) {
		uint64_t units, at, offset;

		seed = seed * 1103515245 + 12345;
		at = seed >> 16 & (UNITS - 1);
		units = 1 + (seed >> 24) % 9;
		if (seed >> 23 & 1) {
			const bool start = map[at] && (at == 0 || shm_find(shm, (at - 1) * UNIT) !=
									  shm_find(shm, at * UNIT));
			const uint64_t len = start ? map[at] : 0;

			assert_int_equal(shm_give(shm, at * UNIT), len * UNIT);
			memset(map + at, 0, len);
			continue;
		}
		for (at = 0; at + units <= UNITS; at++) {
			uint64_t n = 0;

			while (n < units && !map[at + n])
				n++;
			if (n == units)
				break;
		}
		if (at + units > UNITS) {
			assert_int_equal(shm_take(shm, units * UNIT, &offset), -ENOSPC);
			continue;
		}
		assert_int_equal(take(shm, units), at);
		memset(map + at, (int)units, units);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		TEST(ranges_lie_side_by_side),
		TEST(lengths_are_whole_units),
		TEST(size_that_is_no_whole_unit_is_cut),
		TEST(first_gap_that_is_long_enough_is_taken),
		TEST(full_region_has_no_space_until_some_is_given),
		TEST(only_starts_are_given),
		TEST(ranges_are_found_by_any_byte_of_theirs),
		TEST(marks_move_with_their_ranges),
		TEST(agrees_with_a_map_of_the_units),
	};

	return cmocka_run_group_tests_name("shm", tests, NULL, NULL);
}
