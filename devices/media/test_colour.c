/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_colour.c - one colour of the synthetic camera. See test_colour.h.
 *
 * After ITU-R BT.601: Y = 0.299 R + 0.587 G + 0.114 B. What the controls do is done in Y, Cb, Cr of
 * full range.
 */
#include "devices/media/test_colour.h"

/* Fractions in 1/65536. */
#define ONE	    65536
#define FRACTION(x) ((int)((x)*ONE + ((x) < 0 ? -0.5 : 0.5)))

/* Sines are in 1/16384. */
#define SINE_ONE 16384

struct ycc {
	int y;	    /* 0 to 255 */
	int cb, cr; /* -128 to 127 */
};

static int clamp(int value, int min, int max)
{
	return MIN(MAX(value, min), max);
}

/* By Bhaskara's approximation, which is off by less than 0.002. */
static int sine(int degrees)
{
	int product;

	degrees = (degrees % 360 + 360) % 360;
	if (degrees > 180)
		return -sine(degrees - 180);
	product = degrees * (180 - degrees);
	return (int)((int64_t)SINE_ONE * 4 * product / (40500 - product));
}

static struct ycc from_rgb(uint32_t rgb)
{
	const int r = (int)(rgb >> 16 & 0xff), g = (int)(rgb >> 8 & 0xff), b = (int)(rgb & 0xff);

	return (struct ycc) {
		.y = (FRACTION(0.299) * r + FRACTION(0.587) * g + FRACTION(0.114) * b + ONE / 2) /
		     ONE,
		.cb = (FRACTION(-0.168736) * r + FRACTION(-0.331264) * g + FRACTION(0.5) * b) / ONE,
		.cr = (FRACTION(0.5) * r + FRACTION(-0.418688) * g + FRACTION(-0.081312) * b) / ONE,
	};
}

static struct ycc looked_at(struct ycc colour, const struct test_look *look)
{
	const int sin = sine(look->hue), cos = sine(look->hue + 90);
	const int gained = colour.y * look->gain / 64;

	return (struct ycc) {
		.y = clamp((gained - 128) * look->contrast / 128 + 128 + look->brightness, 0, 255),
		.cb = clamp((colour.cb * cos - colour.cr * sin) / SINE_ONE * look->saturation / 128,
			    -128, 127),
		.cr = clamp((colour.cb * sin + colour.cr * cos) / SINE_ONE * look->saturation / 128,
			    -128, 127),
	};
}

static uint8_t byte(int value)
{
	return (uint8_t)clamp(value, 0, 255);
}

static struct test_colour to_rgb(struct ycc colour)
{
	return (struct test_colour) {{
		byte(colour.y + FRACTION(1.402) * colour.cr / ONE),
		byte(colour.y -
		     (FRACTION(0.344136) * colour.cb + FRACTION(0.714136) * colour.cr) / ONE),
		byte(colour.y + FRACTION(1.772) * colour.cb / ONE),
	}};
}

struct test_colour test_colour(uint32_t rgb, const struct test_look *look, enum test_space space)
{
	const struct ycc colour = looked_at(from_rgb(rgb), look);

	if (space == TEST_SPACE_RGB)
		return to_rgb(colour);
	if (space == TEST_SPACE_YCBCR_FULL)
		return (struct test_colour) {{
			(uint8_t)colour.y,
			(uint8_t)(colour.cb + 128),
			(uint8_t)(colour.cr + 128),
		}};
	return (struct test_colour) {{
		(uint8_t)(16 + (colour.y * 219 + 127) / 255),
		(uint8_t)(128 + colour.cb * 224 / 255),
		(uint8_t)(128 + colour.cr * 224 / 255),
	}};
}
