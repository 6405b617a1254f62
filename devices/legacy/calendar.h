/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * calendar.h - dates of the Gregorian calendar in UTC and seconds since 1970.
 *
 * Our own since the C library's gmtime_r() opens time zone files when it is first called, which a
 * confined vCPU thread may not. Pure functions, any thread.
 */
#ifndef VMM_CALENDAR_H
#define VMM_CALENDAR_H

#include "base.h"

/* struct calendar - as people write it: @month and @day from 1 on, @weekday from 1, Sunday, on. */
struct calendar {
	int year, month, day, weekday;
	int hours, minutes, seconds;
};

/*
 * calendar_to_seconds - seconds since 1970; .weekday is ignored.
 * Every member is from 0 to 99999; what is no date is carried over into one: February 30th is
 * March 1st or 2nd, and month or day 0 counts as 1.
 */
int64_t calendar_to_seconds(const struct calendar *calendar);

/* calendar_from_seconds - @s: from year 0 to 99999; the date is held at these ends. */
void calendar_from_seconds(struct calendar *calendar, int64_t s);

/* calendar_second_of_day - 0 to 86399. */
int calendar_second_of_day(int64_t s);

#endif
