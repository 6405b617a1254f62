/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_calendar.c - tests calendar.c against the C library's calendar.
 */
#include "devices/legacy/calendar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#define S_PER_DAY 86400

static void check(time_t s)
{
	struct calendar c;
	struct tm tm;

	assert_non_null(gmtime_r(&s, &tm));
	calendar_from_seconds(&c, s);
	assert_int_equal(c.year, tm.tm_year + 1900);
	assert_int_equal(c.month, tm.tm_mon + 1);
	assert_int_equal(c.day, tm.tm_mday);
	assert_int_equal(c.weekday, tm.tm_wday + 1);
	assert_int_equal(c.hours, tm.tm_hour);
	assert_int_equal(c.minutes, tm.tm_min);
	assert_int_equal(c.seconds, tm.tm_sec);
	assert_int_equal(calendar_to_seconds(&c), s);
	assert_int_equal(calendar_second_of_day(s), (s % S_PER_DAY + S_PER_DAY) % S_PER_DAY);
}

static void agrees_with_the_c_library(void **state)
{
	/* Each day of 800 years, at a different time of day. */
	for (time_t day = -170000; day < 125000; day++)
		check(day * S_PER_DAY + (day * 7919 % S_PER_DAY + S_PER_DAY) % S_PER_DAY);
	/* The turns of all years that there are. */
	for (int year = 0; year < 99999; year++) {
		const struct calendar first = {.year = year, .month = 1, .day = 1};

		check(calendar_to_seconds(&first));
		check(calendar_to_seconds(&first) + (INT64_C(365) * S_PER_DAY - 1));
	}
}

static void what_is_no_date_is_carried_over(void **state)
{
	static const struct {
		const char *name;
		struct calendar is, means;
	} cases[] = {
		{
			.name = "February 30th",
			.is = {.year = 2023, .month = 2, .day = 30},
			.means = {.year = 2023, .month = 3, .day = 2},
		},
		{
			.name = "February 30th of a leap year",
			.is = {.year = 2024, .month = 2, .day = 30},
			.means = {.year = 2024, .month = 3, .day = 1},
		},
		{
			.name = "month 0 and day 0",
			.is = {.year = 2024, .month = 0, .day = 0},
			.means = {.year = 2024, .month = 1, .day = 1},
		},
		{
			.name = "month 13",
			.is = {.year = 1999, .month = 13, .day = 1},
			.means = {.year = 2000, .month = 1, .day = 1},
		},
		{
			.name = "time beyond a day",
			.is = {.year = 1999,
			       .month = 12,
			       .day = 31,
			       .hours = 23,
			       .minutes = 59,
			       .seconds = 60},
			.means = {.year = 2000, .month = 1, .day = 1},
		},
		{
			.name = "nothing at all",
			.is = {.year = 0},
			.means = {.year = 0, .month = 1, .day = 1},
		},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		assert_int_equal(calendar_to_seconds(&cases[i].is),
				 calendar_to_seconds(&cases[i].means));
	}
}

static void dates_end_with_the_years_that_there_are(void **state)
{
	struct calendar c;

	calendar_from_seconds(&c, INT64_MIN);
	assert_int_equal(c.year, 0);
	assert_int_equal(c.month, 1);
	assert_int_equal(c.day, 1);
	calendar_from_seconds(&c, INT64_MAX);
	assert_int_equal(c.year, 99999);
	assert_int_equal(c.month, 12);
	assert_int_equal(c.day, 31);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_c_library),
		cmocka_unit_test(what_is_no_date_is_carried_over),
		cmocka_unit_test(dates_end_with_the_years_that_there_are),
	};

	return cmocka_run_group_tests_name("calendar", tests, NULL, NULL);
}
