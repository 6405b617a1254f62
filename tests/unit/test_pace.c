/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pace.c - tests pace.h: moments that are counted from the start.
 */
#include "devices/media/pace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NS_PER_S UINT64_C(1000000000)

static const struct {
	const char *name;
	struct pace pace;
} paces[] = {
	{"one in a second", {.start_ns = 5, .seconds = 1, .times = 1}},
	{"30 in a second", {.start_ns = 123456789, .seconds = 1, .times = 30}},
	{"30000 in 1001 seconds", {.start_ns = 1, .seconds = 1001, .times = 30000}},
	{"1000 in a second", {.start_ns = UINT64_C(1) << 62, .seconds = 1, .times = 1000}},
	{"one in 1000 seconds", {.start_ns = 0, .seconds = 1000, .times = 1}},
	{"1000000 in 999 seconds", {.start_ns = 7, .seconds = 999, .times = 1000000}},
};

static const uint64_t numbers[] = {0, 1, 2, 29, 30, 1000, 999983, UINT32_MAX / 1024};

/* At the moment of a number that number has passed, and a nanosecond earlier it has not. */
static void moment_and_passed_agree(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(paces); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(numbers); k++) {
			const uint64_t n = numbers[k], at = pace_moment(&paces[i].pace, n);

			if (pace_passed(&paces[i].pace, at) != n)
				fail_msg("%s: at its moment, %ju", paces[i].name, n);
			if (n > 0 && pace_passed(&paces[i].pace, at - 1) != n - 1)
				fail_msg("%s: before its moment, %ju", paces[i].name, n);
		}
	}
}

/* Also where an interval is no whole number of nanoseconds: 30 of them are a second. */
static void pace_does_not_drift(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(paces); i++) {
		const struct pace *pace = &paces[i].pace;

		for (uint64_t round = 1; round <= 1000; round++)
			if (pace_moment(pace, round * pace->times) !=
			    pace->start_ns + round * pace->seconds * NS_PER_S)
				fail_msg("%s: after %ju rounds", paces[i].name, round);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moment_and_passed_agree),
		cmocka_unit_test(pace_does_not_drift),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
