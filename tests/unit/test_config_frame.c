/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_config_frame.c - frame sizes and rates: from text and back, and what is none.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/config_schema.h"

static const struct config_field size_field = {
	.name = "size",
	.type = FIELD_FRAME,
	.min = 16,
	.max = 8192,
	.multiple = 2,
};

static const struct config_field rate_field = {
	.name = "fps",
	.type = FIELD_RATE,
	.min = 1,
	.max = 1000,
};

static const struct {
	const char *text;
	struct config_frame_size size;
	const char *printed;
} sizes[] = {
	{"640x480", {640, 480}, "640x480"},
	{"16x16", {16, 16}, "16x16"},
	{"8192x8192", {8192, 8192}, "8192x8192"},
	{"016x0018", {16, 18}, "16x18"},
};

static void size_is_read_and_printed(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct config_frame_size got = {0};
		struct error err = {0};
		char printed[FRAME_TEXT_MAX];

		if (frame_size_parse(&size_field, sizes[i].text, &got, &err) < 0)
			fail_msg("%s: %s", sizes[i].text, err.text);
		assert_int_equal(got.width, sizes[i].size.width);
		assert_int_equal(got.height, sizes[i].size.height);
		frame_size_format(printed, &got);
		assert_string_equal(printed, sizes[i].printed);
	}
}

static const struct {
	const char *text;
	struct config_frame_rate rate;
	const char *printed;
} rates[] = {
	{"30", {30, 1}, "30"},
	{"1", {1, 1}, "1"},
	{"1000", {1000, 1}, "1000"},
	{"30000/1001", {30000, 1001}, "30000/1001"},
	{"60000/2002", {30000, 1001}, "30000/1001"},
	{"50/2", {25, 1}, "25"},
	{"7/7", {1, 1}, "1"},
	{"15/2", {15, 2}, "15/2"},
	{"1000000/1000", {1000, 1}, "1000"},
	{"1000000/999999", {1000000, 999999}, "1000000/999999"},
};

static void rate_is_read_in_lowest_terms(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		struct config_frame_rate got = {0};
		struct error err = {0};
		char printed[FRAME_TEXT_MAX];

		if (frame_rate_parse(&rate_field, rates[i].text, &got, &err) < 0)
			fail_msg("%s: %s", rates[i].text, err.text);
		if (got.frames != rates[i].rate.frames || got.seconds != rates[i].rate.seconds)
			fail_msg("%s: %u in %u", rates[i].text, got.frames, got.seconds);
		frame_rate_format(printed, &got);
		assert_string_equal(printed, rates[i].printed);
	}
}

static void nothing_is_printed_of_what_is_not_given(void **state)
{
	const struct config_frame_size size = {0};
	const struct config_frame_rate rate = {0};
	char printed[FRAME_TEXT_MAX] = "x";

	frame_size_format(printed, &size);
	assert_string_equal(printed, "");
	memset(printed, 'x', sizeof(printed));
	frame_rate_format(printed, &rate);
	assert_string_equal(printed, "");
}

#define NO_SIZE(text)  "'" text "' is not a frame size, such as 640x480"
#define BAD_SIZE(text) text ": each side must be from 16 to 8192, a multiple of 2"
#define NO_RATE(text)  "'" text "' is not a frame rate, such as 30 or 30000/1001"
#define BAD_RATE(text) text ": there must be from 1 to 1000 frames a second"

static const struct {
	const struct config_field *field;
	const char *text;
	const char *sentence;
} mistakes[] = {
	{&size_field, "640", NO_SIZE("640")},
	{&size_field, "640x", NO_SIZE("640x")},
	{&size_field, "x480", NO_SIZE("x480")},
	{&size_field, "640x480x2", NO_SIZE("640x480x2")},
	{&size_field, "640 x 480", NO_SIZE("640 x 480")},
	{&size_field, "-640x480", NO_SIZE("-640x480")},
	{&size_field, "640X480", NO_SIZE("640X480")},
	{&size_field, "14x480", BAD_SIZE("14x480")},
	{&size_field, "640x15", BAD_SIZE("640x15")},
	{&size_field, "641x480", BAD_SIZE("641x480")},
	{&size_field, "640x481", BAD_SIZE("640x481")},
	{&size_field, "8194x480", BAD_SIZE("8194x480")},
	{&size_field, "18446744073709552256x480", BAD_SIZE("18446744073709552256x480")},
	{&size_field, "0x0", BAD_SIZE("0x0")},
	{&rate_field, "29.97", NO_RATE("29.97")},
	{&rate_field, "/30", NO_RATE("/30")},
	{&rate_field, "30/", NO_RATE("30/")},
	{&rate_field, "30/0", NO_RATE("30/0")},
	{&rate_field, "30/1/1", NO_RATE("30/1/1")},
	{&rate_field, "-30", NO_RATE("-30")},
	{&rate_field, "0", BAD_RATE("0")},
	{&rate_field, "1001", BAD_RATE("1001")},
	{&rate_field, "2001/2", BAD_RATE("2001/2")},
	{&rate_field, "999/1000", BAD_RATE("999/1000")},
	{&rate_field, "1000001/1001", "1000001/1001 has a number above 1000000"},
	{&rate_field, "30/18446744073709551617",
	 "30/18446744073709551617 has a number above 1000000"},
};

static void mistakes_are_named(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		struct config_frame_size size = {0};
		struct config_frame_rate rate = {0};
		struct error err = {0};
		int r;

		if (mistakes[i].field == &size_field)
			r = frame_size_parse(&size_field, mistakes[i].text, &size, &err);
		else
			r = frame_rate_parse(&rate_field, mistakes[i].text, &rate, &err);
		if (r != -EINVAL || strcmp(err.text, mistakes[i].sentence) != 0)
			fail_msg("%s: %d, \"%s\"", mistakes[i].text, r, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(size_is_read_and_printed),
		cmocka_unit_test(rate_is_read_in_lowest_terms),
		cmocka_unit_test(nothing_is_printed_of_what_is_not_given),
		cmocka_unit_test(mistakes_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
