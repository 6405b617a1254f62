/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * calendar.c - dates and seconds. See calendar.h.
 */
#include "devices/legacy/calendar.h"

#define S_PER_DAY 86400
#define YEAR_MAX  99999

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days from 1970 to a date. @year: from 0 on. @month: 1 to 12. @day: from 1 on, however far. */
static int64_t days_until(int64_t year, int64_t month, int64_t day)
{
	/* From a March 1st on, in years that begin with March: the leap day is their last. */
	const int64_t years = year + 400 - (month < 3);
	const int64_t months = month < 3 ? month + 9 : month - 3;
	const int64_t days = years * 365 + years / 4 - years / 100 + years / 400 +
			     (months * 153 + 2) / 5 + day - 1;

	return days - 865565; /* from March 1st of the year -400 to 1970 */
}

int64_t calendar_to_seconds(const struct calendar *calendar)
{
	const int64_t months = MAX(calendar->month, 1) - 1;
	const int64_t days =
		days_until(calendar->year + months / 12, months % 12 + 1, MAX(calendar->day, 1));

	return days * S_PER_DAY + calendar->hours * INT64_C(3600) +
	       calendar->minutes * INT64_C(60) + calendar->seconds;
}

void calendar_from_seconds(struct calendar *calendar, int64_t s)
{
	const int64_t first = days_until(0, 1, 1), last = days_until(YEAR_MAX, 12, 31);
	const int64_t days = MIN(MAX(floor_div(s, S_PER_DAY), first), last);
	const int of_day = calendar_second_of_day(s);
	int64_t year = (days - first) / 366;
	int month = 1;

	/* 400 years have 146097 days: the guess falls behind by one year in 483. */
	year += year / 500;
	while (days_until(year + 1, 1, 1) <= days)
		year++;
	while (month < 12 && days_until(year, month + 1, 1) <= days)
		month++;
	*calendar = (struct calendar) {
		.year = (int)year,
		.month = month,
		.day = (int)(days - days_until(year, month, 1)) + 1,
		.weekday = (int)(days + 4 - floor_div(days + 4, 7) * 7) + 1,
		.hours = of_day / 3600,
		.minutes = of_day / 60 % 60,
		.seconds = of_day % 60,
	};
}

int calendar_second_of_day(int64_t s)
{
	const int of_day = (int)(s % S_PER_DAY);

	return of_day < 0 ? of_day + S_PER_DAY : of_day;
}
