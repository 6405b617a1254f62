/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_frame.c - two values that video has: the size of a frame, "640x480", and how many frames
 * there are in a second, "25" or, where that is no whole number, "30000/1001". Pure.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "vmm/config_schema.h"

int frame_size_parse(const struct config_field *field, const char *text,
		     struct config_frame_size *value, struct error *err)
{
	const char *rest = text;
	uint64_t sides[2];
	bool huge = false;

	for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
		const char *start = rest;

		huge |= digits_parse(&rest, &sides[i]) < 0;
		if (rest == start || *rest != (i == 0 ? 'x' : '\0'))
			return error_set(err, EINVAL,
					 "'%.80s' is not a frame size, such as 640x480", text);
		rest++;
	}
	for (size_t i = 0; i < ARRAY_SIZE(sides); i++)
		if (huge || sides[i] < field->min || sides[i] > field->max ||
		    sides[i] % field->multiple)
			return error_set(err, EINVAL,
					 "%.80s: each side must be from %" PRIu64 " to %" PRIu64
					 ", a multiple of %" PRIu64,
					 text, field->min, field->max, field->multiple);
	value->width = (unsigned int)sides[0];
	value->height = (unsigned int)sides[1];
	return 0;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
	while (b) {
		const uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

int frame_rate_parse(const struct config_field *field, const char *text,
		     struct config_frame_rate *value, struct error *err)
{
	uint64_t frames, seconds = 1, divisor;
	const char *rest = text, *start;
	bool huge = digits_parse(&rest, &frames) < 0, wrong = rest == text;

	if (!wrong && *rest == '/') {
		start = ++rest;
		huge |= digits_parse(&rest, &seconds) < 0;
		wrong = rest == start || seconds == 0;
	}
	if (wrong || *rest)
		return error_set(err, EINVAL,
				 "'%.80s' is not a frame rate, such as 30 or 30000/1001", text);
	if (huge || frames > CONFIG_FRAME_NUMBER_MAX || seconds > CONFIG_FRAME_NUMBER_MAX)
		return error_set(err, EINVAL, "%.80s has a number above %d", text,
				 CONFIG_FRAME_NUMBER_MAX);
	if (frames < field->min * seconds || frames > field->max * seconds)
		return error_set(err, EINVAL,
				 "%.80s: there must be from %" PRIu64 " to %" PRIu64
				 " frames a second",
				 text, field->min, field->max);
	divisor = common_divisor(frames, seconds);
	value->frames = (unsigned int)(frames / divisor);
	value->seconds = (unsigned int)(seconds / divisor);
	return 0;
}

void frame_size_format(char to[FRAME_TEXT_MAX], const struct config_frame_size *value)
{
	to[0] = '\0';
	if (value->width)
		snprintf(to, FRAME_TEXT_MAX, "%ux%u", value->width, value->height);
}

void frame_rate_format(char to[FRAME_TEXT_MAX], const struct config_frame_rate *value)
{
	to[0] = '\0';
	if (value->seconds == 1)
		snprintf(to, FRAME_TEXT_MAX, "%u", value->frames);
	else if (value->seconds)
		snprintf(to, FRAME_TEXT_MAX, "%u/%u", value->frames, value->seconds);
}
