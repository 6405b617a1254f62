/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pace.h - when a thing that happens again and again is due, counted from its start. Pure.
 *
 * Each moment is worked out from the start, never from the one before, so that there is no drift
 * however uneven the interval is.
 */
#ifndef VMM_MEDIA_PACE_H
#define VMM_MEDIA_PACE_H

#include "base.h"

/* struct pace - an interval is @seconds / @times seconds; neither is 0. */
struct pace {
	uint64_t start_ns;
	uint32_t seconds, times;
};

/* pace_moment - nanoseconds at which number @n is due; 0 is the start. */
static inline uint64_t pace_moment(const struct pace *pace, uint64_t n)
{
	const unsigned __int128 scaled = (unsigned __int128)n * pace->seconds * 1000000000;

	return pace->start_ns + (uint64_t)((scaled + pace->times - 1) / pace->times);
}

/* pace_passed - the last number that was due at @now_ns, not before the start. */
static inline uint64_t pace_passed(const struct pace *pace, uint64_t now_ns)
{
	const uint64_t interval = (uint64_t)pace->seconds * 1000000000;

	return (uint64_t)((unsigned __int128)(now_ns - pace->start_ns) * pace->times / interval);
}

#endif
