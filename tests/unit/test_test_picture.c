/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_test_picture.c - tests test_picture.c: what is where in the synthetic camera's picture.
 */
#include "devices/media/test_picture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "devices/media/jpeg.h"
#include "devices/media/test_colour.h"

#define SIDE_MAX 1024
#define STAMP	 16
#define GUARD	 0xa5

/*
 * A picture of this size has bars of 98 pixels, and in the middle of them a box of 49 by 9 points
 * with the digits.
 */
#define WIDTH  784
#define HEIGHT 120
#define POINT  4 /* pixels */
#define BOX_X  ((WIDTH - 49 * POINT) / 2)
#define BOX_Y  ((80 - 9 * POINT) / 2)

static struct test_picture *picture;

static int setup(void **state)
{
	return test_picture_new(&picture, SIDE_MAX);
}

static int teardown(void **state)
{
	test_picture_free(picture);
	return 0;
}

static struct test_look neutral(void)
{
	return (struct test_look) {
		.contrast = 128,
		.saturation = 128,
		.gain = 64,
		.bars = {0xffffff, 0xffff00, 0x00ffff, 0x00ff00, 0xff00ff, 0xff0000, 0x0000ff, 0},
		.quality = 85,
	};
}

static struct v4l2_pix_format pix_of(uint32_t pixelformat, uint32_t width, uint32_t height)
{
	struct v4l2_pix_format pix = {
		.width = width,
		.height = height,
		.pixelformat = pixelformat,
	};

	switch (pixelformat) {
	case V4L2_PIX_FMT_YUYV:
		pix.bytesperline = width * 2;
		pix.sizeimage = pix.bytesperline * height;
		break;
	case V4L2_PIX_FMT_NV12:
		pix.bytesperline = width;
		pix.sizeimage = pix.bytesperline * height * 3 / 2;
		break;
	case V4L2_PIX_FMT_RGB24:
		pix.bytesperline = width * 3;
		pix.sizeimage = pix.bytesperline * height;
		break;
	default:
		pix.sizeimage = width * height * 4;
	}
	return pix;
}

static uint8_t *paint(const struct v4l2_pix_format *pix, const struct test_look *look,
		      uint32_t number, int64_t *len)
{
	uint8_t *bytes = malloc(pix->sizeimage + 1);
	size_t stamp;

	assert_non_null(bytes);
	memset(bytes, GUARD, pix->sizeimage + 1);
	*len = test_picture_paint(picture, pix, look, number, STAMP, &stamp, bytes, pix->sizeimage);
	assert_int_equal(bytes[pix->sizeimage], GUARD);
	if (*len > 0)
		assert_true(stamp + STAMP <= (size_t)*len);
	return bytes;
}

/* An RGB picture, which is easy to look at. */
static uint8_t *paint_rgb(const struct test_look *look, uint32_t number)
{
	const struct v4l2_pix_format pix = pix_of(V4L2_PIX_FMT_RGB24, WIDTH, HEIGHT);
	int64_t len;
	uint8_t *bytes = paint(&pix, look, number, &len);

	assert_int_equal(len, WIDTH * HEIGHT * 3);
	return bytes;
}

static const uint8_t *pixel(const uint8_t *rgb, uint32_t x, uint32_t y)
{
	return &rgb[(y * WIDTH + x) * 3];
}

static void expect_pixel(const uint8_t *rgb, uint32_t x, uint32_t y, uint32_t colour)
{
	const struct test_look look = neutral();
	const struct test_colour wanted = test_colour(colour, &look, TEST_SPACE_RGB);

	if (memcmp(pixel(rgb, x, y), wanted.value, 3) != 0)
		fail_msg("%u, %u: %02x%02x%02x", x, y, pixel(rgb, x, y)[0], pixel(rgb, x, y)[1],
			 pixel(rgb, x, y)[2]);
}

static void bars_ramp_and_block_are_in_their_places(void **state)
{
	const struct test_look look = neutral();
	uint8_t *rgb = paint_rgb(&look, 0);

	for (uint32_t bar = 0; bar < TEST_PICTURE_BARS; bar++) {
		expect_pixel(rgb, bar * WIDTH / 8, 0, look.bars[bar]);
		expect_pixel(rgb, bar * WIDTH / 8 + 97, 79, look.bars[bar]);
	}
	expect_pixel(rgb, 0, 80, 0x000000);
	expect_pixel(rgb, WIDTH - 1, 99, 0xffffff);
	for (uint32_t x = 1; x < WIDTH; x++)
		assert_true(pixel(rgb, x, 90)[0] >= pixel(rgb, x - 1, 90)[0]);
	expect_pixel(rgb, 0, 100, 0xffffff);
	expect_pixel(rgb, WIDTH / 16 - 1, HEIGHT - 1, 0xffffff);
	expect_pixel(rgb, WIDTH / 16, 100, 0x202020);
	free(rgb);
}

/* Six pixels a frame, and round. */
static void block_moves(void **state)
{
	static const struct {
		uint32_t number, start;
	} cases[] = {{0, 0}, {1, 6}, {100, 600}, {130, 780}, {131, 786 % WIDTH}};
	const struct test_look look = neutral();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const uint32_t start = cases[i].start;
		uint8_t *rgb = paint_rgb(&look, cases[i].number);

		expect_pixel(rgb, start, 110, 0xffffff);
		expect_pixel(rgb, (start + WIDTH / 16 - 1) % WIDTH, 110, 0xffffff);
		expect_pixel(rgb, (start + WIDTH / 16) % WIDTH, 110, 0x202020);
		expect_pixel(rgb, (start + WIDTH - 1) % WIDTH, 110, 0x202020);
		free(rgb);
	}
}

/* The points of digit @at from the left, as a picture of '#' and '.'. */
static void read_digit(const uint8_t *rgb, unsigned int at, char glyph[36])
{
	for (unsigned int y = 0; y < 7; y++)
		for (unsigned int x = 0; x < 5; x++) {
			const uint32_t px = BOX_X + POINT * (1 + 6 * at + x);
			const uint32_t py = BOX_Y + POINT * (1 + y);
			const uint8_t *point = pixel(rgb, px, py);

			/* All pixels of a point are alike. */
			assert_memory_equal(point, pixel(rgb, px + POINT - 1, py), 3);
			assert_memory_equal(point, pixel(rgb, px, py + POINT - 1), 3);
			assert_true(point[0] == 0 || point[0] == 255);
			glyph[y * 5 + x] = point[0] ? '#' : '.';
		}
	glyph[35] = '\0';
}

static void number_can_be_read(void **state)
{
	static const uint32_t numbers[] = {0, 7, 10, 12345678, 98765432, 100000000, UINT32_MAX};
	const struct test_look look = neutral();
	char known[10][36];

	/* All ten look different. */
	for (unsigned int digit = 0; digit < 10; digit++) {
		uint8_t *rgb = paint_rgb(&look, digit);

		read_digit(rgb, 7, known[digit]);
		for (unsigned int i = 0; i < digit; i++)
			assert_string_not_equal(known[i], known[digit]);
		free(rgb);
	}
	assert_string_equal(known[7], "#####"
				      "....#"
				      "...#."
				      "..#.."
				      "..#.."
				      ".#..."
				      ".#...");
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		uint8_t *rgb = paint_rgb(&look, numbers[i]);
		char wanted[16], got[36];

		snprintf(wanted, sizeof(wanted), "%08u", numbers[i] % 100000000);
		for (unsigned int at = 0; at < 8; at++) {
			read_digit(rgb, at, got);
			assert_string_equal(got, known[wanted[at] - '0']);
		}
		/* The box has a margin. */
		expect_pixel(rgb, BOX_X, BOX_Y, 0);
		expect_pixel(rgb, BOX_X + 49 * POINT - 1, BOX_Y + 9 * POINT - 1, 0);
		expect_pixel(rgb, BOX_X - 1, BOX_Y, look.bars[(BOX_X - 1) / 98]);
		free(rgb);
	}
}

static void flips_mirror_the_picture(void **state)
{
	struct test_look look = neutral();
	uint8_t *plain = paint_rgb(&look, 42), *flipped;

	look.hflip = look.vflip = true;
	flipped = paint_rgb(&look, 42);
	for (uint32_t y = 0; y < HEIGHT; y++)
		for (uint32_t x = 0; x < WIDTH; x++)
			assert_memory_equal(pixel(flipped, x, y),
					    pixel(plain, WIDTH - 1 - x, HEIGHT - 1 - y), 3);
	free(plain);
	free(flipped);
}

static void patterns_fill_the_field(void **state)
{
	struct test_look look = neutral();
	uint8_t *rgb;

	look.pattern = TEST_PATTERN_RAMP;
	rgb = paint_rgb(&look, 0);
	expect_pixel(rgb, 0, 0, 0x000000);
	expect_pixel(rgb, WIDTH - 1, 79, 0xffffff);
	free(rgb);
	look.pattern = TEST_PATTERN_SQUARES;
	rgb = paint_rgb(&look, 0);
	expect_pixel(rgb, 0, 0, 0xffffff);
	expect_pixel(rgb, 48, 48, 0xffffff);
	expect_pixel(rgb, 49, 48, 0x000000);
	expect_pixel(rgb, 48, 49, 0x000000);
	expect_pixel(rgb, 49, 49, 0xffffff);
	free(rgb);
	look.pattern = TEST_PATTERN_WHITE;
	rgb = paint_rgb(&look, 0);
	expect_pixel(rgb, 0, 0, 0xffffff);
	expect_pixel(rgb, WIDTH - 1, 79, 0xffffff);
	free(rgb);
}

static uint8_t mean(uint8_t a, uint8_t b)
{
	return (uint8_t)((a + b + 1) / 2);
}

/* Colours of two pixels at bars' borders meet in their common chroma. */
static void formats_hold_the_same_picture(void **state)
{
	const struct v4l2_pix_format yuyv = pix_of(V4L2_PIX_FMT_YUYV, WIDTH, HEIGHT);
	const struct v4l2_pix_format nv12 = pix_of(V4L2_PIX_FMT_NV12, WIDTH, HEIGHT);
	const struct test_look look = neutral();
	int64_t len;
	uint8_t *packed = paint(&yuyv, &look, 77, &len), *planes;

	assert_int_equal(len, yuyv.sizeimage);
	planes = paint(&nv12, &look, 77, &len);
	assert_int_equal(len, nv12.sizeimage);
	for (uint32_t y = 0; y < HEIGHT; y++)
		for (uint32_t x = 0; x < WIDTH; x++)
			assert_int_equal(planes[y * WIDTH + x], packed[(y * WIDTH + x) * 2]);
	for (uint32_t y = 0; y < HEIGHT / 2; y++)
		for (uint32_t x = 0; x < WIDTH; x++)
			assert_int_equal(planes[WIDTH * (HEIGHT + y) + x],
					 packed[(2 * y * WIDTH + x) * 2 + 1]);
	for (uint32_t bar = 0; bar < 8; bar++) {
		const struct test_colour colour =
			test_colour(look.bars[bar], &look, TEST_SPACE_YCBCR);
		const uint8_t *pair = &packed[(bar * 98 + 4) * 2];

		assert_int_equal(pair[0], colour.value[0]);
		assert_int_equal(pair[1], colour.value[1]);
		assert_int_equal(pair[2], colour.value[0]);
		assert_int_equal(pair[3], colour.value[2]);
	}
	free(packed);
	free(planes);
}

/* Where a bar ends within a pair. */
static void chroma_of_a_pair_is_the_mean(void **state)
{
	const struct v4l2_pix_format pix = pix_of(V4L2_PIX_FMT_YUYV, 24, 16);
	const struct test_look look = neutral();
	const struct test_colour left = test_colour(look.bars[0], &look, TEST_SPACE_YCBCR),
				 right = test_colour(look.bars[1], &look, TEST_SPACE_YCBCR);
	int64_t len;
	uint8_t *bytes = paint(&pix, &look, 0, &len);

	/* Pixels 2 and 3 of bars of three pixels. */
	assert_int_equal(bytes[4], left.value[0]);
	assert_int_equal(bytes[5], mean(left.value[1], right.value[1]));
	assert_int_equal(bytes[6], right.value[0]);
	assert_int_equal(bytes[7], mean(left.value[2], right.value[2]));
	free(bytes);
}

static const uint32_t formats[] = {
	V4L2_PIX_FMT_YUYV,
	V4L2_PIX_FMT_NV12,
	V4L2_PIX_FMT_RGB24,
	V4L2_PIX_FMT_MJPEG,
};

/* Of any size, from nearly nothing on; not a byte more than it says. */
static void every_size_is_painted_whole(void **state)
{
	static const uint32_t sides[] = {16, 18, 48, 50, 98, 640, SIDE_MAX};
	const struct test_look look = neutral();

	for (size_t f = 0; f < ARRAY_SIZE(formats); f++)
		for (size_t w = 0; w < ARRAY_SIZE(sides); w++)
			for (size_t h = 0; h < ARRAY_SIZE(sides); h++) {
				const struct v4l2_pix_format pix =
					pix_of(formats[f], sides[w], sides[h]);
				int64_t len;

				if (formats[f] == V4L2_PIX_FMT_MJPEG && !jpeg_possible())
					continue;
				free(paint(&pix, &look, 123456, &len));
				if (formats[f] == V4L2_PIX_FMT_MJPEG)
					assert_true(len > 100);
				else
					assert_int_equal(len, pix.sizeimage);
			}
}

static void picture_depends_on_nothing_else(void **state)
{
	const struct test_look look = neutral();
	struct test_look garish = neutral();
	struct test_picture *own = picture, *another;

	garish.hue = 90;
	garish.pattern = TEST_PATTERN_SQUARES;
	assert_int_equal(test_picture_new(&another, 2 * SIDE_MAX), 0);
	for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
		const struct v4l2_pix_format pix = pix_of(formats[f], 320, 240);
		uint8_t *first, *second;
		int64_t first_len, second_len;

		if (formats[f] == V4L2_PIX_FMT_MJPEG && !jpeg_possible())
			continue;
		first = paint(&pix, &look, 5, &first_len);
		free(paint(&pix, &garish, 6, &second_len));
		picture = another;
		second = paint(&pix, &look, 5, &second_len);
		picture = own;
		assert_int_equal(first_len, second_len);
		assert_memory_equal(first, second, (size_t)first_len);
		free(first);
		free(second);
	}
	test_picture_free(another);
}

static void paint_refuses_what_it_cannot(void **state)
{
	const struct test_look look = neutral();
	struct v4l2_pix_format pix = pix_of(V4L2_PIX_FMT_YUYV, 64, 48);
	uint8_t bytes[64 * 48 * 2];
	size_t stamp;

	assert_int_equal(test_picture_paint(picture, &pix, &look, 0, STAMP, &stamp, bytes,
					    sizeof(bytes) - 1),
			 -ENOSPC);
	pix.pixelformat = V4L2_PIX_FMT_H264;
	assert_int_equal(test_picture_paint(picture, &pix, &look, 0, STAMP, &stamp, bytes,
					    sizeof(bytes)),
			 -EINVAL);
	pix = pix_of(V4L2_PIX_FMT_YUYV, SIDE_MAX + 2, 2);
	assert_int_equal(test_picture_paint(picture, &pix, &look, 0, STAMP, &stamp, bytes,
					    sizeof(bytes)),
			 -EINVAL);
	pix = pix_of(V4L2_PIX_FMT_MJPEG, 64, 48);
	assert_int_equal(test_picture_paint(picture, &pix, &look, 0, STAMP, &stamp, bytes, 200),
			 jpeg_possible() ? -ENOSPC : -EINVAL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(bars_ramp_and_block_are_in_their_places),
		CASE(block_moves),
		CASE(number_can_be_read),
		CASE(flips_mirror_the_picture),
		CASE(patterns_fill_the_field),
		CASE(formats_hold_the_same_picture),
		CASE(chroma_of_a_pair_is_the_mean),
		CASE(every_size_is_painted_whole),
		CASE(picture_depends_on_nothing_else),
		CASE(paint_refuses_what_it_cannot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
