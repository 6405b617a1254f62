/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_test_colour.c - tests test_colour.c: colours in each space, as the controls change them.
 */
#include "devices/media/test_colour.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define RGB  TEST_SPACE_RGB
#define YCC  TEST_SPACE_YCBCR
#define FULL TEST_SPACE_YCBCR_FULL

#define NEUTRAL .contrast = 128, .saturation = 128, .gain = 64

/* The numbers of BT.601 for 100 % colours, and what each control is to do. */
static const struct {
	const char *name;
	uint32_t rgb;
	struct test_look look;
	enum test_space space;
	int wanted[3];
	int off; /* at most */
} cases[] = {
	{"white", 0xffffff, {NEUTRAL}, YCC, {235, 128, 128}, 0},
	{"black", 0x000000, {NEUTRAL}, YCC, {16, 128, 128}, 0},
	{"red", 0xff0000, {NEUTRAL}, YCC, {81, 90, 240}, 1},
	{"green", 0x00ff00, {NEUTRAL}, YCC, {145, 54, 34}, 1},
	{"blue", 0x0000ff, {NEUTRAL}, YCC, {41, 240, 110}, 1},
	{"yellow", 0xffff00, {NEUTRAL}, YCC, {210, 16, 146}, 1},
	{"white, full range", 0xffffff, {NEUTRAL}, FULL, {255, 128, 128}, 0},
	{"red, full range", 0xff0000, {NEUTRAL}, FULL, {76, 85, 255}, 1},
	{"grey in RGB", 0x808080, {NEUTRAL}, RGB, {128, 128, 128}, 0},
	{"red in RGB", 0xff0000, {NEUTRAL}, RGB, {255, 0, 0}, 2},
	{"cyan in RGB", 0x00ffff, {NEUTRAL}, RGB, {0, 255, 255}, 2},
	{"brighter", 0x808080, {NEUTRAL, .brightness = 40}, RGB, {168, 168, 168}, 0},
	{"not brighter than white",
	 0xf0f0f0,
	 {NEUTRAL, .brightness = 100},
	 RGB,
	 {255, 255, 255},
	 0},
	{"darker", 0x808080, {NEUTRAL, .brightness = -128}, RGB, {0, 0, 0}, 0},
	{"no contrast",
	 0xff00ff,
	 {.contrast = 0, .saturation = 0, .gain = 64},
	 RGB,
	 {128, 128, 128},
	 0},
	{"half the contrast",
	 0xffffff,
	 {.contrast = 64, .saturation = 128, .gain = 64},
	 RGB,
	 {191, 191, 191},
	 1},
	{"no saturation", 0xff0000, {.contrast = 128, .gain = 64}, FULL, {76, 128, 128}, 0},
	{"half the saturation",
	 0x0000ff,
	 {.contrast = 128, .saturation = 64, .gain = 64},
	 FULL,
	 {29, 192, 118},
	 1},
	{"hue by 180 degrees", 0xff0000, {NEUTRAL, .hue = 180}, FULL, {76, 256 - 85, 0}, 1},
	{"hue by 90 degrees", 0x0000ff, {NEUTRAL, .hue = 90}, FULL, {29, 149, 255}, 1},
	{"hue by -90 degrees", 0x0000ff, {NEUTRAL, .hue = -90}, FULL, {29, 107, 0}, 1},
	{"hue of grey", 0x404040, {NEUTRAL, .hue = 77}, RGB, {64, 64, 64}, 0},
	{"half the gain",
	 0x808080,
	 {.contrast = 128, .saturation = 128, .gain = 32},
	 RGB,
	 {64, 64, 64},
	 0},
	{"no gain", 0xffffff, {.contrast = 128, .saturation = 128}, RGB, {0, 0, 0}, 0},
};

static void colours_are_right(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct test_colour got =
			test_colour(cases[i].rgb, &cases[i].look, cases[i].space);

		for (unsigned int k = 0; k < 3; k++)
			if (abs(got.value[k] - cases[i].wanted[k]) > cases[i].off)
				fail_msg("%s: %u %u %u", cases[i].name, got.value[0], got.value[1],
					 got.value[2]);
	}
}

/* Whatever the controls are set to. */
static void limited_range_is_kept(void **state)
{
	for (int value = 0; value <= 255; value += 15) {
		for (int hue = -180; hue <= 180; hue += 30) {
			for (uint32_t rgb = 0; rgb <= 0xffffff; rgb += 0x333333) {
				const struct test_look look = {
					.brightness = value - 128,
					.contrast = value,
					.saturation = 255,
					.hue = hue,
					.gain = value,
				};
				const struct test_colour got =
					test_colour(rgb ^ 0xff0000, &look, YCC);

				assert_in_range(got.value[0], 16, 235);
				assert_in_range(got.value[1], 16, 240);
				assert_in_range(got.value[2], 16, 240);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(colours_are_right),
		cmocka_unit_test(limited_range_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
